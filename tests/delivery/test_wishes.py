"""What can be asked of the path: a pinned key, our own certificate, TLS behind, reports."""

from __future__ import annotations

import hashlib
import stat
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificate
from hypothesis import given
from hypothesis import strategies as st

from certmail.delivery import envelope, tls
from certmail.delivery.relay import Relay
from certmail.errors import Left, SettingsError
from certmail.submission import Mode, Reports, TlsPath
from certmail.values import Hostname
from tests.delivery import certificates
from tests.delivery.attempt import attempt
from tests.delivery.conftest import server_context
from tests.delivery.hostile import HostileRelay
from tests.delivery.message import sealed

if TYPE_CHECKING:
    from pathlib import Path

BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.name)
HOST = Hostname("relay.test")


# A pinned key


def spki_of(leaf: trustme.LeafCert) -> str:
    certificate = load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).hexdigest()


@BOTH
def test_the_pinned_key_is_let_through(mode, authority, ca_file):
    """RFC 7469 §2.4: the hash is of the SubjectPublicKeyInfo; one of two is enough."""
    leaf = authority.issue_cert("localhost")
    for pins in ((spki_of(leaf),), ("0" * 64, spki_of(leaf))):
        with HostileRelay(mode, server_context(leaf)) as relay:
            assert attempt(relay, ca_file=ca_file, spki_pins=pins).code is None


@BOTH
def test_another_key_is_refused_before_the_password(mode, good, ca_file):
    with HostileRelay(mode, good) as relay:
        tried = attempt(relay, ca_file=ca_file, spki_pins=("0" * 64, "f" * 64))
    assert (tried.code, tried.reads) == ("RELAY-TLS-PIN", 0)
    assert set(relay.verbs) <= {"EHLO", "STARTTLS"}


@BOTH
def test_a_pin_does_not_replace_the_authority(mode, ca_file):
    """Msmtp's and Postfix' fingerprints do; here both must hold."""
    leaf = trustme.CA().issue_cert("localhost")
    with HostileRelay(mode, server_context(leaf)) as relay:
        tried = attempt(relay, ca_file=ca_file, spki_pins=(spki_of(leaf),))
    assert (tried.code, tried.reads) == ("RELAY-TLS-CERTIFICATE", 0)


@pytest.mark.parametrize("pin", ["", "0" * 63, "0" * 65, "0" * 63 + "A", "0" * 64 + "\n"])
def test_a_pin_that_matches_nothing_is_refused(pin):
    with pytest.raises(SettingsError) as caught:
        Relay(HOST, 465, Mode.IMPLICIT, spki_pins=(pin,))
    assert caught.value.code == "RELAY-PIN-MALFORMED"


def test_the_pins_have_one_name_whatever_their_order():
    one, two = "1" * 64, "2" * 64
    relays = [Relay(HOST, 465, Mode.IMPLICIT, spki_pins=pins) for pins in ((one, two), (two, one))]
    assert {relay.pin for relay in relays} == {f"{one},{two}"}
    assert Relay(HOST, 465, Mode.IMPLICIT).pin is None


# Our own certificate


@pytest.fixture
def client(authority, tmp_path) -> tuple[Path, Path]:
    leaf = authority.issue_cert("client.example.org")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    certificate.write_bytes(leaf.cert_chain_pems[0].bytes())
    key.write_bytes(leaf.private_key_pem.bytes())
    key.chmod(stat.S_IRUSR)
    return certificate, key


@BOTH
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_relay_that_wants_a_certificate_gets_ours(mode, version, authority, client, ca_file):
    context = wanting(authority, version)
    certificate, key = client
    with HostileRelay(mode, context) as relay:
        tried = attempt(relay, ca_file=ca_file, client_cert=certificate, client_key=key)
    assert tried.code is None
    assert tried.receipt.tls.version == version


@BOTH
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_without_one_it_lets_nobody_in_and_the_password_is_not_read(
    mode, version, authority, ca_file
):
    """RFC 8446 §4.4.2.4: in TLS 1.3 the alert comes when the handshake seems over."""
    with HostileRelay(mode, wanting(authority, version)) as relay:
        tried = attempt(relay, ca_file=ca_file)
    # TLS 1.2 has no alert of its own for this.
    expected = {"TLSv1.2": "RELAY-TLS-HANDSHAKE", "TLSv1.3": "RELAY-TLS-CLIENT-CERT"}
    assert (tried.code, tried.reads) == (expected[version], 0)


@BOTH
def test_a_certificate_of_a_foreign_authority_is_told_apart(mode, authority, tmp_path, ca_file):
    foreign = tmp_path / "foreign.pem"
    trustme.CA().issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(foreign)
    with HostileRelay(mode, wanting(authority, "TLSv1.3")) as relay:
        tried = attempt(relay, ca_file=ca_file, client_cert=foreign)
    assert (tried.code, tried.reads) == ("RELAY-TLS-CLIENT-CERT", 0)


def test_one_file_may_hold_both(authority, tmp_path, ca_file):
    both = tmp_path / "both.pem"
    authority.issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(both)
    tls.context_for(Relay(HOST, 465, Mode.IMPLICIT, ca_file=ca_file, client_cert=both))


def test_a_client_certificate_that_cannot_be_used_is_refused(client, tmp_path, ca_file, authority):
    """Nobody is asked for a passphrase: there may be nobody, and OpenSSL would ask the terminal."""
    certificate, key = client
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        load_pem_private_key(key.read_bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase")
        )
    )
    other = tmp_path / "other.key"
    other.write_bytes(authority.issue_cert("other.test").private_key_pem.bytes())
    for pair in ((certificate, locked), (certificate, other), (certificate, None), (key, key)):
        refuse_client(*pair, ca_file)
    refuse_client(tmp_path / "none.pem", None, ca_file)


def refuse_client(certificate: Path, key: Path | None, ca_file: Path) -> None:
    relay = Relay(
        HOST, 465, Mode.IMPLICIT, ca_file=ca_file, client_cert=certificate, client_key=key
    )
    with pytest.raises(SettingsError) as caught:
        tls.context_for(relay)
    assert caught.value.code == "CLIENT-CERT-UNUSABLE"
    assert caught.value.__cause__ is None


def test_a_client_key_alone_is_refused(tmp_path):
    with pytest.raises(SettingsError) as caught:
        Relay(HOST, 465, Mode.IMPLICIT, client_key=tmp_path / "client.key")
    assert caught.value.code == "CLIENT-CERT-MISSING"


def wanting(authority: trustme.CA, version: str):
    context = certificates.wants_a_certificate(authority)
    if version == "TLSv1.2":
        context.maximum_version = certificates.tls_1_2(authority).maximum_version
    return context


# TLS on the whole way, and reports


def told(relay: HostileRelay) -> list[bytes]:
    return [heard.line for heard in relay.heard if heard.verb in {"MAIL", "RCPT"}]


@BOTH
def test_what_is_offered_is_asked_for_and_stands_in_the_receipt(mode, good, ca_file):
    """RFC 8689 §4.3, RFC 3461 §4: a parameter each, none without the relay's offer."""
    message = sealed()
    with HostileRelay(mode, good, offers=b"DSN\nREQUIRETLS") as relay:
        receipt = attempt(relay, ca_file=ca_file, message=message).receipt
    envid = "0123456789abcdef0123456789abcdef"
    assert told(relay) == [
        b"MAIL FROM:<ops@example.org> SIZE=%d RET=HDRS ENVID=%s REQUIRETLS"
        % (len(message.wire()), envid.encode()),
        b"RCPT TO:<ssl@clever-cloud.com> NOTIFY=FAILURE,DELAY",
    ]
    assert message.message_id == f"<{envid}@example.org>"
    assert (receipt.requiretls, receipt.dsn) == ("asked", "asked")
    assert (receipt.envid, receipt.notify) == (envid, "FAILURE,DELAY")


@BOTH
def test_what_is_not_offered_is_not_asked_for(mode, good, ca_file):
    with HostileRelay(mode, good) as relay:
        receipt = attempt(relay, ca_file=ca_file).receipt
    assert not any(word in b" ".join(told(relay)) for word in (b"RET", b"NOTIFY", b"REQUIRETLS"))
    assert (receipt.requiretls, receipt.dsn) == ("not offered", "not offered")
    assert (receipt.envid, receipt.notify) == (None, None)


def test_what_was_offered_in_clear_only_is_not_asked_for(good, ca_file):
    """RFC 8689 §2: REQUIRETLS counts where it is offered inside TLS."""
    ehlo = b"250-x\r\n250-DSN\r\n250-REQUIRETLS\r\n250 STARTTLS\r\n"
    with HostileRelay(Mode.STARTTLS, good, {"ehlo": ehlo}) as relay:
        receipt = attempt(relay, ca_file=ca_file).receipt
    assert (receipt.requiretls, receipt.dsn) == ("not offered", "not offered")


@BOTH
def test_a_demanded_path_is_refused_before_the_password_where_it_is_not_offered(
    mode, good, ca_file
):
    with HostileRelay(mode, good) as relay:
        tried = attempt(relay, ca_file=ca_file, tls_path=TlsPath.REQUIRED)
    assert (tried.code, tried.reads) == ("RELAY-NO-TLS-PATH", 0)
    assert tried.error.left is Left.NOTHING
    with HostileRelay(mode, good, offers=b"REQUIRETLS") as relay:
        assert attempt(relay, ca_file=ca_file, tls_path=TlsPath.REQUIRED).code is None


def test_a_recipient_whose_server_knows_no_requiretls_can_be_written_to(good, ca_file):
    """RFC 8689 §5: a server in between would have to return the message."""
    acts = {"rcpt": b"550 5.7.30 REQUIRETLS support required\r\n"}
    with HostileRelay(Mode.IMPLICIT, good, acts, offers=b"REQUIRETLS") as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert "relay.require_tls_path to not-asked" in tried.error.next
    with HostileRelay(Mode.IMPLICIT, good, offers=b"REQUIRETLS") as relay:
        receipt = attempt(relay, ca_file=ca_file, tls_path=TlsPath.NOT_ASKED).receipt
    assert receipt.requiretls == "not asked"
    assert b"REQUIRETLS" not in b"".join(told(relay))


@pytest.mark.parametrize(
    ("reports", "notify"),
    [
        (Reports.FAILURE, b" NOTIFY=FAILURE,DELAY"),
        (Reports.SUCCESS, b" NOTIFY=SUCCESS,FAILURE,DELAY"),
        (Reports.NOT_ASKED, b""),
    ],
)
def test_reports_are_asked_for_as_the_settings_say(reports, notify, good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, offers=b"DSN") as relay:
        receipt = attempt(relay, ca_file=ca_file, reports=reports).receipt
    assert told(relay)[1] == b"RCPT TO:<ssl@clever-cloud.com>" + notify
    assert receipt.dsn == ("asked" if notify else "not asked")
    assert (receipt.envid is None) == (not notify)


@given(
    path=st.sampled_from(TlsPath),
    reports=st.sampled_from(Reports),
    offered=st.sets(st.sampled_from(["dsn", "requiretls", "size"])),
)
def test_no_parameter_goes_without_an_offer_and_none_breaks_a_line(path, reports, offered):
    relay = Relay(HOST, 465, Mode.IMPLICIT, tls_path=path, reports=reports)
    asked = envelope.ask(relay, message_id=sealed().message_id, offers=offered.__contains__)
    words = [*envelope.mail(asked), *envelope.rcpt(asked)]
    assert (b"REQUIRETLS" in words) == (asked.requiretls == "asked")
    assert "requiretls" in offered or b"REQUIRETLS" not in words
    assert "dsn" in offered or not [word for word in words if b"=" in word]
    assert all(
        word.isascii() and word.decode().isprintable() and b" " not in word for word in words
    )


def test_the_identifier_stays_the_same_when_the_message_is_offered_again(good, ca_file):
    """RFC 3461 §4.4: at most 100 characters of xtext; hex digits are."""
    message = sealed()
    receipts = []
    for mode in Mode:
        with HostileRelay(mode, good, offers=b"DSN") as relay:
            receipts.append(attempt(relay, ca_file=ca_file, message=message).receipt)
    assert len({(receipt.envid, receipt.message_id, receipt.sha256) for receipt in receipts}) == 1
