"""A recipient's key that asks for authenticated encryption, as GnuPG 2.4 makes it, with its secret.

GnuPG 2.2 does not make such keys, so it is written octet by octet: features for RFC 9580's and
GnuPG's own form, and OCB first among the preferences.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from certmail.key.framing import Tag, build
from tests.key.forge import Forge, hashed, mpi, next_seed, subpacket, time4

AES256, OCB = 9, 2
FEATURES = subpacket(30, b"\x0b")
WISHES = (
    subpacket(11, bytes([AES256]))  # preferred symmetric ciphers
    + subpacket(34, bytes([OCB]))  # preferred AEAD modes, as GnuPG writes them
    + subpacket(39, bytes([AES256, OCB]))  # and as RFC 9580 does (§5.2.3.15)
    + FEATURES
)

ECDH_CV25519 = bytes.fromhex("2b060104019755010501")
RAW = (Encoding.Raw, PrivateFormat.Raw, NoEncryption())


@dataclass
class Advertiser(Forge):
    """One key with one encryption subkey, in public and in secret form."""

    name: str = "Recipient <to@example.org>"
    wishes: bytes = WISHES
    decrypting: X25519PrivateKey = field(
        default_factory=lambda: X25519PrivateKey.from_private_bytes(next_seed())
    )

    @property
    def subkey_fingerprint(self) -> str:
        return Forge.fingerprint.fget(_Body(self._subkey_body()))

    def public(self) -> bytes:
        return self._block(build(Tag.PUBLIC_KEY, self.body), Tag.PUBLIC_SUBKEY, b"")

    def secret_block(self) -> bytes:
        signing = _unprotected(mpi(self.secret.private_bytes(*RAW)))
        opening = _unprotected(mpi(_scalar(self.decrypting)))
        return self._block(build(Tag.SECRET_KEY, self.body + signing), Tag.SECRET_SUBKEY, opening)

    def _block(self, primary: bytes, subkey: Tag, secret: bytes) -> bytes:
        body = self._subkey_body()
        binding = self.sign(0x18, hashed(body), more=subpacket(27, b"\x0c"))
        user_id = self.user_id(self.name, more=self.wishes)
        return primary + user_id + build(subkey, body + secret) + binding

    def _subkey_body(self) -> bytes:
        raw = self.decrypting.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        curve = bytes([len(ECDH_CV25519)]) + ECDH_CV25519
        # The last four octets: SHA-256 and AES-128 derive the key that wraps the session key.
        return (
            b"\x04"
            + time4(self.created)
            + b"\x12"
            + curve
            + mpi(b"\x40" + raw)
            + b"\x03\x01\x08\x07"
        )


@dataclass
class _Body:
    body: bytes


def _scalar(secret: X25519PrivateKey) -> bytes:
    """Give the scalar that is used, big-endian as this algorithm has it (RFC 9580 §5.5.5.6.1.1)."""
    octets = bytearray(secret.private_bytes(*RAW))
    octets[0] &= 248  # RFC 7748 §5, which most programs do when they use it; GnuPG wants it done
    octets[31] = (octets[31] & 127) | 64
    return bytes(octets[::-1])


def _unprotected(numbers: bytes) -> bytes:
    """Write secret numbers without a passphrase: usage octet 0, and a sum (RFC 9580 §5.5.3)."""
    return b"\x00" + numbers + (sum(numbers) % 65536).to_bytes(2, "big")
