"""Whatever is wrong with TLS: the password is not read, and nothing is said that matters."""

from __future__ import annotations

import socket
import time

import pytest

from certmail.delivery.relay import Timeouts
from certmail.submission import Mode
from tests.delivery import certificates
from tests.delivery.attempt import Attempt, attempt
from tests.delivery.conftest import server_context
from tests.delivery.hostile import Deed, HostileRelay, Talk

BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.name)

HARMLESS = {"EHLO", "STARTTLS", "QUIT"}


def refuse_with(code: str, tried: Attempt, relay: HostileRelay) -> None:
    """The law of this file."""
    assert tried.code == code
    assert tried.reads == 0
    assert set(relay.in_clear) <= HARMLESS
    assert [heard for heard in relay.heard if heard.inside] == []
    assert relay.messages == []
    assert relay.connections == 1


WRONG = {
    "self-signed": (certificates.self_signed, "RELAY-TLS-CERTIFICATE", "signed by itself"),
    "unknown-authority": (
        certificates.from_unknown_authority,
        "RELAY-TLS-CERTIFICATE",
        "an authority that this machine does not trust",
    ),
    "expired": (certificates.expired, "RELAY-TLS-CERTIFICATE", "has expired"),
    "not-yet-valid": (certificates.not_yet_valid, "RELAY-TLS-CERTIFICATE", "is not valid yet"),
    "weak-key": (certificates.weak_key, "RELAY-TLS-CERTIFICATE", "too weak"),
    "wrong-host": (certificates.wrong_host, "RELAY-TLS-HOSTNAME", "is not for localhost"),
    "other-wildcard": (certificates.wildcard_for_another, "RELAY-TLS-HOSTNAME", "is not for"),
    "common-name-only": (certificates.common_name_only, "RELAY-TLS-HOSTNAME", "is not for"),
    "tls-1.1": (certificates.tls_1_1_only, "RELAY-TLS-VERSION", "no TLS that is safe"),
    "cbc": (certificates.cbc_only, "RELAY-TLS-HANDSHAKE", "no TLS connection"),
    "static-rsa": (certificates.static_rsa_only, "RELAY-TLS-HANDSHAKE", "no TLS connection"),
}


@BOTH
@pytest.mark.parametrize("wrong", WRONG)
def test_a_relay_that_does_not_verify_is_refused_before_the_password(
    mode, wrong, authority, ca_file
):
    """RFC 8314 §5.3, RFC 9525 §2: a connection to somebody else is no better than none."""
    make, code, words = WRONG[wrong]
    with HostileRelay(mode, make(authority)) as relay:
        tried = attempt(relay, ca_file=ca_file)
    refuse_with(code, tried, relay)
    assert words in tried.error.what


@BOTH
def test_tls_1_2_is_still_spoken(mode, authority, ca_file):
    with HostileRelay(mode, certificates.tls_1_2(authority)) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code is None
    assert tried.receipt.tls.version == "TLSv1.2"
    assert tried.receipt.tls.cipher.startswith("ECDHE-")


@BOTH
def test_an_address_is_verified_as_an_address(mode, good, ca_file, authority):
    with HostileRelay(mode, good) as relay:
        assert attempt(relay, ca_file=ca_file, host="127.0.0.1").code is None
    with HostileRelay(mode, server_context(authority.issue_cert("localhost"))) as relay:
        refuse_with("RELAY-TLS-HOSTNAME", attempt(relay, ca_file=ca_file, host="127.0.0.1"), relay)


def test_a_trailing_dot_names_the_same_relay(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good) as relay:
        assert attempt(relay, ca_file=ca_file, host="localhost.").code is None


@BOTH
def test_the_ca_file_replaces_the_system_roots(mode, good, authority, tmp_path, monkeypatch):
    """The same relay, trusted by nobody but a file that is not named, is refused."""
    named = tmp_path / "named.pem"
    authority.cert_pem.write_to_path(named)
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(variable, str(named if variable == "SSL_CERT_FILE" else tmp_path))
    with HostileRelay(mode, good) as relay:
        tried = attempt(relay, ca_file=None)
    refuse_with("RELAY-TLS-CERTIFICATE", tried, relay)
    assert "SSL_CERT_FILE and SSL_CERT_DIR in the environment cannot add trust" in tried.error.why


@BOTH
def test_no_session_key_is_ever_written_to_a_file(mode, good, ca_file, tmp_path, monkeypatch):
    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    with HostileRelay(mode, good) as relay:
        assert attempt(relay, ca_file=ca_file).code is None
    assert not log.exists()


@BOTH
@pytest.mark.parametrize("deed", [Deed.DROP, Deed.RESET], ids=lambda deed: deed.name)
def test_a_handshake_cut_off_is_refused(mode, deed, good, ca_file):
    with HostileRelay(mode, good, {"handshake": deed}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    refuse_with("RELAY-TLS-HANDSHAKE", tried, relay)


@BOTH
def test_a_handshake_that_stalls_comes_to_an_end(mode, good, ca_file):
    began = time.monotonic()
    with HostileRelay(mode, good, {"handshake": Deed.SILENCE}) as relay:
        tried = attempt(relay, ca_file=ca_file, timeouts=Timeouts(connect_s=0.5, total_s=5))
    refuse_with("RELAY-TIMEOUT", tried, relay)
    assert time.monotonic() - began < 3


def test_a_plain_relay_on_the_tls_port_is_told_apart(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, {"accept": b"220 plain\r\n", "handshake": b""}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    refuse_with("RELAY-TLS-HANDSHAKE", tried, relay)
    assert "STARTTLS" in tried.error.next


def test_a_tls_relay_on_the_starttls_port_comes_to_an_end(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good) as relay:
        tried = attempt(relay, mode=Mode.STARTTLS, ca_file=ca_file)
    refuse_with("RELAY-TIMEOUT", tried, relay)


# STARTTLS alone; every trick before TLS stands in `cases`


def test_what_was_offered_in_clear_is_forgotten(good, ca_file):
    """RFC 3207 §4.2: AUTH in clear, none inside: there is no login, and no password is read."""
    acts = {
        "ehlo": b"250-relay.test\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n",
        "ehlo-inside": b"250 relay.test\r\n",
    }
    with HostileRelay(Mode.STARTTLS, good, acts) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert (tried.code, tried.reads) == ("RELAY-AUTH-NOT-OFFERED", 0)
    assert relay.verbs == ["EHLO", "STARTTLS", "EHLO", "QUIT"]


def test_auth_offered_in_clear_is_used_inside_only(good, ca_file):
    acts = {"ehlo": b"250-relay.test\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"}
    with HostileRelay(Mode.STARTTLS, good, acts) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code is None
    assert relay.in_clear == ["EHLO", "STARTTLS"]


# The dial


def test_a_closed_port_is_unreachable(ca_file):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        tried = attempt(taken.getsockname()[1], ca_file=ca_file)
    assert (tried.code, tried.reads) == ("RELAY-UNREACHABLE", 0)


def test_a_name_that_does_not_resolve_is_unreachable(ca_file):
    tried = attempt(465, ca_file=ca_file, host="relay.invalid")
    assert (tried.code, tried.reads) == ("RELAY-UNREACHABLE", 0)


def test_a_listener_that_never_accepts_comes_to_an_end(ca_file):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        began = time.monotonic()
        tried = attempt(port, ca_file=ca_file, timeouts=Timeouts(connect_s=0.5))
    assert (tried.code, tried.reads) == ("RELAY-TIMEOUT", 0)
    assert time.monotonic() - began < 3


def test_the_whole_has_a_deadline(good, ca_file):
    """Each reply comes within its own time, and the sum of them does not."""

    def slowly(talk: Talk) -> None:
        for octet in b"220 relay.test ESMTP\r\n":
            time.sleep(0.1)
            talk.say(bytes([octet]))

    began = time.monotonic()
    with HostileRelay(Mode.STARTTLS, good, {"greeting": slowly}) as relay:
        tried = attempt(relay, ca_file=ca_file, timeouts=Timeouts(total_s=0.7))
    assert (tried.code, tried.reads) == ("RELAY-TIMEOUT", 0)
    assert time.monotonic() - began < 3
