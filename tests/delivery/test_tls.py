"""The context, and the proof that a live connection is what was asked for."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_der_x509_certificate

from certmail.delivery import tls
from certmail.delivery.relay import Relay
from certmail.errors import RelayError, SettingsError
from certmail.submission import Mode
from certmail.values import Hostname
from tests.delivery import certificates

if TYPE_CHECKING:
    from pathlib import Path


def relay(ca_file: Path | None = None, host: str = "localhost") -> Relay:
    return Relay(Hostname(host), 465, Mode.IMPLICIT, ca_file=ca_file)


def shake_hands(
    server: ssl.SSLContext, client: ssl.SSLContext, *, name: str | None = "localhost"
) -> ssl.SSLObject:
    """Connect a client and a server in memory; give the client's end."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (near, far):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return near


def test_the_context_verifies_and_nothing_can_ask_it_not_to(ca_file):
    context = tls.context_for(relay(ca_file))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.hostname_checks_common_name
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
    assert context.keylog_filename is None


def test_nothing_is_compressed_and_nothing_negotiated_anew(ca_file):
    """RFC 9325 §3.3 and §3.5."""
    options = tls.context_for(relay(ca_file)).options
    assert options & ssl.OP_NO_COMPRESSION
    assert options & ssl.OP_NO_RENEGOTIATION


def test_a_client_certificate_that_cannot_be_shown_is_refused(ca_file, tmp_path):
    shown = replace(relay(ca_file), client_cert=tmp_path / "none.pem")
    with pytest.raises(SettingsError) as caught:
        tls.context_for(shown)
    assert caught.value.code == "CLIENT-CERT-UNUSABLE"


def test_nobody_is_asked_for_the_passphrase_of_a_client_key(good_leaf, ca_file, tmp_path):
    key = load_pem_private_key(good_leaf.private_key_pem.bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"locked"))
    )
    shown = tmp_path / "shown.pem"
    good_leaf.cert_chain_pems[0].write_to_path(shown)
    with pytest.raises(SettingsError) as caught:
        tls.context_for(replace(relay(ca_file), client_cert=shown, client_key=locked))
    assert caught.value.code == "CLIENT-CERT-UNUSABLE"


def test_every_cipher_has_forward_secrecy_and_authenticates(ca_file):
    """RFC 9325 §4.2."""
    ciphers = tls.context_for(relay(ca_file)).get_ciphers()
    assert all(cipher["aead"] for cipher in ciphers)
    old = [cipher["name"] for cipher in ciphers if cipher["protocol"] != "TLSv1.3"]
    assert old
    assert all(name.startswith("ECDHE-") for name in old)


def test_a_ca_file_is_the_only_root(ca_file):
    assert len(tls.context_for(relay(ca_file)).get_ca_certs()) == 1


def test_without_a_ca_file_the_systems_roots_are_loaded():
    context = tls.context_for(relay())
    assert context.cert_store_stats()["x509"] > 20


def test_the_environment_neither_adds_nor_replaces_roots(tmp_path, monkeypatch):
    before = tls.context_for(relay()).cert_store_stats()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert tls.context_for(relay()).cert_store_stats() == before


def built_in(cafile: Path, capath: Path) -> ssl.DefaultVerifyPaths:
    real = ssl.get_default_verify_paths()
    return real._replace(openssl_cafile=str(cafile), openssl_capath=str(capath))


def test_roots_are_looked_for_where_openssl_was_built_to_look(tmp_path):
    file, folder, bundle = tmp_path / "cert.pem", tmp_path / "certs", tmp_path / "bundle"
    file.touch()
    folder.mkdir()
    bundle.touch()
    assert tls.find_roots(built_in(file, folder), bundles=[str(bundle)]) == {"cafile": str(file)}


def test_a_python_built_elsewhere_finds_the_bundle_of_this_system(tmp_path):
    bundle = tmp_path / "bundle"
    bundle.touch()
    nowhere = built_in(tmp_path / "none", tmp_path / "none")
    assert tls.find_roots(nowhere, bundles=["/none", str(bundle)]) == {"cafile": str(bundle)}


def test_a_folder_of_roots_is_better_than_none(tmp_path):
    folder = built_in(tmp_path / "none", tmp_path)
    assert tls.find_roots(folder, bundles=[]) == {"capath": str(tmp_path)}


def test_a_machine_without_roots_is_told_apart(tmp_path):
    with pytest.raises(RelayError) as caught:
        tls.find_roots(built_in(tmp_path / "none", tmp_path / "none"), bundles=[])
    assert caught.value.code == "RELAY-TLS-NO-ROOTS"


@pytest.mark.parametrize("content", [None, b"", b"text", b"-----BEGIN CERTIFICATE-----\nAA==\n"])
def test_a_ca_file_without_a_certificate_is_refused(content, tmp_path):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        tls.context_for(relay(file))
    assert caught.value.code == "CA-FILE-UNUSABLE"
    assert caught.value.file == str(file)


# The proof


def test_a_live_verified_connection_is_proved(good, ca_file):
    to = relay(ca_file)
    context = tls.context_for(to)
    facts = tls.prove(shake_hands(good, context), relay=to, context=context)
    assert facts.version == "TLSv1.3"
    assert len(facts.leaf_sha256) == len(facts.spki_sha256) == 64


def test_no_tls_at_all_is_not_proved(ca_file):
    to = relay(ca_file)
    refuse_to_prove(None, to, tls.context_for(to))


def test_another_context_is_not_proved(good, ca_file):
    """Whoever made it may have loosened it."""
    to = relay(ca_file)
    refuse_to_prove(shake_hands(good, tls.context_for(to)), to, tls.context_for(to))


def test_another_name_is_not_proved(good, ca_file):
    context = tls.context_for(relay(ca_file))
    other = relay(ca_file, host="relay.example.org")
    refuse_to_prove(shake_hands(good, context), other, context)


def test_an_old_version_is_not_proved(authority, ca_file):
    to = relay(ca_file)
    context = tls.context_for(to)
    with certificates.quietly():
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    live = shake_hands(certificates.tls_1_1_only(authority), context)
    assert live.version() == "TLSv1.1"
    refuse_to_prove(live, to, context)


def test_a_context_loosened_after_it_was_made_is_not_proved(authority, ca_file):
    to = relay(ca_file)
    context = tls.context_for(to)
    context.check_hostname = False
    refuse_to_prove(shake_hands(certificates.wrong_host(authority), context), to, context)
    context.verify_mode = ssl.CERT_NONE
    live = shake_hands(certificates.from_unknown_authority(authority), context)
    refuse_to_prove(live, to, context)


def test_a_handshake_that_did_not_end_is_not_proved(ca_file):
    to = relay(ca_file)
    context = tls.context_for(to)
    half = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    refuse_to_prove(half, to, context)


def test_a_certificate_that_verifies_and_is_not_the_pinned_one_is_refused(good, ca_file):
    """RFC 7469 §2.4: the pin is the SHA-256 of the public key's DER."""
    plain = relay(ca_file)
    context = tls.context_for(plain)
    live = shake_hands(good, context)
    facts = tls.prove(live, relay=plain, context=context)
    leaf = load_der_x509_certificate(live.getpeercert(binary_form=True))
    spki = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert facts.spki_sha256 == hashlib.sha256(spki).hexdigest()
    assert facts.cipher == live.cipher()[0]
    other = "ab" * 32
    for pins in ((facts.spki_sha256,), (other, facts.spki_sha256)):
        pinning = replace(plain, spki_pins=pins)
        assert tls.prove(live, relay=pinning, context=context) == facts
    with pytest.raises(RelayError) as caught:
        tls.prove(live, relay=replace(plain, spki_pins=(other,)), context=context)
    assert caught.value.code == "RELAY-TLS-PIN"


def refuse_to_prove(live: object, to: Relay, context: ssl.SSLContext) -> None:
    with pytest.raises(RelayError) as caught:
        tls.prove(live, relay=to, context=context)
    assert caught.value.code == "RELAY-TLS-UNPROVEN"


# How a failure is told


def certificate_fault(code: int) -> RelayError:
    fault = ssl.SSLCertVerificationError(1, "certificate verify failed")
    fault.verify_code, fault.verify_message = code, "said\x1b[2J so"
    return tls.explain(fault, relay=relay())


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ((10,), "has expired"),
        ((9,), "is not valid yet"),
        ((18, 19), "signed by itself or by a root"),
        ((2, 20, 21), "comes from an authority that this machine does not trust"),
        ((66, 67, 68), "too weak to mean anything"),
        ((1, 3, 8, 11, 17, 22, 65, 69, 79), "does not verify: said?[2J so"),
    ],
)
def test_each_number_of_openssl_has_its_words(codes, words):
    """X509_V_ERR_… of openssl/x509_vfy.h; not every one can be had from a live server."""
    for code in codes:
        told = certificate_fault(code)
        assert (told.code, words in told.what) == ("RELAY-TLS-CERTIFICATE", True), code


def test_a_certificate_for_another_name_or_address_is_somebody_else():
    assert [certificate_fault(code).code for code in (62, 63, 64)] == [
        "RELAY-TLS-HOSTNAME",
        "RELAY-TLS-CERTIFICATE",
        "RELAY-TLS-HOSTNAME",
    ]


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_trust_in_the_environment_is_named_where_trust_is_missing_and_only_there(monkeypatch, name):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert "environment" not in certificate_fault(20).why
    monkeypatch.setenv(name, "/x")
    for code in (2, 18, 19, 20, 21):
        assert f"{name} in the environment cannot add trust" in certificate_fault(code).why
    for code in (9, 10, 66, 79):
        assert "environment" not in certificate_fault(code).why


def fault_of(reason: str | None) -> RelayError:
    fault = ssl.SSLError(1, "x")
    fault.reason = reason
    return tls.explain(fault, relay=relay())


@pytest.mark.parametrize(
    ("reasons", "code", "words"),
    [
        (
            (
                "TLSV13_ALERT_CERTIFICATE_REQUIRED",
                "TLSV1_ALERT_UNKNOWN_CA",
                "TLSV1_ALERT_ACCESS_DENIED",
                "SSLV3_ALERT_BAD_CERTIFICATE",
                "SSLV3_ALERT_CERTIFICATE_EXPIRED",
                "SSLV3_ALERT_CERTIFICATE_REVOKED",
                "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
                "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
            ),
            "RELAY-TLS-CLIENT-CERT",
            "does not let this machine in",
        ),
        (
            ("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"),
            "RELAY-TLS-VERSION",
            "no TLS that is safe",
        ),
        (
            ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"),
            "RELAY-TLS-HANDSHAKE",
            "answers, but not in TLS",
        ),
        (("NO_SHARED_CIPHER",), "RELAY-TLS-HANDSHAKE", "no shared cipher"),
        ((None, ""), "RELAY-TLS-HANDSHAKE", "no reason given"),
    ],
)
def test_each_reason_of_a_failed_handshake_is_told_apart(reasons, code, words):
    """Alerts of RFC 8446 §6.2 in OpenSSL's names."""
    for reason in reasons:
        told = fault_of(reason)
        assert (told.code, words in told.what) == (code, True), reason
