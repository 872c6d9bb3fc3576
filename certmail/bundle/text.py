"""From octets to numbered lines of ASCII text, with every deviation on the way noted.

Comes in: the file. Goes out: lines, or the one reason why there are none. Strict in what it
notes, forgiving in what it passes on: a file with one foul byte is still read to its end, so that
all findings come at once. Caps come first, before anything is allocated.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import field
from typing import TYPE_CHECKING, Final

from certmail.bundle import layout
from certmail.bundle.findings import Finding, error
from certmail.frozen import frozen

if TYPE_CHECKING:
    from certmail.bundle.layout import Tally

MAX_FILE_BYTES: Final = 1024 * 1024
"""Ten of the largest chains that OpenSSL clients take (100 KiB each); no bundle comes near it."""

MAX_LINES: Final = 32 * 1024
"""1 MiB at 64 characters makes 16 Ki lines; twice that allows for blank lines and for text."""

_LINE: Final = re.compile(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
# Compiled by `re` when they are first used: most files are ASCII.
_WIDE_SPACE: Final = "[\u00a0\u2000-\u200a\u2028\u2029\u202f\u3000]"
_NO_WIDTH: Final = "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]"
_LOOKALIKE: Final = "[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@frozen
class Line:
    """One line without its end; numbers count from 1 and also behind a lone CR."""

    number: int
    text: str = field(repr=False)


def caps(data: bytes) -> Finding | None:
    """Refuse a file that is empty or too large to be a bundle."""
    if not data.strip():
        return error(
            "FILE-EMPTY",
            None,
            "the file is empty",
            why="there is nothing to send; a failed command may have emptied it",
            next="ls -l bundle.pem",
        )
    lines = data.count(b"\n") + data.count(b"\r")
    if len(data) > MAX_FILE_BYTES or lines > MAX_LINES:
        return error(
            "FILE-HUGE",
            None,
            f"the file has {len(data)} bytes and {lines} line ends",
            why=f"a bundle has less than {MAX_FILE_BYTES} bytes and {MAX_LINES} lines by far",
            next="give the bundle with one key and its certificates, not a store of all of them",
        )
    return None


def wide(data: bytes) -> Finding | None:
    """Refuse UTF-16 and UTF-32, with or without a byte order mark."""
    name = _wide_encoding(data)
    if name is None:
        return None
    return error(
        "FILE-UTF16" if name.startswith("UTF-16") else "FILE-UTF32",
        None,
        f"the file is text in {name}, two or four bytes to a letter",
        why="PEM is ASCII; a Windows shell or editor wrote the file in its own encoding",
        next=f"umask 077 && iconv -f {name} -t US-ASCII//TRANSLIT bundle.pem >fixed.pem",
    )


def _wide_encoding(data: bytes) -> str | None:
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    # Without a mark: the hyphens of the first BEGIN line show how many bytes make a letter.
    starts = {
        "UTF-32LE": b"-\0\0\0-\0\0\0",
        "UTF-32BE": b"\0\0\0-\0\0\0-",
        "UTF-16LE": b"-\0-\0",
        "UTF-16BE": b"\0-\0-",
    }
    return next((name for name, start in starts.items() if data.startswith(start)), None)


def lines(data: bytes, tally: Tally) -> list[Line]:
    """Cut the file into lines of ASCII, noting line ends and characters on the way.

    Invisible characters become spaces or nothing, look-alike dashes become hyphens; any other
    character outside ASCII stays and fails in the block it stands in.
    """
    if data.startswith(codecs.BOM_UTF8):
        tally.note(layout.BOM, 1)
        data = data.removeprefix(codecs.BOM_UTF8)
    text = _decoded(data)
    _note_line_ends(text, tally)
    found = [Line(at, match[1]) for at, match in enumerate(_LINE.finditer(text), start=1)]
    if found and not found[-1].text:
        found.pop()
    return [_cleaned(line, tally) for line in found]


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _note_line_ends(text: str, tally: Tally) -> None:
    crlf = text.count("\r\n")
    lone_cr, lone_lf = text.count("\r") - crlf, text.count("\n") - crlf
    if crlf or lone_cr:
        mixed = (crlf > 0) + (lone_cr > 0) + (lone_lf > 0) > 1
        first = text.count("\n", 0, text.index("\r")) + 1
        defect = layout.MIXED if mixed else layout.CRLF if crlf else layout.CR
        tally.note(defect, first, times=crlf + lone_cr)
    if not text.endswith(("\r", "\n")):
        tally.note(layout.NO_NEWLINE, crlf + lone_cr + lone_lf + 1)


def _cleaned(line: Line, tally: Tally) -> Line:
    text = line.text
    if _CONTROL.search(text):
        tally.note(layout.CONTROL, line.number)
        text = _CONTROL.sub("", text)
    if not text.isascii():
        text = _in_ascii(text, line.number, tally)
    return line if text == line.text else Line(line.number, text)


def _in_ascii(text: str, number: int, tally: Tally) -> str:
    if re.search(_WIDE_SPACE, text) or re.search(_NO_WIDTH, text):
        tally.note(layout.INVISIBLE, number)
        text = re.sub(_NO_WIDTH, "", re.sub(_WIDE_SPACE, " ", text))
    if re.search(_LOOKALIKE, text):
        tally.note(layout.LOOKALIKE, number)
        text = re.sub(_LOOKALIKE, "-", text)
    if not text.isascii():
        tally.note(layout.NON_ASCII, number)
    return text
