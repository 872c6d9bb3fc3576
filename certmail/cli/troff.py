"""Text for man pages: escapes and paragraphs of the man macros (man(7)).

In: plain text. Out: lines of troff in ASCII. Knows nothing of commands.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD: Final = re.compile(r"[^\s,|]+|[\s,|]+")


def escaped(text: str) -> str:
    """Make text harmless: no escape, no request at a line's start, ASCII alone."""
    # A hyphen that is typed must stay one that can be copied.
    safe = text.replace("\\", "\\e").replace("-", "\\-")
    return _guarded("".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in safe))


def _guarded(line: str) -> str:
    return "\\&" + line if line[:1] in {".", "'"} else line


def filled(text: str) -> list[str]:
    """Set running text, in lines that an editor can show."""
    rows = textwrap.wrap(
        escaped(" ".join(text.split())), 78, break_long_words=False, break_on_hyphens=False
    )
    return [_guarded(row) for row in rows]


def bold(text: str) -> str:
    """Set text that is typed as it stands."""
    return f"\\fB{escaped(text)}\\fR"


def italic(text: str) -> str:
    """Set text that stands for something else."""
    return f"\\fI{escaped(text)}\\fR"


def option(declared: str) -> str:
    """Set an option: its names as typed, what it takes as a stand-in."""
    return "".join(_set(word) for word in _WORD.findall(declared))


def _set(word: str) -> str:
    if word.startswith("-"):
        return bold(word)
    return italic(word) if word.strip(" ,|") else escaped(word)


def quoted(text: str) -> str:
    """Give an argument of a macro; a quotation mark in it is doubled."""
    return '"' + escaped(text).replace('"', '""') + '"'


def paragraphs(text: str) -> list[str]:
    """Set paragraphs; one that begins with a backspace keeps its lines, as for click."""
    lines: list[str] = []
    for index, block in enumerate(re.split(r"\n\s*\n", text.strip())):
        lines += [".PP"] if index else []
        if block.lstrip().startswith("\b"):
            kept = block.replace("\b", "").strip("\n").splitlines()
            lines += literal(kept)
        else:
            lines += filled(block)
    return lines


def literal(rows: Iterable[str]) -> list[str]:
    """Set rows as they are, indented."""
    return [".RS 2", ".nf", *(escaped(row.strip()) for row in rows), ".fi", ".RE"]


def tagged(tag: str, text: str) -> list[str]:
    """Set a tag, set already, and the text that hangs from it."""
    return [".TP", tag, *filled(text)]
