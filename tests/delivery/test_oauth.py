"""A token instead of a password: shown once, to the relay it is meant for, and to nobody else."""

from __future__ import annotations

import base64

import pytest

from certmail.delivery import auth, exchange, login
from certmail.delivery.relay import Relay
from certmail.errors import RelayError, SecretError
from certmail.submission import Login, Mode
from certmail.values import Hostname, Secret, SecretKind
from tests.delivery.attempt import attempt, refuse_leak
from tests.delivery.hostile import USER, HostileRelay
from tests.delivery.mechanisms import TOKEN, WELCOME, bearer

EITHER = pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
RELAY = Relay(Hostname("smtp.example.org"), 465, Mode.IMPLICIT, user=USER)


def token(text: str = TOKEN) -> Secret:
    return Secret(text, SecretKind.TOKEN)


def show(context, react, ca_file, *, mechanisms=b"PLAIN XOAUTH2 OAUTHBEARER", **more):
    more = {"password": TOKEN, "kind": SecretKind.TOKEN} | more
    with HostileRelay(Mode.IMPLICIT, context, {"auth": react}, mechanisms=mechanisms) as relay:
        tried = attempt(relay, ca_file=ca_file, **more)
    assert relay.verbs.count("AUTH") <= 1
    assert relay.faults == []
    return tried, relay


@EITHER
def test_a_token_is_taken(mechanism, good, ca_file):
    tried, relay = show(good, bearer(), ca_file, mechanisms=mechanism.encode())
    assert (tried.code, tried.receipt.mechanism) == (None, mechanism)
    assert len(relay.messages) == 1


def test_the_one_with_a_standard_is_preferred(good, ca_file):
    tried, _ = show(good, bearer(), ca_file)
    assert tried.receipt.mechanism == "OAUTHBEARER"


@EITHER
def test_a_long_token_waits_for_the_relay_to_ask(mechanism, good, ca_file):
    """RFC 4954 §4: a command has 512 octets, a line of the exchange 12288."""
    long = "A" * 8000
    tried, relay = show(
        good, bearer(token=long), ca_file, mechanisms=mechanism.encode(), password=long
    )
    assert tried.code is None
    assert relay.heard[1].line == f"AUTH {mechanism}".encode()
    assert max(len(heard.line) for heard in relay.heard) + 2 <= 12288


def test_a_token_that_fits_into_no_line_is_not_sent():
    with pytest.raises(SecretError) as caught:
        login.begin(
            auth.Mechanism.XOAUTH2,
            relay=RELAY,
            user=USER,
            secret=token("A" * 9300),
            end_point=None,
        )
    assert caught.value.code == "SECRET-TOO-LONG"


def test_the_octets_are_those_of_the_standard():
    """RFC 7628 §3.1; the name's comma and equals sign are spelled out (RFC 5801 §4)."""
    bearer = exchange.oauthbearer(user="a,b=c", secret=token("t0k"), relay=RELAY)
    assert bearer.first == (
        b"n,a=a=2Cb=3Dc,\x01host=smtp.example.org\x01port=465\x01auth=Bearer t0k\x01\x01"
    )
    assert bearer.answer(b"{}") == b"\x01"
    other = exchange.xoauth2(user="a,b=c", secret=token("t0k"))
    assert other.first == b"user=a,b=c\x01auth=Bearer t0k\x01\x01"
    assert other.answer(b"{}") == b""


@EITHER
def test_why_a_token_is_not_taken_is_told_once_and_cleaned(mechanism, good, ca_file):
    """RFC 7628 §3.2.3: the error is acknowledged, then the relay refuses."""
    error = {"status": "invalid_\x1b[2Jtoken", "scope": "https://mail.example.org/ " + TOKEN}
    tried, relay = show(
        good, bearer(token="other", error=error), ca_file, mechanisms=mechanism.encode()
    )
    assert tried.code == "RELAY-AUTH-REFUSED"
    assert "status invalid_?[2Jtoken" in tried.error.what
    assert "mail.example.org" in tried.error.what
    refuse_leak(tried.error.what + tried.error.next, TOKEN)
    assert "run the token command by hand" in tried.error.next
    assert relay.messages == []


@EITHER
@pytest.mark.parametrize(
    "said", [b"", b"not json", b"[]", b"{", b"[" * 9000, b"\xff", b'{"status":5}']
)
def test_an_error_that_says_nothing_is_a_refusal_all_the_same(mechanism, said, good, ca_file):
    tried, _ = show(good, bearer(token="other", error=said), ca_file, mechanisms=mechanism.encode())
    assert tried.code in {"RELAY-AUTH-REFUSED", "RELAY-PROTOCOL"}
    assert (tried.code == "RELAY-PROTOCOL") == (len(said) > 1500)


@EITHER
def test_a_welcome_after_an_error_is_none(mechanism, good, ca_file):
    react = bearer(token="other", end=WELCOME)
    tried, relay = show(good, react, ca_file, mechanisms=mechanism.encode())
    assert (tried.code, relay.messages) == ("RELAY-PROTOCOL", [])


@EITHER
def test_a_second_question_is_not_answered(mechanism, good, ca_file):
    react = bearer(token="other", end=b"334 bW9yZQ==\r\n")
    tried, relay = show(good, react, ca_file, mechanisms=mechanism.encode())
    assert tried.code == "RELAY-PROTOCOL"
    assert "*" in relay.verbs


# A token is no password, and a password no token


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (SecretKind.TOKEN, Login.PLAIN),
        (SecretKind.TOKEN, Login.SCRAM_SHA_256),
        (SecretKind.PASSWORD, Login.OAUTHBEARER),
        (SecretKind.PASSWORD, Login.XOAUTH2),
    ],
)
def test_a_login_that_cannot_take_the_secret_is_refused_before_the_dial(
    kind, wanted, good, ca_file
):
    with HostileRelay(Mode.IMPLICIT, good) as relay:
        tried = attempt(relay, ca_file=ca_file, kind=kind, login=wanted)
    assert (tried.code, tried.reads, relay.connections) == ("SECRET-KIND", 0, 0)


@pytest.mark.parametrize(
    ("kind", "offered", "act"),
    [
        (SecretKind.TOKEN, b"PLAIN LOGIN SCRAM-SHA-256", "use a password"),
        (SecretKind.PASSWORD, b"XOAUTH2", "relay.token_command"),
        (SecretKind.TOKEN, b"NTLM", "ask the provider"),
    ],
)
def test_a_relay_for_the_other_kind_gets_nothing(kind, offered, act, good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, mechanisms=offered) as relay:
        tried = attempt(relay, ca_file=ca_file, kind=kind)
    assert (tried.code, tried.reads) == ("RELAY-AUTH-MECHANISM", 0)
    assert act in tried.error.next


@pytest.mark.parametrize("mechanism", auth.Mechanism)
def test_the_other_kind_is_refused_at_the_last_moment_too(mechanism):
    other = next(kind for kind in SecretKind if kind is not mechanism.kind)
    with pytest.raises(SecretError) as caught:
        login.begin(
            mechanism, relay=RELAY, user=USER, secret=Secret("abcdef", other), end_point=b"x"
        )
    assert caught.value.code == "SECRET-KIND"


@pytest.mark.parametrize(
    "text", ["", "two words", "a\x01auth=Bearer b", "line\n", "pässword", "=", "a=b"]
)
def test_what_cannot_be_a_token_is_not_tried(text):
    """RFC 6750 §2.1: a stray control character would begin another field."""
    for made in (exchange.oauthbearer, exchange.xoauth2):
        more = {"relay": RELAY} if made is exchange.oauthbearer else {}
        with pytest.raises(SecretError) as caught:
            made(user=USER, secret=token(text), **more)
        assert caught.value.code in {"SECRET-EMPTY", "SECRET-MALFORMED"}


# What is redacted


@pytest.mark.parametrize("mechanism", auth.Mechanism)
def test_a_relay_that_quotes_the_login_is_not_repeated(mechanism):
    secret = Secret("canary-7f3a-longer-than-a-word", mechanism.kind)
    made = login.begin(mechanism, relay=RELAY, user=USER, secret=secret, end_point=b"x" * 32)
    redact = login.redactor(made, user=USER, secret=secret)
    sent = base64.b64encode(made.first or secret.reveal().encode()).decode()
    if mechanism.is_scram:
        sent = secret.reveal()  # nothing of it is sent
    for quoted in (sent, sent[:40], sent[7:60], sent.rstrip("="), secret.reveal(), f"<{sent}>"):
        assert quoted.strip("<>") not in redact(f"535 5.7.8 {quoted} is wrong")
    assert (
        redact("535 5.7.8 wrong, says smtp.example.org") == "535 5.7.8 wrong, says smtp.example.org"
    )


def test_a_mechanism_that_is_not_ours_is_never_chosen():
    with pytest.raises(RelayError):
        auth.choose(["XOAUTH", "BEARER", "OAUTH"], relay=RELAY, kind=SecretKind.TOKEN)
