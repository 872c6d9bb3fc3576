"""One OpenPGP signature packet, read but not verified (RFC 9580 §5.2).

Comes in: the body of a signature packet. Goes out: a `Signature` with what it claims. Only the
hashed subpackets are believed once the signature is verified; who made it may stand unhashed,
since verifying proves that. Uses no cryptography.
"""

from __future__ import annotations

from dataclasses import field
from datetime import UTC, datetime, timedelta
from enum import IntEnum, IntFlag
from typing import Final

from certmail.frozen import frozen
from certmail.key.framing import Damage, Fault, number, take
from certmail.values import Fingerprint


class SignatureType(IntEnum):
    """What a signature says (RFC 9580 §5.2.1)."""

    BINARY = 0x00
    GENERIC_CERTIFICATION = 0x10
    PERSONA_CERTIFICATION = 0x11
    CASUAL_CERTIFICATION = 0x12
    POSITIVE_CERTIFICATION = 0x13
    SUBKEY_BINDING = 0x18
    PRIMARY_BINDING = 0x19
    DIRECT_KEY = 0x1F
    KEY_REVOCATION = 0x20
    SUBKEY_REVOCATION = 0x28
    CERTIFICATION_REVOCATION = 0x30


CERTIFICATIONS: Final = frozenset(range(0x10, 0x14))


class KeyFlags(IntFlag):
    """What a key may be used for (RFC 9580 §5.2.3.29), first octet."""

    CERTIFY = 0x01
    SIGN = 0x02
    ENCRYPT_COMMUNICATIONS = 0x04
    ENCRYPT_STORAGE = 0x08
    ENCRYPT = 0x0C


class Features(IntFlag):
    """What the holder's programs can read (RFC 9580 §5.2.3.32), first octet."""

    NONE = 0
    SEIPD_V1 = 0x01
    # Reserved in the RFC; GnuPG 2.3 and later mean their own packet of type 20 by it.
    GNUPG_OCB = 0x02
    SEIPD_V2 = 0x08


HASH_NAMES: Final = {
    1: "MD5",
    2: "SHA-1",
    3: "RIPEMD-160",
    8: "SHA-256",
    9: "SHA-384",
    10: "SHA-512",
    11: "SHA-224",
    12: "SHA3-256",
    14: "SHA3-512",
}
"""RFC 9580 §9.5."""

WEAK_HASHES: Final = frozenset({1, 2, 3})
"""MD5, SHA-1, RIPEMD-160: RFC 9580 §9.5 lets no new signature be made with them."""

_CREATED, _SIGNATURE_EXPIRES, _KEY_EXPIRES, _ISSUER, _FLAGS = 2, 3, 9, 16, 27
_REVOCATION_REASON, _FEATURES, _ISSUER_FINGERPRINT = 29, 30, 33
_KNOWN: Final = frozenset(
    {
        *(2, 3, 4, 5, 6, 7, 9, 11, 12, 16, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32),
        *(33, 34, 35, 39),
    }
)
_DECIDING: Final = {_CREATED: 4, _SIGNATURE_EXPIRES: 4, _KEY_EXPIRES: 4, _ISSUER: 8}
"""Subpackets with a fixed size whose repetition would let two readers differ."""

_UNKNOWN_ISSUER: Final = "0" * 16


@frozen
class Signature:
    """What a signature packet claims.

    ``signed_part`` is what is hashed of the packet itself; ``numbers`` holds the algorithm's
    values, unread. ``key_lifetime_s`` 0 or None means that the key does not expire. ``critical``
    lists hashed subpackets marked critical that we do not know.
    """

    version: int
    type: int
    algorithm: int
    hash_algorithm: int
    created: datetime | None
    expires: datetime | None
    key_lifetime_s: int | None
    flags: KeyFlags | None
    features: Features
    issuer_fingerprint: Fingerprint | None
    issuer_key_ids: tuple[str, ...]
    revocation_reason: int | None
    critical: tuple[int, ...]
    left16: bytes
    signed_part: bytes = field(repr=False)
    numbers: bytes = field(repr=False)
    offset: int

    @property
    def hash_name(self) -> str:
        """The hash algorithm's name for people."""
        return HASH_NAMES.get(self.hash_algorithm, f"hash algorithm {self.hash_algorithm}")

    @property
    def weak(self) -> bool:
        """Whether its hash can be collided by people with money."""
        return self.hash_algorithm in WEAK_HASHES

    def claims(self, key: Fingerprint) -> bool:
        """Tell whether the signature says ``key`` made it, and no other key."""
        if self.issuer_fingerprint is not None and self.issuer_fingerprint != key:
            return False
        named = self.issuer_fingerprint is not None or bool(self.issuer_key_ids)
        return named and all(key_id == key.key_id for key_id in self.issuer_key_ids)


@frozen
class _Subpacket:
    type: int
    critical: bool
    body: bytes


def read_signature(body: bytes, *, offset: int) -> Signature:
    """Read the body of a signature packet, version 4 or 3.

    Raises:
        Damage: where it is not one.
    """
    version = number(body, 0, 1, base=offset)
    if version == 3:  # noqa: PLR2004 - other people's certifications from the last century
        return _read_v3(body, offset)
    if version != 4:  # noqa: PLR2004
        raise Damage(Fault.VERSION, offset, f"a signature has version {version}")
    hashed_size = number(body, 4, 2, base=offset)
    hashed = _subpackets(take(body, 6, hashed_size, base=offset), offset)
    hashed_end = 6 + hashed_size
    unhashed_size = number(body, hashed_end, 2, base=offset)
    unhashed = _subpackets(take(body, hashed_end + 2, unhashed_size, base=offset), offset)
    end = hashed_end + 2 + unhashed_size
    fixed = {kind: _one(hashed, kind, offset) for kind in _DECIDING}
    created = _instant(fixed[_CREATED])
    lifetime = fixed[_KEY_EXPIRES]
    return Signature(
        version=4,
        type=body[1],
        algorithm=body[2],
        hash_algorithm=body[3],
        created=created,
        expires=_after(created, fixed[_SIGNATURE_EXPIRES]),
        key_lifetime_s=None if lifetime is None else int.from_bytes(lifetime, "big"),
        flags=_flags(hashed, offset),
        features=_features(hashed),
        issuer_fingerprint=_issuer_fingerprint((*hashed, *unhashed)),
        issuer_key_ids=_issuer_key_ids((*hashed, *unhashed)),
        revocation_reason=_revocation_reason(hashed),
        critical=tuple(s.type for s in hashed if s.critical and s.type not in _KNOWN),
        left16=take(body, end, 2, base=offset),
        signed_part=body[:hashed_end],
        numbers=take(body, end + 2, len(body) - end - 2, base=offset),
        offset=offset,
    )


def _read_v3(body: bytes, offset: int) -> Signature:
    """Read a version 3 signature (RFC 9580 §5.2.2); it can only be somebody else's."""
    if number(body, 1, 1, base=offset) != 5:  # noqa: PLR2004 - §5.2.2: "MUST be 5"
        raise Damage(Fault.MALFORMED, offset)
    return Signature(
        version=3,
        type=number(body, 2, 1, base=offset),
        algorithm=number(body, 15, 1, base=offset),
        hash_algorithm=number(body, 16, 1, base=offset),
        created=_instant(take(body, 3, 4, base=offset)),
        expires=None,
        key_lifetime_s=None,
        flags=None,
        features=Features.NONE,
        issuer_fingerprint=None,
        issuer_key_ids=(take(body, 7, 8, base=offset).hex().upper(),),
        revocation_reason=None,
        critical=(),
        left16=take(body, 17, 2, base=offset),
        signed_part=body[2:7],
        numbers=body[19:],
        offset=offset,
    )


def _subpackets(area: bytes, offset: int) -> tuple[_Subpacket, ...]:
    """Split a subpacket area (RFC 9580 §5.2.3.7)."""
    found: list[_Subpacket] = []
    at = 0
    while at < len(area):
        first = area[at]
        if first < 192:  # noqa: PLR2004 - one octet
            size, at = first, at + 1
        elif first < 255:  # noqa: PLR2004 - two octets
            size, at = ((first - 192) << 8) + number(area, at + 1, 1, base=offset) + 192, at + 2
        else:
            size, at = number(area, at + 1, 4, base=offset), at + 5
        if size == 0:
            raise Damage(Fault.MALFORMED, offset)
        body = take(area, at, size, base=offset)
        found.append(_Subpacket(body[0] & 0x7F, bool(body[0] & 0x80), body[1:]))
        at += size
    return tuple(found)


def _one(area: tuple[_Subpacket, ...], kind: int, offset: int) -> bytes | None:
    """Give the only value of a deciding subpacket; two values have two readings."""
    values = {s.body for s in area if s.type == kind}
    if len(values) > 1 or any(len(value) != _DECIDING[kind] for value in values):
        raise Damage(Fault.MALFORMED, offset)
    return next(iter(values), None)


def _flags(hashed: tuple[_Subpacket, ...], offset: int) -> KeyFlags | None:
    values = {s.body for s in hashed if s.type == _FLAGS}
    if len(values) > 1:
        raise Damage(Fault.MALFORMED, offset)
    value = next(iter(values), None)
    return None if value is None else KeyFlags(value[0] & 0x0F if value else 0)


def _features(hashed: tuple[_Subpacket, ...]) -> Features:
    """Give every feature that is named anywhere: who names it twice still means it."""
    found = Features.NONE
    for subpacket in hashed:
        if subpacket.type == _FEATURES and subpacket.body:
            found |= Features(subpacket.body[0] & 0x0B)
    return found


def _issuer_fingerprint(area: tuple[_Subpacket, ...]) -> Fingerprint | None:
    """Give the issuer's version 4 fingerprint; two different ones name nobody."""
    named = {s.body[1:] for s in area if s.type == _ISSUER_FINGERPRINT and s.body[:1] == b"\x04"}
    if len(named) != 1 or len(value := named.pop()) != 20:  # noqa: PLR2004 - SHA-1
        return None
    return Fingerprint(value.hex())


def _issuer_key_ids(area: tuple[_Subpacket, ...]) -> tuple[str, ...]:
    """Give every key ID named in either way; a name that cannot be read is somebody unknown."""
    ids = []
    for subpacket in area:
        if subpacket.type == _ISSUER:
            ids.append(subpacket.body.hex().upper())
        elif subpacket.type == _ISSUER_FINGERPRINT:
            is_v4 = subpacket.body[:1] == b"\x04" and len(subpacket.body) == 21  # noqa: PLR2004
            ids.append(subpacket.body[-8:].hex().upper() if is_v4 else _UNKNOWN_ISSUER)
    return tuple(dict.fromkeys(ids))


def _revocation_reason(hashed: tuple[_Subpacket, ...]) -> int | None:
    return next((s.body[0] for s in hashed if s.type == _REVOCATION_REASON and s.body), None)


def _instant(value: bytes | None) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(int.from_bytes(value, "big"), UTC)


def _after(created: datetime | None, seconds: bytes | None) -> datetime | None:
    """Give the end of a lifetime; RFC 9580 §5.2.3.18: zero means that there is none."""
    lifetime_s = int.from_bytes(seconds, "big") if seconds else 0
    return created + timedelta(seconds=lifetime_s) if created and lifetime_s else None
