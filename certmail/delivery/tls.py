"""Say what TLS must be, and prove of a live connection that it is so.

In: a `Relay`, and later the connection's TLS object. Out: an `SSLContext`, then `TlsFacts`; or a
`RelayError` that tells which of the many ways of failing it was. Knows RFC 8314 §5.3 (validation),
RFC 8997 (TLS 1.2 or better), RFC 9325 §4.2 (ciphers), RFC 9525 §2 (names) and RFC 7469 §2.4 (pins).
Knows neither SMTP nor passwords.

Nothing in the environment decides whom to trust: ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` do not
replace the roots and ``SSLKEYLOGFILE`` writes nothing. A private authority is named in the
settings, where it can be seen.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate

from certmail.errors import RelayError, SettingsError
from certmail.frozen import frozen
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certmail.delivery.relay import Relay

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"
"""For TLS 1.2: forward secrecy and AEAD only (RFC 9325 §4.2). The level refuses RSA and DH below
2048 bits and SHA-1 signatures, whatever ``OPENSSL_CONF`` says. TLS 1.3 has no weaker ciphers."""

KNOWN_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS, BSD
)
"""Where systems keep their roots, for a Python whose OpenSSL was built to look elsewhere."""

_VERSIONS: Final = ("TLSv1.2", "TLSv1.3")

# OpenSSL's X509_V_ERR numbers (openssl/x509_vfy.h), which Python gives as verify_code.
_EXPIRED: Final = 10
_NOT_YET_VALID: Final = 9
_SELF_SIGNED: Final = (18, 19)
_UNKNOWN_ISSUER: Final = (2, 20, 21)
_WEAK: Final = (66, 67, 68)
_WRONG_NAME: Final = (62, 64)


_ABOUT_US: Final = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV1_ALERT_ACCESS_DENIED",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    }
)
"""Alerts by which a server judges a client's certificate (RFC 8446 §6.2), in OpenSSL's names."""


@frozen
class TlsFacts:
    """What was true of the connection before anything secret was read.

    Witnessed by `prove`. Says who the relay is, not that it will keep what it is given.
    """

    version: str
    cipher: str
    leaf_sha256: str
    spki_sha256: str
    valid_from: datetime
    valid_until: datetime


def context_for(relay: Relay) -> ssl.SSLContext:
    """Make the only kind of context there is: it verifies, and cannot be told not to.

    Raises:
        SettingsError: ``CA-FILE-UNUSABLE``, ``CLIENT-CERT-UNUSABLE``.
        RelayError: ``RELAY-TLS-NO-ROOTS``.
    """
    # PROTOCOL_TLS_CLIENT begins with CERT_REQUIRED and check_hostname. Unlike
    # ssl.create_default_context it neither reads SSLKEYLOGFILE nor loads roots.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = True
    # RFC 9525 §2: the Common Name is no place for a host name.
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(CIPHERS)
    if relay.ca_file is None:
        _load_system_roots(context)
    else:
        _load_exactly(context, relay.ca_file)
    if relay.client_cert is not None:
        _show(context, relay.client_cert, relay.client_key)
    return context


def prove(live: object, *, relay: Relay, context: ssl.SSLContext) -> TlsFacts:
    """Hold the live connection against what it must be, and give the facts for the receipt.

    aiosmtplib never looks at its transport before it sends a password, so this does: (1) there is
    TLS at all, made from our context, (2) of a version that is allowed, (3) with verification and
    the host name still in force, (4) with a certificate to show, (5) for a pinned key, if any is.

    Raises:
        RelayError: ``RELAY-TLS-UNPROVEN``, ``RELAY-TLS-PIN``.
    """
    # (1) a clear connection, or one that somebody else's context made
    if not isinstance(live, ssl.SSLObject) or live.context is not context:
        _refuse_unproven(relay, "the connection is not the TLS connection that was asked for")
    # (2) a downgrade
    version = live.version()
    cipher = live.cipher()
    if version not in _VERSIONS or cipher is None:
        _refuse_unproven(relay, f"the connection speaks {printable(str(version))}")
    # (3) a context that was loosened after it was made
    if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        _refuse_unproven(relay, "verification was switched off")
    if live.server_hostname != relay.host.text:
        _refuse_unproven(relay, "the certificate was checked against another name")
    # (4) an anonymous peer
    leaf = live.getpeercert(binary_form=True)
    if not leaf:
        _refuse_unproven(relay, "the relay showed no certificate")
    try:
        certificate = load_der_x509_certificate(leaf)
        spki = certificate.public_key()
        valid = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (ValueError, UnsupportedAlgorithm):
        _refuse_unproven(relay, "the relay's certificate cannot be read")
    octets = spki.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    facts = TlsFacts(
        version=str(version),
        cipher=cipher[0],
        leaf_sha256=hashlib.sha256(leaf).hexdigest(),
        spki_sha256=hashlib.sha256(octets).hexdigest(),
        valid_from=valid[0],
        valid_until=valid[1],
    )
    # (5) a certificate from an authority that was deceived
    if relay.spki_pins and facts.spki_sha256 not in relay.spki_pins:
        raise RelayError(
            "RELAY-TLS-PIN",
            f"{relay} has a certificate that verifies, for a key that is not pinned:"
            f" {facts.spki_sha256}",
            why="an authority may have been deceived, or the relay has changed its key",
            next="ask the relay's administrator, on another way than this, for the SHA-256 of its"
            " public key; change relay.spki_pin only then",
        )
    return facts


def end_point(live: object, *, relay: Relay) -> bytes:
    """Give the hash of the relay's certificate that binds a login to it.

    Raises:
        RelayError: ``RELAY-AUTH-BINDING``.
    """
    leaf = live.getpeercert(binary_form=True) if isinstance(live, ssl.SSLObject) else None
    bound = end_point_of(leaf or b"")
    if bound is None:
        raise RelayError(
            "RELAY-AUTH-BINDING",
            f"no login can be bound to the certificate of {relay}",
            why="its signature has no hash function of its own (RFC 5929 §4.1)",
            next="set relay.auth to scram-sha-256",
        )
    return bound


def end_point_of(leaf: bytes) -> bytes | None:
    """Hash a certificate as ``tls-server-end-point`` has it (RFC 5929 §4.1).

    The hash is that of the certificate's signature, with SHA-256 in the place of MD5 and SHA-1;
    None where the signature has none of its own, as Ed25519: the binding is not defined there.
    """
    try:
        used = load_der_x509_certificate(leaf).signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    if used is None:
        return None
    name = "sha256" if used.name in {"md5", "sha1"} else used.name
    return hashlib.new(name, leaf).digest()


def explain(fault: ssl.SSLError, *, relay: Relay) -> RelayError:
    """Tell one TLS failure from another, in terms of what the operator can do."""
    if isinstance(fault, ssl.SSLCertVerificationError):
        return _explain_certificate(fault, relay)
    reason = fault.reason or ""
    if reason in _ABOUT_US:
        return RelayError(
            "RELAY-TLS-CLIENT-CERT",
            f"{relay} does not let this machine in: {printable(reason.lower().replace('_', ' '))}",
            why="the relay wants a client certificate, and refused ours or got none; nothing was"
            " sent",
            next="set relay.client_cert to the certificate that the relay's administrator issued,"
            " and see that it has not expired",
        )
    if reason == "UNSUPPORTED_PROTOCOL" or "PROTOCOL_VERSION" in reason:
        return RelayError(
            "RELAY-TLS-VERSION",
            f"{relay} speaks no TLS that is safe to use",
            why="TLS 1.0 and 1.1 are broken (RFC 8996); certmail begins at 1.2",
            next="ask the relay's administrator to allow TLS 1.2 or 1.3, or use another relay",
        )
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"}:
        return RelayError(
            "RELAY-TLS-HANDSHAKE",
            f"{relay} answers, but not in TLS",
            why="a port for STARTTLS speaks plain text first, a port for TLS never does",
            next="use port 465 with TLS from the first byte, or port 587 with STARTTLS",
        )
    return handshake_failed(relay, printable(reason.lower().replace("_", " ") or "no reason given"))


def handshake_failed(relay: Relay, reason: str) -> RelayError:
    """Report a handshake that ended without a verdict on the certificate."""
    return RelayError(
        "RELAY-TLS-HANDSHAKE",
        f"no TLS connection to {relay} came about: {reason}",
        why="without TLS neither the password nor the message may be sent",
        next=f"openssl s_client -connect {relay} shows what the relay offers; certmail needs"
        " TLS 1.2 or 1.3 with forward secrecy",
    )


def _explain_certificate(fault: ssl.SSLCertVerificationError, relay: Relay) -> RelayError:
    """Tell why the certificate does not verify, by OpenSSL's number for it."""
    code = fault.verify_code
    if code in _WRONG_NAME:
        return RelayError(
            "RELAY-TLS-HOSTNAME",
            f"the certificate of {relay} is not for {relay.host}",
            why="whoever answers proved to be somebody else than the relay in the settings",
            next="use the very name that the mail provider documents, not an alias of it",
        )
    why = "an unverified relay could be anybody, and would get the password"
    if code == _EXPIRED:
        what, act = "has expired", "tell the relay's administrator; check this machine's clock"
    elif code == _NOT_YET_VALID:
        what, act = "is not valid yet", "check this machine's clock"
    elif code in _SELF_SIGNED:
        what = "is signed by itself or by a root that this machine does not trust"
        act = "if the relay is yours, name its authority's PEM file as the relay's CA file"
    elif code in _UNKNOWN_ISSUER:
        what = "comes from an authority that this machine does not trust"
        act = "if the authority is yours, name its PEM file as the relay's CA file"
    elif code in _WEAK:
        what = "has a key or a signature too weak to mean anything"
        act = "ask the relay's administrator for a certificate with RSA 2048 or P-256 and SHA-256"
    else:
        what = f"does not verify: {printable(fault.verify_message)}"
        act = f"openssl s_client -connect {relay} -verify_return_error shows the chain"
    ignored = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ]
    if ignored and code in (*_SELF_SIGNED, *_UNKNOWN_ISSUER):
        why += f"; {' and '.join(ignored)} in the environment cannot add trust here"
    return RelayError(
        "RELAY-TLS-CERTIFICATE",
        f"the certificate of {relay} {what}",
        why=why,
        next=act,
    )


def find_roots(
    built_in: ssl.DefaultVerifyPaths, *, bundles: Sequence[str] = KNOWN_BUNDLES
) -> dict[str, str]:
    """Say where the system's roots are: ``cafile`` or ``capath`` for ``load_verify_locations``.

    First where OpenSSL was built to look, but not where SSL_CERT_FILE and SSL_CERT_DIR point: that
    is why this is not ``load_default_certs``. Where that place is empty (a Python built on another
    system), the first of ``bundles`` that is there.

    Raises:
        RelayError: ``RELAY-TLS-NO-ROOTS``.
    """
    for file in (built_in.openssl_cafile, *bundles):
        if Path(file).is_file():
            return {"cafile": file}
    if Path(built_in.openssl_capath).is_dir():
        return {"capath": built_in.openssl_capath}
    raise RelayError(
        "RELAY-TLS-NO-ROOTS",
        "this machine has no list of certificate authorities that certmail can find",
        why="without one, no relay can prove who it is",
        next="install the package ca-certificates, or name a PEM file as the relay's CA file",
    )


def _load_system_roots(context: ssl.SSLContext) -> None:
    """Trust the authorities that the system trusts for servers."""
    if sys.platform != "win32":
        context.load_verify_locations(**find_roots(ssl.get_default_verify_paths()))
        return
    for store in ("CA", "ROOT"):
        for octets, encoding, trust in ssl.enum_certificates(store):
            serves = trust if isinstance(trust, bool) else _SERVER_AUTH in trust
            if encoding == "x509_asn" and serves:
                context.load_verify_locations(cadata=octets)


_SERVER_AUTH: Final = "1.3.6.1.5.5.7.3.1"
"""id-kp-serverAuth: what Windows may trust an authority for."""


def _load_exactly(context: ssl.SSLContext, ca_file: Path) -> None:
    """Trust the certificates of ``ca_file`` and nothing beside them."""
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        loaded = 0
    else:
        loaded = context.cert_store_stats()["x509"]
    if not loaded:
        raise SettingsError(
            "CA-FILE-UNUSABLE",
            f"{printable(str(ca_file))} holds no CA certificate that can be read",
            why="the file replaces the system's roots, so nothing would be trusted",
            next="give a PEM file with the certificate of the authority that signed the relay's",
            file=str(ca_file),
        ) from None


def _show(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Let the relay see ``certificate`` if it asks; nobody is asked for the key's passphrase."""

    def nobody() -> NoReturn:
        # Without this OpenSSL would ask on the terminal.
        raise ValueError("the key is protected by a passphrase")

    try:
        context.load_cert_chain(certificate, key, password=nobody)
    except (OSError, ValueError):  # ssl.SSLError is an OSError; its text may quote the file
        raise SettingsError(
            "CLIENT-CERT-UNUSABLE",
            f"{printable(str(certificate))} and its key cannot be used",
            why="the certificate cannot be read, the key is not its own, or a passphrase protects"
            " the key",
            next="give PEM files, the leaf first, and a key without a passphrase that only you can"
            " read",
            file=str(certificate),
        ) from None


def _refuse_unproven(relay: Relay, what: str) -> NoReturn:
    raise RelayError(
        "RELAY-TLS-UNPROVEN",
        f"{relay}: {what}",
        why="the password is read only after the connection is proved, and it is not",
        next="this should never happen: certmail, Python or OpenSSL was changed; reinstall them",
    ) from None
