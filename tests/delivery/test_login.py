"""One login, tried once, and never a word of it anywhere else."""

from __future__ import annotations

import logging

import pytest

from certmail.delivery import auth, exchange
from certmail.delivery.relay import Relay
from certmail.errors import RelayError, SecretError
from certmail.submission import Mode
from certmail.values import Hostname, Secret, SecretKind
from tests.delivery.attempt import attempt, refuse_leak
from tests.delivery.hostile import USER, HostileRelay, Talk

BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.name)


@BOTH
def test_a_refused_login_is_not_tried_again(mode, good, ca_file):
    """Aiosmtplib would go on with the next mechanism; three failures lock an account."""
    with HostileRelay(mode, good, password="another") as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == "RELAY-AUTH-REFUSED"
    assert relay.verbs.count("AUTH") == 1
    assert tried.reads == 1
    assert relay.messages == []


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (b"535 5.7.8 wrong", "RELAY-AUTH-REFUSED"),
        (b"534 5.7.9 app password", "RELAY-AUTH-REFUSED"),
        (b"538 5.7.11 encrypt", "RELAY-AUTH-REFUSED"),
        (b"530 5.7.0 log in", "RELAY-AUTH-REFUSED"),
        (b"501 5.5.2 cannot decode", "RELAY-AUTH-REFUSED"),
        (b"454 4.7.0 try later", "RELAY-AUTH-TEMPORARY"),
        (b"432 4.7.12 transition", "RELAY-AUTH-TEMPORARY"),
        (b"421 4.7.0 too many", "RELAY-TEMPORARY"),
        (b"504 5.5.4 mechanism", "RELAY-AUTH-MECHANISM"),
        (b"250 ok", "RELAY-PROTOCOL"),
        (b"334 ", "RELAY-PROTOCOL"),
        (b"334 bW9yZQ==", "RELAY-PROTOCOL"),
        (b"334 not base64!", "RELAY-PROTOCOL"),
    ],
    ids=lambda value: value.decode()[:8] if isinstance(value, bytes) else "",
)
def test_the_answer_to_a_login_has_its_own_code(reply, code, good, ca_file):
    """RFC 4954 §6."""
    with HostileRelay(Mode.IMPLICIT, good, {"auth": reply + b"\r\n"}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == code
    assert relay.verbs.count("AUTH") == 1
    assert "MAIL" not in relay.verbs


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            b"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled",
            "switch on authenticated SMTP",
        ),
        (
            b"535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            "relay.token_command",
        ),
        (
            b"535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.",
            "certmail secret set",
        ),
        (b"535 5.7.139 something newer", "the mailbox's administrator"),
        (b"534 5.7.9 Application-specific password required", "app password"),
        (b"535 5.7.8 Username and Password not accepted", "certmail secret set"),
        (b"535 5.7.13 User Account Disabled", "the account is disabled"),
    ],
)
def test_what_a_provider_means_is_translated(reply, words, good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, {"auth": reply + b"\r\n"}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert words in tried.error.next


LOGIN_FAULTS = {
    "success-before-anything": (lambda talk: talk.say(b"235 welcome\r\n"), "RELAY-PROTOCOL"),
    "no-base64": (lambda talk: talk.say(b"334 Username:\r\n"), "RELAY-PROTOCOL"),
    "latin-1": (lambda talk: talk.say(b"334 \xe4\r\n"), "RELAY-PROTOCOL"),
    "many-lines": (lambda talk: talk.say(b"334-VXNlcg==\r\n334 VXNlcg==\r\n"), "RELAY-PROTOCOL"),
    "endless": (lambda talk: talk.say(b"334 " + b"A" * 40000 + b"\r\n"), "RELAY-PROTOCOL"),
    "refused-at-once": (lambda talk: talk.say(b"535 5.7.8 no\r\n"), "RELAY-AUTH-REFUSED"),
}


@pytest.mark.parametrize("fault", LOGIN_FAULTS)
def test_a_strange_challenge_is_not_answered_with_the_password(fault, good, ca_file):
    react, code = LOGIN_FAULTS[fault]
    with HostileRelay(Mode.IMPLICIT, good, {"auth": react}, mechanisms=b"LOGIN") as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == code
    refuse_leak(repr(relay.heard))
    assert {"AUTH"} < set(relay.verbs) <= {"EHLO", "AUTH", "*", "QUIT"}


def test_a_success_after_the_user_alone_is_none(good, ca_file):
    def early(talk: Talk) -> None:
        talk.say(b"334 VXNlcm5hbWU6\r\n")
        talk.hear()
        talk.say(b"235 welcome\r\n")

    with HostileRelay(Mode.IMPLICIT, good, {"auth": early}, mechanisms=b"LOGIN") as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == "RELAY-PROTOCOL"
    refuse_leak(repr(relay.heard))


def test_a_login_that_never_ends_is_cancelled(good, ca_file):
    """RFC 4954 §4: "*" cancels."""

    def loop(talk: Talk) -> None:
        for _ in range(3):
            talk.say(b"334 bW9yZQ==\r\n")
            if talk.hear() == b"*":
                talk.say(b"501 5.5.2 cancelled\r\n")
                return

    with HostileRelay(Mode.IMPLICIT, good, {"auth": loop}, mechanisms=b"LOGIN") as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == "RELAY-PROTOCOL"
    assert relay.verbs[-2:] == ["*", "QUIT"]


@BOTH
@pytest.mark.parametrize(
    ("mechanisms", "code"),
    [
        (b"CRAM-MD5 DIGEST-MD5 NTLM", "RELAY-AUTH-MECHANISM"),
        (b"XOAUTH2", "RELAY-AUTH-MECHANISM"),
        (b"PLAINTEXT", "RELAY-AUTH-MECHANISM"),
        (b"", "RELAY-AUTH-NOT-OFFERED"),
    ],
)
def test_without_a_mechanism_of_ours_no_password_is_read(mode, mechanisms, code, good, ca_file):
    with HostileRelay(mode, good, mechanisms=mechanisms) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert (tried.code, tried.reads) == (code, 0)
    assert "AUTH" not in relay.verbs


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", "SECRET-EMPTY"),
        ("line\n", "SECRET-MALFORMED"),
        ("nul\0", "SECRET-MALFORMED"),
        ("lone \udc80 surrogate", "SECRET-MALFORMED"),
    ],
)
def test_a_password_that_cannot_be_one_is_not_sent(password, code):
    with pytest.raises(SecretError) as caught:
        exchange.plain(user=USER, secret=Secret(password))
    assert caught.value.code == code
    assert not password or password not in repr(vars(caught.value))


def test_an_empty_password_ends_a_session_without_a_login(good, ca_file):
    """Aiosmtplib logs in with an empty password where there is none."""
    with HostileRelay(Mode.IMPLICIT, good) as relay:
        tried = attempt(relay, ca_file=ca_file, password="")
    assert tried.code == "SECRET-EMPTY"
    assert relay.verbs == ["EHLO", "QUIT"]


def test_plain_is_preferred_whatever_the_order_and_the_case():
    relay = _relay()
    of_password = {"relay": relay, "kind": SecretKind.PASSWORD}
    assert auth.choose(["login", "plain"], **of_password) is auth.Mechanism.PLAIN
    assert auth.choose(["Login"], **of_password) is auth.Mechanism.LOGIN


def test_the_lines_are_those_of_the_standards():
    """RFC 4616 §2: authzid, NUL, authcid, NUL, password."""
    secret = Secret("pässword")
    plain = exchange.plain(user="tim", secret=secret)
    assert plain.first == "\0tim\0pässword".encode()
    login = exchange.login(user="tim", secret=secret)
    assert login.first is None
    assert (login.answer(b"?"), login.answer(b"?")) == (b"tim", "pässword".encode())


@BOTH
def test_no_log_at_any_level_holds_the_password(mode, good, ca_file, caplog):
    caplog.set_level(logging.DEBUG)
    with HostileRelay(mode, good) as relay:
        assert attempt(relay, ca_file=ca_file).code is None
    refuse_leak(caplog.text)


def test_a_mechanism_list_is_quoted_safely():
    with pytest.raises(RelayError) as caught:
        auth.choose(["\x1b[2J", "x" * 500], relay=_relay(), kind=SecretKind.PASSWORD)
    assert caught.value.what.isprintable()


def _relay() -> Relay:
    return Relay(Hostname("relay.test"), 465, Mode.IMPLICIT, user=USER)
