"""Verify what a key says about itself: the second witness beside GnuPG (RFC 9580 §5.2.4).

Comes in: a `KeyBlock`. Goes out: `Verdicts`, one for every signature in it, in the same places.
The octets to hash are composed here; the cryptography is the cryptography package's. Signatures by
other keys are named as such and prove nothing. Knows neither the pin nor the time.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import TYPE_CHECKING, Final

from certmail.frozen import frozen
from certmail.key.framing import Damage, Fault, take
from certmail.key.material import ECDSA, ED25519, EDDSA_LEGACY, RSA, PublicKey, read_mpi
from certmail.key.signature import CERTIFICATIONS, Signature, SignatureType

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

    from certmail.key.keyblock import KeyBlock

_HASHES: Final = {
    1: "md5",
    2: "sha1",
    8: "sha256",
    9: "sha384",
    10: "sha512",
    11: "sha224",
    12: "sha3_256",
    14: "sha3_512",
}
_ON_PRIMARY: Final = frozenset({SignatureType.DIRECT_KEY, SignatureType.KEY_REVOCATION})
_ON_USER_ID: Final = CERTIFICATIONS | {SignatureType.CERTIFICATION_REVOCATION}
_ON_SUBKEY: Final = frozenset({SignatureType.SUBKEY_BINDING, SignatureType.SUBKEY_REVOCATION})
_ED25519_OID: Final = "2b06010401da470f01"
_ED25519_OCTETS: Final = 32


class Verdict(Enum):
    """What a witness says about one signature."""

    GOOD = "good"
    BAD = "bad"
    FOREIGN = "made by another key"
    UNSUPPORTED = "not understood"


@frozen
class SignatureVerdict:
    """A signature and whether the primary key made it."""

    signature: Signature
    verdict: Verdict


@frozen
class Verdicts:
    """The verdicts on a key block, in the order of its parts."""

    primary: tuple[SignatureVerdict, ...]
    user_ids: tuple[tuple[SignatureVerdict, ...], ...]
    subkeys: tuple[tuple[SignatureVerdict, ...], ...]

    def every(self) -> tuple[SignatureVerdict, ...]:
        """Give all verdicts, in the order of the packets."""
        parts = (self.primary, *self.user_ids, *self.subkeys)
        return tuple(verdict for part in parts for verdict in part)


def verify(block: KeyBlock) -> Verdicts:
    """Verify every signature in ``block`` that claims to be the primary key's own."""
    key = block.primary
    own = key.hashed()

    def judge(
        signatures: tuple[Signature, ...], types: frozenset[int], target: bytes
    ) -> tuple[SignatureVerdict, ...]:
        return tuple(SignatureVerdict(s, _judge(s, key, types, target)) for s in signatures)

    return Verdicts(
        primary=judge(block.signatures, _ON_PRIMARY, own),
        user_ids=tuple(
            judge(uid.signatures, _ON_USER_ID, own + _hashed_user_id(uid.raw))
            for uid in block.user_ids
        ),
        subkeys=tuple(
            judge(sub.signatures, _ON_SUBKEY, own + sub.key.hashed()) for sub in block.subkeys
        ),
    )


def _judge(signature: Signature, key: PublicKey, types: frozenset[int], target: bytes) -> Verdict:
    """Say what a signature over ``target`` is worth.

    RFC 9580 §5.2.3.7: one with an unknown critical subpacket is in error. RFC 9580 §5.2.3.11: the
    creation time "MUST be present in the hashed area". A signature older than its key is what
    GnuPG calls a time conflict.
    """
    if not signature.claims(key.fingerprint):
        return Verdict.FOREIGN
    if signature.version != 4 or signature.critical or signature.hash_algorithm not in _HASHES:  # noqa: PLR2004
        return Verdict.UNSUPPORTED
    if (
        signature.type not in types
        or signature.created is None
        or signature.created < key.created
        or signature.algorithm != key.algorithm
    ):
        return Verdict.BAD
    digest = hashlib.new(_HASHES[signature.hash_algorithm], usedforsecurity=False)
    digest.update(target + signature.signed_part + _trailer(signature))
    if digest.digest()[:2] != signature.left16:
        return Verdict.BAD
    try:
        return _check(key, signature, digest.digest())
    except Damage:
        return Verdict.BAD


def _trailer(signature: Signature) -> bytes:
    """Give the trailer of RFC 9580 §5.2.4: version, 0xFF, and the length that was hashed."""
    return b"\x04\xff" + len(signature.signed_part).to_bytes(4, "big")


def _hashed_user_id(raw: bytes) -> bytes:
    """Give a user ID as RFC 9580 §5.2.4 hashes it: 0xB4, its length in four octets, itself."""
    return b"\xb4" + len(raw).to_bytes(4, "big") + raw


def _check(key: PublicKey, signature: Signature, digest: bytes) -> Verdict:
    # Imported here: most of what certmail does never verifies a signature itself.
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415

    verifier = {EDDSA_LEGACY: _check_eddsa, ED25519: _check_ed25519, ECDSA: _check_ecdsa}.get(
        key.algorithm, _check_rsa if key.algorithm in RSA else None
    )
    if verifier is None:
        return Verdict.UNSUPPORTED
    try:
        verifier(key, signature, digest)
    except InvalidSignature:
        return Verdict.BAD
    except (UnsupportedAlgorithm, ValueError):
        # A key or hash that the library does not take; what it did not verify is not good.
        return Verdict.UNSUPPORTED
    return Verdict.GOOD


def _check_rsa(key: PublicKey, signature: Signature, digest: bytes) -> None:
    """RSASSA-PKCS1-v1_5 (RFC 9580 §5.2.3.1)."""
    from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils  # noqa: PLC0415

    modulus, exponent = key.numbers
    (value,) = _numbers(signature, 1)
    octets = (modulus.bit_length() + 7) // 8
    if value >= modulus:
        raise Damage(Fault.MALFORMED, signature.offset)
    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    prehashed = utils.Prehashed(_hash_of(signature))
    public.verify(value.to_bytes(octets, "big"), digest, padding.PKCS1v15(), prehashed)


def _check_eddsa(key: PublicKey, signature: Signature, digest: bytes) -> None:
    """EdDSALegacy with Ed25519: native octets in two numbers (RFC 9580 §5.2.3.3)."""
    point = _octets(key.numbers[0])
    if key.curve != _ED25519_OID or point[:1] != b"\x40":
        raise ValueError("not Ed25519")
    halves = _numbers(signature, 2)
    if any(half.bit_length() > _ED25519_OCTETS * 8 for half in halves):
        raise Damage(Fault.MALFORMED, signature.offset)
    octets = b"".join(half.to_bytes(_ED25519_OCTETS, "big") for half in halves)
    _verify_ed25519(point[1:], octets, digest)


def _check_ed25519(key: PublicKey, signature: Signature, digest: bytes) -> None:
    """Ed25519 in 64 native octets (RFC 9580 §5.2.3.4)."""
    octets = take(signature.numbers, 0, 2 * _ED25519_OCTETS)
    if len(signature.numbers) != len(octets):
        raise Damage(Fault.MALFORMED, signature.offset)
    _verify_ed25519(key.numbers[0].to_bytes(_ED25519_OCTETS, "big"), octets, digest)


def _verify_ed25519(public: bytes, octets: bytes, digest: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    ed25519.Ed25519PublicKey.from_public_bytes(public).verify(octets, digest)


def _check_ecdsa(key: PublicKey, signature: Signature, digest: bytes) -> None:
    """ECDSA over the NIST curves (RFC 9580 §5.2.3.2)."""
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    curves: dict[str, type[ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1]] = {
        "2a8648ce3d030107": ec.SECP256R1,
        "2b81040022": ec.SECP384R1,
        "2b81040023": ec.SECP521R1,
    }
    if key.curve not in curves:
        raise ValueError("not a NIST curve")
    point = _octets(key.numbers[0])
    public = ec.EllipticCurvePublicKey.from_encoded_point(curves[key.curve](), point)
    octets = utils.encode_dss_signature(*_numbers(signature, 2))
    public.verify(octets, digest, ec.ECDSA(utils.Prehashed(_hash_of(signature))))


def _numbers(signature: Signature, count: int) -> tuple[int, ...]:
    """Read the signature's numbers, to its last octet."""
    values, at = [], 0
    for _ in range(count):
        value, at = read_mpi(signature.numbers, at, offset=signature.offset)
        values.append(value)
    if at != len(signature.numbers):
        raise Damage(Fault.MALFORMED, signature.offset)
    return tuple(values)


def _octets(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _hash_of(signature: Signature) -> HashAlgorithm:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415

    known: dict[int, HashAlgorithm] = {
        1: hashes.MD5(),  # noqa: S303 - read, and never counted as sound
        2: hashes.SHA1(),  # noqa: S303 - as MD5
        8: hashes.SHA256(),
        9: hashes.SHA384(),
        10: hashes.SHA512(),
        11: hashes.SHA224(),
        12: hashes.SHA3_256(),
        14: hashes.SHA3_512(),
    }
    return known[signature.hash_algorithm]
