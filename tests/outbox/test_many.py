"""Many messages over one connection: steps told before they are done, verdicts kept apart."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiosmtpd.smtp import SMTP

from certmail.delivery.many import deliver_many
from certmail.delivery.outcome import Receipt
from certmail.delivery.relay import Relay
from certmail.errors import RelayError
from certmail.rehearsal.authority import throwaway_authority
from certmail.rehearsal.refusals import server_context
from certmail.rehearsal.server import LOOPBACK, mail_server
from certmail.submission import Mode
from certmail.values import Hostname, Secret, SecretKind
from tests.delivery.message import sealed as sealed_message


class Password:
    kind = SecretKind.PASSWORD

    def read(self) -> Secret:
        return Secret("good")


@dataclass
class Offer:
    sealed: object
    told: list[object] = field(default_factory=list)
    objects: str = ""

    def _tell(self, what: str) -> None:
        self.told.append(what)
        if what == self.objects:
            raise RelayError("OBJECTION", "no", why="no", next="no")

    def before_secret(self, tls, mechanism) -> None:
        self._tell("before secret")

    def begins(self) -> None:
        self._tell("begins")

    def before_dot(self) -> None:
        self._tell("before dot")

    def ends(self, verdict, *, far) -> None:
        self.told.append("accepted" if isinstance(verdict, Receipt) else verdict.code)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    authority = throwaway_authority(datetime.now(UTC))
    issued = authority.issue(LOOPBACK)
    (folder / "relay.pem").write_bytes(issued.private_key + issued.certificate)
    (folder / "ca.pem").write_bytes(authority.pem)
    context = server_context(folder / "relay.pem")
    with mail_server(context=context, user="ops", password="good") as mailbox:
        mailbox_relay = Relay(
            Hostname(LOOPBACK), mailbox.port, Mode.IMPLICIT, "ops", folder / "ca.pem"
        )
        yield mailbox, mailbox_relay


def hand_over(relay, offers):
    waiting = iter(offers)

    async def following():
        return next(waiting, None)

    return asyncio.run(
        deliver_many(following, relay=relay, secret=Password(), now=lambda: datetime.now(UTC))
    )


def three() -> list[Offer]:
    return [Offer(sealed_message(octets=2000)) for _ in range(3)]


def test_the_password_is_announced_once_and_each_dot_is_announced_before_it(server):
    mailbox, relay = server
    offers = three()
    before = len(mailbox.delivered)
    ended = hand_over(relay, offers)
    assert (ended.reason, ended.begun, ended.settled) == (None, True, 3)
    assert offers[0].told == ["before secret", "begins", "before dot", "accepted"]
    assert offers[1].told == offers[2].told == ["begins", "before dot", "accepted"]
    assert len(mailbox.delivered) - before == 3


def test_an_objection_before_the_password_ends_it_with_nothing_read(server):
    mailbox, relay = server
    offers = three()
    offers[0].objects = "before secret"
    logins = mailbox.logins
    ended = hand_over(relay, offers)
    assert (ended.reason.code, ended.begun, mailbox.logins) == ("OBJECTION", False, logins)
    assert [offer.told for offer in offers[1:]] == [[], []]


def test_an_objection_before_the_dot_leaves_the_dot_unwritten(server):
    """The state that announces the dot could not be written down, so there is no dot."""
    mailbox, relay = server
    offers = three()
    offers[1].objects = "before dot"
    before = len(mailbox.delivered)
    ended = hand_over(relay, offers)
    assert offers[1].told == ["begins", "before dot", "OBJECTION"]
    assert ended.reason.code == "OBJECTION"
    assert len(mailbox.delivered) - before == 1


def test_nothing_to_offer_dials_nobody(server):
    mailbox, relay = server
    sessions = mailbox.sessions
    ended = hand_over(relay, [])
    assert (ended.reason, ended.begun, mailbox.sessions) == (None, False, sessions)


def test_a_message_after_a_refusal_begins_afresh(server, monkeypatch):
    """RFC 5321 §4.1.1.5: RSET clears the sender that the refused recipient left behind."""
    _, relay = server
    count = 0

    async def picky(self, arg):
        nonlocal count
        count += 1
        if count == 2:
            await self.push("550 5.1.1 nobody")
        else:
            await plain(self, arg)

    plain = SMTP.smtp_RCPT
    monkeypatch.setattr(SMTP, "smtp_RCPT", picky)
    offers = three()
    assert hand_over(relay, offers).reason is None
    assert [offer.told[-1] for offer in offers] == ["accepted", "RELAY-REFUSED", "accepted"]


def test_a_refusal_that_comes_late_takes_the_acceptance_back(server, monkeypatch):
    _, relay = server

    async def late(self, arg):
        await self.push("554 5.6.0 on second thoughts, no")

    monkeypatch.setattr(SMTP, "smtp_RSET", late)
    offers = three()
    ended = hand_over(relay, offers)
    assert offers[0].told[-2:] == ["accepted", "DELIVERY-UNKNOWN"]
    assert offers[1].told == ["RELAY-DISCONNECTED"]
    assert ended.reason.code == "RELAY-DISCONNECTED"
    assert offers[2].told == []


def test_a_relay_without_rset_gets_one_message_in_a_session(server, monkeypatch):
    _, relay = server

    async def unknown(self, arg):
        await self.push("502 5.5.1 what?")

    monkeypatch.setattr(SMTP, "smtp_RSET", unknown)
    offers = three()
    hand_over(relay, offers)
    assert offers[0].told[-1] == "accepted"
    assert offers[1].told == ["RELAY-DISCONNECTED"]
