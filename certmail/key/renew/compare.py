"""Compare the fingerprint that somebody has in a letter, a chat or on a page with the pin.

Comes in: text. Goes out: how it is spelled, or a refusal that says how it differs. People compare
by hand and meet misprints: each kind of near miss has its own words, since "no" alone makes them
look at the wrong thing. Near is never enough: only the 40 digits of the pin are the key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NoReturn

from certmail.errors import KeyRefused
from certmail.frozen import frozen
from certmail.values import printable

if TYPE_CHECKING:
    from certmail.recipient import Recipient

MISPRINT: Final = "03943517934C1FA5ED4E2F61218B86BD5278470F"
"""What the provider's own page printed from 2023-12 to 2026-04: its 38th digit is wrong."""

_NEAR: Final = 2
_DIGITS: Final = 40
_KEY_IDS: Final = (8, 16)
_PREFIX: Final = re.compile(r"(?:openpgp4fpr:|fingerprint|key id|0x|[:=#\s])+", re.IGNORECASE)
_SEPARATORS: Final = re.compile(r"[\s:.\-\u00a0\u2009\u202f]+")
_LOOKALIKES: Final = str.maketrans("OoIlL", "00111")


@frozen
class Spelling:
    """The pinned fingerprint, and in what other spelling it was given."""

    text: str
    remarks: tuple[str, ...]


def compare(text: str, recipient: Recipient) -> Spelling:
    """Tell whether ``text`` is the pinned fingerprint.

    Raises:
        KeyRefused: ``FINGERPRINT-MISPRINT``, ``FINGERPRINT-NEAR``, ``FINGERPRINT-SHORT``,
            ``FINGERPRINT-CUT``, ``FINGERPRINT-OTHER``, ``FINGERPRINT-NONE``.
    """
    pin = recipient.pin.text
    written = text.strip()[:400]
    bare = _SEPARATORS.sub("", _PREFIX.sub("", written, count=1) if written else "")
    digits = bare.upper()
    if digits == pin and bare.isascii():
        return Spelling(pin, _remarks(written, bare))
    if not bare.isascii() or not re.fullmatch(r"[0-9A-F]+", digits):
        _refuse_none(bare, recipient)
    if digits == MISPRINT:
        _refuse_misprint(recipient)
    if len(digits) in _KEY_IDS:
        _refuse_short(digits, recipient)
    if len(digits) != _DIGITS:
        _refuse_cut(digits, recipient)
    different = [i for i, (a, b) in enumerate(zip(digits, pin, strict=True)) if a != b]
    if len(different) <= _NEAR:
        _refuse_near(digits, different, recipient)
    raise KeyRefused(
        "FINGERPRINT-OTHER",
        f"this is not the fingerprint of {recipient.name}'s key",
        why=f"it says {_grouped(digits)}, the pin says {recipient.pin.grouped()}",
        next=f"ask {recipient.name} on another way which fingerprint is theirs; encrypt to no"
        " other key meanwhile",
    )


def _remarks(written: str, bare: str) -> tuple[str, ...]:
    remarks = []
    if re.search(r"\s", written):
        remarks.append("it is written with spaces, which do not matter")
    if bare != bare.upper():
        remarks.append("it is written in lower case, which does not matter")
    return tuple(remarks)


def _refuse_none(bare: str, recipient: Recipient) -> NoReturn:
    looks = bare.translate(_LOOKALIKES).upper()
    if looks == recipient.pin.text:
        raise KeyRefused(
            "FINGERPRINT-NEAR",
            "letters stand where digits belong: O for 0, or l for 1",
            why="a fingerprint has the digits 0 to 9 and the letters A to F only; with the digits"
            " put back it is the pinned one",
            next="copy the fingerprint instead of typing it, and compare again",
        )
    raise KeyRefused(
        "FINGERPRINT-NONE",
        f"{printable(bare, limit=60) or 'an empty text'} is not a fingerprint",
        why="a fingerprint has 40 hex digits: 0 to 9 and A to F",
        next=f"compare with {recipient.pin.grouped()}",
    )


def _refuse_misprint(recipient: Recipient) -> NoReturn:
    raise KeyRefused(
        "FINGERPRINT-MISPRINT",
        "this is the misprint that the provider's own page showed from 2023-12 to 2026-04:"
        " …5278470F instead of …5278460F",
        why="one digit of it is wrong, and no key has this fingerprint; the key block beside it had"
        " a wrong character too and fails its checksum. The pin is that of the key itself:"
        f" {recipient.pin.grouped()}",
        next=f"certmail verify-key, and trust {recipient.pin.text[-8:]}, which is computed"
        " from the key",
    )


def _refuse_short(digits: str, recipient: Recipient) -> NoReturn:
    pin = recipient.pin.text
    if MISPRINT.endswith(digits):
        _refuse_misprint(recipient)
    fits = pin.endswith(digits)
    raise KeyRefused(
        "FINGERPRINT-SHORT",
        f"this is a key ID of {len(digits)} digits, not a fingerprint"
        + ("; the pin ends like that" if fits else ", and the pin does not end like that"),
        why="other keys can be made that have the same key ID; only all 40 digits name a key",
        next=f"ask for the whole fingerprint and compare it with {recipient.pin.grouped()}",
    )


def _refuse_cut(digits: str, recipient: Recipient) -> NoReturn:
    pin = recipient.pin.text
    fewer, within = len(digits) < _DIGITS, digits in pin
    longer = pin in digits
    one_off = abs(len(digits) - _DIGITS) == 1 and (_drops_to(pin, digits) or _drops_to(digits, pin))
    hint = ""
    if one_off:
        hint = "; one digit was lost" if fewer else "; one digit was added"
    elif within:
        hint = "; they are a part of the pinned one"
    elif longer:
        hint = "; the pinned one is a part of them"
    raise KeyRefused(
        "FINGERPRINT-CUT",
        f"this has {len(digits)} digits where a fingerprint has {_DIGITS}{hint}",
        why="what is left out or added could be what makes another key",
        next=f"copy the whole fingerprint and compare it with {recipient.pin.grouped()}",
    )


def _refuse_near(digits: str, different: list[int], recipient: Recipient) -> NoReturn:
    pin = recipient.pin.text
    first, *rest = different
    swapped = (
        rest == [first + 1] and digits[first] == pin[first + 1] and digits[first + 1] == pin[first]
    )
    where = " and ".join(f"digit {i + 1} ({digits[i]}, not {pin[i]})" for i in different)
    raise KeyRefused(
        "FINGERPRINT-NEAR",
        f"this differs from the pin in {where}" + (": two digits are swapped" if swapped else ""),
        why="so small a difference is a misprint rather than another key, and yet it is not the"
        " fingerprint: a misprint cannot be told from a forgery by looking",
        next=f"ask where the text comes from, and compare again with {recipient.pin.grouped()}",
    )


def _drops_to(longer: str, shorter: str) -> bool:
    """Tell whether leaving out one character makes the one of the other."""
    return any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))


def _grouped(digits: str) -> str:
    return " ".join(digits[i : i + 4] for i in range(0, len(digits), 4))
