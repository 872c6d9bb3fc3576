"""Hold our own reading of a key against GnuPG's: two witnesses, one story.

Comes in: a `KeyBlock`, its `Standing`, our `Choice`, GnuPG's `GpgKeyReport`. Goes out: nothing, or
a refusal at the first difference. A key that two programs read in two ways is how one of them is
deceived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.key import refusals
from certmail.key.material import RSA
from certmail.key.witness import EXPIRED, INVALID, REVOKED, GpgKey, GpgVerdict

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.key.choose import Choice
    from certmail.key.keyblock import KeyBlock
    from certmail.key.material import PublicKey
    from certmail.key.signature import Signature
    from certmail.key.standing import Standing
    from certmail.key.witness import GpgKeyReport, GpgSignature


def compare(block: KeyBlock, standing: Standing, choice: Choice, gpg_report: GpgKeyReport) -> None:
    """Hold our reading against GnuPG's in everything that decides; one difference refuses.

    (1) the key was taken, (2) it is the same key with the same life, (3) no part is there that we
    did not see, (4) it stands behind the same user ID, (5) and behind the same subkey.
    """
    # (1) taken at all
    theirs = gpg_report.primary
    if theirs is None:
        raise refusals.disagree("GnuPG does not take this key, and our own reading does")
    # (2) same key, same life
    _same("fingerprint", block.fingerprint, theirs.fingerprint)
    _same_key("the primary key", block.primary, standing.expires, theirs)
    _same(
        "expiry at this instant", standing.has_ended(standing.expires), EXPIRED in theirs.validity
    )
    # (3) no part more
    ours = {sub.key.fingerprint for sub in block.subkeys}
    if not {sub.fingerprint for sub in gpg_report.subkeys} <= ours:
        raise refusals.disagree("GnuPG sees a subkey that our own reading does not")
    # (4) same user ID
    raw = choice.user_id.user_id.raw
    listed = [uid for uid in gpg_report.user_ids if uid.raw == raw]
    if len(listed) != 1 or set(listed[0].validity) & (INVALID | {REVOKED}):
        raise refusals.disagree("GnuPG does not stand by the user ID with the address")
    _same_signature("the user ID", choice.user_id.certification, listed[0].signatures)
    # (5) same subkey
    subkey = choice.subkey.subkey.key
    twin = next((k for k in gpg_report.subkeys if k.fingerprint == subkey.fingerprint), None)
    if twin is None or "e" not in twin.capabilities.lower():
        raise refusals.disagree("GnuPG would not encrypt to the subkey that our own reading chose")
    _same_key("the encryption subkey", subkey, choice.subkey.expires, twin)
    _same_signature("the encryption subkey", choice.subkey.binding, twin.signatures)


def _same_key(name: str, ours: PublicKey, expires: datetime | None, theirs: GpgKey) -> None:
    if set(theirs.validity) & (INVALID | {REVOKED}):
        raise refusals.disagree(f"GnuPG calls {name} invalid or revoked")
    _same(f"creation of {name}", ours.created, theirs.created)
    _same(f"end of {name}", expires, theirs.expires)
    _same(f"algorithm of {name}", ours.algorithm, theirs.algorithm)
    if ours.algorithm in RSA:  # programs do not agree on how many bits a curve has
        _same(f"size of {name}", ours.bits, theirs.bits)


def _same_signature(name: str, ours: Signature | None, theirs: tuple[GpgSignature, ...]) -> None:
    """Find GnuPG's good verdict on the signature that decided for us."""
    if not any(
        ours is not None
        and gpg.verdict is GpgVerdict.GOOD
        and (gpg.type, gpg.created) == (ours.type, ours.created)
        for gpg in theirs
    ):
        raise refusals.disagree(f"GnuPG does not find the signature on {name} good")


def _same(name: str, ours: object, theirs: object) -> None:
    if ours != theirs:
        raise refusals.disagree(f"{name}: our own reading says {ours}, GnuPG says {theirs}")
