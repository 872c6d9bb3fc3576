"""Every login that certmail speaks, at a relay that nobody here wrote."""

from __future__ import annotations

import pytest

from certmail.submission import Login, Mode
from certmail.values import SecretKind
from tests.delivery import dovecot
from tests.delivery.attempt import attempt, refuse_leak
from tests.delivery.hostile import PASSWORD
from tests.delivery.message import sealed
from tests.delivery.test_postfix import PATIENT, without_trace

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("dovecot")]

BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.name)
EVERY = "plain login scram-sha-1 scram-sha-256 oauthbearer xoauth2"
A_TOKEN = {"kind": SecretKind.TOKEN}


@pytest.fixture(scope="module")
def relay(good_leaf):
    with dovecot.running(
        good_leaf.private_key_and_cert_chain_pem.bytes(), mechanisms=EVERY
    ) as running:
        yield running


@pytest.fixture
def send(relay, ca_file):
    ports, sink, log = relay

    def send(*, mode=Mode.IMPLICIT, **more):
        sink.forget()
        return attempt(ports[mode], mode=mode, ca_file=ca_file, timeouts=PATIENT, **more)

    yield send
    refuse_leak(log.read_text(errors="replace"))


@BOTH
@pytest.mark.parametrize(
    ("wanted", "mechanism"),
    [
        (Login.AUTO, "SCRAM-SHA-256"),
        (Login.SCRAM_SHA_256, "SCRAM-SHA-256"),
        (Login.PLAIN, "PLAIN"),
        (Login.LOGIN, "LOGIN"),
    ],
    ids=lambda value: getattr(value, "value", value),
)
def test_a_password_logs_in(mode, wanted, mechanism, send, relay):
    message = sealed()
    tried = send(mode=mode, login=wanted, message=message)
    assert tried.code is None, tried.error
    assert tried.receipt.mechanism == mechanism
    [delivered] = relay[1].delivered()
    assert without_trace(delivered.replace(b"\r\n", b"\n")) == message.wire()


@BOTH
@pytest.mark.parametrize(
    ("wanted", "mechanism"),
    [
        (Login.AUTO, "OAUTHBEARER"),
        (Login.OAUTHBEARER, "OAUTHBEARER"),
        (Login.XOAUTH2, "XOAUTH2"),
    ],
    ids=lambda value: getattr(value, "value", value),
)
def test_a_token_logs_in(mode, wanted, mechanism, send):
    tried = send(mode=mode, login=wanted, password=dovecot.token(), **A_TOKEN)
    assert tried.code is None, tried.error
    assert tried.receipt.mechanism == mechanism


@pytest.mark.parametrize("wanted", [Login.OAUTHBEARER, Login.XOAUTH2])
def test_a_token_of_several_kilobytes_logs_in(wanted, send):
    long = dovecot.token(padding=3000)
    assert len(long) > 4000
    tried = send(login=wanted, password=long, **A_TOKEN)
    assert tried.code is None, tried.error


@pytest.mark.parametrize("wanted", [Login.SCRAM_SHA_256, Login.PLAIN, Login.LOGIN])
def test_a_wrong_password_is_refused_once(wanted, send):
    tried = send(login=wanted, password="wrong-canary-1")
    assert (tried.code, tried.reads) == ("RELAY-AUTH-REFUSED", 1)
    assert "535" in tried.error.what


@pytest.mark.parametrize("wanted", [Login.OAUTHBEARER, Login.XOAUTH2])
@pytest.mark.parametrize(
    "made",
    [
        dovecot.token(lasts_s=-60),
        dovecot.token(user="somebody@example.org"),
        dovecot.token()[:-3] + "AAA",
        dovecot.token(scope="calendar"),
    ],
    ids=["too old", "another's", "forged", "for something else"],
)
def test_a_token_that_is_not_right_is_refused_once(wanted, made, send):
    tried = send(login=wanted, password=made, **A_TOKEN)
    assert (tried.code, tried.reads) == ("RELAY-AUTH-REFUSED", 1)
    assert "run the token command by hand" in tried.error.next
    refuse_leak(tried.error.what, made)


def test_what_it_does_not_offer_is_not_tried(send):
    tried = send(login=Login.SCRAM_SHA_256_PLUS)
    assert (tried.code, tried.reads) == ("RELAY-AUTH-MECHANISM", 0)
    assert PASSWORD not in tried.error.what
