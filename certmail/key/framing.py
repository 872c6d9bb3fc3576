"""OpenPGP packets: where one ends and the next begins (RFC 9580 §4.2).

Comes in: bytes. Goes out: `Packet` values that cover every octet once, or `Damage`, which the
readers of this room turn into their own refusals; it never leaves the room. Old and new headers
are read; partial lengths only where the RFC allows them; indeterminate lengths, whose end is a
guess, never.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum, IntEnum
from typing import Final

from certmail.frozen import frozen

MAX_PACKETS: Final = 4096
"""A key block with every certification anyone ever made has some hundreds."""

_MIN_FIRST_PARTIAL: Final = 512
"""RFC 9580 §4.2.1.4: "The first partial length MUST be at least 512 octets long"."""


class Tag(IntEnum):
    """Packet types (RFC 9580 §5)."""

    PKESK = 1
    SIGNATURE = 2
    SKESK = 3
    ONE_PASS_SIGNATURE = 4
    SECRET_KEY = 5
    PUBLIC_KEY = 6
    SECRET_SUBKEY = 7
    COMPRESSED = 8
    SED = 9
    MARKER = 10
    LITERAL = 11
    TRUST = 12
    USER_ID = 13
    PUBLIC_SUBKEY = 14
    USER_ATTRIBUTE = 17
    SEIPD = 18
    AEAD = 20
    PADDING = 21


_STREAMS: Final = frozenset({Tag.COMPRESSED, Tag.SED, Tag.LITERAL, Tag.SEIPD, Tag.AEAD})
"""RFC 9580 §4.2.1.4: "Partial Body Lengths MUST NOT be used for any other packet types"."""


class Fault(Enum):
    """Why bytes are not OpenPGP packets."""

    NOT_OPENPGP = "it does not start like an OpenPGP packet"
    TRUNCATED = "it ends in the middle of a packet"
    INDETERMINATE = "a packet does not say where it ends"
    PARTIAL = "a packet comes in parts where it may not"
    TOO_MANY = "it has too many packets"
    MALFORMED = "a packet is not built as its type demands"
    VERSION = "a packet has a version that certmail does not read"


class Damage(Exception):
    """A fault at an offset; stays within this room."""

    def __init__(self, fault: Fault, offset: int, about: str = "") -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.offset = offset
        self.about = about

    def __str__(self) -> str:
        """Say what is wrong and where."""
        return f"{self.about or self.fault.value} (at octet {self.offset})"


@frozen
class Packet:
    """One packet: its type, its body without framing, and where it starts."""

    tag: int
    body: bytes = field(repr=False)
    offset: int

    @property
    def name(self) -> str:
        """The type's name for people."""
        try:
            return Tag(self.tag).name.lower().replace("_", " ")
        except ValueError:
            return f"type {self.tag}"


def split(data: bytes) -> tuple[Packet, ...]:
    """Split ``data`` into packets, to its last octet.

    Raises:
        Damage: at the first octet that does not fit.
    """
    packets: list[Packet] = []
    offset = 0
    while offset < len(data):
        if len(packets) == MAX_PACKETS:
            raise Damage(Fault.TOO_MANY, offset)
        packet, offset = _next(data, offset)
        packets.append(packet)
    return tuple(packets)


def build(tag: Tag, body: bytes) -> bytes:
    """Frame ``body`` in the one form we write: a new header, a five-octet length if need be."""
    size = len(body)
    if size < 192:  # noqa: PLR2004 - RFC 9580 §4.2.1.1
        length = bytes([size])
    elif size < 8384:  # noqa: PLR2004 - RFC 9580 §4.2.1.2
        length = bytes([((size - 192) >> 8) + 192, (size - 192) & 0xFF])
    else:
        length = b"\xff" + size.to_bytes(4, "big")
    return bytes([0xC0 | tag]) + length + body


def take(data: bytes, start: int, size: int, *, base: int = 0) -> bytes:
    """Give ``size`` octets from ``start``, or `Damage` where there are not as many."""
    if size < 0 or start + size > len(data):
        raise Damage(Fault.TRUNCATED, base + min(start, len(data)))
    return data[start : start + size]


def number(data: bytes, start: int, size: int, *, base: int = 0) -> int:
    """Give the big-endian number of ``size`` octets at ``start``."""
    return int.from_bytes(take(data, start, size, base=base), "big")


def _next(data: bytes, offset: int) -> tuple[Packet, int]:
    head = data[offset]
    if not head & 0x80:
        raise Damage(Fault.NOT_OPENPGP, offset)
    if not head & 0x40:
        return _next_old(data, offset)
    return _next_new(data, offset)


def _next_old(data: bytes, offset: int) -> tuple[Packet, int]:
    """Read a packet with a legacy header (RFC 9580 §4.2.2)."""
    tag, length_type = (data[offset] >> 2) & 0x0F, data[offset] & 0x03
    if length_type == 3:  # noqa: PLR2004 - §4.2.2.4
        raise Damage(Fault.INDETERMINATE, offset)
    octets = 1 << length_type
    size = number(data, offset + 1, octets)
    start = offset + 1 + octets
    return Packet(_real(tag, offset), take(data, start, size), offset), start + size


def _next_new(data: bytes, offset: int) -> tuple[Packet, int]:
    """Read a packet with a current header (RFC 9580 §4.2.1), put together from its parts."""
    tag = _real(data[offset] & 0x3F, offset)
    parts: list[bytes] = []
    position = offset + 1
    while True:
        size, start, partial = _new_length(data, position)
        if partial and (tag not in _STREAMS or (not parts and size < _MIN_FIRST_PARTIAL)):
            raise Damage(Fault.PARTIAL, offset)
        parts.append(take(data, start, size))
        position = start + size
        if not partial:
            return Packet(tag, b"".join(parts), offset), position


def _new_length(data: bytes, at: int) -> tuple[int, int, bool]:
    """Give size, start of the body, and whether more follows (RFC 9580 §4.2.1)."""
    first = number(data, at, 1)
    if first < 192:  # noqa: PLR2004 - §4.2.1.1
        return first, at + 1, False
    if first < 224:  # noqa: PLR2004 - §4.2.1.2
        return ((first - 192) << 8) + number(data, at + 1, 1) + 192, at + 2, False
    if first == 255:  # noqa: PLR2004 - §4.2.1.3
        return number(data, at + 1, 4), at + 5, False
    return 1 << (first & 0x1F), at + 1, True


def _real(tag: int, offset: int) -> int:
    """Refuse type 0, which RFC 9580 §5 reserves so that no packet has it."""
    if tag == 0:
        raise Damage(Fault.MALFORMED, offset)
    return tag
