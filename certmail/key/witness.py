"""What GnuPG says about a key, in values the core can hold: a witness's statement.

Filled by the gnupg room, judged in `pin`. Knows how a statement looks, not how it was had.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Final

from certmail.frozen import frozen

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.values import Fingerprint

REVOKED: Final = "r"
EXPIRED: Final = "e"
INVALID: Final = frozenset("idn")
"""Validity letters of a GnuPG listing: invalid, disabled, never valid (doc/DETAILS, field 2)."""


class GpgVerdict(Enum):
    """GnuPG's verdict on one signature (doc/DETAILS, field 2 of sig and rev records)."""

    GOOD = "good"
    BAD = "bad"
    NO_KEY = "made by a key that is not here"
    ERROR = "not verified"


@frozen
class GpgSignature:
    """One signature as listed: verdict, type as in RFC 9580 §5.2.1, issuer and creation."""

    verdict: GpgVerdict
    type: int
    issuer_key_id: str
    created: datetime | None


@frozen
class GpgUserId:
    """A user ID as listed; ``raw`` are its octets, unescaped."""

    raw: bytes = field(repr=False)
    validity: str
    signatures: tuple[GpgSignature, ...]


@frozen
class GpgKey:
    """A primary key or subkey as listed."""

    fingerprint: Fingerprint
    validity: str
    algorithm: int
    bits: int
    created: datetime | None
    expires: datetime | None
    capabilities: str
    signatures: tuple[GpgSignature, ...]


@frozen
class GpgKeyReport:
    """What GnuPG lists after importing one key block into an empty home at the instant ``at``.

    ``primary`` is None where GnuPG did not take the key at all.
    """

    at: datetime
    primary: GpgKey | None
    user_ids: tuple[GpgUserId, ...]
    subkeys: tuple[GpgKey, ...]
