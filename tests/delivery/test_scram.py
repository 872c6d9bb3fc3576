"""A login that keeps the password here, and a relay that has to prove that it knows it."""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
import time
from typing import TYPE_CHECKING

import pytest

from certmail.delivery import auth
from certmail.delivery.relay import Relay
from certmail.delivery.scram import Scram
from certmail.errors import SecretError
from certmail.submission import Login, Mode
from certmail.values import Hostname, Secret
from tests.delivery.attempt import attempt, refuse_leak
from tests.delivery.hostile import PASSWORD, HostileRelay, Talk
from tests.delivery.mechanisms import NO, WELCOME, ask, first_response, scram

if TYPE_CHECKING:
    import trustme

BOTH = b"PLAIN LOGIN SCRAM-SHA-256"


def log_in(context, react, ca_file, *, mechanisms=BOTH, **more):
    with HostileRelay(Mode.IMPLICIT, context, {"auth": react}, mechanisms=mechanisms) as relay:
        tried = attempt(relay, ca_file=ca_file, **more)
    refuse_leak(repr(relay.heard))
    assert PASSWORD.encode() not in base64.b64decode(relay.heard[1].line.split(b" ")[-1] + b"==")
    assert relay.verbs.count("AUTH") == 1
    return tried, relay


def test_the_password_never_reaches_the_relay(good, ca_file):
    """SCRAM is taken before PLAIN, whatever the order in which they are listed."""
    tried, relay = log_in(good, scram(), ca_file)
    assert (tried.code, tried.receipt.mechanism) == (None, "SCRAM-SHA-256")
    assert len(relay.messages) == 1


def test_a_wrong_password_is_refused_once(good, ca_file):
    tried, relay = log_in(good, scram(password="another"), ca_file)
    assert (tried.code, tried.reads) == ("RELAY-AUTH-REFUSED", 1)
    assert "by SCRAM-SHA-256" in tried.error.what
    assert "relay.auth" in tried.error.next
    assert relay.messages == []


def test_the_example_of_rfc_7677_comes_out_octet_by_octet():
    """RFC 7677 §3."""
    exchange = Scram(
        auth.Mechanism.SCRAM_SHA_256,
        relay=Relay(Hostname("relay.test"), 465, Mode.IMPLICIT, user="user"),
        user="user",
        secret=Secret("pencil"),
        end_point=None,
        nonce="rOprNGfwEbeRWgbNEkqO",
    )
    assert exchange.first == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    proof = exchange.answer(f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode())
    assert proof == f"c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".encode()
    assert exchange.answer(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") == b""
    exchange.accept()


def replaced(pattern: str, by: str):
    return lambda text: re.sub(pattern, by, text)


def lie(talk: Talk, challenge: bytes) -> None:
    first_response(talk)
    if ask(talk, challenge) == b"*":
        talk.say(b"501 5.5.2 cancelled\r\n")


def early(talk: Talk) -> None:
    """Take the client's proof, and prove nothing in return."""
    first_response(talk)
    nonce = base64.b64decode(talk.heard[-1].line.split(b" ")[2]).decode().rpartition("r=")[2]
    ask(talk, f"r={nonce}more,s={base64.b64encode(bytes(16)).decode()},i=4096")
    talk.say(WELCOME)


LIES = {
    "another nonce": (scram(first=replaced(r"r=[^,]+", "r=AAAAAAAAAAAAAAAAAAAAAAAA")), "PROTOCOL"),
    "our nonce alone": (
        scram(first=lambda text: re.sub(r"r=([0-9a-f]{64})[^,]*", r"r=\1", text)),
        "PROTOCOL",
    ),
    "no salt": (scram(first=replaced(r"s=[^,]+,", "")), "PROTOCOL"),
    "a salt that is none": (scram(first=replaced(r"s=[^,]+", "s=!")), "PROTOCOL"),
    "no count": (scram(first=replaced(r",i=\d+", "")), "PROTOCOL"),
    "a count that is none": (scram(first=replaced(r"i=\d+", "i=many")), "PROTOCOL"),
    "one round": (scram(first=replaced(r"i=\d+", "i=1")), "ITERATIONS"),
    "no round": (scram(first=replaced(r"i=\d+", "i=0")), "ITERATIONS"),
    "a mandatory extension": (scram(first=lambda text: "m=x," + text), "PROTOCOL"),
    "hashing for ever": (scram(first=replaced(r"i=\d+", "i=4000000000")), "ITERATIONS"),
    "a count of many digits": (scram(first=replaced(r"i=\d+", "i=" + "9" * 400)), "PROTOCOL"),
    "no text": (lambda talk: lie(talk, b"\xff\xfe"), "PROTOCOL"),
    "nothing": (lambda talk: lie(talk, b""), "PROTOCOL"),
    "another's proof": (
        scram(final=lambda _: "v=" + base64.b64encode(bytes(32)).decode()),
        "SIGNATURE",
    ),
    "a short proof": (scram(final=lambda text: text[:20]), "SIGNATURE"),
    "no proof": (scram(final=lambda _: "v="), "SIGNATURE"),
    "anything but a proof": (scram(final=lambda _: "welcome"), "SIGNATURE"),
    "more after the proof": (scram(final=lambda text: text + ",x=y"), None),
    "welcome before our proof": (lambda talk: talk.say(WELCOME), "PROTOCOL"),
    "welcome instead of a proof": (early, "SIGNATURE"),
    "an error, and welcome": (scram(final=lambda _: "e=other-error"), "SIGNATURE"),
    "an error": (scram(final=lambda _: "e=invalid-proof", end=NO), "REFUSED"),
    "one more question": (scram(end=b"334 bW9yZQ==\r\n"), "PROTOCOL"),
}


CODES = {
    "PROTOCOL": "RELAY-PROTOCOL",
    "ITERATIONS": "RELAY-SCRAM-ITERATIONS",
    "SIGNATURE": "RELAY-SCRAM-SIGNATURE",
    "REFUSED": "RELAY-AUTH-REFUSED",
    None: None,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_relay_that_lies_gets_neither_password_nor_message(lie, good, ca_file):
    react, code = LIES[lie]
    began = time.monotonic()
    tried, relay = log_in(good, react, ca_file)
    assert time.monotonic() - began < 6
    assert tried.code == CODES[code], tried.error
    assert len(relay.messages) == (code is None)


def test_what_a_relay_says_against_our_proof_is_told(good, ca_file):
    tried, _ = log_in(good, scram(final=lambda _: "e=unknown-user", end=NO), ca_file)
    assert "(unknown-user)" in tried.error.what


def test_a_sane_effort_is_made(good, ca_file):
    tried, _ = log_in(good, scram(iterations=120_000), ca_file)
    assert tried.code is None


@pytest.mark.parametrize("offered", [b"PLAIN LOGIN", b"SCRAM-SHA-1 PLAIN", b"SCRAM-SHA-256-PLUS"])
def test_what_the_settings_demand_is_not_replaced(offered, good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, mechanisms=offered) as relay:
        tried = attempt(relay, ca_file=ca_file, login=Login.SCRAM_SHA_256)
    assert (tried.code, tried.reads) == ("RELAY-AUTH-MECHANISM", 0)
    assert "AUTH" not in relay.verbs


def test_the_weaker_login_is_taken_where_it_is_named(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, mechanisms=BOTH) as relay:
        tried = attempt(relay, ca_file=ca_file, login=Login.LOGIN)
    assert tried.receipt.mechanism == "LOGIN"


@pytest.mark.parametrize("password", ["", "line\n", "nul\0", "private \ue000 use"])
def test_a_password_that_scram_cannot_carry_is_not_tried(password):
    with pytest.raises(SecretError) as caught:
        Scram(
            auth.Mechanism.SCRAM_SHA_256,
            relay=Relay(Hostname("relay.test"), 465, Mode.IMPLICIT, user="ops"),
            user="ops",
            secret=Secret(password),
            end_point=None,
        )
    assert caught.value.code in {"SECRET-EMPTY", "SECRET-MALFORMED"}
    assert not password or password not in repr(vars(caught.value))


# Bound to the certificate (RFC 5929 §4.1)


def octets_of(leaf: trustme.LeafCert) -> bytes:
    return ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())


PLUS = {
    "mechanisms": b"PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS",
    "login": Login.SCRAM_SHA_256_PLUS,
}


def test_a_login_is_bound_to_the_certificate_that_was_shown(good, good_leaf, ca_file):
    binding = hashlib.sha256(octets_of(good_leaf)).digest()
    tried, _ = log_in(good, scram(binding=binding, mechanism="SCRAM-SHA-256-PLUS"), ca_file, **PLUS)
    assert (tried.code, tried.receipt.mechanism) == (None, "SCRAM-SHA-256-PLUS")


def test_somebody_with_another_certificate_cannot_pass_a_bound_login_on(good, ca_file):
    binding = hashlib.sha256(b"the relay's own certificate").digest()
    tried, _ = log_in(good, scram(binding=binding, mechanism="SCRAM-SHA-256-PLUS"), ca_file, **PLUS)
    assert tried.code == "RELAY-AUTH-REFUSED"


def test_a_bound_login_is_made_only_where_it_is_named(good, ca_file):
    """No relay says which binding it means, and a wrong guess is a refused login."""
    tried, relay = log_in(good, scram(), ca_file, mechanisms=PLUS["mechanisms"])
    assert tried.receipt.mechanism == "SCRAM-SHA-256"
    assert base64.b64decode(relay.heard[1].line.split(b" ")[2]).startswith(b"n,,")
