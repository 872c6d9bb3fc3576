"""A certificate authority that lives for one rehearsal: a relay's certificate and a bundle.

In: an instant. Out: PEM bytes in memory. The certificates are real, short-lived, and worth
nothing: their root is thrown away with the process.
"""

from __future__ import annotations

import ipaddress
from dataclasses import field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certmail.frozen import frozen

_LIFE: Final = timedelta(days=60)
_CA_LIFE: Final = timedelta(days=400)

_PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@frozen
class Issued:
    """A certificate with its private key, both PEM."""

    certificate: bytes
    private_key: bytes = field(repr=False)


@frozen
class Authority:
    """A CA: signs certificates, and is one."""

    certificate: x509.Certificate
    key: _PrivateKey = field(repr=False)
    at: datetime

    @property
    def pem(self) -> bytes:
        """The CA's own certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    def intermediate(self, name: str) -> Authority:
        """Sign another CA that may sign leaves only."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Authority(
            certificate=_sign(self, _ca_builder(name, path_length=0, at=self.at), key),
            key=key,
            at=self.at,
        )

    def issue(self, *names: str, key: _PrivateKey | None = None) -> Issued:
        """Sign a server certificate for host names and IP addresses."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(names[0], life=_LIFE, at=self.at)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
        )
        return Issued(
            certificate=_sign(self, builder, key).public_bytes(Encoding.PEM),
            private_key=_pem(key),
        )


def throwaway_authority(at: datetime) -> Authority:
    """Make a root."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = "certmail rehearsal root"
    builder = _ca_builder(name, path_length=1, at=at).issuer_name(_name(name))
    return Authority(certificate=_finish(builder, key, key), key=key, at=at)


def throwaway_bundle(authority: Authority, *names: str) -> bytes:
    """Make a bundle as the provider wants it: RSA 2048 key, certificate, intermediate."""
    intermediate = authority.intermediate("certmail rehearsal intermediate")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    issued = intermediate.issue(*names, key=key)
    return issued.private_key + issued.certificate + intermediate.pem


def _ca_builder(name: str, *, path_length: int, at: datetime) -> x509.CertificateBuilder:
    return (
        _builder(name, life=_CA_LIFE, at=at)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
    )


def _builder(name: str, *, life: timedelta, at: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(hours=1))
        .not_valid_after(at + life)
    )


def _sign(
    authority: Authority, builder: x509.CertificateBuilder, key: _PrivateKey
) -> x509.Certificate:
    builder = builder.issuer_name(authority.certificate.subject)
    return _finish(builder, key, authority.key)


def _finish(
    builder: x509.CertificateBuilder, key: _PrivateKey, signing_key: _PrivateKey
) -> x509.Certificate:
    """Add the key identifiers that a strict verifier asks for (RFC 5280 §4.2.1.1), and sign."""
    public = key.public_key()
    return (
        builder.public_key(public)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()),
            critical=False,
        )
        .sign(signing_key, hashes.SHA256())
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: _PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
