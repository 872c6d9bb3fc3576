"""Hand many sealed messages to one relay over one connection, each with a verdict of its own.

In: offers, one after the other. Out: for each a `Receipt` or the error that says whether anything
was accepted; then how the session ended. Knows RFC 5321 §4.1.1.5 (RSET), RFC 5321 §3.8 (421) and
RFC 9422 §4 (LIMITS). The steps for one message are `smtp`'s; nothing is retried here.

A refusal belongs to one message: RSET is said and the next one follows. A fault of the connection
ends the session; offers that were not begun are left to the caller.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final, Protocol

from certmail.delivery import outcome
from certmail.delivery.outcome import Asked, Receipt, Stage
from certmail.delivery.relay import Relay, Timeouts
from certmail.delivery.session import Session
from certmail.delivery.smtp import admit, begin, commit, no_progress, refuse_without_source
from certmail.delivery.watch import Watch
from certmail.errors import CertmailError, DeliveryUnknown
from certmail.frozen import frozen, slotted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from certmail.delivery.auth import Mechanism
    from certmail.message.seal import SealedMessage
    from certmail.values import SecretSource

_MAIL_MAX: Final = re.compile(
    r"(?:^|\s)MAILMAX=([1-9][0-9]{0,5})(?=\s|$)", re.ASCII | re.IGNORECASE
)


@frozen
class Far:
    """How far an offer came: at which stage it ended, and what was asked for with the envelope.

    ``listens`` tells whether the relay is still there to be talked to.
    """

    stage: Stage
    asked: Asked
    listens: bool


class Offer(Watch, Protocol):
    """One message, and whoever keeps its state: told of each step before it is done."""

    @property
    def sealed(self) -> SealedMessage:
        """What is offered."""

    def begins(self) -> None:
        """Be told that the envelope is named next."""

    def ends(self, verdict: Receipt | CertmailError, *, far: Far) -> None:
        """Hear what came of it, and how far it got; an acceptance can be taken back once."""


@frozen
class Ended:
    """How a session ended. ``reason`` is None when there was nothing more to offer.

    ``begun`` tells whether the relay let us in; ``settled`` counts the messages with a verdict.
    """

    reason: CertmailError | None
    begun: bool
    settled: int


async def deliver_many(
    offers: Callable[[], Awaitable[Offer | None]],
    *,
    relay: Relay,
    secret: SecretSource | None,
    now: Callable[[], datetime],
    timeouts: Timeouts | None = None,
    progress: Callable[[Stage], None] | None = None,
    entered: Callable[[], None] | None = None,
) -> Ended:
    """Offer messages over one connection until ``offers`` gives None or the connection ends.

    The connection is made for the first offer and not before. ``entered`` is told once the relay
    has let us in. A fault before that belongs to the first offer.
    """
    refuse_without_source(relay, secret)
    first = await offers()
    if first is None:
        return Ended(None, begun=False, settled=0)
    session = Session(relay, timeouts or Timeouts(), progress or no_progress)
    series = _Series(session, now)
    try:
        reason = await series.enter(first, secret)
        if reason is None:
            if entered is not None:
                entered()
            reason = await series.run(first, offers)
    finally:
        await session.close()
    return Ended(reason, begun=series.begun, settled=series.settled)


@slotted
class _Series:
    """The messages of one session, in their order."""

    session: Session
    now: Callable[[], datetime]
    begun: bool = False
    settled: int = 0
    accepted: bool = False
    mechanism: Mechanism | None = None

    def far(self, stage: Stage) -> Far:
        """Say where the session stands."""
        return Far(stage, self.session.asked, self.session.listens)

    async def enter(self, first: Offer, secret: SecretSource | None) -> CertmailError | None:
        """Connect, prove TLS and log in; what goes wrong here is no verdict on the message."""
        session = self.session
        try:
            async with asyncio.timeout(session.timeouts.total_s) as deadline:
                self.mechanism = await begin(session, secret, deadline=deadline, watch=first)
        except (TimeoutError, CertmailError) as fault:
            error = _in_words(fault, session)
            await session.goodbye()
            first.ends(error, far=self.far(session.stage))
            return error
        self.begun = True
        return None

    async def run(
        self, first: Offer, offers: Callable[[], Awaitable[Offer | None]]
    ) -> CertmailError | None:
        """Offer one after the other; give what ended the session early, None for its own end."""
        limit = _mail_max(self.session)
        offer, count = first, 1
        while (fault := await self._one(offer)) is None:
            following = None if count == limit else await offers()
            if following is None:
                await self._leave(offer)
                return None
            fault = await self._between(offer)
            if fault is not None:
                following.ends(fault, far=self.far(Stage.MAIL))
                return fault
            offer, count = following, count + 1
        return fault

    async def _one(self, offer: Offer) -> CertmailError | None:
        """Offer one message and settle it; give the fault if the connection cannot go on."""
        session = self.session
        verdict: Receipt | CertmailError
        try:
            verdict = await self._hand_over(offer)
        except (TimeoutError, CertmailError) as fault:
            verdict = _in_words(fault, session)
        self.accepted = isinstance(verdict, Receipt)
        offer.ends(verdict, far=self.far(session.stage))
        self.settled += 1
        if isinstance(verdict, Receipt) or (session.listens and not _cancelled()):
            return None
        return verdict

    async def _between(self, offer: Offer) -> CertmailError | None:
        """Bring the relay to where a message may begin; hear what it has to add to the last one."""
        try:
            if await self.session.rest():
                return None
        except DeliveryUnknown as late:
            # Only of what it accepted can a relay take something back.
            if self.accepted:
                offer.ends(late, far=self.far(Stage.VERDICT))
        return outcome.disconnected(self.session.where)

    async def _leave(self, offer: Offer) -> None:
        """Say good-bye after the last message, and hear what the relay has to add to it."""
        try:
            await self.session.conclude()
        except DeliveryUnknown as late:
            if self.accepted:
                offer.ends(late, far=self.far(Stage.VERDICT))

    async def _hand_over(self, offer: Offer) -> Receipt:
        session = self.session
        wire = admit(offer.sealed)
        async with asyncio.timeout(session.timeouts.total_s):
            offer.begins()
            await session.name(offer.sealed, size=len(wire))
            await session.send(wire)
        return await commit(
            session, offer.sealed, wire, mechanism=self.mechanism, now=self.now, watch=offer
        )


def _in_words(fault: TimeoutError | CertmailError, session: Session) -> CertmailError:
    """Put the end of ``total_s`` into words; every other clock was explained where it ran out."""
    return fault if isinstance(fault, CertmailError) else outcome.timed_out(session.where)


def _cancelled() -> bool:
    """Tell whether Ctrl-C came while the last verdict was awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _mail_max(session: Session) -> int:
    """Give how many messages the relay takes in one session (RFC 9422 §4.1), 0 for any number."""
    announced = session.client.esmtp_extensions.get("limits", "")
    match = _MAIL_MAX.search(announced)
    return int(match[1]) if match else 0
