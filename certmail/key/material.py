"""The body of a public key packet: algorithm, numbers, creation, fingerprint (RFC 9580 §5.5).

Comes in: a packet body. Goes out: a `PublicKey`, every octet of it accounted for. The fingerprint
is computed here from the octets themselves, so that nobody's listing has to be believed.
"""

from __future__ import annotations

import hashlib
from dataclasses import field
from datetime import UTC, datetime
from typing import Final

from certmail.frozen import frozen
from certmail.key.framing import Damage, Fault, number, take
from certmail.values import Fingerprint

RSA: Final = frozenset({1, 2, 3})
ECDSA: Final = 19
EDDSA_LEGACY: Final = 22
ED25519: Final = 27

ALGORITHM_NAMES: Final = {
    1: "RSA",
    2: "RSA (encrypt only)",
    3: "RSA (sign only)",
    16: "Elgamal",
    17: "DSA",
    18: "ECDH",
    19: "ECDSA",
    22: "EdDSA",
    25: "X25519",
    26: "X448",
    27: "Ed25519",
    28: "Ed448",
}
"""RFC 9580 §9.1."""

ENCRYPTING: Final = frozenset({1, 2, 16, 18, 25, 26})
"""RFC 9580 §9.1: algorithms that can encrypt."""

_MPI_COUNT: Final = {1: 2, 2: 2, 3: 2, 16: 3, 17: 4}
_NATIVE_OCTETS: Final = {25: 32, 26: 56, 27: 32, 28: 57}
"""RFC 9580 §5.5.5.7 to §5.5.5.10: these keys are octet strings, not numbers."""

CURVES: Final = {
    "2a8648ce3d030107": ("NIST P-256", 256),
    "2b81040022": ("NIST P-384", 384),
    "2b81040023": ("NIST P-521", 521),
    "2b2403030208010107": ("brainpoolP256r1", 256),
    "2b240303020801010b": ("brainpoolP384r1", 384),
    "2b240303020801010d": ("brainpoolP512r1", 512),
    "2b06010401da470f01": ("Ed25519", 255),
    "2b060104019755010501": ("Curve25519", 255),
    "2b8104000a": ("secp256k1", 256),
    "2b6571": ("Ed448", 448),
    "2b656f": ("X448", 448),
}
"""RFC 9580 §9.2; Ed448 and X448 by RFC 8410."""


@frozen
class PublicKey:
    """A version 4 public key or subkey.

    ``numbers`` are the algorithm's multiprecision integers, ``curve`` the curve's object
    identifier in hex where there is one. ``bits`` is 0 where the algorithm is not known here.
    """

    algorithm: int
    bits: int
    created: datetime
    fingerprint: Fingerprint
    curve: str | None
    numbers: tuple[int, ...] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def algorithm_name(self) -> str:
        """The algorithm for people, with the curve where there is one."""
        if self.curve is not None and self.algorithm in {18, ECDSA, EDDSA_LEGACY}:
            return CURVES.get(self.curve, ("unknown curve", 0))[0]
        return ALGORITHM_NAMES.get(self.algorithm, f"algorithm {self.algorithm}")

    @property
    def can_encrypt(self) -> bool:
        """Whether the algorithm is one to encrypt with; whether the key may is its flags'."""
        return self.algorithm in ENCRYPTING

    def hashed(self) -> bytes:
        """Give the octets that stand for the key in hashes (RFC 9580 §5.2.4)."""
        return b"\x99" + len(self.body).to_bytes(2, "big") + self.body


def read_public_key(body: bytes, *, offset: int) -> PublicKey:
    """Read the body of a public key or subkey packet of version 4.

    Raises:
        Damage: for another version, or where octets are missing or left over.
    """
    version = number(body, 0, 1, base=offset)
    if version != 4:  # noqa: PLR2004
        raise Damage(Fault.VERSION, offset, f"a key has version {version}")
    if len(body) > 0xFFFF:  # noqa: PLR2004 - two octets hold the size that is hashed
        raise Damage(Fault.MALFORMED, offset)
    created = datetime.fromtimestamp(number(body, 1, 4, base=offset), UTC)
    algorithm = number(body, 5, 1, base=offset)
    bits, curve, numbers = _read_material(body[6:], algorithm, offset)
    return PublicKey(
        algorithm=algorithm,
        bits=bits,
        created=created,
        fingerprint=fingerprint_of(body),
        curve=curve,
        numbers=numbers,
        body=body,
    )


def fingerprint_of(body: bytes) -> Fingerprint:
    """Compute a version 4 fingerprint.

    RFC 9580 §5.5.4.2: "the 160-bit SHA-1 hash of the octet 0x99, followed by the 2-octet packet
    length, followed by the entire Public Key packet starting with the version field".
    """
    content = b"\x99" + len(body).to_bytes(2, "big") + body
    return Fingerprint(hashlib.sha1(content, usedforsecurity=False).hexdigest())


def read_mpi(data: bytes, at: int, *, offset: int) -> tuple[int, int]:
    """Read a multiprecision integer and where it ends (RFC 9580 §3.2).

    "The length field ... describes the length starting from its most significant non-zero bit":
    a number has one spelling, and the others are refused.
    """
    bits = number(data, at, 2, base=offset)
    octets = (bits + 7) // 8
    value = number(data, at + 2, octets, base=offset)
    if value.bit_length() != bits:
        raise Damage(Fault.MALFORMED, offset)
    return value, at + 2 + octets


def _read_material(
    data: bytes, algorithm: int, offset: int
) -> tuple[int, str | None, tuple[int, ...]]:
    if algorithm in _NATIVE_OCTETS:
        size = _NATIVE_OCTETS[algorithm]
        if len(data) != size:
            raise Damage(Fault.MALFORMED, offset)
        return size * 8, None, (int.from_bytes(data, "big"),)
    if algorithm in _MPI_COUNT:
        numbers, end = _mpis(data, 0, _MPI_COUNT[algorithm], offset)
        _require_end(data, end, offset)
        return numbers[0].bit_length(), None, numbers
    if algorithm in {18, ECDSA, EDDSA_LEGACY}:
        return _read_curve(data, algorithm, offset)
    return 0, None, ()


def _read_curve(
    data: bytes, algorithm: int, offset: int
) -> tuple[int, str | None, tuple[int, ...]]:
    """Read a curve and its point, and for ECDH the key derivation (RFC 9580 §5.5.5.4 to .6)."""
    size = number(data, 0, 1, base=offset)
    curve = take(data, 1, size, base=offset).hex()
    numbers, end = _mpis(data, 1 + size, 1, offset)
    if algorithm == 18:  # noqa: PLR2004 - ECDH
        end += 1 + number(data, end, 1, base=offset)
    _require_end(data, end, offset)
    return CURVES.get(curve, ("", 0))[1], curve, numbers


def _mpis(data: bytes, at: int, count: int, offset: int) -> tuple[tuple[int, ...], int]:
    numbers = []
    for _ in range(count):
        value, at = read_mpi(data, at, offset=offset)
        numbers.append(value)
    return tuple(numbers), at


def _require_end(data: bytes, end: int, offset: int) -> None:
    if end != len(data):
        raise Damage(Fault.TRUNCATED if end > len(data) else Fault.MALFORMED, offset)
