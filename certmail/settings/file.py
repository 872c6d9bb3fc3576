"""The settings file: TOML text goes in, what it gives comes out, each value with its line.

``read`` is the one place that touches the disk: one open, judged by the open file itself, so
that nothing can be exchanged between the look and the read. ``parse`` is pure. Knows TOML's
grammar through ``tomllib``; does not know which settings exist.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import sys
from dataclasses import field
from typing import TYPE_CHECKING, Final

from certmail.errors import SettingsError
from certmail.frozen import frozen
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_BYTES: Final = 16_384
"""Every setting there is, with comments, fits many times over."""

_MAX_STATEMENT_LINES: Final = 64
"""No setting spans lines; a longer statement ends the search for line numbers, nothing else."""

_MAX_DEPTH: Final = 4
"""Settings are two names deep; what lies deeper is unknown whatever it is."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ERROR_LINE: Final = re.compile(r"line (\d+)")


@frozen
class Entry:
    """One value of the file: its dotted name, what stands there, and the line it begins on."""

    name: str
    value: object = field(repr=False)
    line: int | None


def read(path: Path) -> bytes:
    """Read the settings file, if it is one that only its owner can write.

    Raises:
        FileNotFoundError: there is none; the caller knows whether there had to be.
        SettingsError: ``SETTINGS-UNREADABLE``, ``SETTINGS-UNSAFE-FILE``.
    """
    # O_NONBLOCK: opening a named pipe must not wait for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            _refuse_unsafe(os.fstat(file.fileno()), path=path)
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no such path"
        raise unreadable(path, reason=reason.lower()) from None
    if len(content) > MAX_BYTES:
        raise unreadable(path, reason=f"it is longer than {MAX_BYTES} bytes")
    return content


def unreadable(path: Path, *, reason: str) -> SettingsError:
    """Say that the settings file cannot be read."""
    return SettingsError(
        "SETTINGS-UNREADABLE",
        f"the settings file {printable(str(path), limit=200)} cannot be read: {reason}",
        why="going on without it would use other settings than the ones you wrote",
        next="give a readable regular file with --config, or remove the file to use none",
        file=str(path),
    )


def _refuse_unsafe(status: os.stat_result, *, path: Path) -> None:
    """Refuse what is not a regular file, and a file that somebody else can change."""
    if not stat.S_ISREG(status.st_mode):
        raise unreadable(path, reason="it is not a regular file")
    if sys.platform == "win32":  # access there is by lists, and the mode bits say nothing
        return
    shown = printable(str(path), limit=200)
    if status.st_uid not in {os.geteuid(), 0}:
        raise SettingsError(
            "SETTINGS-UNSAFE-FILE",
            f"the settings file {shown} belongs to another user",
            why="its owner can choose the relay that gets your mail and your password",
            next=f"look at it, then put a copy of your own in its place: {shown}",
            file=str(path),
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingsError(
            "SETTINGS-UNSAFE-FILE",
            f"the settings file {shown} can be written by others",
            why="whoever writes it can choose the relay that gets your mail and your password",
            next=f"chmod go-w {shlex.quote(shown)}",
            file=str(path),
        )


def parse(content: bytes, *, path: str) -> tuple[Entry, ...]:
    """Parse TOML into entries, in the order of the file.

    Raises:
        SettingsError: ``SETTINGS-SYNTAX``.
    """
    import tomllib  # noqa: PLC0415 - most runs have no settings file

    try:
        text = content.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise _malformed(
            path, reason="not UTF-8", line=content.count(b"\n", 0, error.start) + 1
        ) from None
    except RecursionError:
        raise _malformed(path, reason="nested too deeply", line=None) from None
    except ValueError as error:  # TOMLDecodeError, or a number beyond Python's own limit
        found = _ERROR_LINE.search(str(error))
        raise _malformed(path, reason=str(error), line=int(found[1]) if found else None) from None
    lines = _lines(text)
    return tuple(
        Entry(name, value, lines.get(name))
        for name, value in ((_dotted(leaf), value) for leaf, value in _leaves(document))
    )


def _malformed(path: str, *, reason: str, line: int | None) -> SettingsError:
    shown = printable(path, limit=200)
    return SettingsError(
        "SETTINGS-SYNTAX",
        f"the settings file {shown} is not TOML: {printable(reason)}",
        why="a line that is not understood could be the one you rely on",
        next=f"mend line {line} of {shown}" if line else f"mend {shown}",
        file=path,
        lines=(line, line) if line else None,
    )


def _leaves(
    table: dict[str, object], *, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], object]]:
    """Walk the values; a table with nothing in it is a leaf too, for its name may be unknown."""
    for name, value in table.items():
        path = (*above, name)
        if isinstance(value, dict) and value and len(path) < _MAX_DEPTH:
            yield from _leaves(value, above=path)
        else:
            yield path, value


def _dotted(path: tuple[str, ...]) -> str:
    """Spell a path as TOML does, so that ``"relay.host"`` in quotes is not ``relay.host``."""
    return ".".join(part if _BARE.fullmatch(part) else f'"{part}"' for part in path)


def _lines(text: str) -> dict[str, int]:
    """Tell the line on which each key of a well-formed document begins.

    ``tomllib`` does not say. But a statement of TOML parses alone, and no part of one that spans
    lines does: so lines are gathered until they parse.
    """
    import tomllib  # noqa: PLC0415 - as in parse

    lines: dict[str, int] = {}
    table: tuple[str, ...] = ()
    statement, start = "", 1
    for number, line in enumerate(text.split("\n"), start=1):
        statement += line + "\n"
        try:
            leaves = tuple(_leaves(tomllib.loads(statement)))
        except (ValueError, RecursionError):
            if number - start >= _MAX_STATEMENT_LINES:
                break
            continue
        if statement.lstrip().startswith("["):
            table = leaves[0][0]
            lines.setdefault(_dotted(table), start)
        else:
            for leaf, _ in leaves:
                lines.setdefault(_dotted(table + leaf), start)
        statement, start = "", number + 1
    return lines
