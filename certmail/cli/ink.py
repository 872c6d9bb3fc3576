"""Text with colours, for screens that are written line by line and need no tables.

In: pieces of text and the names of their styles. Out: the text, with escape codes where the stream
takes them (`draw.is_coloured`) and without them elsewhere. Decides nothing; the words are the same.
"""

from __future__ import annotations

import sys
from typing import Final

import click

from certmail.cli.draw import is_coloured

_CODES: Final = {
    "bold": "1",
    "dim": "2",
    "underline": "4",
    "red": "31",
    "green": "32",
    "yellow": "33",
}


class Ink:
    """Text in pieces, each in its style: words like ``bold red``, or none."""

    def __init__(self, text: str = "", style: str = "") -> None:
        """Begin with one piece."""
        self._pieces = [(text, style)] if text else []

    def append(self, text: str, style: str = "") -> Ink:
        """Add a piece."""
        if text:
            self._pieces.append((text, style))
        return self

    def add(self, other: Ink) -> Ink:
        """Add the pieces of another text."""
        self._pieces += other._pieces
        return self

    @property
    def plain(self) -> str:
        """The words alone."""
        return "".join(text for text, _ in self._pieces)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self._pieces)

    def coloured(self) -> str:
        """Give the text with escape codes, which never run over the end of a line."""
        return "".join(_painted(text, style) for text, style in self._pieces)


def show(text: Ink | str, *, end: str = "\n") -> None:
    """Write a text to standard output, coloured where that takes colours."""
    wants = is_coloured(sys.stdout)
    words = text if isinstance(text, str) else text.coloured() if wants else text.plain
    click.echo(words + end, nl=False, color=wants)


def columns(text: str) -> int:
    """Count the columns a text takes; letters of some scripts take two, and some none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, room: int, *, sign: str) -> str:
    """Cut a text to the columns there are, with a sign where it was cut."""
    if columns(text) <= room:
        return text
    if text.isascii():
        return text[: room - 1] + sign
    from rich.cells import set_cell_size

    return set_cell_size(text, room - 1) + sign


def _painted(text: str, style: str) -> str:
    codes = ";".join(_CODES[word] for word in style.split())
    if not codes:
        return text
    return "\n".join(f"\x1b[{codes}m{line}\x1b[0m" if line else "" for line in text.split("\n"))
