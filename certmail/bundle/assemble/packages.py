"""Opens what is sealed: protected keys, PKCS#12 and PKCS#7 packages; in memory only.

Comes in: octets and a passphrase. Goes out: DER, or None where the passphrase or the octets are
wrong. What the library says is never quoted: it may hold the key. Knows RFC 5958 §3, RFC 1421
§4.6.1.3, RFC 7292 and RFC 2315. Imported only when something is sealed, since it brings
cryptography.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
    pkcs7,
    pkcs12,
)

from certmail.bundle.x509 import attempt
from certmail.frozen import frozen

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes


@frozen
class Package:
    """What a PKCS#12 package holds."""

    key: bytes | None = field(repr=False)
    certificates: tuple[bytes, ...] = field(repr=False)


def decrypt(octets: bytes, passphrase: bytes) -> bytes | None:
    """Open an EncryptedPrivateKeyInfo of RFC 5958 §3; the key comes out as PKCS#8."""
    return _octets(attempt(lambda: load_der_private_key(octets, password=passphrase)))


def decrypt_armored(block: bytes, passphrase: bytes) -> bytes | None:
    """Open a key whose headers say ``Proc-Type: 4,ENCRYPTED`` (RFC 1421 §4.6.1.1)."""
    return _octets(attempt(lambda: load_pem_private_key(block, password=passphrase)))


def open_pkcs12(octets: bytes, passphrase: bytes | None) -> Package | None:
    """Open a PKCS#12 package; its certificates come with the key's own first."""
    opened = attempt(lambda: pkcs12.load_pkcs12(octets, passphrase))
    if opened is None:
        return None
    key = attempt(lambda: _octets(opened.key)) if opened.key is not None else None
    own = () if opened.cert is None else (opened.cert.certificate,)
    others = (other.certificate for other in opened.additional_certs)
    return Package(key, tuple(_der(one) for one in (*own, *others)))


def open_pkcs7(octets: bytes) -> tuple[bytes, ...] | None:
    """Take the certificates out of a PKCS#7 package, in the order they have there."""
    found = attempt(lambda: pkcs7.load_der_pkcs7_certificates(octets))
    return None if found is None else tuple(_der(one) for one in found)


def _octets(key: PrivateKeyTypes | None) -> bytes | None:
    if key is None:
        return None
    return attempt(lambda: key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
