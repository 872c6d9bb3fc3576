"""Certificates with one thing wrong with each, issued by the tests' own authorities."""

from __future__ import annotations

import ssl
import tempfile
import warnings
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.delivery.conftest import server_context

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def wrong_host(ca: trustme.CA) -> ssl.SSLContext:
    return server_context(ca.issue_cert("other.example.org"))


def wildcard_for_another(ca: trustme.CA) -> ssl.SSLContext:
    return server_context(ca.issue_cert("*.example.org"))


def expired(ca: trustme.CA) -> ssl.SSLContext:
    return server_context(ca.issue_cert("localhost", not_before=NOW - 9 * DAY, not_after=NOW - DAY))


def not_yet_valid(ca: trustme.CA) -> ssl.SSLContext:
    return server_context(ca.issue_cert("localhost", not_before=NOW + DAY, not_after=NOW + 9 * DAY))


def from_unknown_authority(_: trustme.CA) -> ssl.SSLContext:
    return server_context(trustme.CA().issue_cert("localhost"))


def self_signed(_: trustme.CA) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    return _context(_leaf(key, issuer=None, sign_with=key, names=["localhost"]), key)


def common_name_only(ca: trustme.CA) -> ssl.SSLContext:
    return _issued(ca, names=[])


def weak_key(ca: trustme.CA) -> ssl.SSLContext:
    return _issued(ca, names=["localhost"], key=rsa.generate_private_key(65537, 1024))


def cbc_only(ca: trustme.CA) -> ssl.SSLContext:
    context = server_context(ca.issue_cert("localhost"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AES:!AESGCM:!AESCCM")
    return context


def static_rsa_only(ca: trustme.CA) -> ssl.SSLContext:
    context = server_context(ca.issue_cert("localhost", key_type=trustme.KeyType.RSA))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES256-GCM-SHA384:AES128-GCM-SHA256")
    return context


def tls_1_1_only(ca: trustme.CA) -> ssl.SSLContext:
    context = server_context(ca.issue_cert("localhost"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with quietly():
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@contextmanager
def quietly() -> Iterator[None]:
    """Let an old version be named: that it is deprecated is the point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def tls_1_2(ca: trustme.CA) -> ssl.SSLContext:
    """Not a fault: the oldest that is spoken."""
    context = server_context(ca.issue_cert("localhost"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def for_clients_only(ca: trustme.CA) -> ssl.SSLContext:
    return _issued(ca, names=["localhost"], purpose=ExtendedKeyUsageOID.CLIENT_AUTH)


def issued_by_a_leaf(ca: trustme.CA) -> ssl.SSLContext:
    """Whoever has a certificate for one name cannot issue one for another."""
    authority = load_pem_private_key(ca.private_key_pem.bytes(), None)
    root = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    middle_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    middle = _leaf(middle_key, issuer=root, sign_with=authority, names=["attacker.example"])
    leaf = _leaf(key, issuer=middle, sign_with=middle_key, names=["localhost"])
    return _context(leaf, key, middle)


def for_the_address_only(ca: trustme.CA) -> ssl.SSLContext:
    return server_context(ca.issue_cert("127.0.0.1"))


def for_a_longer_name(ca: trustme.CA) -> ssl.SSLContext:
    return server_context(ca.issue_cert("localhost.attacker.example", "localhostx"))


def for_every_name(ca: trustme.CA) -> ssl.SSLContext:
    return _issued(ca, names=["*"])


def without_a_certificate(_: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:@SECLEVEL=0")
    return context


def without_encryption(ca: trustme.CA) -> ssl.SSLContext:
    context = server_context(ca.issue_cert("localhost"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("eNULL:@SECLEVEL=0")
    return context


def wants_a_certificate(ca: trustme.CA) -> ssl.SSLContext:
    """Not a fault of the relay's: it lets in only whom its authority knows."""
    context = server_context(ca.issue_cert("localhost"))
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _issued(ca: trustme.CA, *, names: list[str], key=None, purpose=None) -> ssl.SSLContext:
    key = key or ec.generate_private_key(ec.SECP256R1())
    authority = load_pem_private_key(ca.private_key_pem.bytes(), None)
    issuer = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    leaf = _leaf(key, issuer=issuer, sign_with=authority, names=names, purpose=purpose)
    return _context(leaf, key)


def _leaf(key, *, issuer, sign_with, names: list[str], purpose=None) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(sign_with.public_key()),
            critical=False,
        )
    )
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    if purpose:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return builder.sign(sign_with, hashes.SHA256())


def _context(certificate: x509.Certificate, key, *others: x509.Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # So that a weak certificate can be shown at all.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "leaf.pem")
        file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + b"".join(each.public_bytes(Encoding.PEM) for each in (certificate, *others))
        )
        context.load_cert_chain(file)
    return context
