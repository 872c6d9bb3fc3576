"""Write MIME entities: header fields, a text, attachments, and the multipart that holds them.

Comes in: text and octets. Goes out: octets in CRLF lines, 7-bit, folded at 76 columns where there
is a space to fold at. Knows RFC 5322 §2.2 (fields and folding), RFC 2045 §6 (quoted-printable and
base64), RFC 2046 §5.1 (multipart), RFC 2047 (encoded words). Must not know certificates or OpenPGP.

These are the few forms that a letter needs. A reader needs all of MIME, and that is the standard
library's: the letter is read back with it before anything signs it, so that two programs must agree
on what was written (``docs/decisions/0013-written-by-hand.md``).
"""

from __future__ import annotations

import base64
import quopri
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS: Final = 76
"""RFC 2045 §6.7 and §6.8 for bodies, RFC 2047 §2 for lines that hold encoded words."""

_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
"""RFC 5322 §3.2.3: a phrase that needs no quotes."""
_PLAIN: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_LONGEST_QUOTED: Final = 60
"""A longer name is put into encoded words: there may be no space at which it can be folded."""
_WORD_OCTETS: Final = 39
"""As base64 in its frame behind the name ``Subject``, a word of so many keeps a line within 76."""
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,80}")


def unstructured(name: str, text: str) -> str:
    """Write a field of free text (RFC 5322 §3.6.5); what is not plain ASCII is encoded."""
    plain = _PLAIN.fullmatch(text) and "=?" not in text
    return _folded(f"{name}: {text if plain else _encoded(text)}")


def mailbox(name: str, *, display: str, address: str) -> str:
    """Write a field of one mailbox (RFC 5322 §3.4) with a display name, which may be empty."""
    if not display:
        return _folded(f"{name}: {address}")
    if len(display) > _LONGEST_QUOTED or not _PLAIN.fullmatch(display) or "=?" in display:
        display = _encoded(display)
    elif not _ATOMS.fullmatch(display):
        escaped = display.replace("\\", "\\\\").replace('"', '\\"')
        display = f'"{escaped}"'
    return _folded(f"{name}: {display} <{address}>")


def text_part(text: str) -> bytes:
    r"""Write a plain text, whose lines end in ``\n``, as quoted-printable UTF-8."""
    body = quopri.encodestring(text.encode("utf-8")).replace(b"\n", b"\r\n")
    return _entity(
        (
            'Content-Type: text/plain; charset="utf-8"',
            "Content-Transfer-Encoding: quoted-printable",
        ),
        body,
    )


def attachment(octets: bytes, *, media_type: str, file_name: str) -> bytes:
    """Write octets as base64, which transports and "From " lines leave alone.

    Raises:
        ValueError: a file name that would need RFC 2231.
    """
    if not _FILE_NAME.fullmatch(file_name):
        raise ValueError("a file name of other than letters, digits, dots and dashes")
    return _entity(
        (
            f"Content-Type: {media_type}",
            "Content-Transfer-Encoding: base64",
            _folded(f'Content-Disposition: attachment; filename="{file_name}"'),
        ),
        base64.encodebytes(octets).replace(b"\n", b"\r\n"),
    )


def multipart(head: Iterable[str], parts: Iterable[bytes], *, boundary: str) -> bytes:
    """Put parts between boundaries (RFC 2046 §5.1.1); ``head`` holds the fields, folded.

    ``boundary`` begins with ``=_``, which neither encoding of the parts can produce (§5.1.1).
    """
    between = f"--{boundary}\r\n".encode("ascii")
    body = b"".join(between + part + b"\r\n" for part in parts)
    return _entity(head, body + f"--{boundary}--\r\n".encode("ascii"))


def _entity(head: Iterable[str], body: bytes) -> bytes:
    return "".join(f"{line}\r\n" for line in head).encode("ascii") + b"\r\n" + body


def _folded(field: str) -> str:
    """Fold before spaces (RFC 5322 §2.2.3), never right behind the name and never in a row."""
    name, *words = field.split(" ")
    lines = [f"{name} {words[0]}"]
    for word in words[1:]:
        if word and len(lines[-1].rpartition("\n")[2]) + 1 + len(word) > COLUMNS:
            lines.append(f" {word}")
        else:
            lines[-1] += f" {word}"
    return "\r\n".join(lines)


def _encoded(text: str) -> str:
    """Write encoded words (RFC 2047 §2, §5): whole characters in each, and readers join them."""
    words, held = [], b""
    for character in text:
        octets = character.encode("utf-8")
        if len(held) + len(octets) > _WORD_OCTETS:
            words.append(held)
            held = b""
        held += octets
    words.append(held)
    return " ".join(f"=?utf-8?b?{base64.b64encode(word).decode('ascii')}?=" for word in words)
