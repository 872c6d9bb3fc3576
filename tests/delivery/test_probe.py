"""A visit without a message: as far as a delivery, with nothing that could be left behind."""

from __future__ import annotations

import ast
import inspect
import time
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from certmail import office
from certmail.delivery import probe
from certmail.delivery.probe import Depth, Probed, probe_now
from certmail.delivery.relay import Relay, Timeouts
from certmail.errors import CertmailError, RelayError, SecretError
from certmail.message.seal import SealedMessage
from certmail.places import state_folder
from certmail.ratchet import Offered, Ratchet
from certmail.submission import Mode
from certmail.values import Address, Hostname
from tests.delivery import postfix
from tests.delivery.attempt import HASTY, CountedPassword, refuse_leak
from tests.delivery.hostile import USER, Deed, HostileRelay
from tests.delivery.test_postfix import PATIENT

if TYPE_CHECKING:
    from certmail.delivery.outcome import Stage

BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.name)
DEEPER = {
    Depth.TLS: ["EHLO", "QUIT"],
    Depth.LOGIN: ["EHLO", "AUTH", "QUIT"],
    Depth.ENVELOPE: ["EHLO", "AUTH", "MAIL", "RCPT", "RSET", "QUIT"],
}
SENDER = Address("ops@example.org")


@dataclass
class Visit:
    """What came of one visit, and all that was said on the way."""

    found: Probed | None
    error: CertmailError | None
    reads: int
    told: list[Probed] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)

    @property
    def code(self) -> str | None:
        return self.error.code if self.error else None


def visit(relay, ca_file, depth=Depth.ENVELOPE, *, user=USER, mode=None, **more) -> Visit:
    port = relay if isinstance(relay, int) else relay.port
    source, seen = CountedPassword(), Visit(None, None, 0)
    more = {"timeouts": HASTY, "sender": SENDER, "secret": source, **more}
    try:
        seen.found = probe_now(
            Relay(Hostname("localhost"), port, mode or relay.mode, user=user, ca_file=ca_file),
            depth=depth,
            heard=seen.told.append,
            progress=seen.stages.append,
            **more,
        )
    except CertmailError as error:
        seen.error = error
        refuse_leak("".join(traceback.format_exception(error)) + repr(vars(error)))
    seen.reads = source.reads
    refuse_leak(repr(seen.told))
    return seen


@BOTH
@pytest.mark.parametrize("depth", list(Depth), ids=lambda depth: depth.name)
def test_a_visit_goes_as_deep_as_asked_and_says_good_bye(mode, depth, good, ca_file):
    with HostileRelay(mode, good, offers=b"DSN\n8BITMIME") as relay:
        seen = visit(relay, ca_file, depth)
    assert seen.code is None
    assert [heard.verb for heard in relay.heard if heard.inside] == DEEPER[depth]
    assert seen.reads == (0 if depth is Depth.TLS else 1)
    found = seen.found
    assert (found.depth, found.mechanism, found.size_limit) == (depth, "PLAIN", 50_000_000)
    assert found.extensions == ("8BITMIME", "AUTH", "DSN", "SIZE")
    assert found.mechanisms == ("login", "plain")
    assert found.greeting == "220 relay.test ESMTP"
    assert (found.peer, found.tls.version) == ("127.0.0.1", "TLSv1.3")
    assert found.tls.valid_from < datetime.now(UTC) < found.tls.valid_until
    replies = (found.named, found.taken_back)
    deepest = depth is Depth.ENVELOPE
    assert replies == (("250 2.1.0 ok", "250 2.0.0 forgotten") if deepest else (None, None))


@BOTH
def test_no_depth_ever_asks_to_send(mode, good, ca_file):
    """Neither the text nor the question for it is in the transcript, whatever the relay says."""
    acts = {"rcpt": b"354 go ahead\r\n"}, {"rset": b"354 go ahead\r\n"}, {}
    for act in acts:
        with HostileRelay(mode, good, act) as relay:
            visit(relay, ca_file)
        assert not {"DATA", "BDAT", "BURL"} & set(relay.verbs)
        assert relay.messages == []


def test_there_is_no_way_to_hand_a_message_to_a_visit():
    """Neither in a signature nor by the steps of a session that carry one."""
    for function in (probe.probe, probe_now, office.visit):
        assert "Sealed" not in str(inspect.signature(function))
        assert not any(name in inspect.signature(function).parameters for name in ("wire", "text"))
    tree = ast.parse(inspect.getsource(probe))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & {"name", "send", "commit", "write", "execute_command", "conclude"}
    assert SealedMessage.__name__ not in inspect.getsource(probe)


def test_a_relay_without_logins_is_visited_without_one(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, mechanisms=b"") as relay:
        seen = visit(relay, ca_file, user=None, secret=None)
    assert seen.code is None
    assert seen.found.mechanism is None
    assert "AUTH" not in relay.verbs


@pytest.mark.parametrize("depth", [Depth.TLS, Depth.LOGIN], ids=lambda depth: depth.name)
def test_logins_that_certmail_does_not_speak_are_told_before_the_password(depth, good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, mechanisms=b"GSSAPI") as relay:
        seen = visit(relay, ca_file, depth)
    assert (seen.code, seen.reads) == ("RELAY-AUTH-MECHANISM", 0)
    assert seen.told[-1].mechanisms == ("gssapi",)


def test_a_password_that_is_not_there_is_missed_before_the_dial(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good) as relay:
        seen = visit(relay, ca_file, Depth.LOGIN, secret=None)
    assert isinstance(seen.error, SecretError)
    assert relay.connections == 0


@pytest.mark.parametrize(
    ("point", "reaction", "code", "known"),
    [
        ("handshake", Deed.DROP, "RELAY-TLS-HANDSHAKE", None),
        ("greeting", b"554 5.7.1 no\r\n", "RELAY-REFUSED", None),
        ("ehlo-inside", b"250 relay\r\n250 twice\r\n", "RELAY-PROTOCOL", None),
        ("auth", b"535 5.7.8 no\r\n", "RELAY-AUTH-REFUSED", Depth.TLS),
        ("mail", b"550 5.7.60 not yours\r\n", "RELAY-REFUSED", Depth.LOGIN),
        ("rcpt", b"550 5.1.1 who?\r\n", "RELAY-REFUSED", Depth.LOGIN),
        ("rcpt", b"451 4.7.1 later\r\n", "RELAY-TEMPORARY", Depth.LOGIN),
        ("rset", Deed.DROP, "RELAY-DISCONNECTED", Depth.LOGIN),
    ],
)
def test_what_goes_wrong_is_what_a_delivery_would_meet(point, reaction, code, known, good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, {point: reaction}) as relay:
        seen = visit(relay, ca_file)
    assert seen.code == code
    assert (seen.told[-1].depth if seen.told else None) is known
    assert relay.verbs.count("AUTH") <= 1


def test_a_relay_that_does_not_know_rset_is_no_worse_for_it(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good, {"rset": b"502 5.5.1 what?\r\n"}) as relay:
        seen = visit(relay, ca_file)
    assert (seen.code, seen.found.taken_back) == (None, "502 5.5.1 what?")
    assert relay.verbs[-1] == "QUIT"


@pytest.mark.parametrize(
    "point", ["accept", "greeting", "ehlo-inside", "auth", "mail", "rcpt", "rset"]
)
def test_a_relay_that_stalls_is_left_in_time(point, good, ca_file):
    hasty = Timeouts(connect_s=0.4, command_s=0.4, total_s=5)
    with HostileRelay(Mode.IMPLICIT, good, {point: Deed.SILENCE}) as relay:
        seen = visit(relay, ca_file, timeouts=hasty)
    assert seen.code == "RELAY-TIMEOUT"


def test_each_stage_has_its_seconds(good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good) as relay:
        seen = visit(relay, ca_file)
    assert [stage for stage, _ in seen.found.seconds] == seen.stages
    assert all(0 <= seconds < 5 for _, seconds in seen.found.seconds)
    assert all(len(a.seconds) <= len(b.seconds) for a, b in pairwise(seen.told))


# What worked before


@pytest.fixture
def memory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return Ratchet(state_folder() / "relays")


@pytest.mark.parametrize("depth", list(Depth), ids=lambda depth: depth.name)
def test_a_weaker_login_is_refused_before_the_password(depth, good, ca_file, memory):
    strong = Offered("smtps", tls_version="TLSv1.3", mechanism="SCRAM-SHA-256-PLUS")
    memory.remember("localhost", strong, at=datetime.now(UTC))
    source = CountedPassword()
    with HostileRelay(Mode.IMPLICIT, good, mechanisms=b"PLAIN") as relay:
        to = Relay(Hostname("localhost"), relay.port, relay.mode, user=USER, ca_file=ca_file)
        with pytest.raises(RelayError) as refused:
            office.visit(to, depth=depth, secret=source, sender=SENDER, timeouts=HASTY)
    assert (refused.value.code, source.reads) == ("RATCHET-WEAKER", 0)
    assert "AUTH" not in relay.verbs


def test_a_weaker_mode_is_refused_before_the_dial(good, ca_file, memory):
    memory.remember("localhost", Offered("smtps"), at=datetime.now(UTC))
    with HostileRelay(Mode.STARTTLS, good) as relay:
        to = Relay(Hostname("localhost"), relay.port, relay.mode, user=USER, ca_file=ca_file)
        with pytest.raises(RelayError, match="RATCHET-WEAKER"):
            office.visit(to, depth=Depth.TLS, timeouts=HASTY)
    assert relay.connections == 0


def test_a_visit_teaches_the_memory_nothing(good, ca_file, memory):
    """Only what carried a message has worked."""
    with HostileRelay(Mode.IMPLICIT, good) as relay:
        to = Relay(Hostname("localhost"), relay.port, relay.mode, user=USER, ca_file=ca_file)
        office.visit(
            to, depth=Depth.ENVELOPE, secret=CountedPassword(), sender=SENDER, timeouts=HASTY
        )
    assert memory.relays() == {}


# A relay that nobody here wrote


@pytest.fixture(scope="module")
def real(authority):
    with postfix.running(authority) as running:
        yield running


@BOTH
@pytest.mark.peer
@pytest.mark.xdist_group("postfix")
def test_postfix_is_visited_and_keeps_nothing(mode, real, ca_file):
    seen = visit(real.ports[mode], ca_file, mode=mode, timeouts=PATIENT)
    assert seen.code is None
    assert (seen.found.named, seen.found.taken_back) == ("250 2.1.5 Ok", "250 2.0.0 Ok")
    assert seen.found.size_limit == 200_000
    assert "PIPELINING" in seen.found.extensions
    # Postfix throws away what it had begun, and writes its line, when the client has left.
    end = time.monotonic() + 10
    while " rset=1 " not in real.log or any((real.root / "queue" / "incoming").iterdir()):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert real.delivered(patience_s=0) == []
    assert " data=" not in real.log


@pytest.mark.peer
@pytest.mark.xdist_group("postfix")
def test_postfix_says_of_a_sender_that_it_may_not_be(real, ca_file):
    seen = visit(
        real.ports[Mode.IMPLICIT],
        ca_file,
        mode=Mode.IMPLICIT,
        timeouts=PATIENT,
        sender=Address("blocked@example.org"),
    )
    assert seen.code == "RELAY-REFUSED"
    assert seen.told[-1].depth is Depth.LOGIN
