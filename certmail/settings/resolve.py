"""From three layers to one answer: flags over environment over file over default.

Comes in: the command line's words, the environment, the settings file. Goes out: ``Settings``,
in which each value is proved and carries where it came from. Every value given anywhere is
judged, also one that a higher layer covers: nothing is accepted and ignored.

``resolve`` is pure; ``load`` finds and reads the file. Whether a setting is *needed* is its
user's business: ``Settings.require`` says how to give it.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, NoReturn, TypeVar, cast

from certmail.errors import CertmailError, SettingsError
from certmail.frozen import frozen
from certmail.places import settings_folder
from certmail.settings import file as settings_file
from certmail.settings.keys import (
    COMMANDS,
    ENVIRONMENT_PREFIX,
    KEYS,
    RELAY_MODE,
    RELAY_PASSWORD_COMMAND,
    RELAY_PORT,
    RELAY_PROXY,
    SECRET_SOURCES,
    TABLES,
    Key,
    Never,
    never,
)
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from certmail.submission import Mode

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

CONFIG_VARIABLE: Final = "CERTMAIL_CONFIG"
"""Names the settings file; the one variable that is not a setting."""

_ALMOST_CERTAIN: Final = 0.9
"""Similarity above which a name is a slip of the pen rather than a wish for something else."""


class Source(Enum):
    """The layer a value came from, the strongest first."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@frozen
class Origin:
    """Where a value was written: the layer, and the flag, variable or file in it."""

    source: Source
    place: str = ""
    line: int | None = None

    def __str__(self) -> str:
        """Give it as people read it: ``flag --relay-host``, ``/etc/x.toml:3``, ``default``."""
        if self.source is Source.FILE:
            return f"{self.place}:{self.line}" if self.line else self.place
        return f"{self.source.value} {self.place}".rstrip()


@frozen
class Setting(Generic[T_co]):
    """A proved value and where it came from."""

    value: T_co
    origin: Origin


@frozen
class Row:
    """A setting as ``certmail config`` shows it; ``origin`` is None where nobody gave it."""

    name: str
    shown: str
    origin: Origin | None


@frozen
class Settings:
    """Every setting that has a value. Proves spelling and bounds, not that a path exists.

    Built by ``resolve`` only, which alone puts under each key's name what that key has read.
    """

    path: Path
    _settings: Mapping[str, Setting[object]] = field(repr=False)

    def setting(self, key: Key[T]) -> Setting[T] | None:
        """Give the value with its origin, or None where there is none."""
        return cast("Setting[T] | None", self._settings.get(key.name))

    def get(self, key: Key[T]) -> T | None:
        """Give the value, or None where nobody gave one and there is no default."""
        setting = self.setting(key)
        return setting.value if setting else None

    def require(self, key: Key[T]) -> T:
        """Give the value, or refuse with the ways to give it.

        Raises:
            SettingsError: ``SETTINGS-MISSING``.
        """
        setting = self.setting(key)
        if setting is None:
            raise SettingsError(
                "SETTINGS-MISSING",
                f"{key.name} is not set",
                why=f"it is needed here: {key.help[0].lower()}{key.help[1:].removesuffix('.')}",
                next=key.instructions(path=printable(str(self.path), limit=200)),
            )
        return setting.value

    def rows(self) -> Iterator[Row]:
        """List every setting there is, in a stable order, as text that may be shown."""
        for key in KEYS:
            setting = self.setting(key)
            if setting is None:
                yield Row(key.name, "", None)
            else:
                yield Row(key.name, shown(setting.value, key=key), setting.origin)


@frozen
class _Given:
    """What somebody wrote, before it is judged."""

    spelled: str
    value: object = field(repr=False)
    origin: Origin


def load(
    *, flags: Mapping[str, str], environ: Mapping[str, str], config: str | None = None
) -> Settings:
    """Read the settings file, if there is one, and resolve all layers.

    ``flags`` maps names of settings (``relay.host``) to what the command line gave; ``config`` is
    the value of ``--config``. A file that is named must be there; the usual one may be missing.

    Raises:
        SettingsError: ``SETTINGS-UNREADABLE``, ``SETTINGS-UNSAFE-FILE``, ``SETTINGS-SYNTAX``, and
            those of ``resolve``.
    """
    named = config if config is not None else environ.get(CONFIG_VARIABLE)
    path = settings_path(environ, config)
    try:
        entries = settings_file.parse(settings_file.read(path), path=str(path))
    except FileNotFoundError:
        if named is not None:
            raise settings_file.unreadable(path, reason="there is no such file") from None
        entries = ()
    return resolve(flags=flags, environ=environ, entries=entries, path=path)


def settings_path(environ: Mapping[str, str], config: str | None) -> Path:
    """Tell which file counts: the one ``--config`` names, or the variable, or the usual one."""
    named = config if config is not None else environ.get(CONFIG_VARIABLE)
    return usual_path() if named is None else _expanded(named)


def usual_path() -> Path:
    """Tell where the settings file lies when nothing names another."""
    return settings_folder() / "config.toml"


def resolve(
    *,
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    entries: Iterable[settings_file.Entry],
    path: Path,
) -> Settings:
    """Judge everything that was given and let the strongest layer win.

    Raises:
        SettingsError: ``SETTINGS-UNKNOWN``, ``SETTINGS-FORBIDDEN``, ``SETTINGS-VALUE``,
            ``SETTINGS-TWO-SOURCES``.
    """
    settings = {
        key.name: Setting(key.default, Origin(Source.DEFAULT))
        for key in KEYS
        if key.default is not None
    }
    by_name = {key.name: key for key in KEYS}
    by_variable = {key.variable: key for key in KEYS}
    layers = (
        (_in_file(entries, path=str(path)), by_name),
        (_in_environment(environ), by_variable),
        (_in_flags(flags, keys=by_name), by_name),
    )
    for givens, keys in layers:
        for given in givens:
            key = keys.get(given.spelled) or _refuse_name(given, known=keys)
            settings[key.name] = Setting(_judged(given, key=key), given.origin)
    _refuse_two_sources(settings)
    if RELAY_PORT.name not in settings:
        mode = cast("Setting[Mode]", settings[RELAY_MODE.name]).value
        origin = Origin(Source.DEFAULT, f"of {RELAY_MODE.name} {mode.value}")
        settings[RELAY_PORT.name] = Setting(mode.default_port, origin)
    return Settings(path, settings)


def _in_file(entries: Iterable[settings_file.Entry], *, path: str) -> Iterator[_Given]:
    for entry in entries:
        if entry.value == {} and entry.name in TABLES:
            continue
        yield _Given(entry.name, entry.value, Origin(Source.FILE, path, entry.line))


def _in_environment(environ: Mapping[str, str]) -> Iterator[_Given]:
    for name in sorted(environ):
        if name.startswith(ENVIRONMENT_PREFIX) and name != CONFIG_VARIABLE:
            yield _Given(name, environ[name], Origin(Source.ENVIRONMENT, name))


def _in_flags(flags: Mapping[str, str], *, keys: Mapping[str, Key[object]]) -> Iterator[_Given]:
    for name, value in flags.items():
        place = keys[name].flag if name in keys else name
        yield _Given(name, value, Origin(Source.FLAG, place))


def _judged(given: _Given, *, key: Key[object]) -> object:
    """Prove one value: TOML's type, then the key's own rule, then that a path stands by itself."""
    if given.origin.source is Source.FILE and type(given.value) is not key.form:
        form = {str: "a string", int: "an integer", bool: "a boolean"}[key.form]
        _refuse_value(given, key=key, reason=f"the file must give {form}, as in {key.line}")
    try:
        value = key.read(_spelled(given.value))
    except CertmailError as error:
        _refuse_value(given, key=key, reason=error.why)
    except ValueError:
        _refuse_value(given, key=key, reason="nothing else is understood there")
    if (
        isinstance(value, Path)
        and not value.is_absolute()
        and given.origin.source is not Source.FLAG
    ):
        _refuse_value(given, key=key, reason="it would mean another file in another folder")
    return value


def _refuse_value(given: _Given, *, key: Key[object], reason: str) -> NoReturn:
    # A command or a proxy's URL may hold a secret, so it is not quoted.
    quoted = (
        ""
        if key.name in {*COMMANDS, RELAY_PROXY.name}
        else f" {printable(_spelled(given.value))!r}"
    )
    raise SettingsError(
        "SETTINGS-VALUE",
        f"the value{quoted} of {key.name} ({_place(given)}) is not {key.wants}",
        why=reason,
        next=f"give a value like {key.example}",
        file=given.origin.place if given.origin.source is Source.FILE else None,
        lines=_line_range(given),
    ) from None


def _refuse_name(given: _Given, *, known: Iterable[str]) -> NoReturn:
    """Refuse a name that is no setting: for what it is after, or with the one it resembles."""
    import difflib  # noqa: PLC0415 - a run without a mistake pays nothing for suggestions

    written = printable(given.spelled)
    # A file is written in lower case and a variable in capitals: a slip of case is a slip too.
    in_environment = given.origin.source is Source.ENVIRONMENT
    folded = written.upper() if in_environment else written.lower()
    near = difflib.get_close_matches(folded, known, n=1)
    slip = [name for name in near if _is_slip(folded, name)]
    why = None if slip else never(given.spelled)
    undo = f"unset {written}" if in_environment else f"remove {written}"
    if why:
        code, verdict = "SETTINGS-FORBIDDEN", "there is no such setting, and there will be none"
    else:
        code, verdict = "SETTINGS-UNKNOWN", "there is no such setting"
    if why is Never.CREDENTIAL:
        undo += (
            f"; certmail secret set stores the password in the system's keyring, and"
            f" {RELAY_PASSWORD_COMMAND.name} names another source"
        )
    elif near and not why:
        undo = f"write {near[0]}, or {undo}"
    raise SettingsError(
        code,
        f"{written} ({_place(given)}): {verdict}",
        why=why.value if why else "what is not understood is not silently ignored",
        next=undo,
        file=given.origin.place if given.origin.source is Source.FILE else None,
        lines=_line_range(given),
    )


def _is_slip(written: str, name: str) -> bool:
    """Tell a slip of the pen by what is not the same in all names of the layer."""
    import difflib  # noqa: PLC0415 - as in _refuse_name

    one, other = (text.removeprefix(ENVIRONMENT_PREFIX) for text in (written, name))
    return difflib.SequenceMatcher(None, one, other).ratio() >= _ALMOST_CERTAIN


def _refuse_two_sources(settings: Mapping[str, Setting[object]]) -> None:
    """Refuse two places for one secret: which of them is used must not be a matter of rank."""
    given = [(key.name, settings[key.name]) for key in SECRET_SOURCES if key.name in settings]
    if len(given) <= 1:
        return
    (first, one), (second, other) = given[:2]
    shown = (printable(str(setting.origin), limit=200) for setting in (one, other))
    places = " and ".join(
        f"{name} ({place})" for name, place in zip((first, second), shown, strict=True)
    )
    raise SettingsError(
        "SETTINGS-TWO-SOURCES",
        f"the relay's secret has two sources: {places}",
        why="a login is tried once, so it must be clear which secret is meant",
        next=f"take one of them away: {first} or {second}",
    )


def _spelled(value: object) -> str:
    """Spell a value of the file as a flag would."""
    try:
        return str(value).lower() if isinstance(value, bool) else str(value)
    except ValueError:  # Python spells no integer of more than 4300 digits
        return "a huge number"


def _place(given: _Given) -> str:
    return printable(str(given.origin), limit=200)


def _line_range(given: _Given) -> tuple[int, int] | None:
    return (given.origin.line, given.origin.line) if given.origin.line else None


def shown(value: object, *, key: Key[object]) -> str:
    """Spell a value as the settings file would, but of a command only the program."""
    if key.name in COMMANDS and isinstance(value, tuple):
        return f"{printable(value[0])} …"
    if isinstance(value, Enum):
        return str(value.value)
    return printable(_spelled(value), limit=200)


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # there is no such home; opening it as it stands will say so
        return Path(text)
