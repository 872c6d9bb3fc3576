from __future__ import annotations

import hashlib
import time

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate

from certmail.delivery.outcome import Stage
from certmail.submission import Mode
from tests.delivery.attempt import AT, attempt
from tests.delivery.conftest import server_context
from tests.delivery.hostile import HostileRelay
from tests.delivery.message import sealed

BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.name)


@BOTH
def test_an_honest_relay_gets_the_message_octet_for_octet(mode, good, ca_file):
    """RFC 1870 §3: and is told its size; the addresses are the configured ones, nothing added."""
    message = sealed()
    with HostileRelay(mode, good) as relay:
        tried = attempt(relay, ca_file=ca_file, message=message)
    assert tried.code is None
    [delivered] = relay.messages
    assert delivered.octets == message.wire()
    assert (delivered.sender, delivered.recipient) == (
        b"FROM:<ops@example.org> SIZE=%d" % len(message.wire()),
        b"TO:<ssl@clever-cloud.com>",
    )


@BOTH
def test_the_receipt_says_what_was_seen(mode, authority, ca_file):
    """RFC 5321 §6.1: the relay has taken responsibility; this is with whom and when."""
    leaf = authority.issue_cert("localhost")
    message = sealed()
    with HostileRelay(mode, server_context(leaf)) as relay:
        receipt = attempt(relay, ca_file=ca_file, message=message).receipt
    certificate = load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert receipt is not None
    assert receipt.accepted_at == AT
    assert (receipt.relay, receipt.peer) == (f"localhost:{relay.port}", "127.0.0.1")
    assert receipt.tls.version == "TLSv1.3"
    assert receipt.tls.cipher.startswith("TLS_")
    assert (
        receipt.tls.leaf_sha256
        == hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    )
    assert receipt.tls.spki_sha256 == hashlib.sha256(spki).hexdigest()
    assert receipt.mechanism == "PLAIN"
    assert receipt.reply == "250 2.0.0 queued as 4F2A"
    assert (receipt.message_id, receipt.sha256) == (message.message_id, message.sha256)
    assert receipt.size == len(message.wire())


@BOTH
def test_the_order_of_the_steps_is_the_security(mode, good, ca_file):
    """The password is read after TLS is proved and AUTH was offered inside it."""
    with HostileRelay(mode, good) as relay:
        tried = attempt(relay, ca_file=ca_file)
    before = [Stage.CONNECT, Stage.GREETING]
    if mode is Mode.STARTTLS:
        before += [Stage.EHLO, Stage.STARTTLS]
    inside = [Stage.EHLO_INSIDE, Stage.SECRET, Stage.AUTH, Stage.MAIL, Stage.RCPT, Stage.DATA]
    assert tried.stages == [*before, *inside, Stage.BODY, Stage.VERDICT]
    assert tried.reads == 1
    clear = ["EHLO", "STARTTLS"] if mode is Mode.STARTTLS else []
    assert relay.in_clear == clear
    assert relay.verbs == [*clear, "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]


@BOTH
def test_a_relay_without_a_user_gets_no_login(mode, good, ca_file):
    with HostileRelay(mode, good) as relay:
        tried = attempt(relay, ca_file=ca_file, user=None)
    assert (tried.code, tried.reads) == (None, 0)
    assert tried.receipt is not None
    assert tried.receipt.mechanism is None
    assert "AUTH" not in relay.verbs


def test_ehlo_says_the_same_on_every_machine(good, ca_file):
    with HostileRelay(Mode.STARTTLS, good) as relay:
        attempt(relay, ca_file=ca_file)
    said = {heard.line for heard in relay.heard if heard.verb == "EHLO"}
    assert said == {b"EHLO [127.0.0.1]"}


def test_login_is_spoken_where_plain_is_not_offered(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, mechanisms=b"CRAM-MD5 LOGIN") as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code is None
    assert tried.receipt is not None
    assert tried.receipt.mechanism == "LOGIN"


def test_a_password_too_long_for_the_command_line_follows_on_its_own(good, ca_file):
    """RFC 5321 §4.5.3.1.4: a command line has 512 octets."""
    password = "long" * 200
    with HostileRelay(Mode.IMPLICIT, good, password=password) as relay:
        tried = attempt(relay, ca_file=ca_file, password=password)
    assert tried.code is None
    assert b"AUTH PLAIN" in [heard.line for heard in relay.heard]


def test_an_address_that_does_not_answer_does_not_keep_the_next_one_waiting(good, ca_file):
    """RFC 8305 §5: localhost has two addresses, and the relay listens on one."""
    began = time.monotonic()
    with HostileRelay(Mode.IMPLICIT, good) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code is None
    assert time.monotonic() - began < 2
