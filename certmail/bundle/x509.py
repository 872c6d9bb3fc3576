"""The one door to cryptography: decoded DER goes in, facts and verdicts come out.

Comes in: bodies that our own scanner decoded; never PEM text, whose loaders put the text into
their errors, the private key included. Goes out: certificates as plain values, and answers. What
the library says is never quoted or chained, and its panics, which are no ``Exception``, end here.
Knows RFC 5280. Imported only when the file was legible, for its import costs more than a scan.
"""

from __future__ import annotations

import warnings
from dataclasses import field
from enum import Enum
from secrets import token_bytes
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)

from certmail.bundle import der, hints, names, rules
from certmail.bundle.consistency import RsaNumbers, fit
from certmail.bundle.der import Shape
from certmail.bundle.facts import CertificateFacts, KeyFacts, sha256_hex
from certmail.bundle.findings import Finding, error, span
from certmail.bundle.key import framing
from certmail.frozen import frozen
from certmail.values import MAX_HOSTNAME_OCTETS, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from certmail.bundle.pem import Block

T = TypeVar("T")
E = TypeVar("E", bound=x509.ExtensionType)

MAX_NAME_SHOWN: Final = 200
"""A subject is shown whole up to here; RFC 5280 lets a common name have 64 characters."""

_DRAWN_OCTETS: Final = 32

_REFUSALS: Final = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    InternalError,
    InvalidSignature,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""Everything the library is known to raise on octets it does not like."""


class Issued(Enum):
    """What one certificate's claim to have been issued by another is worth."""

    NO = "the issuer's name is another"
    YES = "name and signature agree"
    OTHER_KEY = "the name agrees, but another key made the signature"
    UNTOLD = "the name agrees, and the signature is of a kind that is not verified"


@frozen(kw_only=True)
class Certificate:
    """A certificate that was decoded to its last extension, and what RFC 5280 lets it do.

    ``key_usage`` and ``extended`` are None where the extension is absent, which allows all.
    ``critical`` holds the critical extensions that clients do not know, by identifier.
    """

    facts: CertificateFacts
    key_usage: frozenset[str] | None
    extended: frozenset[str] | None
    path_length: int | None
    critical: frozenset[str]
    broken_signature: bool
    handle: x509.Certificate = field(repr=False)


def attempt(step: Callable[[], T]) -> T | None:
    """Run one step of the library; None where it refuses, also where it panics."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return step()
    except _REFUSALS:
        return None
    except BaseException as fault:
        # A Rust panic derives from BaseException, so as not to be caught; pyca/cryptography#12100.
        kind = type(fault)
        if (kind.__module__, kind.__name__) != ("pyo3_runtime", "PanicException"):
            raise
        return None


def decode(block: Block) -> Certificate | Finding:
    """Decode a certificate's block wholly; the library would put off what it does not like."""
    refusal = framing(block) or _other_body(block)
    if refusal is not None:
        return refusal
    certificate = attempt(lambda: _decoded(block))
    return certificate or error(
        "CERT-UNREADABLE",
        block.lines,
        f"the certificate of {span(block.lines)} cannot be decoded",
        why="a part of it breaks RFC 5280; clients would refuse it as well",
        next="openssl x509 -noout -text -in certificate.pem, and ask the CA for a sound one",
    )


def issued(certificate: Certificate, issuer: Certificate) -> Issued:
    """Tell whether ``issuer`` issued a certificate: its name first, then the signature."""
    if certificate.handle.issuer != issuer.handle.subject:
        return Issued.NO
    if certificate.broken_signature:
        # The library gives the same error for SHA-1 as for a wrong issuer.
        return Issued.UNTOLD
    return attempt(lambda: _signature(certificate.handle, issuer.handle)) or Issued.UNTOLD


def modulus(certificate: Certificate) -> int:
    """Give the modulus of an RSA certificate; 0 for any other."""
    key = attempt(certificate.handle.public_key)
    return key.public_numbers().n if isinstance(key, rsa.RSAPublicKey) else 0


def consistent_key(octets: bytes, facts: KeyFacts) -> bool:
    """Tell whether a private key's numbers fit, and whether the key that they make signs.

    The library's own full check costs fifty times as much and finds nothing more in a key that is
    not malicious (``docs/decisions/0007-key-consistency.md``), so it is skipped. The caller has
    bounded the modulus.
    """
    if len(octets) > rules.MAX_KEY_DER_BYTES:
        return False
    key = attempt(
        lambda: load_der_private_key(octets, password=None, unsafe_skip_rsa_key_validation=True)
    )
    if not isinstance(key, rsa.RSAPrivateKey):
        return False
    secret = key.private_numbers()
    public = secret.public_numbers
    read_by_us = sha256_hex(der.rsa_public_key(public.n, public.e))
    return (
        read_by_us == facts.spki_sha256
        and fit(
            RsaNumbers(
                n=public.n,
                e=public.e,
                d=secret.d,
                p=secret.p,
                q=secret.q,
                dp=secret.dmp1,
                dq=secret.dmq1,
                qi=secret.iqmp,
            )
        )
        and attempt(lambda: _signs(key)) is True
    )


def _signs(key: rsa.RSAPrivateKey) -> bool:
    """Show that the private half makes what the public half accepts.

    Of numbers that fit, this is also Fermat's test of both primes, whose base is what is signed,
    padded (RFC 8017 §8.2.1): drawn, so that no composite can have been made for it.
    """
    scheme, digest, drawn = padding.PKCS1v15(), hashes.SHA256(), token_bytes(_DRAWN_OCTETS)
    key.public_key().verify(key.sign(drawn, scheme, digest), drawn, scheme, digest)
    return True


def _other_body(block: Block) -> Finding | None:
    shape = der.shape(block.der)
    if shape in {Shape.CERTIFICATE, Shape.UNKNOWN}:
        return None
    return error(
        "CERT-BODY",
        block.lines,
        f"the label of {span(block.lines)} says {block.label}, but the body is {shape.value}",
        why="the label was changed or the wrong body was pasted; no certificate is in this block",
        next=hints.COPY_AGAIN,
    )


def _signature(certificate: x509.Certificate, issuer: x509.Certificate) -> Issued:
    try:
        certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return Issued.OTHER_KEY
    return Issued.YES


def _decoded(block: Block) -> Certificate:
    handle = x509.load_der_x509_certificate(block.der)
    extensions = handle.extensions
    constraints = extension(extensions, x509.BasicConstraints)
    extended = extension(extensions, x509.ExtendedKeyUsage)
    public_key = attempt(handle.public_key)
    spki = public_key and public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    facts = CertificateFacts(
        lines=block.lines,
        subject=_name(handle.subject),
        issuer=_name(handle.issuer),
        names=_alternative_names(extensions),
        not_before=handle.not_valid_before_utc,
        not_after=handle.not_valid_after_utc,
        serial=f"{handle.serial_number:x}",
        sha256=sha256_hex(block.der),
        spki_sha256=sha256_hex(spki) if spki else "",
        key_algorithm=names.key_algorithm(handle.public_key_algorithm_oid.dotted_string),
        key_bits=_bits(public_key),
        signature_algorithm=names.signature_algorithm(handle.signature_algorithm_oid.dotted_string),
        is_ca=constraints is not None and constraints.ca,
        self_signed=_self_signed(handle),
    )
    return Certificate(
        facts=facts,
        key_usage=_key_usage(extensions),
        extended=None if extended is None else frozenset(oid.dotted_string for oid in extended),
        path_length=constraints.path_length if constraints is not None else None,
        critical=frozenset(e.oid.dotted_string for e in extensions if e.critical) - names.PROCESSED,
        broken_signature=_broken(handle),
        handle=handle,
    )


def extension(extensions: x509.Extensions, kind: type[E]) -> E | None:
    """Give an extension's value; None where the certificate does not have it."""
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _name(name: x509.Name) -> str:
    return printable(name.rfc4514_string(), limit=MAX_NAME_SHOWN)


def _alternative_names(extensions: x509.Extensions) -> tuple[str, ...]:
    """Read dNSName and iPAddress; other kinds name no server (RFC 9525 §6.3)."""
    found = extension(extensions, x509.SubjectAlternativeName)
    if found is None:
        return ()
    return tuple(
        printable(str(name.value), limit=MAX_HOSTNAME_OCTETS)
        for name in found
        if isinstance(name, x509.DNSName | x509.IPAddress)
    )


def _key_usage(extensions: x509.Extensions) -> frozenset[str] | None:
    usage = extension(extensions, x509.KeyUsage)
    if usage is None:
        return None
    bits = {
        "digitalSignature": usage.digital_signature,
        "keyEncipherment": usage.key_encipherment,
        "keyCertSign": usage.key_cert_sign,
    }
    return frozenset(name for name, is_set in bits.items() if is_set)


def _bits(public_key: object) -> int:
    match public_key:
        case rsa.RSAPublicKey() | ec.EllipticCurvePublicKey() | dsa.DSAPublicKey():
            return public_key.key_size
        case ed25519.Ed25519PublicKey():
            return 256
        case ed448.Ed448PublicKey():
            return 456
        case _:
            return 0


def _self_signed(handle: x509.Certificate) -> bool:
    if handle.issuer != handle.subject:
        return False
    if _broken(handle):
        return True
    return attempt(lambda: _signature(handle, handle)) is not Issued.OTHER_KEY


def _broken(handle: x509.Certificate) -> bool:
    """Tell MD5 and SHA-1 by the identifier, and for RSASSA-PSS by its parameters."""
    if names.broken_signature(handle.signature_algorithm_oid.dotted_string):
        return True
    digest = attempt(lambda: handle.signature_hash_algorithm)
    return isinstance(digest, hashes.SHA1 | hashes.MD5)
