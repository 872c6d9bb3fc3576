"""Change the settings file and lose nothing of it.

In: the file's path and, for some settings, a value or None to take its line out. Out: a `Draft`,
which shows what would change, and after `save` the file, replaced in one step. Comments, order and
whatever else stands there are kept by ``tomlkit``; that they were is not believed but read back:
the new text must hold the old values and the wishes, and nothing else, or nothing is written.

A file that is not understood, not ours or a link is left alone. Knows no question and no answer.
"""

from __future__ import annotations

import os
import sys
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from certmail import durable
from certmail.errors import SettingsError
from certmail.frozen import frozen
from certmail.settings import file as settings_file
from certmail.settings.keys import COMMANDS, Key
from certmail.settings.resolve import resolve, shown
from certmail.values import Fingerprint, Hostname, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD: Final = "# Settings of certmail. `certmail setup` changes single lines and keeps the rest.\n"

_CANONICAL: Final = (Fingerprint, Hostname, Path)
"""Values that are written as they were understood, not as they were typed."""


@frozen
class Change:
    """One line of the file: what stands there and what will; None where there is no line."""

    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """Say it in a line."""
        if self.after is None:
            return f"{self.name} is no longer set (was {self.before})"
        was = f" (was {self.before})" if self.before is not None else ""
        return f"{self.name} = {self.after}{was}"


@frozen
class Draft:
    """The file as it would be. ``before`` is what was read, or None where there is no file yet."""

    path: Path
    before: bytes | None = field(repr=False)
    after: bytes = field(repr=False)
    changes: tuple[Change, ...]


def draft(path: Path, wishes: Mapping[Key[object], str | None]) -> Draft:
    """Put ``wishes`` into the text of the file; nothing is written.

    Each value is spelled as a flag would spell it and proved by its key. Without a file, the text
    begins anew.

    Raises:
        SettingsError: ``SETTINGS-VALUE``, ``SETTINGS-UNWRITABLE``; and for what stands in the file
            already, those of ``certmail.settings.file`` and of ``resolve``.
    """
    before = read(path)
    values = {key.name: _proved(key, text, path=path) for key, text in wishes.items()}
    old = {entry.name: entry.value for entry in _understood(before or b"", path=path)}
    new = {name: value for name, value in {**old, **values}.items() if value is not None}
    after = _edited(before, {n: v for n, v in values.items() if old.get(n) != v}, path=path)
    written = {entry.name: entry.value for entry in _understood(after, path=path)}
    if {n: v for n, v in written.items() if v != {}} != {n: v for n, v in new.items() if v != {}}:
        _refuse_shape(path, wishes)
    changes = tuple(
        Change(key.name, _spelled(old.get(key.name), key=key), _spelled(new.get(key.name), key=key))
        for key in wishes
        if old.get(key.name) != new.get(key.name)
    )
    return Draft(path, before, after if changes else before or b"", changes)


def save(draft: Draft) -> None:
    """Replace the file in one step, mode 0600; after a crash the old or the new one is there.

    Raises:
        SettingsError: ``SETTINGS-CHANGED``, ``SETTINGS-UNWRITABLE``.
    """
    if not draft.changes:
        return
    path = draft.path
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        _refuse(path, error.strerror or "its folder cannot be made")
    if read(path) != draft.before:
        raise SettingsError(
            "SETTINGS-CHANGED",
            f"the settings file {_named(path)} was changed by somebody else meanwhile",
            why="what they wrote would be lost",
            next="run the command again; it goes on from what stands there now",
            file=str(path),
        )
    try:
        durable.replace(path, draft.after)
    except durable.StateError as error:
        _refuse(path, error.what.rpartition(": ")[2])


def read(path: Path) -> bytes | None:
    """Read the file that is to be changed, or None where there is none.

    Raises:
        SettingsError: ``SETTINGS-UNWRITABLE`` for a link or a file of root's, and those of
            ``certmail.settings.file.read``.
    """
    if path.is_symlink():
        # Replacing it would cut the link, writing through it would write who knows where.
        raise SettingsError(
            "SETTINGS-UNWRITABLE",
            f"the settings file {_named(path)} is a link to another file",
            why="whoever made the link expects it to stay, and the file at its other end too",
            next=f"certmail --config {_named(Path(os.path.realpath(path)))} setup",
            file=str(path),
        )
    try:
        content = settings_file.read(path)
        if sys.platform != "win32" and path.stat().st_uid != os.geteuid():
            _refuse(path, "it belongs to root, and certmail does not run as root")
    except FileNotFoundError:
        return None
    except OSError as error:
        _refuse(path, error.strerror or "it cannot be looked at")
    return content


def _proved(key: Key[object], text: str | None, *, path: Path) -> object:
    """Give what TOML is to hold: judged by the one place that judges settings."""
    if text is None:
        return None
    value = resolve(flags={key.name: text}, environ={}, entries=(), path=path).get(key)
    if key.form is not str:
        return value
    return str(value) if isinstance(value, _CANONICAL) else text


def _understood(content: bytes, *, path: Path) -> tuple[settings_file.Entry, ...]:
    entries = settings_file.parse(content, path=str(path))
    resolve(flags={}, environ={}, entries=entries, path=path)
    return entries


def _edited(before: bytes | None, values: Mapping[str, object], *, path: Path) -> bytes:
    """Write the values into the document; what it cannot hold, ``draft`` finds out."""
    import tomlkit  # noqa: PLC0415 - a run that changes no setting does without
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    if not values:
        return before or b""
    try:
        document = tomlkit.parse((before or _HEAD.encode()).decode())
        # A table of a document is a table, whatever the stubs say of items in general.
        tables: Any = document
        for name, value in values.items():
            table, _, key = name.partition(".")
            if value is None:
                _take_out(tables[table], key)
                continue
            if table not in document:
                document.add(tomlkit.nl())
                document.add(table, tomlkit.table())
            # Where a value stands, only the value is exchanged: the comment behind it is kept.
            tables[table][key] = value
        # Not as_string(), which some tables of a document would answer for themselves alone.
        return tomlkit.dumps(document).encode()
    except (TOMLKitError, ValueError, TypeError, KeyError, AttributeError):
        _refuse(path, "its shape cannot be changed by a program")


def _take_out(table: Any, key: str) -> None:
    """Take a line out; a comment that stood behind the value stays, on a line of its own."""
    import tomlkit  # noqa: PLC0415 - as in _edited

    # item(): a boolean, asked for by its name, comes without what stands behind it.
    comment = table.value.item(key).trivia.comment
    del table[key]
    if comment:
        table.add(tomlkit.comment(comment.lstrip("#").strip()))


def _spelled(value: object, *, key: Key[object]) -> str | None:
    return None if value is None else shown(_read(value, key=key), key=key)


def _read(value: object, *, key: Key[object]) -> object:
    """Give the value as its key reads it, so that a command is shown by its program alone."""
    return key.read(value) if key.name in COMMANDS and isinstance(value, str) else value


def _named(path: Path) -> str:
    return printable(str(path), limit=200)


def _refuse(path: Path, reason: str) -> NoReturn:
    raise SettingsError(
        "SETTINGS-UNWRITABLE",
        f"the settings file {_named(path)} cannot be written: {reason}",
        why="the answers are kept there, for the next certmail setup and for every send",
        next="name a file of your own: certmail --config FILE setup",
        file=str(path),
    ) from None


def _refuse_shape(path: Path, wishes: Mapping[Key[object], str | None]) -> NoReturn:
    lines = ", ".join(key.name for key in wishes)
    raise SettingsError(
        "SETTINGS-UNWRITABLE",
        f"the settings file {_named(path)} would not hold what was meant",
        why="it is written in a way that a program cannot change safely; nothing was changed",
        next=f"write there by hand: {lines}; certmail config shows what is understood",
        file=str(path),
    )
