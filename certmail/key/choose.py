"""Decide by our own reading whether a key is the pinned one in good standing, and with what.

Comes in: a `KeyBlock`, `Verdicts`, their `Standing`, a `Recipient`. Goes out: the `Choice` of a
user ID and a subkey, or one refusal. Knows nothing of GnuPG's word.

Deviation: RFC 9580 §5.2.5 has bad and unknown signatures ignored. One that claims to be the key's
own refuses the whole copy here: it was altered, or it says what certmail cannot read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.frozen import frozen
from certmail.key import refusals
from certmail.key.selfsig import Verdict, Verdicts

if TYPE_CHECKING:
    from certmail.key.keyblock import KeyBlock
    from certmail.key.standing import Standing, SubkeyStanding, UserIdStanding
    from certmail.recipient import Recipient


@frozen
class Choice:
    """The parts of the key that would be used."""

    user_id: UserIdStanding
    subkey: SubkeyStanding


def decide(block: KeyBlock, verdicts: Verdicts, standing: Standing, recipient: Recipient) -> Choice:
    """Decide by our own reading, in the order in which an attacker would gain.

    (1) another key, (2) a clock before the key, (3) an altered copy, (4) a key its owner took
    back, (5) a key that does not speak for the mailbox, (6) nothing to encrypt to.
    """
    # (1) another key
    if block.fingerprint != recipient.pin:
        raise refusals.mismatch(block.fingerprint, recipient)
    # (2) a clock before the key
    if block.primary.created > standing.at:
        raise refusals.from_future(block.primary.created, standing.at)
    # (3) an altered copy
    spoilt = [v for v in verdicts.every() if v.verdict in {Verdict.BAD, Verdict.UNSUPPORTED}]
    if spoilt:
        raise refusals.bad_selfsig(spoilt[0])
    # (4) taken back
    if standing.revoked:
        raise refusals.revoked(block, verdicts)
    # (5) another mailbox
    user_id = _speaker(verdicts, standing, recipient)
    # (6) nothing to encrypt to
    return Choice(user_id, _encryption_subkey(verdicts, standing))


def _speaker(verdicts: Verdicts, standing: Standing, recipient: Recipient) -> UserIdStanding:
    """Give the user ID by which the key speaks for the recipient's mailbox."""
    named = [
        (uid, found)
        for uid, found in zip(standing.user_ids, verdicts.user_ids, strict=True)
        if uid.user_id.address and recipient.address.same_mailbox(uid.user_id.address)
    ]
    good = [uid for uid, _ in named if uid.good]
    if good:
        return good[0]
    own = [v for _, found in named for v in found if v.verdict is Verdict.GOOD]
    refusals.raise_for_time_or_hash(own, standing.at)
    raise refusals.no_address(standing, recipient)


def _encryption_subkey(verdicts: Verdicts, standing: Standing) -> SubkeyStanding:
    """Give the newest subkey that can be encrypted to, or of expired ones the last to expire.

    GnuPG would take the newest as well; only this one is handed to it.
    """
    encrypting = [sub for sub in standing.subkeys if sub.encrypts]
    bound = [sub for sub in encrypting if not sub.revoked]
    alive = [sub for sub in bound if not standing.has_ended(sub.expires)]
    if alive:
        return max(alive, key=lambda sub: sub.subkey.key.created)
    ended = [(sub.expires, sub) for sub in bound if sub.expires is not None]
    if ended:
        return max(ended, key=lambda pair: pair[0])[1]
    if encrypting:
        raise refusals.subkey_revoked(encrypting[-1])
    own = [v for found in verdicts.subkeys for v in found if v.verdict is Verdict.GOOD]
    refusals.raise_for_time_or_hash(own, standing.at)
    raise refusals.no_encryption(standing)
