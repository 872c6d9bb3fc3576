"""Why GnuPG failed, from its numbers; its sentences change with version and language.

Comes in: status lines. Goes out: one `Failure`. The numbers are libgpg-error's, of which the low
16 bits are the code and the high ones name the part of GnuPG that met it (GnuPG doc/DETAILS,
FAILURE). Knows nothing about what was attempted.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from certmail.gnupg.status import Status


class Failure(Enum):
    """The kinds of failure that have different remedies."""

    BAD_PASSPHRASE = "the passphrase is wrong"  # noqa: S105 - a sentence
    NO_PINENTRY = "there is no way to ask for the passphrase"
    CANCELLED = "the passphrase prompt was cancelled"
    TIMED_OUT = "nobody answered the passphrase prompt in time"
    NO_SECRET_KEY = "the secret key is not here"  # noqa: S105 - a sentence
    UNUSABLE_SECRET_KEY = "the secret key cannot sign: expired, revoked or not made for it"  # noqa: S105 - a sentence
    NO_PUBLIC_KEY = "the public key is not here"
    UNUSABLE_PUBLIC_KEY = "the public key cannot encrypt: expired, revoked or not made for it"
    NO_AGENT = "the gpg-agent does not answer"
    NO_CARD = "the smartcard is not there, or another one is"
    CARD_BLOCKED = "the smartcard's PIN is blocked"
    CARD_TROUBLE = "the smartcard reports an error"
    CLOCK = "a key or signature is from the future: the clock may be wrong"
    OTHER = "GnuPG gives another reason"


_CODES: Final = {
    9: Failure.NO_PUBLIC_KEY,
    11: Failure.BAD_PASSPHRASE,
    17: Failure.NO_SECRET_KEY,
    31: Failure.BAD_PASSPHRASE,
    39: Failure.CLOCK,
    53: Failure.UNUSABLE_PUBLIC_KEY,
    54: Failure.UNUSABLE_SECRET_KEY,
    62: Failure.TIMED_OUT,
    77: Failure.NO_AGENT,
    78: Failure.NO_AGENT,
    85: Failure.NO_PINENTRY,
    86: Failure.NO_PINENTRY,
    87: Failure.BAD_PASSPHRASE,
    91: Failure.NO_CARD,
    99: Failure.CANCELLED,
    108: Failure.CARD_TROUBLE,
    109: Failure.NO_CARD,
    110: Failure.NO_CARD,
    111: Failure.NO_CARD,
    112: Failure.NO_CARD,
    114: Failure.CANCELLED,
    119: Failure.NO_CARD,
    120: Failure.CARD_TROUBLE,
    130: Failure.CARD_BLOCKED,
    198: Failure.CANCELLED,
    217: Failure.UNUSABLE_PUBLIC_KEY,
}

_CARD_OPERATION: Final = {"1": Failure.CANCELLED, "2": Failure.BAD_PASSPHRASE}
"""The argument of SC_OP_FAILURE."""


def why_failed(status: tuple[Status, ...]) -> Failure | None:
    """Give the most telling reason in the status lines, or None where no failure is reported.

    A wrong PIN on a card tells more than the FAILURE line that follows it, and any named reason
    tells more than OTHER.
    """
    reasons = [reason for line in status if (reason := _reason(line)) is not None]
    return next((reason for reason in reasons if reason is not Failure.OTHER), None) or next(
        iter(reasons), None
    )


def _reason(line: Status) -> Failure | None:
    match line.keyword, line.args:
        case "SC_OP_FAILURE", args:
            return _CARD_OPERATION.get(args[0] if args else "", Failure.CARD_TROUBLE)
        case "FAILURE" | "ERROR", (_, number, *_):
            return _CODES.get(int(number) & 0xFFFF if _is_number(number) else 0, Failure.OTHER)
        case "INV_SGNR", _:
            return Failure.UNUSABLE_SECRET_KEY if line.args[:1] != ("9",) else Failure.NO_SECRET_KEY
        case "INV_RECP" | "NO_RECP", _:
            return Failure.UNUSABLE_PUBLIC_KEY
        case _:
            return None


def _is_number(text: str) -> bool:
    """Tell a decimal number; ``str.isdigit`` alone would let other scripts' digits pass."""
    return text.isascii() and text.isdigit() and len(text) <= 10  # noqa: PLR2004 - 32 bits
