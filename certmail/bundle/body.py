"""One open block: gathers the lines between BEGIN and END and turns them into octets.

Comes in: pieces of lines. Goes out: the decoded body, or one finding that says by line and column
what is wrong and never what stands there. Knows the base64 of RFC 4648 §4 as RFC 7468 §3 uses it,
and the headers of RFC 1421 §4.6.1.1. Nothing it gathers is part of its representation.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Final

from certmail.bundle import hints, labels, layout
from certmail.bundle.findings import Finding, error

if TYPE_CHECKING:
    from certmail.bundle.layout import Tally

MAX_DER_BYTES: Final = 102_399
"""OpenSSL clients refuse a whole chain above 102400 bytes, so no one certificate may reach it.

A multiple of three, so that four characters for three octets is exact.
"""

LINE_LENGTH: Final = 64

_MAX_CHARACTERS: Final = MAX_DER_BYTES * 4 // 3
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,40}:")
_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9+/=]")
_AFTER_PADDING: Final = re.compile(r"=(?=[^=])")


class Body:
    """The open block. Blocks that cannot be part of a bundle are counted, not gathered."""

    __slots__ = (
        "_characters",
        "_fault",
        "_headers",
        "_parts",
        "_short",
        "_tally",
        "_uneven",
        "encrypted",
        "first_line",
        "label",
    )  # fmt: skip

    def __init__(self, label: str, first_line: int, tally: Tally) -> None:
        """Open a block at its BEGIN line."""
        self.label = label
        self.first_line = first_line
        self.encrypted = False
        self._tally = tally
        self._parts: list[str] = []
        self._characters = 0
        self._headers: bool | None = None
        self._fault: Finding | None = None
        self._short: int | None = None
        self._uneven: list[int] = []

    def add(self, piece: str, line: int, *, alone: bool) -> None:
        """Take what stands on a line; ``alone`` is whether nothing else stands there."""
        if self.label not in labels.BELONGS or self._is_header(piece, line):
            return
        compact = "".join(piece.split())
        if not compact:
            self._tally.note(layout.BLANK, line)
            return
        if alone:
            self._note_form(piece, compact, line)
        self._fault = self._fault or self._look(piece, compact, line)
        self._characters += len(compact)
        if self._fault is None and self._characters <= _MAX_CHARACTERS:
            self._parts.append(compact)

    def decode(self, last_line: int) -> bytes | Finding:
        """Give the octets of the body; empty where the headers say that it is ciphertext."""
        lines = (self.first_line, last_line)
        if self.encrypted:
            return b""
        if self._characters > _MAX_CHARACTERS:
            return _huge(lines, self._characters)
        if not self._characters:
            return _empty(lines)
        if self._fault is not None:
            return self._fault
        octets = _octets("".join(self._parts), lines)
        if isinstance(octets, bytes):
            for line in self._uneven:
                self._tally.note(layout.WRAP, line)
        return octets

    def _is_header(self, piece: str, line: int) -> bool:
        """Take RFC 1421 headers: they end with a blank line and may be continued by a space."""
        if self._characters or self._headers is False:
            return False
        if _HEADER.match(piece):
            self._headers = True
            # RFC 1421 §4.6.1.1: "Proc-Type: 4,ENCRYPTED".
            if "ENCRYPTED" in piece:
                self.encrypted = True
            elif not self.encrypted:
                self._tally.note(layout.HEADERS, line)
            return True
        if self._headers and not piece.strip():
            self._headers = False
            return True
        return bool(self._headers) and piece.startswith((" ", "\t"))

    def _note_form(self, piece: str, compact: str, line: int) -> None:
        if piece != piece.lstrip():
            self._tally.note(layout.INDENTED, line)
        if piece != piece.rstrip():
            self._tally.note(layout.TRAILING, line)
        if piece.strip() != compact:
            self._tally.note(layout.SPACES, line)
        if self._short is not None:
            self._uneven.append(self._short)
        self._short = line if len(compact) < LINE_LENGTH else None
        if len(compact) > LINE_LENGTH:
            self._uneven.append(line)

    def _look(self, piece: str, compact: str, line: int) -> Finding | None:
        illegal = _ILLEGAL.search(compact)
        if illegal is not None:
            return _character(line, piece.index(illegal[0]) + 1)
        if _AFTER_PADDING.search(compact) or (self._parts and self._parts[-1].endswith("=")):
            return _padding((line, line), "padding stands in the middle of the body")
        return None


def _octets(text: str, lines: tuple[int, int]) -> bytes | Finding:
    if len(text) % 4:
        return error(
            "BASE64-LENGTH",
            lines,
            f"the body has {len(text)} characters, which is not a multiple of four",
            why="characters were lost or added; the decoded body would be another one",
            next=hints.COPY_AGAIN,
        )
    try:
        octets = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        octets = b""
    # RFC 4648 §3.5: pad bits "MUST be set to zero by conforming encoders".
    if binascii.b2a_base64(octets, newline=False) != text.encode("ascii"):
        return _padding(lines, "the end of the body is not canonical base64")
    return octets


def _character(line: int, column: int) -> Finding:
    return error(
        "BASE64-CHARACTER",
        (line, line),
        f"a character that base64 does not have, on line {line}, column {column}",
        why="the block was damaged or edited; what it means cannot be told any more",
        next=hints.COPY_AGAIN,
    )


def _padding(lines: tuple[int, int], what: str) -> Finding:
    return error(
        "BASE64-PADDING",
        lines,
        what,
        why="two bodies were joined, or the end of one was damaged",
        next=hints.COPY_AGAIN,
    )


def _empty(lines: tuple[int, int]) -> Finding:
    return error(
        "BLOCK-EMPTY",
        lines,
        "nothing stands between BEGIN and END",
        why="the text of the block was lost",
        next=hints.COPY_AGAIN,
    )


def _huge(lines: tuple[int, int], characters: int) -> Finding:
    return error(
        "BLOCK-HUGE",
        lines,
        f"the block has {characters} characters of base64",
        why=f"clients refuse chains of more than {MAX_DER_BYTES} bytes",
        next="check that the block is one certificate or one key",
    )
