"""Frozen classes behave like the standard library's, and cost a fraction to define."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
from dataclasses import (
    FrozenInstanceError,
    InitVar,
    asdict,
    dataclass,
    field,
    fields,
    is_dataclass,
    replace,
)
from typing import Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.frozen import frozen, slotted

T = TypeVar("T")


def both(**switches):
    """Make the same class twice: ours, and the standard library's."""

    def decorate(build):
        return frozen(**switches)(build()), dataclass(frozen=True, slots=True, **switches)(build())

    return decorate


@both()
def point():
    class Point:
        """A point."""

        x: int
        y: int = 2
        label: str = field(default="p", repr=False)
        seen: list[int] = field(default_factory=list, compare=False)

    return Point


@both(kw_only=True)
def named():
    class Named:
        """By name only."""

        a: int
        b: int = 3

    return Named


@both()
def proved():
    class Proved:
        """Proves itself."""

        number: int
        witness: InitVar[str]
        doubled: int = field(init=False, default=0)

        def __post_init__(self, witness: str) -> None:
            if witness != "seen":
                raise TypeError("who?")
            object.__setattr__(self, "doubled", 2 * self.number)

    return Proved


CLASSES = [point, named, proved]
WORDS = st.sampled_from(["x", "y", "label", "seen", "a", "b", "number", "witness", "doubled", "z"])
VALUES = st.one_of(st.integers(0, 3), st.sampled_from(["seen", "p"]))


def outcome(build, *args, **named):
    """Say what a class makes of the arguments: its values, or that it refuses them."""
    try:
        made = build(*args, **named)
    except TypeError:
        return TypeError
    return {each.name: getattr(made, each.name) for each in fields(made)}


@pytest.mark.parametrize("pair", CLASSES, ids=lambda pair: pair[0].__name__)
@given(args=st.lists(VALUES, max_size=5), named=st.dictionaries(WORDS, VALUES, max_size=4))
def test_the_same_arguments_are_taken_and_refused(pair, args, named):
    ours, standard = pair
    assert outcome(ours, *args, **named) == outcome(standard, *args, **named)


@given(a=st.tuples(VALUES, VALUES), b=st.tuples(VALUES, VALUES))
def test_equality_and_hash_are_those_of_the_values(a, b):
    ours, standard = point
    assert (ours(*a) == ours(*b)) == (standard(*a) == standard(*b))
    assert (hash(ours(*a)) == hash(ours(*b))) == (a == b)
    assert ours(*a) != standard(*a)
    assert ours(*a) != a


def test_a_field_that_is_not_compared_makes_no_difference():
    ours, _ = point
    assert ours(1, seen=[1]) == ours(1, seen=[2])
    assert hash(ours(1, seen=[1])) == hash(ours(1, seen=[2]))


def test_what_must_not_be_shown_is_not_shown():
    ours, standard = point
    shown = repr(ours(1, label="secret"))
    assert shown == repr(standard(1, label="secret"))
    assert "secret" not in shown


@pytest.mark.parametrize("pair", CLASSES, ids=lambda pair: pair[0].__name__)
def test_nothing_is_changed_added_or_deleted(pair):
    made = {"Point": lambda c: c(1), "Named": lambda c: c(a=1), "Proved": lambda c: c(1, "seen")}
    one = made[pair[0].__name__](pair[0])
    name = fields(one)[0].name
    for act in (
        lambda: setattr(one, name, 5),
        lambda: setattr(one, "another", 5),
        lambda: delattr(one, name),
    ):
        with pytest.raises(FrozenInstanceError):
            act()
    assert not hasattr(one, "__dict__")


def test_the_tools_of_the_standard_library_work():
    ours, standard = point
    assert is_dataclass(ours)
    assert asdict(ours(1)) == asdict(standard(1))
    assert replace(ours(1), y=7) == ours(1, 7)
    assert copy.deepcopy(ours(1)) == ours(1)
    assert ours.__match_args__ == standard.__match_args__
    with pytest.raises((ValueError, TypeError), match="witness"):  # Python 3.13 says TypeError
        replace(proved[0](1, "seen"), number=2)
    match ours(3, 4):
        case ours(x, y):
            assert (x, y) == (3, 4)


def test_a_mutable_default_is_refused_and_a_factory_makes_each_its_own():
    ours, _ = point
    assert ours(1).seen is not ours(1).seen
    with pytest.raises(ValueError, match="mutable default"):

        @frozen
        class Wrong:
            """Shared."""

            seen: list[int] = []  # noqa: RUF012 - that is the point


def test_a_class_keeps_the_methods_that_it_writes_itself():
    @frozen
    class Own:
        """Writes some itself."""

        text: str

        def __repr__(self) -> str:
            return "<own>"

        def __hash__(self) -> int:
            return 7

    assert (repr(Own("a")), hash(Own("b")), Own("a") == Own("a")) == ("<own>", 7, True)


def test_identity_can_be_all_there_is():
    @frozen(eq=False)
    class Secret:
        """Compared with nothing."""

        text: str = field(repr=False)

    one = Secret("a")
    assert one != Secret("a")
    assert one == one  # noqa: PLR0124 - that is the point
    assert len({one, Secret("a")}) == 2


def test_generic_classes_stay_generic():
    @frozen
    class Box(Generic[T]):
        """Of anything."""

        inside: T

    assert Box[int](3) == Box(3)


def test_the_signature_is_told_to_those_who_ask():
    assert str(inspect.signature(named[0])) == "(*, a: 'int', b: 'int' = 3)"
    assert list(inspect.signature(proved[0]).parameters) == ["number", "witness"]


@frozen
class Kept:
    """Can be found by its name."""

    number: int
    text: str = "t"


def test_an_instance_survives_being_kept():
    assert pickle.loads(pickle.dumps(Kept(3))) == Kept(3)
    assert copy.copy(Kept(3)) == Kept(3)


def test_defining_one_compiles_no_method():
    """The reason for all this: no method is made as source, however many classes there are.

    Python 3.13 compiles the function that would hold them, and it is empty.
    """
    program = (
        "import builtins, sys\n"
        "from certmail.frozen import frozen, slotted, field\n"
        "made = []\n"
        "real = builtins.exec\n"
        "def watched(source, *a, **k):\n"
        "    if source.count('def ') > 1:\n"
        "        made.append(source)\n"
        "    return real(source, *a, **k)\n"
        "builtins.exec = watched\n"
        "@frozen\n"
        "class A:\n"
        "    'A.'\n"
        "    x: int\n"
        "    y: str = field(default='', repr=False)\n"
        "sys.exit(len(made) or A(1).x != 1)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_slotted_one_can_be_changed_and_is_equal_to_itself_alone():
    @slotted
    class Tally:
        name: str
        found: list[int] = field(default_factory=list)

    one, other = Tally("a"), Tally(name="a")
    one.found.append(1)
    one.name = "b"
    assert (one.name, one.found, other.found) == ("b", [1], [])
    assert one == one  # noqa: PLR0124 - that is the question
    assert other != Tally("a")
    assert len({one, other}) == 2
    with pytest.raises(AttributeError):
        one.more = 1
    with pytest.raises(TypeError):
        Tally()
