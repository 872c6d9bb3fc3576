"""Whatever the relay answers: a refusal stays one, and success is a clean 250 after the dot."""

from __future__ import annotations

import time

import pytest

from certmail.delivery.outcome import Stage
from certmail.delivery.relay import Timeouts
from certmail.errors import DeliveryUnknown, Left, RelayError
from certmail.submission import Mode
from tests.delivery.attempt import attempt
from tests.delivery.cases import MALFORMED
from tests.delivery.hostile import Deed, HostileRelay, Talk
from tests.delivery.message import sealed

BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.name)

# Points inside TLS, in both modes, up to the final dot.
STAGES = {
    "greeting": Stage.GREETING,
    "ehlo-inside": Stage.EHLO_INSIDE,
    "auth": Stage.AUTH,
    "mail": Stage.MAIL,
    "rcpt": Stage.RCPT,
    "data": Stage.DATA,
    "dot": Stage.VERDICT,
}
BEFORE_THE_DOT = [point for point in STAGES if point != "dot"]


def expected(point: str, reply: bytes) -> str:
    """Name the code for a refusal: it follows from the reply, and AUTH and size have their own."""
    number = int(reply[:3])
    if number == 421:
        return "RELAY-TEMPORARY"
    if point == "auth":
        return "RELAY-AUTH-TEMPORARY" if number < 500 else "RELAY-AUTH-REFUSED"
    if point == "mail" and number == 552:
        return "RELAY-TOO-LARGE"
    return "RELAY-TEMPORARY" if number < 500 else "RELAY-REFUSED"


@pytest.mark.parametrize(
    "reply",
    [
        b"421 4.3.2 going down",
        b"450 4.2.0 greylisted",
        b"451 4.3.0 local trouble",
        b"452 4.3.1 disk full",
        b"550 5.7.1 denied",
        b"552 5.2.2 quota",
        b"554 5.7.1 no",
    ],
    ids=lambda reply: reply[:3].decode(),
)
@pytest.mark.parametrize("point", STAGES)
def test_a_refusal_is_told_by_its_stage_and_its_digit(point, reply, good, ca_file):
    """RFC 5321 §4.2.1: 4yz may succeed later, 5yz will not; RFC 5321 §3.8: 421 ends any step."""
    with HostileRelay(Mode.IMPLICIT, good, {point: reply + b"\r\n"}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == expected(point, reply)
    assert type(tried.error) is RelayError
    assert reply.decode() in tried.error.what
    assert relay.connections == 1


@BOTH
@pytest.mark.parametrize("deed", [Deed.DROP, Deed.RESET], ids=lambda deed: deed.name)
@pytest.mark.parametrize("point", BEFORE_THE_DOT)
def test_a_connection_lost_before_the_dot_accepted_nothing(mode, point, deed, good, ca_file):
    with HostileRelay(mode, good, {point: deed}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == "RELAY-DISCONNECTED"
    # A reset greeting may be noticed while the dial is still going on.
    assert point == "greeting" or STAGES[point].value in tried.error.what
    assert relay.messages == []


@BOTH
@pytest.mark.parametrize("deed", list(Deed), ids=lambda deed: deed.name)
def test_whatever_happens_after_the_dot_without_a_reply_is_unknown(mode, deed, good, ca_file):
    """RFC 5321 §4.1.1.4: the dot ends the text; RFC 1047: a second attempt may be a second mail."""
    with HostileRelay(mode, good, {"dot": deed}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == "DELIVERY-UNKNOWN"
    assert type(tried.error) is DeliveryUnknown
    assert tried.error.left is Left.UNKNOWN
    assert len(relay.messages) == 1


@pytest.mark.parametrize("point", BEFORE_THE_DOT)
def test_silence_comes_to_an_end(point, good, ca_file):
    hasty = Timeouts(command_s=0.3)
    with HostileRelay(Mode.IMPLICIT, good, {point: Deed.SILENCE}) as relay:
        tried = attempt(relay, ca_file=ca_file, timeouts=hasty)
    assert tried.code == "RELAY-TIMEOUT"
    assert STAGES[point].value in tried.error.what


@pytest.mark.parametrize("fault", MALFORMED)
def test_a_malformed_verdict_is_no_verdict(fault, good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, {"dot": MALFORMED[fault]}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == "DELIVERY-UNKNOWN"


@pytest.mark.parametrize(
    "reply", [b"251 ok", b"235 ok", b"220 ok", b"354 more", b"334 "], ids=lambda r: r[:3].decode()
)
def test_a_verdict_other_than_250_is_no_success(reply, good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, {"dot": reply + b"\r\n"}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == "DELIVERY-UNKNOWN"


@pytest.mark.parametrize(
    ("point", "reply"),
    [
        (point, reply)
        for point in ("ehlo-inside", "mail", "rcpt", "data")
        for reply in (b"220 x", b"235 x", b"251 x", b"354 x")
        if (point, reply[:3]) not in {("rcpt", b"251"), ("data", b"354")}
    ],
)
def test_a_success_that_does_not_fit_is_none(point, reply, good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, {point: reply + b"\r\n"}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == "RELAY-PROTOCOL"
    assert relay.messages == []


def test_a_relay_that_forwards_is_told_the_same_recipient(good, ca_file):
    """RFC 5321 §3.4: 251 is a success; who can read the message does not change."""
    with HostileRelay(Mode.IMPLICIT, good, {"rcpt": b"251 2.1.5 will forward\r\n"}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code is None


def test_a_reply_of_many_lines_with_one_code_is_one_reply(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, {"dot": b"250-2.0.0 a\r\n250-\r\n250 b\r\n"}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code is None
    assert tried.receipt.reply == "250 2.0.0 a  b"


def test_a_reply_without_text_is_a_reply(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, {"dot": b"250\r\n"}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code is None


def test_a_reply_that_comes_octet_by_octet_is_a_reply(good, ca_file):
    def slowly(talk: Talk) -> None:
        talk.say(*(bytes([octet]) for octet in b"250-a\r\n250 2.0.0 queued\r\n"), pause_s=0.005)

    with HostileRelay(Mode.IMPLICIT, good, {"dot": slowly}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code is None


# Early and unasked

EARLY = {
    "with-354": {"data": b"354 go ahead\r\n250 2.0.0 early\r\n", "dot": b"554 5.7.1 no\r\n"},
    "after-354": {
        "data": lambda talk: talk.say(b"354 go ahead\r\n", b"250 2.0.0 early\r\n", pause_s=0),
        "dot": b"554 5.7.1 no\r\n",
    },
    "half": {"data": b"354 go ahead\r\n25", "dot": b"0 ok\r\n"},
    "after-rcpt": {"rcpt": b"250 ok\r\n354 go ahead\r\n"},
    "after-auth": {"auth": b"235 welcome\r\n250 ok\r\n"},
    "after-mail": {"mail": lambda talk: talk.say(b"250 ok\r\n", b"250 ok\r\n", pause_s=0)},
}


@BOTH
@pytest.mark.parametrize("early", EARLY)
def test_an_answer_that_comes_before_its_question_is_never_believed(mode, early, good, ca_file):
    """Aiosmtplib would take the early 250 for the verdict and call a refused message accepted."""
    with HostileRelay(mode, good, EARLY[early]) as relay:
        tried = attempt(relay, ca_file=ca_file)
    # What arrives while the dot is being written looks like a verdict until the real one comes.
    late = {"DELIVERY-UNKNOWN"} if early == "after-354" else set()
    assert tried.code in {"RELAY-PROTOCOL", *late}


def test_an_early_success_while_the_text_goes_out_ends_it(good, ca_file):
    def early(talk: Talk) -> None:
        talk.sock.recv(1024)
        talk.say(b"250 2.0.0 thank you, enough\r\n")

    with HostileRelay(Mode.IMPLICIT, good, {"body": early}) as relay:
        tried = attempt(relay, ca_file=ca_file, message=sealed(octets=9_000_000))
    assert tried.code == "RELAY-PROTOCOL"
    assert relay.messages == []


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (b"552 5.3.4 too big\r\n", "RELAY-TOO-LARGE"),
        (b"554 5.7.1 no\r\n", "RELAY-REFUSED"),
        (b"421 4.3.2 going down\r\n", "RELAY-TEMPORARY"),
    ],
)
def test_an_early_refusal_while_the_text_goes_out_is_heard(reply, code, good, ca_file):
    def early(talk: Talk) -> None:
        talk.sock.recv(1024)
        talk.say(reply)
        talk.wait()

    with HostileRelay(Mode.IMPLICIT, good, {"body": early}) as relay:
        tried = attempt(relay, ca_file=ca_file, message=sealed(octets=9_000_000))
    assert tried.code == code
    assert relay.messages == []


def test_a_second_answer_to_the_dot_is_no_verdict(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, {"dot": b"250 ok\r\n554 no\r\n"}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == "DELIVERY-UNKNOWN"


@pytest.mark.parametrize("quit", [b"554 5.7.1 no\r\n", b"451 4.3.0 later\r\n"], ids=str)
def test_a_refusal_where_goodbye_is_awaited_is_a_late_verdict(quit, good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, {"quit": quit}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code == "DELIVERY-UNKNOWN"


@pytest.mark.parametrize("deed", [b"421 bye\r\n", b"250 bye\r\n", b"bye\r\n", *Deed], ids=str)
def test_nothing_else_depends_on_quit(deed, good, ca_file):
    began = time.monotonic()
    with HostileRelay(Mode.IMPLICIT, good, {"quit": deed}) as relay:
        tried = attempt(relay, ca_file=ca_file)
    assert tried.code is None
    assert time.monotonic() - began < 8


def test_a_relay_that_refused_gets_a_goodbye(good, ca_file):
    """RFC 5321 §4.1.1.10: QUIT even if there was an error."""
    with HostileRelay(Mode.IMPLICIT, good, {"rcpt": b"550 5.1.1 who?\r\n"}) as relay:
        attempt(relay, ca_file=ca_file)
    assert relay.verbs[-2:] == ["RCPT", "QUIT"]
