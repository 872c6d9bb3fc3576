"""ASCII armor: take it off, put it on (RFC 9580 §6).

Comes in: bytes from a file, a web page or a mail. Goes out: OpenPGP packets, or the armored text.
What the packets say is none of its business. A key block may have text around it, as people paste
it from pages; a sealed message may not: its armor is ours to the last character.

Deviation: RFC 9580 §6.1, "MUST NOT reject an OpenPGP object when the CRC24 footer is present,
missing, malformed, or disagrees with the computed CRC24 sum". The published copy of the provider's
key once carried one altered character, which nothing but the checksum shows before the signatures
do; so a checksum that is there must be right.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import field
from functools import lru_cache
from typing import Final, Literal, NoReturn

from certmail.errors import KeyRefused, SealError
from certmail.frozen import frozen
from certmail.values import printable

MESSAGE: Final = "PGP MESSAGE"
PUBLIC_KEY_BLOCK: Final = "PGP PUBLIC KEY BLOCK"
PRIVATE_KEY_BLOCK: Final = "PGP PRIVATE KEY BLOCK"

Kind = Literal["PGP MESSAGE", "PGP PUBLIC KEY BLOCK"]

FRESH_COPY: Final = "save a fresh copy of the key, then certmail verify-key --key-file FILE"
"""The remedy for every damaged copy."""

MAX_KEY_BYTES: Final = 1024 * 1024
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
COLUMNS: Final = 64
"""RFC 9580 §6 allows up to 76; GnuPG writes 64."""

_BOUNDARY: Final = re.compile(rb"-----(BEGIN|END) (PGP [A-Z0-9 ,/]{1,60})-----", re.ASCII)
_HEADER: Final = re.compile(rb"[A-Za-z][A-Za-z0-9 _-]{0,60}: ?[^\x00-\x08\x0a-\x1f]{0,500}")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_CHECKSUM: Final = re.compile(rb"=[A-Za-z0-9+/]{4}")
_CRC_INIT: Final = 0xB704CE
_CRC_POLY: Final = 0x864CFB
_UTF8_MARK: Final = b"\xef\xbb\xbf"


@frozen
class Unwrapped:
    """The packets of a key file, and what lay around them.

    ``armored`` tells text from binary; ``headers`` are the armor's own header lines and
    ``lines_around`` counts the lines outside it, which nothing reads.
    """

    packets: bytes = field(repr=False)
    armored: bool
    headers: tuple[str, ...] = ()
    lines_around: int = 0


def decode(data: bytes) -> Unwrapped:
    """Take the armor off the one public key block in ``data``; binary packets pass as they are.

    Raises:
        KeyRefused: ``KEY-TOO-LARGE``, ``KEY-NOT-OPENPGP``, ``KEY-SECRET``, ``KEY-EXTRA-KEY``,
            ``KEY-ARMOR-DAMAGED``, ``KEY-ARMOR-CHECKSUM``.
    """
    if len(data) > MAX_KEY_BYTES:
        raise KeyRefused(
            "KEY-TOO-LARGE",
            f"the key file has more than {MAX_KEY_BYTES // 1024} KiB",
            why="a key block has a few kilobytes; this is something else, or too much to trust",
            next="give the file with Clever Cloud's public key alone",
        )
    text = data.removeprefix(_UTF8_MARK)
    if text is data and data[:1] >= b"\x80":
        # RFC 9580 §4.2: bit 7 of a packet's first octet is always one; no text starts like that.
        return Unwrapped(data, armored=False)
    lines = [line.rstrip(b" \t\r") for line in text.split(b"\n")]
    begin, end = _find_block(lines)
    headers, body = _split_headers(lines[begin + 1 : end])
    packets = _decode_body(body)
    around = [*lines[:begin], *lines[end + 1 :]]
    return Unwrapped(
        packets,
        armored=True,
        headers=tuple(printable(line.decode("utf-8", "replace")) for line in headers),
        lines_around=sum(1 for line in around if line),
    )


def decode_message(data: bytes) -> bytes:
    """Take the armor off a sealed message that must be exactly as `encode` writes it.

    Line ends are all LF or all CRLF. No header line, no text around, no other spelling of the
    same packets passes, so that nothing can hide in the armor.

    Raises:
        SealError: ``SEAL-TOO-LARGE``, ``SEAL-ARMOR``.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise SealError(
            "SEAL-TOO-LARGE",
            f"the sealed message has more than {MAX_MESSAGE_BYTES // 1024 // 1024} MiB",
            why="a sealed bundle has a few kilobytes; this is something else",
            next="seal the bundle again",
        )
    lines = (data.replace(b"\r\n", b"\n") if b"\r\n" in data else data).split(b"\n")
    try:
        packets = base64.b64decode(b"".join(lines[2:-3]), validate=True)
    except binascii.Error:
        _refuse_message_armor()
    canonical = encode(MESSAGE, packets)
    if data not in (canonical, canonical.replace(b"\n", b"\r\n")):
        _refuse_message_armor()
    return packets


@lru_cache(maxsize=8)
def encode(kind: Kind, packets: bytes) -> bytes:
    r"""Put armor around ``packets``: ``\n``, 64 columns, no header lines, with the checksum.

    Remembers the last few: one message is rendered at each of its gates, and a batch attaches the
    same key to every letter.

    RFC 9580 §6.1 advises against the checksum where the reader is known to do without it; which
    program the recipient reads with is not known, and some refuse armor that has none.
    """
    text = base64.b64encode(packets)
    lines = [text[i : i + COLUMNS] for i in range(0, len(text), COLUMNS)]
    checksum = b"=" + base64.b64encode(crc24(packets).to_bytes(3, "big"))
    label = kind.encode("ascii")
    begin, end = b"-----BEGIN " + label + b"-----", b"-----END " + label + b"-----"
    return b"\n".join([begin, b"", *lines, checksum, end, b""])


def crc24(data: bytes) -> int:
    """Compute the CRC-24 of RFC 9580 §6.1.1: against accidents, not against people.

    Three octets at a time, which is as many as the checksum has, and then what is left.
    """
    crc, first, second, third = _CRC_INIT, _CRC_TABLES[0], _CRC_TABLES[1], _CRC_TABLES[2]
    octets = iter(data)
    for a, b, c in zip(octets, octets, octets, strict=False):
        crc = first[crc >> 16 ^ a] ^ second[crc >> 8 & 0xFF ^ b] ^ third[crc & 0xFF ^ c]
    for octet in data[len(data) - len(data) % 3 :]:
        crc = ((crc << 8) & 0xFFFFFF) ^ third[crc >> 16 ^ octet]
    return crc


def _crc_tables() -> tuple[tuple[int, ...], ...]:
    """Give what an octet adds with two, one and no octets behind it."""
    last = []
    for octet in range(256):
        crc = octet << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1000000 | _CRC_POLY
        last.append(crc)
    middle = [(crc << 8 & 0xFFFFFF) ^ last[crc >> 16] for crc in last]
    return (
        tuple((crc << 8 & 0xFFFFFF) ^ last[crc >> 16] for crc in middle),
        tuple(middle),
        tuple(last),
    )


_CRC_TABLES: Final = _crc_tables()


def _find_block(lines: list[bytes]) -> tuple[int, int]:
    """Give the lines of the one BEGIN and its END; anything ambiguous is refused."""
    found = [(i, m[1], m[2]) for i, line in enumerate(lines) if (m := _BOUNDARY.fullmatch(line))]
    begins = [(i, label.decode("ascii")) for i, word, label in found if word == b"BEGIN"]
    ends = [(i, label.decode("ascii")) for i, word, label in found if word == b"END"]
    if any(label == PRIVATE_KEY_BLOCK for _, label in begins + ends):
        refuse_secret()
    if not begins:
        _refuse_not_openpgp("there is no OpenPGP key in it")
    if any(label != PUBLIC_KEY_BLOCK for _, label in begins):
        _refuse_not_openpgp(f"it holds a {next(x for _, x in begins if x != PUBLIC_KEY_BLOCK)}")
    if len(begins) > 1:
        raise KeyRefused(
            "KEY-EXTRA-KEY",
            f"the file holds {len(begins)} key blocks",
            why="only one key may read the bundle, and certmail does not choose among several",
            next="give a file with the pinned key alone",
        )
    if len(ends) != 1 or ends[0][0] < begins[0][0] or ends[0][1] != PUBLIC_KEY_BLOCK:
        _refuse_armor("it has a BEGIN line without its END line: it was cut off while copying")
    return begins[0][0], ends[0][0]


def _split_headers(inside: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Part the armor headers from the data at the blank line (RFC 9580 §6.2)."""
    if b"" not in inside:
        _refuse_armor("the blank line before its data is missing")
    blank = inside.index(b"")
    headers, body = inside[:blank], inside[blank + 1 :]
    if not all(_HEADER.fullmatch(line) for line in headers):
        _refuse_armor("a header line is not of the form Key: value")
    return headers, body


def _decode_body(body: list[bytes]) -> bytes:
    """Decode base64 and prove the checksum where there is one."""
    *rest, last = body or [b""]
    has_checksum = _CHECKSUM.fullmatch(last) is not None
    text = b"".join(rest if has_checksum else body)
    if not _BASE64.fullmatch(text) or len(text) % 4 != 0 or b"" in body:
        _refuse_armor("a character in its data is missing or was changed while copying")
    packets = base64.b64decode(text, validate=True)
    if has_checksum and base64.b64decode(last[1:]) != crc24(packets).to_bytes(3, "big"):
        raise KeyRefused(
            "KEY-ARMOR-CHECKSUM",
            "the key block's checksum does not match: a character was changed",
            why="the provider's own page showed such a block for years; no program can use it",
            next=FRESH_COPY,
        )
    return packets


def refuse_secret() -> NoReturn:
    """Refuse a file with a private key in it."""
    raise KeyRefused(
        "KEY-SECRET",
        "this file holds a private OpenPGP key",
        why="only a public key is needed here, and a private one must never leave its owner",
        next="export the public half (gpg --export) and keep the private key off this path",
    )


def _refuse_not_openpgp(what: str) -> NoReturn:
    raise KeyRefused(
        "KEY-NOT-OPENPGP",
        f"this is not a public key file: {what}",
        why="the key block starts with -----BEGIN PGP PUBLIC KEY BLOCK-----",
        next="save the key block itself, not the page around it",
    )


def _refuse_armor(what: str) -> NoReturn:
    raise KeyRefused(
        "KEY-ARMOR-DAMAGED",
        f"the key block is damaged: {what}",
        why="a damaged copy is not read around; the whole key is checked or none",
        next=FRESH_COPY,
    )


def _refuse_message_armor() -> NoReturn:
    raise SealError(
        "SEAL-ARMOR",
        "the sealed message's armor is not the one certmail writes",
        why="header lines or text beside the armor would travel unencrypted",
        next="seal the bundle again",
    ) from None
