"""Judge whether a key block is the pinned key, whole, alive and able to encrypt.

Comes in: a `KeyBlock`, our `Verdicts`, GnuPG's `GpgKeyReport`, a `Recipient`, an instant. Goes
out: a `KeyReport` for people, and a `PinnedKey` where the key holds. The two witnesses must agree
on everything that decides. Knows neither files nor how GnuPG was asked (RFC 9580 §5.2, §10.1).
"""

from __future__ import annotations

from dataclasses import InitVar, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from certmail.errors import KeyRefused
from certmail.frozen import frozen
from certmail.key import refusals
from certmail.key.agree import compare
from certmail.key.choose import Choice, decide
from certmail.key.extract import extract
from certmail.key.rows import SignatureRow, lay_out
from certmail.key.standing import Standing, SubkeyStanding, assess

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.key.keyblock import KeyBlock
    from certmail.key.selfsig import Verdicts
    from certmail.key.witness import GpgKeyReport
    from certmail.recipient import Recipient
    from certmail.values import Fingerprint


class Usability(Enum):
    """Whether the pinned key can be encrypted to."""

    TODAY = "it can be encrypted to today"
    EXPIRED = "it has expired"


class _Witness:
    """Held by this room alone."""


_WITNESS: Final = _Witness()


@frozen
class PinnedKey:
    """The recipient's key, found to be the pinned one at the instant ``at``.

    Proves: the primary key has the pinned fingerprint and stands behind the recipient's address
    and the encryption subkey, by signatures that two implementations verified; nothing in it is
    revoked as far as this copy tells. Does not prove that no newer copy revokes it, nor, unless
    ``usability`` is TODAY, that it can be encrypted to.

    ``packets`` is the part of the block that was proved, the one encryption subkey included, and
    nothing else of what the file held. Witnessed: only this room builds it.
    """

    recipient: Recipient
    fingerprint: Fingerprint
    encryption_subkey: Fingerprint
    user_id: str
    algorithm: str
    bits: int
    created: datetime
    expires: datetime | None
    subkey_algorithm: str
    subkey_bits: int
    subkey_created: datetime
    subkey_expires: datetime | None
    usability: Usability
    source: str
    at: datetime
    packets: bytes = field(repr=False)
    witness: InitVar[_Witness]

    def __post_init__(self, witness: _Witness) -> None:
        """Refuse every builder but this room."""
        if witness is not _WITNESS:
            raise TypeError("only the key room vouches for a PinnedKey")


@frozen
class SubkeyFacts:
    """One subkey for people: what it is, until when, and whether it can be encrypted to."""

    fingerprint: Fingerprint
    algorithm: str
    bits: int
    created: datetime
    expires: datetime | None
    revoked: bool
    encrypts: bool


@frozen
class KeyReport:
    """Everything ``certmail verify-key`` can say about one key block.

    ``refused`` says why it is not the pinned key in good standing; ``unusable`` why it cannot be
    encrypted to today. A key to send to has neither. ``pinned`` is there unless it is refused.
    """

    recipient: Recipient
    source: str
    at: datetime
    fingerprint: Fingerprint
    algorithm: str
    bits: int
    created: datetime
    expires: datetime | None
    revoked: bool
    user_ids: tuple[str, ...]
    subkeys: tuple[SubkeyFacts, ...]
    signatures: tuple[SignatureRow, ...]
    pinned: PinnedKey | None
    refused: KeyRefused | None
    unusable: KeyRefused | None

    def require_pinned(self) -> PinnedKey:
        """Give the pinned key, expired or not, or raise why it is refused."""
        if self.refused is not None:
            raise self.refused
        if self.pinned is None:
            raise TypeError("a key that is not refused is pinned")
        return self.pinned


def judge(
    block: KeyBlock,
    verdicts: Verdicts,
    gpg_report: GpgKeyReport,
    *,
    recipient: Recipient,
    at: datetime,
    source: str,
) -> KeyReport:
    """Judge a key block at ``at``; never raises for what the block says, but reports it."""
    standing = assess(block, verdicts, at=at)
    pinned: PinnedKey | None = None
    refused: KeyRefused | None = None
    try:
        choice = decide(block, verdicts, standing, recipient)
        compare(block, standing, choice, gpg_report)
        pinned = _vouch(block, standing, choice, recipient=recipient, source=source)
    except KeyRefused as refusal:
        refused = refusal
    unusable = None if pinned is None else _unusable(pinned)
    return KeyReport(
        recipient=recipient,
        source=source,
        at=at,
        fingerprint=block.fingerprint,
        algorithm=block.primary.algorithm_name,
        bits=block.primary.bits,
        created=block.primary.created,
        expires=standing.expires,
        revoked=standing.revoked,
        user_ids=tuple(uid.text for uid in block.user_ids),
        subkeys=tuple(_facts(subkey) for subkey in standing.subkeys),
        signatures=lay_out(block, verdicts, gpg_report),
        pinned=pinned,
        refused=refused,
        unusable=unusable,
    )


def identify(
    block: KeyBlock,
    verdicts: Verdicts,
    gpg_report: GpgKeyReport,
    *,
    recipient: Recipient,
    at: datetime,
    source: str,
) -> PinnedKey:
    """Give the pinned key, expired or not: enough for a preview.

    Raises:
        KeyRefused: ``PIN-MISMATCH``, ``KEY-FROM-FUTURE``, ``KEY-SELFSIG-BAD``,
            ``KEY-SELFSIG-WEAK``, ``KEY-REVOKED``, ``KEY-NO-ADDRESS``, ``KEY-NO-ENCRYPTION``,
            ``KEY-SUBKEY-REVOKED``, ``WITNESSES-DISAGREE``.
    """
    report = judge(block, verdicts, gpg_report, recipient=recipient, at=at, source=source)
    return report.require_pinned()


def pin(
    block: KeyBlock,
    verdicts: Verdicts,
    gpg_report: GpgKeyReport,
    *,
    recipient: Recipient,
    at: datetime,
    source: str,
) -> PinnedKey:
    """Give the pinned key, usable at ``at``: what a send needs.

    Raises:
        KeyRefused: as `identify` and `require_usable`.
    """
    pinned = identify(block, verdicts, gpg_report, recipient=recipient, at=at, source=source)
    require_usable(pinned)
    return pinned


def require_usable(pinned: PinnedKey) -> None:
    """Refuse a key that could not be encrypted to when it was judged.

    Raises:
        KeyRefused: ``KEY-EXPIRED``, ``KEY-SUBKEY-EXPIRED``.
    """
    refusal = _unusable(pinned)
    if refusal is not None:
        raise refusal


def require_usable_at(pinned: PinnedKey, *, at: datetime) -> None:
    """Refuse a key that was usable when it was judged and has ended by ``at``.

    Raises:
        KeyRefused: ``KEY-EXPIRED``, ``KEY-SUBKEY-EXPIRED``.
    """
    require_usable(pinned)
    if pinned.expires is not None and pinned.expires < at:
        raise refusals.expired(pinned.expires, pinned.source)
    if pinned.subkey_expires is not None and pinned.subkey_expires < at:
        raise refusals.subkey_expired(
            pinned.encryption_subkey, pinned.subkey_expires, pinned.source
        )


def _vouch(
    block: KeyBlock, standing: Standing, choice: Choice, *, recipient: Recipient, source: str
) -> PinnedKey:
    subkey = choice.subkey.subkey.key
    ended = standing.has_ended(standing.expires) or standing.has_ended(choice.subkey.expires)
    return PinnedKey(
        recipient=recipient,
        fingerprint=block.fingerprint,
        encryption_subkey=subkey.fingerprint,
        user_id=choice.user_id.user_id.text,
        algorithm=block.primary.algorithm_name,
        bits=block.primary.bits,
        created=block.primary.created,
        expires=standing.expires,
        subkey_algorithm=subkey.algorithm_name,
        subkey_bits=subkey.bits,
        subkey_created=subkey.created,
        subkey_expires=choice.subkey.expires,
        usability=Usability.EXPIRED if ended else Usability.TODAY,
        source=source,
        at=standing.at,
        packets=extract(block, standing, choice.subkey),
        witness=_WITNESS,
    )


def _unusable(pinned: PinnedKey) -> KeyRefused | None:
    """Say why the key could not be encrypted to; the primary key's end is told first."""
    if pinned.usability is Usability.TODAY:
        return None
    if pinned.expires is not None and pinned.expires < pinned.at:
        return refusals.expired(pinned.expires, pinned.source)
    return refusals.subkey_expired(pinned.encryption_subkey, pinned.subkey_expires, pinned.source)


def _facts(standing: SubkeyStanding) -> SubkeyFacts:
    key = standing.subkey.key
    return SubkeyFacts(
        fingerprint=key.fingerprint,
        algorithm=key.algorithm_name,
        bits=key.bits,
        created=key.created,
        expires=standing.expires,
        revoked=standing.revoked,
        encrypts=standing.encrypts,
    )
