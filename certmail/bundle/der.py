"""A reader for as much DER as tells one body from another, and a writer for one public key.

Comes in: octets. Goes out: elements, shapes, or None; never an exception, whatever the octets.
Knows X.690 tags and lengths, RFC 5958 §2, RFC 8017 §A.1.2. Knows nothing of PEM, and judges
nothing: that a body has the shape of a certificate does not make it one.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import Final

from certmail.frozen import frozen

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OID: Final = 0x06
SEQUENCE: Final = 0x30
VERSION_TAG: Final = 0xA0

MAX_CHILDREN: Final = 32
"""More than any structure read here has (a multi-prime key has 10); the rest is not looked at."""

MAX_OID_OCTETS: Final = 64
"""Longer than any assigned identifier; bounds the integers an identifier can spell."""

_LONG_FORM: Final = 0x80
_MAX_LENGTH_OCTETS: Final = 4
_HIGH_TAG: Final = 0x1F
_PFX_VERSION: Final = 3
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"


@frozen
class Element:
    """One tag with its content; ``end`` is the offset behind it."""

    tag: int
    content: bytes = field(repr=False)
    end: int


class Shape(Enum):
    """What a body looks like from outside; the value completes "the body is …"."""

    PKCS8 = "a PKCS#8 private key"
    PKCS1 = "a PKCS#1 RSA private key"
    SEC1 = "a SEC 1 EC private key"
    DSA = "a traditional DSA private key"
    ENCRYPTED = "an encrypted PKCS#8 private key"
    PUBLIC_KEY = "a public key"
    CERTIFICATE = "a certificate"
    REQUEST = "a certificate request"
    PKCS7 = "a PKCS#7 package of certificates"
    PKCS12 = "a PKCS#12 package"
    UNKNOWN = "nothing that belongs in a bundle"


_KEY_PREFIXES: Final = (
    # RFC 5958 §2: version, privateKeyAlgorithm, privateKey, then optional tagged parts.
    ((INTEGER, SEQUENCE, OCTET_STRING), Shape.PKCS8),
    # RFC 8017 §A.1.2: version and eight numbers, then otherPrimeInfos if version is 1.
    ((INTEGER,) * 9, Shape.PKCS1),
    ((INTEGER,) * 6, Shape.DSA),
    ((INTEGER, OCTET_STRING), Shape.SEC1),
)

_WITH_ALGORITHM: Final = {
    (SEQUENCE, OCTET_STRING): Shape.ENCRYPTED,
    (SEQUENCE, BIT_STRING): Shape.PUBLIC_KEY,
}


@frozen
class _Header:
    tag: int
    start: int
    end: int


def _header(data: bytes, at: int) -> _Header | None:
    """Read a tag and a definite, shortest length; ``end`` may lie beyond the data."""
    if at + 2 > len(data) or data[at] & _HIGH_TAG == _HIGH_TAG:
        return None
    tag, length, start = data[at], data[at + 1], at + 2
    if length >= _LONG_FORM:
        count = length - _LONG_FORM
        octets = data[start : start + count]
        if not 1 <= count <= _MAX_LENGTH_OCTETS or len(octets) < count or not octets[0]:
            return None
        length, start = int.from_bytes(octets), start + count
        if length < _LONG_FORM:
            return None
    return _Header(tag, start, start + length)


def claimed_size(data: bytes) -> int | None:
    """Give the size the outer SEQUENCE claims, header included; None if there is none."""
    header = _header(data, 0)
    return header.end if header and header.tag == SEQUENCE else None


def element(data: bytes, at: int = 0) -> Element | None:
    """Read the element at an offset; None if it is malformed or reaches beyond the data."""
    header = _header(data, at)
    if header is None or header.end > len(data):
        return None
    return Element(header.tag, data[header.start : header.end], header.end)


def children(content: bytes) -> tuple[Element, ...]:
    """Read the elements of a constructed content; empty if any of the first 32 is malformed."""
    found: list[Element] = []
    at = 0
    while at < len(content) and len(found) < MAX_CHILDREN:
        child = element(content, at)
        if child is None:
            return ()
        found.append(child)
        at = child.end
    return tuple(found)


def inside(data: bytes) -> tuple[Element, ...]:
    """Read what the outer SEQUENCE holds; empty if there is none."""
    outer = element(data)
    return children(outer.content) if outer and outer.tag == SEQUENCE else ()


def number(part: Element) -> int | None:
    """Read a non-negative INTEGER in its shortest form."""
    octets = part.content
    if part.tag != INTEGER or not octets or octets[0] >= _LONG_FORM:
        return None
    if len(octets) > 1 and not octets[0] and octets[1] < _LONG_FORM:
        return None
    return int.from_bytes(octets)


def identifier(part: Element) -> str | None:
    """Read an OBJECT IDENTIFIER as dotted text."""
    octets = part.content
    if part.tag != OID or not 1 <= len(octets) <= MAX_OID_OCTETS or octets[-1] >= _LONG_FORM:
        return None
    arcs = [0]
    for octet in octets:
        arcs[-1] = arcs[-1] << 7 | octet & 0x7F
        if octet < _LONG_FORM:
            arcs.append(0)
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:-1]))


def algorithm(part: Element) -> str | None:
    """Read the identifier of an AlgorithmIdentifier."""
    parts = children(part.content) if part.tag == SEQUENCE else ()
    return identifier(parts[0]) if parts else None


def shape(data: bytes) -> Shape:
    """Tell what a body is from its outermost tags; trailing octets do not matter."""
    parts = inside(data)
    tags = tuple(part.tag for part in parts)
    for prefix, known in _KEY_PREFIXES:
        if tags[: len(prefix)] == prefix:
            return known
    if tags in _WITH_ALGORITHM and algorithm(parts[0]):
        return _WITH_ALGORITHM[tags]
    if tags == (SEQUENCE, SEQUENCE, BIT_STRING):
        return _signed_shape(children(parts[0].content))
    return _package_shape(parts, tags)


def _package_shape(parts: tuple[Element, ...], tags: tuple[int, ...]) -> Shape:
    """Tell the packages of many things: PFX of RFC 7292, SignedData of RFC 2315."""
    if tags[:2] == (INTEGER, SEQUENCE) and number(parts[0]) == _PFX_VERSION:
        return Shape.PKCS12
    if tags[:1] == (OID,) and identifier(parts[0]) == _SIGNED_DATA:
        return Shape.PKCS7
    return Shape.UNKNOWN


def _signed_shape(parts: tuple[Element, ...]) -> Shape:
    """Tell a certificate from a request: both are a SEQUENCE, its algorithm and a signature."""
    tags = tuple(part.tag for part in parts)
    if tags[:1] == (VERSION_TAG,) or tags == (INTEGER, *(SEQUENCE,) * 5):
        return Shape.CERTIFICATE
    if tags[:3] == (INTEGER, SEQUENCE, SEQUENCE):
        return Shape.REQUEST
    return Shape.UNKNOWN


def rsa_public_key(modulus: int, exponent: int) -> bytes:
    """Write the SubjectPublicKeyInfo of an RSA key, as certificates carry it."""
    numbers = tlv(SEQUENCE, _integer(modulus) + _integer(exponent))
    rsa_encryption = bytes.fromhex("300d06092a864886f70d0101010500")
    return tlv(SEQUENCE, rsa_encryption + tlv(BIT_STRING, b"\0" + numbers))


def _integer(value: int) -> bytes:
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def tlv(tag: int, content: bytes) -> bytes:
    """Write one element in DER (X.690 §8.1): tag, shortest length, content."""
    length = len(content)
    if length < _LONG_FORM:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, _LONG_FORM | len(octets)]) + octets + content
