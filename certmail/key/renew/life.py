"""The life of a key as its statements tell it: spans of time, what is new, what ends soon.

Comes in: a `KnownKey` or a `PinnedKey`, an instant. Goes out: values and sentences for people.
Decides nothing: whether a key may be used is `pin`'s verdict.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from certmail.frozen import frozen
from certmail.key.keyblock import read_key_block
from certmail.key.selfsig import verify
from certmail.key.signature import SignatureType
from certmail.key.standing import Standing, assess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certmail.key.pin import PinnedKey
    from certmail.key.renew.statements import KnownKey
    from certmail.values import Fingerprint


@frozen
class Span:
    """The life of a primary key or a subkey; ``expires`` None is for ever.

    ``revoked`` is when the owner took it back; ``bound`` tells a subkey the key stands behind.
    """

    name: str
    fingerprint: Fingerprint
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    bound: bool = True

    @property
    def ends(self) -> datetime | None:
        """When nothing can be done with it any more."""
        known = [end for end in (self.expires, self.revoked) if end is not None]
        return min(known, default=None)


@frozen
class Holding:
    """A copy that is at hand, and the name people know it by."""

    name: str
    known: KnownKey


@frozen
class Notice:
    """Something the operator should know that stops nothing; ``code`` is stable."""

    code: str
    what: str
    next: str


def spans(known: KnownKey, *, at: datetime) -> tuple[Span, ...]:
    """Give the life of the primary key and of each subkey, as told at ``at``."""
    standing = _standing(known, at=at)
    revoked = {
        (s.target, s.signature.type): s.signature.created for s in reversed(known.revocations)
    }
    found = [
        Span(
            "primary key",
            known.fingerprint,
            known.primary.created,
            standing.expires,
            revoked.get((b"", SignatureType.KEY_REVOCATION)),
        )
    ]
    for sub in standing.subkeys:
        key = sub.subkey.key
        found.append(
            Span(
                "encryption subkey" if key.can_encrypt and sub.encrypts else "subkey",
                key.fingerprint,
                key.created,
                sub.expires,
                revoked.get((key.body, SignatureType.SUBKEY_REVOCATION)),
                bound=sub.binding is not None,
            )
        )
    return tuple(found)


def changes(before: KnownKey, after: KnownKey, *, at: datetime) -> tuple[str, ...]:
    """Say what is known now and was not before, what matters most first."""
    old = {span.fingerprint: span for span in spans(before, at=at)}
    words = []
    for span in spans(after, at=at):
        short = f"the {span.name} {span.fingerprint.text[-16:]}"
        was = old.get(span.fingerprint)
        if was is None:
            words.append(f"{short} is new, created {span.created:%Y-%m-%d}, {_until(span)}")
        elif span.revoked is not None and was.revoked is None:
            words.append(f"{short} is REVOKED")
        elif span.expires != was.expires:
            words.append(f"{short} {_until(span)}, where the copy before {_until(was)}")
    fresh = [s for s in after.statements if s.digest not in before.digests]
    return (*words, *(f"new: {s.words}" for s in sorted(fresh, key=lambda s: s.order())))


def carried_by(known: KnownKey, holdings: Sequence[Holding], *, at: datetime) -> str:
    """Name the copy that tells all that counts at ``at``, or the few that do together."""
    standing = _standing(known, at=at)
    spoken = [standing.direct, *(uid.certification for uid in standing.user_ids)]
    spoken += [sub.binding for sub in standing.subkeys]
    counts = {signature.signed_part for signature in spoken if signature is not None}
    counts |= {statement.signature.signed_part for statement in known.revocations}
    carrying = [
        (holding.name, counts & {s.signature.signed_part for s in holding.known.statements})
        for holding in holdings
    ]
    needed: list[str] = []
    missing = counts
    while missing:
        name, carried = max(carrying, key=lambda pair: len(pair[1] & missing))
        if not carried & missing:
            break
        needed.append(name)
        missing = missing - carried
    return " and ".join(needed) or holdings[0].name


def ends_soon(pinned: PinnedKey, *, within_days: int) -> Notice | None:
    """Warn of a copy that can be encrypted to today and soon cannot."""
    ends = [end for end in (pinned.expires, pinned.subkey_expires) if end is not None]
    end = min(ends, default=None)
    if end is None or end < pinned.at or end > pinned.at + timedelta(days=within_days):
        return None
    days = (end - pinned.at).days
    return Notice(
        "KEY-EXPIRES-SOON",
        f"the best copy of the key expires on {end:%Y-%m-%d}, in {days} days",
        "certmail key refresh, and ask Clever Cloud if no newer copy is found",
    )


def _until(span: Span) -> str:
    return f"expires {span.expires:%Y-%m-%d}" if span.expires else "never expires"


def _standing(known: KnownKey, *, at: datetime) -> Standing:
    block = read_key_block(known.packets())
    return assess(block, verify(block), at=at)
