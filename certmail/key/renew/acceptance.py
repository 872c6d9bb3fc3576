"""The operator's word that an expired copy of the pinned key may be used, once.

Comes in: a `PinnedKey` that has expired, and what the operator typed. Goes out: an `Acceptance`,
the only thing with which `walk.deliver` lets such a key pass. It is about expiry alone: a revoked
key, another key or a subkey that is revoked never becomes a `PinnedKey`, so there is nothing to
accept. Not a setting: it is made from what was typed in this run and lives as long as it does.
"""

from __future__ import annotations

from dataclasses import InitVar  # noqa: TC003 - looked up by name when the class is made
from enum import Enum
from typing import TYPE_CHECKING, Final

from certmail.errors import KeyRefused
from certmail.frozen import frozen
from certmail.key.pin import PinnedKey, Usability, require_usable
from certmail.values import printable

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.values import Fingerprint

LAST_DIGITS: Final = 8
"""Enough to make people look at the fingerprint; which key it is, the pin decides."""


class Given(Enum):
    """How the operator gave their word."""

    TYPED = "typed on a terminal"
    WRITTEN = "written on the command line"


class _Witness:
    """Held by this room alone."""


_WITNESS: Final = _Witness()


@frozen
class Acceptance:
    """Proves: somebody named the fingerprint of this expired key in this run.

    Does not prove that they asked Clever Cloud. Witnessed: only `accept_expired` builds it.
    """

    fingerprint: Fingerprint
    encryption_subkey: Fingerprint
    expired: datetime
    at: datetime
    given: Given
    witness: InitVar[_Witness]

    def __post_init__(self, witness: _Witness) -> None:
        """Refuse every builder but `accept_expired`."""
        if witness is not _WITNESS:
            raise TypeError("only accept_expired() makes an Acceptance")

    def remarks(self) -> tuple[str, ...]:
        """Say it to the recipient, in lines short enough for a letter."""
        return (
            f"The copy of your key used for this message expired on {self.expired:%Y-%m-%d}.",
            "The sender confirmed its fingerprint and encrypted to it nevertheless;",
            "no copy that is valid today was at hand. Please publish one.",
        )


def accept_expired(pinned: PinnedKey, *, words: str, given: Given) -> Acceptance:
    """Take the operator's word for an expired key.

    ``words`` are the last 8 digits where they were typed, all 40 where they were written; spaces
    and case do not matter.

    Raises:
        KeyRefused: ``ACCEPT-FINGERPRINT``, ``ACCEPT-NOT-EXPIRED``.
    """
    if pinned.usability is not Usability.EXPIRED:
        raise KeyRefused(
            "ACCEPT-NOT-EXPIRED",
            "the key can be encrypted to today, so there is no expiry to accept",
            why="a word that is given without need is given again without thought",
            next="run the command again without --accept-expired-key",
        )
    size = LAST_DIGITS if given is Given.TYPED else len(pinned.fingerprint.text)
    if "".join(words.split()).upper() != pinned.fingerprint.text[-size:]:
        raise KeyRefused(
            "ACCEPT-FINGERPRINT",
            f"{printable(words) or 'nothing'} is not the"
            f" {'end of the' if given is Given.TYPED else 'whole'} fingerprint of the key",
            why=f"the key has {pinned.fingerprint.grouped()}; whoever accepts an expired copy has"
            " compared that with what Clever Cloud told them",
            next=f"confirm it with Clever Cloud, then give the {size} digits",
        )
    ends = [end for end in (pinned.expires, pinned.subkey_expires) if end is not None]
    return Acceptance(
        fingerprint=pinned.fingerprint,
        encryption_subkey=pinned.encryption_subkey,
        expired=min(ends),
        at=pinned.at,
        given=given,
        witness=_WITNESS,
    )


def require_usable_or_accepted(pinned: PinnedKey, accepted: Acceptance | None) -> None:
    """Refuse a key that cannot be encrypted to, unless its very expiry was accepted in this run.

    Raises:
        KeyRefused: as `require_usable`.
    """
    covers = (
        accepted is not None
        and type(accepted) is Acceptance
        and accepted.fingerprint == pinned.fingerprint
        and accepted.encryption_subkey == pinned.encryption_subkey
        and accepted.at == pinned.at
    )
    if not covers:
        require_usable(pinned)
