"""Slotted dataclasses that cost little to define: frozen ones, and a few that can be changed.

Comes in: a class with annotated fields. Goes out: a dataclass; of `frozen`, one whose instances
cannot be changed. What a reader knows of ``@dataclass(frozen=True, slots=True)`` holds for it:
equality by class and values, their hash, ``repr`` without the fields that must not be shown,
``field``, ``InitVar``, ``__post_init__``, ``fields``, ``replace`` and ``asdict``. Of `slotted`,
what he knows of ``@dataclass(slots=True, eq=False)``. Knows no other room.

The standard decorator writes and compiles the source of half a dozen methods for each class, at
each start of the program; with a hundred and fifty classes that was a fifth of a send. Here the
methods are the same for all classes and read what differs from the fields
(``docs/decisions/0012-frozen-classes.md``).
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, FrozenInstanceError, dataclass, field
from functools import partial
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, TypeVar, overload

# mypy and its kin understand a class by this mark, as they understand the standard one.
from typing import dataclass_transform as understood

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Mapping

T = TypeVar("T")

_PLAN: Final = "__frozen_plan__"
_set: Final = object.__setattr__


class _Plan(NamedTuple):
    """What the methods must know of a class; worked out when its first instance is made."""

    by_position: tuple[str, ...]
    parameters: frozenset[str]
    defaults: Mapping[str, Any]
    factories: Mapping[str, Callable[[], Any]]
    stored: tuple[str, ...]
    told: tuple[str, ...]
    """``InitVar`` parameters, which ``__post_init__`` is told and nothing keeps."""
    proves: bool
    shown: tuple[str, ...]
    compared: tuple[str, ...]


@overload
def frozen(made: type[T], /) -> type[T]: ...
@overload
def frozen(
    *, kw_only: bool = ..., eq: bool = ..., repr: bool = ...
) -> Callable[[type[T]], type[T]]: ...


@understood(frozen_default=True, field_specifiers=(field,))
def frozen(
    made: type[T] | None = None,
    /,
    *,
    kw_only: bool = False,
    eq: bool = True,
    repr: bool = True,
) -> type[T] | Callable[[type[T]], type[T]]:
    """Make a class a frozen, slotted dataclass; the switches are those of ``dataclass``."""
    methods = _METHODS | _FREEZING | (_SHOWING if repr else {}) | (_COMPARING if eq else {})
    if made is None:
        return partial(_ready, methods=methods, kw_only=kw_only)
    return _ready(made, methods=methods, kw_only=kw_only)


@understood(field_specifiers=(field,))
def slotted(made: type[T], /) -> type[T]:
    """Make a class a slotted dataclass that can be changed; two are equal if they are one."""
    return _ready(made, methods=_METHODS | _SHOWING, kw_only=False)


def _ready(made: type[T], *, methods: Mapping[str, object], kw_only: bool) -> type[T]:
    """Collect the fields the standard way, and add the methods that are the same for all."""
    # Where there is no docstring, the standard decorator spells a signature, which takes longer
    # than everything else.
    made.__doc__ = made.__doc__ or made.__name__
    ready = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(made)
    own = vars(ready)
    for name, method in methods.items():
        # object's __hash__ is in the way of nothing; one that the class wrote is its own.
        if name not in own:
            setattr(ready, name, method)
    setattr(ready, _PLAN, None)
    return ready


def _plan(made: type) -> _Plan:
    """Work out what the methods must know of a class, once."""
    known: _Plan | None = getattr(made, _PLAN)
    if known is not None:
        return known
    every = made.__dataclass_fields__.values()  # type: ignore[attr-defined]  # a dataclass has it
    kept = dataclasses.fields(made)
    names = {each.name for each in kept}
    initial = [each for each in every if each.name not in names and _is_initial(each)]
    parameters = [each for each in every if each.init and (each.name in names or each in initial)]
    plan = _Plan(
        by_position=tuple(each.name for each in parameters if not each.kw_only),
        parameters=frozenset(each.name for each in parameters),
        defaults={e.name: e.default for e in (*kept, *initial) if e.default is not MISSING},
        factories={e.name: e.default_factory for e in kept if e.default_factory is not MISSING},
        stored=tuple(each.name for each in kept),
        told=tuple(each.name for each in initial),
        proves=hasattr(made, "__post_init__"),
        shown=tuple(each.name for each in kept if each.repr),
        compared=tuple(each.name for each in kept if each.compare),
    )
    setattr(made, _PLAN, plan)
    return plan


def _is_initial(each: object) -> bool:
    """Tell an ``InitVar`` from a ``ClassVar``; the standard library keeps it in a private place."""
    return str(getattr(each, "_field_type", "")) == "_FIELD_INITVAR"


def _init(self: Any, *by_position: Any, **by_name: Any) -> None:
    """Take the fields in their order or by name, and let ``__post_init__`` prove them."""
    plan: _Plan = getattr(type(self), _PLAN) or _plan(type(self))
    if not by_position and by_name.keys() == plan.parameters:
        values = by_name
    else:
        values = _arranged(type(self), plan, by_position, by_name)
    if len(values) < len(plan.stored) + len(plan.told):
        _complete(type(self), plan, values)
    for name in plan.stored:
        if name in values:
            _set(self, name, values[name])
    if plan.proves:
        self.__post_init__(*[values[name] for name in plan.told])


def _arranged(
    made: type, plan: _Plan, by_position: tuple[Any, ...], by_name: dict[str, Any]
) -> dict[str, Any]:
    """Give each argument its name, and refuse what the class does not take."""
    if len(by_position) > len(plan.by_position):
        _refuse(made, f"takes {len(plan.by_position)} positional arguments", len(by_position))
    values = dict(zip(plan.by_position, by_position, strict=False))
    for name, value in by_name.items():
        if name in values:
            _refuse(made, f"got multiple values for argument {name!r}")
        if name not in plan.parameters:
            _refuse(made, f"got an unexpected keyword argument {name!r}")
        values[name] = value
    return values


def _complete(made: type, plan: _Plan, values: dict[str, Any]) -> None:
    """Add the defaults; a parameter without one is missing."""
    for name in (*plan.stored, *plan.told):
        if name in values:
            continue
        if name in plan.defaults:
            values[name] = plan.defaults[name]
        elif name in plan.factories:
            values[name] = plan.factories[name]()
        elif name in plan.parameters:
            _refuse(made, f"missing a required argument: {name!r}")


def _refuse(made: type, what: str, given: int | None = None) -> NoReturn:
    raise TypeError(
        f"{made.__name__}.__init__() {what}" + ("" if given is None else f" but {given} were given")
    )


@recursive_repr()
def _repr(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in _plan(type(self)).shown)
    return f"{type(self).__qualname__}({shown})"


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in _plan(type(self)).compared])


def _eq(self: Any, other: object) -> bool:
    if self is other:
        return True
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _setattr(self: Any, name: str, value: object) -> NoReturn:
    del self, value
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: Any, name: str) -> NoReturn:
    del self
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, name) for name in _plan(type(self)).stored]


def _setstate(self: Any, state: list[Any]) -> None:
    for name, value in zip(_plan(type(self)).stored, state, strict=True):
        _set(self, name, value)


class _Signature:
    """What ``inspect.signature`` and the documents show; worked out when somebody asks."""

    def __get__(self, instance: object, made: type) -> inspect.Signature:
        import inspect  # noqa: PLC0415 - for those who ask

        every = made.__dataclass_fields__.values()  # type: ignore[attr-defined]  # a dataclass has it
        plan = _plan(made)
        parameters = [
            inspect.Parameter(
                each.name,
                inspect.Parameter.KEYWORD_ONLY
                if each.kw_only
                else inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=plan.defaults.get(each.name, ...)
                if each.name in plan.defaults or each.name in plan.factories
                else inspect.Parameter.empty,
                annotation=each.type,
            )
            for each in every
            if each.name in plan.parameters
        ]
        return inspect.Signature(sorted(parameters, key=lambda each: each.kind))


_METHODS: Final[dict[str, object]] = {
    "__init__": _init,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
    "__signature__": _Signature(),
}
_FREEZING: Final[dict[str, object]] = {"__setattr__": _setattr, "__delattr__": _delattr}
_SHOWING: Final[dict[str, object]] = {"__repr__": _repr}
_COMPARING: Final[dict[str, object]] = {"__eq__": _eq, "__hash__": _hash}
