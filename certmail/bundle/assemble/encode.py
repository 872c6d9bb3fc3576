"""Writes blocks in the canonical form, and turns one encoding of an RSA key into the other.

Comes in: DER. Goes out: PEM as RFC 7468 §3 writes it, in lines of 64 characters and line feeds,
or DER in the other of the two encodings. Turning the encoding moves the very octets of the key's
numbers; none is computed. Knows RFC 5958 §2 and RFC 8017 §A.1.2.
"""

from __future__ import annotations

import base64
from typing import Final

from certmail.bundle import der
from certmail.bundle.assemble.items import Item, KeyFormat, Kind
from certmail.bundle.der import Shape
from certmail.bundle.names import RSA, key_algorithm

COLUMNS: Final = 64

_LABELS: Final[dict[Shape, str]] = {
    Shape.PKCS8: "PRIVATE KEY",
    Shape.PKCS1: "RSA PRIVATE KEY",
    Shape.SEC1: "EC PRIVATE KEY",
    Shape.DSA: "DSA PRIVATE KEY",
    Shape.ENCRYPTED: "ENCRYPTED PRIVATE KEY",
}
_RSA_NULL: Final = bytes.fromhex("300d06092a864886f70d0101010500")
_VERSION_0: Final = b"\x02\x01\x00"
_LONG_FORM: Final = 0x80


def block(item: Item) -> bytes:
    """Write an item as a block; a key whose body is ciphertext keeps its headers."""
    if item.armored:
        return item.armored
    return pem(canonical_label(item), item.der)


def canonical_label(item: Item) -> str:
    """Name an item by what its body is; a body of no known shape keeps the label it had."""
    if item.kind is Kind.CERTIFICATE:
        return "CERTIFICATE"
    return _LABELS.get(der.shape(item.der), item.label or "PRIVATE KEY")


def pem(label: str, octets: bytes) -> bytes:
    """Write one block: RFC 7468 §3, lines of exactly 64 characters but for the last."""
    text = base64.b64encode(octets).decode("ascii")
    rows = [text[at : at + COLUMNS] for at in range(0, len(text), COLUMNS)]
    lines = (f"-----BEGIN {label}-----", *rows, f"-----END {label}-----", "")
    return "\n".join(lines).encode("ascii")


def rsa_octets(octets: bytes) -> bytes | None:
    """Give the RSAPrivateKey of RFC 8017 §A.1.2 inside either encoding; None for other keys."""
    shape = der.shape(octets)
    if shape is Shape.PKCS1:
        return octets
    if shape is not Shape.PKCS8:
        return None
    parts = der.inside(octets)
    if key_algorithm(der.algorithm(parts[1]) or "") != RSA:
        return None
    inner = parts[2].content
    return inner if der.shape(inner) is Shape.PKCS1 else None


def in_format(octets: bytes, key_format: KeyFormat) -> bytes:
    """Give an RSA key in the asked encoding; every other key, and one in it, as it is."""
    shape, inner = der.shape(octets), rsa_octets(octets)
    if inner is None or der.claimed_size(octets) != len(octets):
        return octets
    if key_format is KeyFormat.PKCS1:
        return inner
    return octets if shape is Shape.PKCS8 else _pkcs8(inner)


def _pkcs8(inner: bytes) -> bytes:
    return der.tlv(der.SEQUENCE, _VERSION_0 + _RSA_NULL + der.tlv(der.OCTET_STRING, inner))
