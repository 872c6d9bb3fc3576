"""A relay that nobody here wrote: Debian's Postfix, in both modes."""

from __future__ import annotations

import pytest

from certmail.delivery.relay import Timeouts
from certmail.submission import Mode
from certmail.values import Address
from tests.delivery import postfix
from tests.delivery.attempt import attempt, refuse_leak
from tests.delivery.message import sealed

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("postfix")]

BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.name)

PATIENT = Timeouts(connect_s=10, command_s=10, final_s=20)


@pytest.fixture(scope="module")
def relay(authority):
    with postfix.running(authority) as running:
        yield running


def send(relay, mode, ca_file, **more):
    return attempt(relay.ports[mode], mode=mode, ca_file=ca_file, timeouts=PATIENT, **more)


def without_trace(delivered: bytes) -> bytes:
    """Take away what a relay puts in front of the message."""
    lines = delivered.split(b"\n")
    start = next(i for i, line in enumerate(lines) if line.startswith(b"From: "))
    return b"\r\n".join(lines[start:])


@BOTH
def test_postfix_delivers_the_very_octets_that_were_sealed(mode, relay, ca_file):
    relay.forget()
    message = sealed()
    tried = send(relay, mode, ca_file, message=message)
    assert tried.code is None
    assert tried.receipt.reply.startswith("250 2.0.0 Ok: queued as ")
    [delivered] = relay.delivered()
    assert without_trace(delivered) == message.wire()
    assert b"Delivered-To: ssl@clever-cloud.com\n" in delivered
    assert b"Return-Path: <ops@example.org>\n" in delivered
    assert b"with ESMTPSA id" in delivered


@BOTH
def test_postfix_learns_nothing_about_this_machine(mode, relay, ca_file):
    """The EHLO literal passes Postfix's strictest checks of a name, and is not ours."""
    relay.forget()
    assert send(relay, mode, ca_file).code is None
    [delivered] = relay.delivered()
    assert b"Received: from [127.0.0.1] (unknown [127.0.0.1])" in delivered


@BOTH
def test_postfix_refuses_a_wrong_password_once(mode, relay, ca_file):
    before = relay.log.count("authentication failed")
    tried = send(relay, mode, ca_file, password="wrong-canary-1")
    assert tried.code == "RELAY-AUTH-REFUSED"
    assert "535 5.7.8" in tried.error.what
    assert relay.log.count("authentication failed") == before + 1


@BOTH
def test_postfix_wants_a_login(mode, relay, ca_file):
    tried = send(relay, mode, ca_file, user=None)
    assert tried.code == "RELAY-REFUSED"
    assert "naming the recipient: 554 5.7.1" in tried.error.what


def test_postfix_refuses_a_sender(relay, ca_file):
    tried = send(
        relay, Mode.IMPLICIT, ca_file, message=sealed(sender=Address("blocked@example.org"))
    )
    assert tried.code == "RELAY-REFUSED"
    assert "the account may send from this address" in tried.error.next


def test_postfix_announces_its_limit_and_is_spared_the_message(relay, ca_file):
    tried = send(relay, Mode.STARTTLS, ca_file, message=sealed(octets=300_000))
    assert tried.code == "RELAY-TOO-LARGE"
    assert "the limit is 200000" in tried.error.what


@BOTH
def test_postfix_is_not_trusted_without_its_authority(mode, relay):
    tried = send(relay, mode, None)
    assert (tried.code, tried.reads) == ("RELAY-TLS-CERTIFICATE", 0)


@BOTH
def test_the_modes_cannot_be_mistaken_for_one_another(mode, relay, ca_file):
    other = Mode.STARTTLS if mode is Mode.IMPLICIT else Mode.IMPLICIT
    tried = attempt(
        relay.ports[other], mode=mode, ca_file=ca_file, timeouts=Timeouts(command_s=0.5)
    )
    expected = "RELAY-TLS-HANDSHAKE" if mode is Mode.IMPLICIT else "RELAY-TIMEOUT"
    assert (tried.code, tried.reads) == (expected, 0)


def test_no_log_of_postfix_holds_the_password(relay):
    refuse_leak(relay.log)
