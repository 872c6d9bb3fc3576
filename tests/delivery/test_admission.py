"""What may go through the door, and that it goes through unchanged."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from certmail.delivery.relay import Relay
from certmail.delivery.smtp import deliver
from certmail.delivery.text import is_canonical, stuffed
from certmail.errors import SealError, SecretError
from certmail.message.letter import OuterHeaders
from certmail.message.seal import SealedMessage
from certmail.submission import Mode
from certmail.values import Address, Hostname
from tests.delivery.attempt import AT, CountedPassword, attempt
from tests.delivery.hostile import HostileRelay
from tests.delivery.message import sealed


class LookAlike(SealedMessage):
    """What a forger would write: the proof of the parent, the bytes of somebody else."""

    __slots__ = ()

    def prove(self):
        return None

    def wire(self) -> bytes:
        return b"Subject: the private key\r\n\r\n-----BEGIN PRIVATE KEY-----\r\n"


def forge(message: SealedMessage, **changes) -> SealedMessage:
    """Change a frozen value behind its back."""
    for name, value in changes.items():
        object.__setattr__(message, name, value)
    return message


def look_alike() -> SealedMessage:
    real = sealed()
    return LookAlike(**{f.name: getattr(real, f.name) for f in dataclasses.fields(real)})


class TwoFaced(OuterHeaders):
    """Equal to whatever it is held against, and one header more when it is written."""

    __slots__ = ()
    __hash__ = None

    def __eq__(self, other):
        return True

    def fields(self):
        return (*super().fields(), ("X-Key", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"))


def two_faced() -> TwoFaced:
    real = sealed().outer
    return TwoFaced(**{f.name: getattr(real, f.name) for f in dataclasses.fields(real)})


FORGED = {
    "bytes": (lambda: b"From: a@example.org\r\n\r\nkey\r\n", "SEAL-FORGED"),
    "text": (lambda: "hello", "SEAL-FORGED"),
    "nothing": (lambda: None, "SEAL-FORGED"),
    "subclass": (look_alike, "SEAL-FORGED"),
    "never-built": (lambda: object.__new__(SealedMessage), "SEAL-FORGED"),
    "two-faced": (lambda: forge(sealed(), outer=two_faced()), "SEAL-FILE-FOREIGN"),
    "plaintext-inside": (lambda: forge(sealed(), packets=b"-----BEGIN PRIVATE KEY-----"), None),
    "header-injected": (
        lambda: forge(sealed(), boundary="x\r\nBcc: a@example.org"),
        "SEAL-HEADERS",
    ),
    "another-recipient": (
        lambda: forge(
            sealed(),
            outer=dataclasses.replace(sealed().outer, recipient=Address("evil@example.org")),
        ),
        "SEAL-RECIPIENT",
    ),
}


@pytest.mark.parametrize("kind", FORGED)
def test_only_a_sealed_message_that_proves_itself_reaches_the_network(kind, good, ca_file):
    make, code = FORGED[kind]
    source = CountedPassword()
    with HostileRelay(Mode.IMPLICIT, good) as relay, pytest.raises(SealError) as caught:
        deliver(
            make(),
            relay=Relay(Hostname("localhost"), relay.port, Mode.IMPLICIT, "u", ca_file),
            secret=source,
            now=lambda: AT,
        )
    assert code in {None, caught.value.code}
    assert (relay.connections, source.reads) == (0, 0)


def test_a_user_without_a_source_of_passwords_is_refused_before_dialling(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good) as relay, pytest.raises(SecretError) as caught:
        deliver(
            sealed(),
            relay=Relay(Hostname("localhost"), relay.port, Mode.IMPLICIT, "u", ca_file),
            secret=None,
            now=lambda: AT,
        )
    assert caught.value.code == "SECRET-MISSING"
    assert relay.connections == 0


SMUGGLED = [
    b"a\n.\nb\r\n",
    b"a\r\n.\rb\r\n",
    b"a\n.\r\nb\r\n",
    b"a\r.\rb\r\n",
    b"a\r\n.\nMAIL FROM:<x@example.org>\r\n",
    b"a\x00b\r\n",
    b"\xc3\xa4\r\n",
    b"a",
    b"",
    b"a\r\nb",
    b"a\r",
    b"x" * 999 + b"\r\n",
]


@pytest.mark.parametrize("wire", SMUGGLED, ids=repr)
def test_text_that_a_relay_would_read_in_two_ways_is_not_canonical(wire):
    """RFC 5321 §2.3.8: a bare CR or LF is where a second message begins."""
    assert not is_canonical(wire)


def test_a_line_of_the_longest_length_is_canonical():
    """RFC 5321 §4.5.3.1.6."""
    assert is_canonical(b"x" * 998 + b"\r\n")


LINES = st.lists(st.binary(max_size=20).filter(lambda b: not set(b) & {0, 10, 13}), min_size=1)


@given(LINES)
@example([b"."])
@example([b"..", b".", b"", b"."])
def test_doubled_dots_are_undone_to_the_same_text(lines):
    """RFC 5321 §4.5.2: and no line of the text ends it."""
    wire = b"".join(line + b"\r\n" for line in lines)
    sent = stuffed(wire)
    received = [
        line.removeprefix(b".") if line[:1] == b"." else line for line in sent.split(b"\r\n")
    ]
    assert b"\r\n".join(received) == wire
    assert b"." not in sent.split(b"\r\n")


# Size


@pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.name)
def test_a_message_over_the_announced_size_is_not_begun(mode, good, ca_file):
    """RFC 1870 §4: the limit is known before MAIL."""
    acts = {"ehlo-inside": b"250-relay.test\r\n250-SIZE 5000\r\n250 AUTH PLAIN\r\n"}
    with HostileRelay(mode, good, acts) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == "RELAY-TOO-LARGE"
    assert "MAIL" not in relay.verbs
    assert f"{len(sealed().wire())} octets" in tried.error.what


@pytest.mark.parametrize("announced", [b"SIZE", b"SIZE 0", b"SIZE x", b"SIZE 99999999999999999999"])
def test_a_size_that_is_no_limit_is_none(announced, good, ca_file):
    acts = {"ehlo-inside": b"250-relay.test\r\n250-" + announced + b"\r\n250 AUTH PLAIN\r\n"}
    with HostileRelay(Mode.IMPLICIT, good, acts) as relay:
        assert attempt(relay, ca_file=ca_file).code is None


def test_without_size_no_size_is_said(good, ca_file):
    acts = {"ehlo-inside": b"250-relay.test\r\n250 AUTH PLAIN\r\n"}
    with HostileRelay(Mode.IMPLICIT, good, acts) as relay:
        assert attempt(relay, ca_file=ca_file).code is None
    assert relay.messages[0].sender == b"FROM:<ops@example.org>"
