"""The text of a message as SMTP carries it, octet for octet.

In: the wire form of a sealed message. Out: whether every relay reads it alike, and the pieces to
write. Knows RFC 5321 §2.3.8 (lines), RFC 5321 §4.5.2 (transparency) and RFC 5321 §4.5.3.1.6 (line
length). Changes nothing that the other side does not change back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE_OCTETS: Final = 1000
"""RFC 5321 §4.5.3.1.6, CRLF included."""

CHUNK_OCTETS: Final = 8192
"""How much is written before certmail looks whether the connection takes it."""

FINAL_DOT: Final = b".\r\n"
"""What ends the text, behind its last CRLF; until it is written nothing can be accepted."""

_CANONICAL: Final = re.compile(rb"(?:[\x01-\x09\x0b\x0c\x0e-\x7f]*\r\n)+")
_LEADING_DOT: Final = re.compile(rb"^\.", re.MULTILINE)


def is_canonical(wire: bytes) -> bool:
    """Tell whether ``wire`` is lines that every relay reads alike and none needs to change.

    RFC 5321 §2.3.8: a client "MUST NOT transmit these characters except when they are intended as
    line terminators": at a bare CR or LF one relay sees the end of a message and the next does
    not. Also 7-bit, no NUL, bounded lines.
    """
    longest = max(map(len, wire.splitlines(keepends=True)), default=0)
    return longest <= MAX_LINE_OCTETS and _CANONICAL.fullmatch(wire) is not None


def stuffed(wire: bytes) -> bytes:
    """Double the dot that begins a line (RFC 5321 §4.5.2), so that none ends the text early."""
    return _LEADING_DOT.sub(b"..", wire)


def chunks(wire: bytes) -> Iterator[bytes]:
    """Give the pieces to write, dots doubled, without the final dot."""
    body = stuffed(wire)
    for start in range(0, len(body), CHUNK_OCTETS):
        yield body[start : start + CHUNK_OCTETS]
