"""Why a key is not the pinned one, or cannot be used: the words.

Comes in: what was found. Goes out: a `KeyRefused` to raise, with its code, what, why and next.
Decides nothing beyond which words fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from certmail.errors import KeyRefused
from certmail.key.armor import FRESH_COPY
from certmail.key.selfsig import SignatureVerdict, Verdict, Verdicts
from certmail.key.signature import SignatureType
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certmail.key.keyblock import KeyBlock
    from certmail.key.standing import Standing, SubkeyStanding
    from certmail.recipient import Recipient
    from certmail.values import Fingerprint

NEWER_COPY: Final = "certmail verify-key --key-file FILE, with a newer copy of the same key"

_NEAR_MISS: Final = 2
"""So many different digits are a misprint rather than another key."""

_REASONS: Final = {
    0: "no reason is given",
    1: "it was replaced by another key",
    2: "its secret half may be known to others",
    3: "it is no longer used",
    32: "a user ID is no longer valid",
}
"""RFC 9580 §5.2.3.31."""


def mismatch(found: Fingerprint, recipient: Recipient) -> KeyRefused:
    """Refuse another key than the pinned one, and say how near it comes."""
    different = sum(a != b for a, b in zip(found.text, recipient.pin.text, strict=True))
    if found.key_id == recipient.pin.key_id:
        hint = "; it has the same 64-bit key ID, which only a forger takes the trouble to make"
    elif different <= _NEAR_MISS:
        hint = f"; it differs in {different} {'digit' if different == 1 else 'digits'}"
    else:
        hint = ""
    return KeyRefused(
        "PIN-MISMATCH",
        f"this is not {recipient.name}'s key",
        why=f"it has {found.grouped()}, the pin says {recipient.pin.grouped()}{hint}",
        next=f"give a copy of {recipient.name}'s key; if they announce a new key, wait for a"
        " certmail that pins it",
    )


def from_future(created: datetime, at: datetime) -> KeyRefused:
    """Refuse a key or a signature that was made after now."""
    return KeyRefused(
        "KEY-FROM-FUTURE",
        f"the key was made or signed on {created:%Y-%m-%d %H:%M} UTC, and this machine says it"
        f" is {at:%Y-%m-%d %H:%M} UTC",
        why="with a wrong clock an expired key looks alive, and a live one does not",
        next="set the clock of this machine",
    )


def bad_selfsig(found: SignatureVerdict) -> KeyRefused:
    """Refuse a signature that claims to be the key's own and is not, or cannot be read."""
    signature = found.signature
    made = f" of {signature.created:%Y-%m-%d}" if signature.created is not None else ""
    verdict = "is not understood" if found.verdict is Verdict.UNSUPPORTED else "is false"
    return KeyRefused(
        "KEY-SELFSIG-BAD",
        f"a signature of the key on itself{made} {verdict} (at octet {signature.offset})",
        why="the copy was altered, or carries a statement about the key that nobody can check",
        next=FRESH_COPY,
    )


def raise_for_time_or_hash(own: Sequence[SignatureVerdict], at: datetime) -> None:
    """Raise the more telling refusal where good signatures exist that do not count."""
    created = [v.signature.created for v in own if v.signature.created is not None]
    if created and min(created) > at:
        raise from_future(min(created), at)
    if own and all(v.signature.weak for v in own):
        raise KeyRefused(
            "KEY-SELFSIG-WEAK",
            f"the key vouches for itself with {own[0].signature.hash_name} only",
            why="signatures with this hash can be made to fit other contents",
            next=f"take a copy that was renewed with a current hash: {NEWER_COPY}",
        )


def revoked(block: KeyBlock, verdicts: Verdicts) -> KeyRefused:
    """Refuse a key that its owner took back."""
    found = [
        v.signature
        for v in verdicts.primary
        if v.verdict is Verdict.GOOD and v.signature.type == SignatureType.KEY_REVOCATION
    ]
    reason = _REASONS.get(found[0].revocation_reason or 0, "a reason of its own") if found else ""
    return KeyRefused(
        "KEY-REVOKED",
        f"the key {block.fingerprint.grouped()} is revoked: {reason}",
        why="its owner says that nobody should encrypt to it any more; the revocation is genuine",
        next="use the upload form, and wait for a certmail that pins the owner's next key",
    )


def no_address(standing: Standing, recipient: Recipient) -> KeyRefused:
    """Refuse a key that does not speak for the mailbox."""
    shown = ", ".join(uid.user_id.text for uid in standing.user_ids[:3]) or "no user ID"
    return KeyRefused(
        "KEY-NO-ADDRESS",
        f"the key does not stand behind <{recipient.address}>",
        why=f"it has {printable(shown, limit=160)}; without a signature of the key on a user ID"
        " with the address, anybody could have added it",
        next=f"take a copy with its user IDs (some key servers strip them): {NEWER_COPY}",
    )


def no_encryption(standing: Standing) -> KeyRefused:
    """Refuse a key without a subkey to encrypt to."""
    return KeyRefused(
        "KEY-NO-ENCRYPTION",
        f"none of the key's {len(standing.subkeys)} subkeys is bound to it for encryption",
        why="without such a subkey nothing can be encrypted to this key",
        next=f"take a whole copy of the key: {NEWER_COPY}",
    )


def subkey_revoked(standing: SubkeyStanding) -> KeyRefused:
    """Refuse a key whose encryption subkeys were all taken back."""
    return KeyRefused(
        "KEY-SUBKEY-REVOKED",
        f"the encryption subkey {standing.subkey.key.fingerprint.grouped()} is revoked",
        why="its owner says that nobody should encrypt to it any more, and there is no other",
        next=f"take a copy with the next subkey: {NEWER_COPY}",
    )


def expired(when: datetime, source: str) -> KeyRefused:
    """Refuse the pinned key where its time is over in this copy."""
    return KeyRefused(
        "KEY-EXPIRED",
        f"the key expired on {when:%Y-%m-%d} in this copy ({printable(source)})",
        why="the key is the pinned one, but GnuPG does not encrypt to it any more; owners prolong"
        " a key by publishing a newer copy of it",
        next="certmail key refresh, or certmail send --key-file FILE …, with a newer copy of the"
        " same key",
    )


def subkey_expired(subkey: Fingerprint, when: datetime | None, source: str) -> KeyRefused:
    """Refuse the pinned key where the time of its encryption subkey is over."""
    date = f" on {when:%Y-%m-%d}" if when is not None else ""
    return KeyRefused(
        "KEY-SUBKEY-EXPIRED",
        f"the encryption subkey {subkey.grouped()} expired{date} in this copy"
        f" ({printable(source)})",
        why="the key itself is alive, but nothing can be encrypted to it without this subkey",
        next="certmail key refresh, or certmail send --key-file FILE …, with a newer copy of the"
        " same key",
    )


def disagree(what: str) -> KeyRefused:
    """Refuse a key of which there are two readings."""
    return KeyRefused(
        "WITNESSES-DISAGREE",
        f"certmail and GnuPG read the key differently: {printable(what, limit=300)}",
        why="a key with two readings may be made to deceive one of the readers",
        next="take the key from another source; if they still disagree, report it with the file",
    )
