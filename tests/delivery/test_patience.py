"""Time that passes and text that is hostile."""

from __future__ import annotations

import time

import pytest

from certmail.delivery.relay import Timeouts
from certmail.submission import Mode
from tests.delivery.attempt import attempt
from tests.delivery.hostile import PASSWORD, HostileRelay, Talk
from tests.delivery.message import sealed

# Time


def test_a_slow_relay_that_makes_progress_is_waited_for(good, ca_file):
    """The limit is on standing still, not on the whole upload (RFC 5321 §4.5.3.2.5)."""
    took: list[float] = []

    def sip(talk: Talk) -> None:
        began = time.monotonic()
        while not talk.buffer.endswith(b"\r\n.\r\n"):
            time.sleep(0.004)
            talk.buffer += talk.sock.recv(65536)
        took.append(time.monotonic() - began)

    message = sealed(octets=3_000_000)
    patient = Timeouts(data_block_s=0.5, total_s=30)
    with HostileRelay(Mode.IMPLICIT, good, {"body": sip}, receive_buffer=500_000) as relay:
        tried = attempt(relay, ca_file=ca_file, message=message, timeouts=patient)
    assert tried.code is None
    assert relay.messages[0].octets == message.wire()
    assert took[0] > patient.data_block_s


def test_an_upload_that_stands_still_comes_to_an_end(good, ca_file):
    message = sealed(octets=3_000_000)
    hasty = Timeouts(data_block_s=0.3)
    with HostileRelay(
        Mode.IMPLICIT, good, {"body": lambda _: time.sleep(1.5)}, receive_buffer=8192
    ) as relay:
        tried = attempt(relay, ca_file=ca_file, message=message, timeouts=hasty)
    assert tried.code == "RELAY-TIMEOUT"
    assert relay.messages == []


# Hostile text


def test_a_reply_cannot_draw_on_the_screen(good, ca_file):
    reply = b"554 5.7.1 \x1b[2J\x1b]0;owned\x07 \xe2\x80\xae\xff\xc2\x9b " + b"x" * 1000 + b"\r\n"
    with HostileRelay(Mode.IMPLICIT, good, {"rcpt": reply}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == "RELAY-REFUSED"
    assert tried.error.what.isprintable()
    assert len(tried.error.what) < 400


@pytest.mark.parametrize("point", ["auth", "mail", "dot"])
def test_a_reply_that_echoes_the_password_is_redacted(point, good, ca_file):
    """`attempt` looks for the password, plain and encoded, in everything that comes out."""

    def echo(talk: Talk) -> None:
        login = next(heard.line for heard in talk.heard if heard.verb == "AUTH")
        encoded = login.rpartition(b" ")[2]
        talk.say(b"550 5.7.1 you said " + encoded + b" or " + PASSWORD.encode() + b"\r\n")

    with HostileRelay(Mode.IMPLICIT, good, {point: echo}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.error is not None
    assert "<redacted>" in tried.error.what
