"""Find OpenPGP packets in whatever a source sends: a page, a text, a mail, a binary file.

Comes in: bytes. Goes out: the packets of every public key block in them, or why a block is none.
An HTML page is read as its text; around and inside a block only layout is forgiven (tags, indents,
quote marks, blank lines). The armor itself is `armor`'s business, its checksum included
(RFC 9580 §6). What the packets say is nobody's business here.
"""

from __future__ import annotations

import re
from dataclasses import field
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from certmail.errors import KeyRefused
from certmail.frozen import frozen
from certmail.key import armor
from certmail.key.armor import PRIVATE_KEY_BLOCK, PUBLIC_KEY_BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_COPY_BYTES: Final = 2 * 1024 * 1024
"""A page with a key in it; a key block alone may have half of that."""

MAX_BLOCKS: Final = 64

_BEGIN: Final = re.compile(r"-----BEGIN (PGP [A-Z0-9 ,/]{1,60})-----", re.ASCII)
_HTML: Final = r"(?i)<(?:!doctype|html|head|body|pre|code|br|div|p|span)\b"
"""Compiled where there is something like a tag, since a key alone has none."""
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,60}: ?.*")
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_LAYOUT: Final = " \t\r>"
_INVISIBLE: Final = {
    0x00A0: " ",
    **dict.fromkeys((0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF), ""),
}
_TAG: Final = r"</?([a-zA-Z][a-zA-Z0-9]{0,15})?[^<>]*>"
_SKIPPED: Final = ("script", "style", "template")
_TO_LOWER: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
"""Unlike lower(), it never changes the length of a text."""

_LINES: Final = frozenset({"br", "div", "p", "li", "tr", "pre", "code", "td"})


@frozen
class Block:
    """The packets of one block, or the refusal of it."""

    packets: bytes = field(repr=False)
    refusal: KeyRefused | None = None


def find(data: bytes) -> tuple[Block, ...]:
    """Find every public key block in ``data``; binary packets are one.

    Raises:
        KeyRefused: ``KEY-TOO-LARGE``, ``KEY-SECRET``, ``KEY-NOT-OPENPGP``.
    """
    if len(data) > MAX_COPY_BYTES:
        raise too_large(MAX_COPY_BYTES)
    if data[:1] >= b"\x80" and not data.startswith((_UTF8_MARK, *_UTF16_MARKS)):
        return (_decoded(data),)
    text = _text(data)
    blocks = tuple(_decoded(block) for block in _cut(text))
    if not blocks:
        raise KeyRefused(
            "KEY-NOT-OPENPGP",
            "there is no OpenPGP public key in it",
            why="the key block starts with -----BEGIN PGP PUBLIC KEY BLOCK-----",
            next="certmail key refresh --from FILE, with a copy of the key",
        )
    return blocks


def too_large(limit: int) -> KeyRefused:
    """Refuse what is larger than any page with a key in it."""
    return KeyRefused(
        "KEY-TOO-LARGE",
        f"this has more than {limit // 1024} KiB",
        why="a key block has a few kilobytes; this is something else, or too much to trust",
        next="give a file with Clever Cloud's public key alone",
    )


def _decoded(data: bytes) -> Block:
    try:
        return Block(armor.decode(data).packets)
    except KeyRefused as refusal:
        if refusal.code == "KEY-SECRET":
            raise
        return Block(b"", refusal)


def _text(data: bytes) -> str:
    """Give the text; of a page what a reader would see of it."""
    if data.startswith(_UTF16_MARKS):  # what a redirection writes on some systems
        text = data.decode("utf-16", "replace")
    else:
        text = data.removeprefix(_UTF8_MARK).decode("utf-8", "replace")
    if "<" in text and re.search(_HTML, text):
        text = _page_text(text)
    return text.translate(_INVISIBLE)


def _cut(text: str) -> Iterator[bytes]:
    """Cut out each block and lay it out as armor is laid out."""
    for count, begin in enumerate(_BEGIN.finditer(text)):
        label = begin[1]
        if label == PRIVATE_KEY_BLOCK:
            armor.refuse_secret()
        if label != PUBLIC_KEY_BLOCK:
            continue
        if count >= MAX_BLOCKS:
            return
        end_line = f"-----END {label}-----"
        end = text.find(end_line, begin.end())
        following = _BEGIN.search(text, begin.end())
        cut_off = end < 0 or (following is not None and following.start() < end)
        if cut_off:
            # Only as far as the next one, or a page of beginnings would be read once for each.
            end = len(text) if following is None else following.start()
        inside = text[begin.end() : end].splitlines()
        lines = [line for line in (raw.strip(_LAYOUT) for raw in inside) if line]
        headers = tuple(takewhile(_HEADER.fullmatch, lines))
        tail = [] if cut_off else [end_line]
        laid_out = "\n".join([begin[0], *headers, "", *lines[len(headers) :], *tail, ""])
        yield laid_out.encode("ascii", "replace")


def _page_text(page: str) -> str:
    """Give the text of a page, in time that grows with its length and no faster.

    A whole HTML parser is not needed for that, and the library's own takes hours for some pages
    that were made for it.
    """
    text = re.sub(_TAG, _instead, _without_scripts(page))
    import html  # noqa: PLC0415 - only a page has entities

    return html.unescape(text)


def _instead(tag: re.Match[str]) -> str:
    return "\n" if (tag[1] or "").lower() in _LINES else ""


def _without_scripts(page: str) -> str:
    """Leave out what a reader of the page does not see; what has no end reaches to the page's."""
    for name in _SKIPPED:
        kept: list[str] = []
        lower, at = page.translate(_TO_LOWER), 0
        while (start := lower.find(f"<{name}", at)) >= 0:
            kept.append(page[at:start])
            end = lower.find(f"</{name}", start)
            at = len(page) if end < 0 else end
        kept.append(page[at:])
        page = "".join(kept)
    return page
