"""What a key's own signatures amount to at an instant (RFC 9580 §5.2.3.10, §5.2.4.1).

Comes in: a `KeyBlock`, its `Verdicts`, an instant. Goes out: a `Standing`: until when the key is
good, what it may do, what is revoked. Only good, unexpired signatures with a sound hash count, and
of several the newest. Where the RFC leaves a choice, GnuPG's is taken, since the two must agree.
Knows neither the pin nor GnuPG's word.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from certmail.frozen import frozen
from certmail.key.selfsig import SignatureVerdict, Verdict, Verdicts
from certmail.key.signature import CERTIFICATIONS, KeyFlags, Signature, SignatureType

if TYPE_CHECKING:
    from certmail.key.keyblock import KeyBlock, Subkey, UserId
    from certmail.key.material import PublicKey


@frozen
class UserIdStanding:
    """A user ID, the certification that speaks for it now, and whether it was taken back."""

    user_id: UserId
    certification: Signature | None
    revoked: bool

    @property
    def good(self) -> bool:
        """Whether the key stands behind this user ID."""
        return self.certification is not None and not self.revoked


@frozen
class SubkeyStanding:
    """A subkey, the binding that speaks for it now, and whether it was revoked."""

    subkey: Subkey
    binding: Signature | None
    revoked: bool
    expires: datetime | None

    @property
    def encrypts(self) -> bool:
        """Whether it is bound and meant to encrypt.

        Without key flags the algorithm decides, as in GnuPG.
        """
        if self.binding is None or not self.subkey.key.can_encrypt:
            return False
        return self.binding.flags is None or bool(self.binding.flags & KeyFlags.ENCRYPT)


@frozen
class Standing:
    """A whole key at an instant. ``expires`` is the primary key's, None for never."""

    at: datetime
    revoked: bool
    expires: datetime | None
    direct: Signature | None
    user_ids: tuple[UserIdStanding, ...]
    subkeys: tuple[SubkeyStanding, ...]

    def has_ended(self, when: datetime | None) -> bool:
        """Tell whether an end lies before the instant; as in GnuPG, its own second still counts."""
        return when is not None and when < self.at


def assess(block: KeyBlock, verdicts: Verdicts, *, at: datetime) -> Standing:
    """Work out what the key's own signatures amount to at ``at``, in whole seconds.

    OpenPGP knows no parts of a second, and GnuPG is asked about a whole one.
    """
    at = at.replace(microsecond=0)
    direct = _newest(verdicts.primary, {SignatureType.DIRECT_KEY}, at)
    user_ids = tuple(
        _assess_user_id(uid, found, at)
        for uid, found in zip(block.user_ids, verdicts.user_ids, strict=True)
    )
    return Standing(
        at=at,
        revoked=_any_good(verdicts.primary, SignatureType.KEY_REVOCATION),
        expires=_primary_end(block.primary, direct, user_ids),
        direct=direct,
        user_ids=user_ids,
        subkeys=tuple(
            _assess_subkey(sub, found, at)
            for sub, found in zip(block.subkeys, verdicts.subkeys, strict=True)
        ),
    )


def end_of(key: PublicKey, signature: Signature | None) -> datetime | None:
    """Give the end a signature sets for ``key``: RFC 9580 §5.2.3.13 counts from its creation."""
    if signature is None or not signature.key_lifetime_s:
        return None
    return key.created + timedelta(seconds=signature.key_lifetime_s)


def _primary_end(
    key: PublicKey, direct: Signature | None, user_ids: tuple[UserIdStanding, ...]
) -> datetime | None:
    """Give the primary key's end: by its direct signature, else by its newest certification.

    As GnuPG does (g10/getkey.c, merge_selfsigs_main), a user ID without an end does not undo the
    end that another one sets.
    """
    if end_of(key, direct) is not None:
        return end_of(key, direct)
    dated = [
        (uid.certification.created, end_of(key, uid.certification))
        for uid in user_ids
        if uid.good and uid.certification is not None and uid.certification.created is not None
    ]
    ends = [(created, end) for created, end in dated if end is not None]
    return max(ends, key=lambda pair: pair[0])[1] if ends else None


def _assess_user_id(
    user_id: UserId, found: tuple[SignatureVerdict, ...], at: datetime
) -> UserIdStanding:
    """Assess a user ID; a certification made later than a revocation restores it."""
    certification = _newest(found, CERTIFICATIONS, at)
    revocations = [
        v.signature.created
        for v in found
        if v.verdict is Verdict.GOOD
        and v.signature.type == SignatureType.CERTIFICATION_REVOCATION
        and v.signature.created is not None
    ]
    revoked = bool(revocations) and (
        certification is None
        or certification.created is None
        or certification.created <= max(revocations)
    )
    return UserIdStanding(user_id, certification, revoked)


def _assess_subkey(
    subkey: Subkey, found: tuple[SignatureVerdict, ...], at: datetime
) -> SubkeyStanding:
    """Assess a subkey; a revoked one stays revoked, whatever is signed later."""
    binding = _newest(found, {SignatureType.SUBKEY_BINDING}, at)
    revoked = _any_good(found, SignatureType.SUBKEY_REVOCATION)
    return SubkeyStanding(subkey, binding, revoked, end_of(subkey.key, binding))


def _newest(
    found: tuple[SignatureVerdict, ...], types: frozenset[int] | set[SignatureType], at: datetime
) -> Signature | None:
    """Give the newest signature that counts; of two made in one second, the later packet."""
    newest: Signature | None = None
    for verdict in found:
        signature = verdict.signature
        if verdict.verdict is not Verdict.GOOD or signature.type not in types or signature.weak:
            continue
        if signature.created is None or signature.created > at:
            continue
        if signature.expires is not None and signature.expires <= at:
            continue
        if newest is None or newest.created is None or signature.created >= newest.created:
            newest = signature
    return newest


def _any_good(found: tuple[SignatureVerdict, ...], kind: SignatureType) -> bool:
    """Tell whether a revocation of this kind is good; its hash and date do not weaken it."""
    return any(v.verdict is Verdict.GOOD and v.signature.type == kind for v in found)
