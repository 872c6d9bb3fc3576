"""Many messages, readable aloud: check all, seal in parallel, offer each, try again, until a time.

Knows the order of the steps and what each verdict means; concrete edges are handed in. Nothing here
knows SMTP, files or GnuPG. Memory holds numbers, never messages: each is read when its turn comes.

A verdict belongs to one message and poisons no other. What is tried again is only what certainly
was not accepted; whether it was is decided by whoever kept its state.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from certmail.errors import CertmailError, DeliveryUnknown, RelayError
from certmail.frozen import frozen, slotted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

Offer = TypeVar("Offer")
Offer_contra = TypeVar("Offer_contra", contravariant=True)
Item = TypeVar("Item")
Made = TypeVar("Made")

STRIKES: Final = 3
"""So many connections in a row that end at their first message, and the relay is given a rest."""


class Outcome(Enum):
    """What came of one message."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DEFERRED = "refused for now"
    NOT_SENT = "not sent"
    UNKNOWN = "unknown"
    ALREADY = "already accepted"

    @property
    def todo(self) -> str:
        """Say in a sentence what to do."""
        return _TODO[self]


_TODO: Final = {
    Outcome.ACCEPTED: "Nothing; the relay has taken it over.",
    Outcome.REFUSED: "Mend what the reply names; the same attempt will be refused again.",
    Outcome.DEFERRED: "Wait, or run certmail outbox retry; the relay may take it later.",
    Outcome.NOT_SENT: "Mend the cause, then run certmail outbox retry; nothing was accepted.",
    Outcome.UNKNOWN: "Ask the relay's administrator for the Message-ID before you send again.",
    Outcome.ALREADY: "Nothing; it was accepted before and is not sent twice.",
}

_STATUS: Final = {
    Outcome.ACCEPTED: 0,
    Outcome.ALREADY: 0,
    Outcome.REFUSED: 13,
    Outcome.UNKNOWN: 14,
    Outcome.DEFERRED: 18,
    Outcome.NOT_SENT: 19,
}

_WORST_FIRST: Final = (1, 14, 17, 11, 12, 13, 15, 16, 10, 2, 19, 18)
"""Statuses by what they ask of the operator: what nobody knows comes before what can wait."""

_FOR_NOW: Final = frozenset({"RELAY-TEMPORARY", "RELAY-AUTH-TEMPORARY"})
_FOR_GOOD: Final = frozenset(
    {"RELAY-REFUSED", "RELAY-AUTH-REFUSED", "RELAY-AUTH-MECHANISM", "RELAY-TOO-LARGE"}
)
_PASSES: Final = frozenset({"RELAY-UNREACHABLE", "RELAY-TIMEOUT", "RELAY-DISCONNECTED"})
"""Faults of a network, which mend themselves; what is wrong with TLS or the settings does not."""

_AT_ONCE: Final = frozenset({"RELAY-TEMPORARY", "RELAY-DISCONNECTED"})
"""How a relay ends a session that it finds long enough (RFC 5321 §3.8: 421, or nothing at all)."""


def classify(error: CertmailError | None) -> Outcome:
    """Tell what an error says about the message; None stands for its acceptance."""
    if error is None:
        return Outcome.ACCEPTED
    if isinstance(error, DeliveryUnknown):
        return Outcome.UNKNOWN
    if error.code in _FOR_NOW:
        return Outcome.DEFERRED
    return Outcome.REFUSED if error.code in _FOR_GOOD else Outcome.NOT_SENT


def may_pass(error: CertmailError) -> bool:
    """Tell whether the same may succeed later without anybody's doing."""
    return error.code in _FOR_NOW or error.code in _PASSES


def exit_status(outcome: Outcome, error: CertmailError | None = None) -> int:
    """Give the exit status: the outcome's, or the family's where it was no relay's doing."""
    if outcome is Outcome.NOT_SENT and error is not None and not isinstance(error, RelayError):
        return error.exit_status
    return _STATUS[outcome]


def worst(statuses: Iterable[int]) -> int:
    """Give the status that asks most of the operator, 0 if none asks anything."""
    seen = set(statuses) - {0}
    return next((status for status in _WORST_FIRST if status in seen), max(seen, default=0))


@frozen
class Backoff:
    """How long to wait before the next try: twice as long each time, with jitter.

    ``jitter`` gives a number from 0 to 1: without it, all that failed together would come back
    together.
    """

    jitter: Callable[[], float]
    first_s: float = 5.0
    longest_s: float = 600.0

    def delay_s(self, tries: int) -> float:
        """Give the pause after so many tries."""
        whole = min(self.longest_s, self.first_s * float(2 ** min(tries - 1, 20)))
        return whole * (0.5 + self.jitter() / 2)


class SessionEnd(Protocol):
    """How a session ended: see `Post`."""

    @property
    def reason(self) -> CertmailError | None:
        """What ended it early; None when it ended by itself."""

    @property
    def begun(self) -> bool:
        """Whether the relay let us in."""

    @property
    def settled(self) -> int:
        """How many messages have a verdict."""


class OpenSession(Protocol[Offer_contra]):
    """Connects, offers what ``offers`` gives until it gives None, and tells how it ended."""

    def __call__(
        self, offers: Callable[[], Awaitable[Offer_contra | None]], entered: Callable[[], None], /
    ) -> Awaitable[SessionEnd]:
        """Run one session."""


@slotted
class Post(Generic[Offer]):
    """Which number is offered next, over how many connections, and when one is tried again.

    ``open_offer`` makes an offer of a number when its turn comes, or None if it has settled the
    number itself. `settle` is called with each verdict. ``until`` is when trying again ends, on
    ``clock``'s scale.
    """

    session: OpenSession[Offer]
    open_offer: Callable[[int], Offer | None]
    clock: Callable[[], float]
    backoff: Backoff
    until: float
    connections: int = 1
    stopped: CertmailError | None = None
    _ready: deque[int] = field(default_factory=deque)
    _later: list[tuple[float, int]] = field(default_factory=list)
    _tries: dict[int, int] = field(default_factory=dict)
    _feeding: bool = True
    _outages: int = 0
    _rest_until: float = 0.0
    _any_settled: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def feed(self, number: int) -> None:
        """Put a number behind the others."""
        self._ready.append(number)
        self._wake.set()

    def no_more(self) -> None:
        """Say that no number follows."""
        self._feeding = False
        self._wake.set()

    def stop(self, reason: CertmailError) -> None:
        """Offer nothing more; what was not offered stays where it is kept."""
        self.stopped = self.stopped or reason
        self._wake.set()

    def left_over(self) -> list[int]:
        """List what was fed and neither settled for good nor offered."""
        return [*self._ready, *(number for _, number in self._later)]

    def settle(
        self, number: int, error: CertmailError | None, *, cut_off: bool = False
    ) -> float | None:
        """Take down a verdict; give the pause before the next try, None if there is none.

        ``cut_off`` tells that the relay ended the session before the text was sent.
        """
        if error is None or not may_pass(error):
            self._any_settled = True
            return None
        tries = self._tries[number] = self._tries.get(number, 0) + 1
        if tries == 1 and self._any_settled and cut_off and error.code in _AT_ONCE:
            self._ready.appendleft(number)
            return 0.0
        pause = self.backoff.delay_s(tries)
        if self.clock() + pause > self.until:
            return None
        heapq.heappush(self._later, (self.clock() + pause, number))
        return pause

    async def run(self) -> None:
        """Offer everything; return when all is settled, time is up, or something stopped it."""
        while self.stopped is None:
            await self._round()
            now = self.clock()
            wakes = [when for when, _ in self._later[:1]]
            if self._ready or self._feeding:
                wakes = [self._rest_until]
            if not wakes or self.stopped is not None:
                return
            await asyncio.sleep(max(0.0, max(wakes[0], self._rest_until) - now))

    async def _round(self) -> None:
        """Hold sessions until nothing is due; the first must be let in before others begin."""
        spread = self.connections > 1
        async with asyncio.TaskGroup() as group:

            def entered() -> None:
                nonlocal spread
                self._outages = 0
                if spread:
                    spread = False
                    for _ in range(self.connections - 1):
                        group.create_task(self._hold_sessions(entered))

            group.create_task(self._hold_sessions(entered))

    async def _hold_sessions(self, entered: Callable[[], None]) -> None:
        """Hold one session after the other; the relay may end each after a few messages."""
        strikes = 0
        while self.stopped is None:
            try:
                ended = await self.session(self._next, entered)
            except CertmailError as fault:  # what keeps the state has failed: nothing may go on
                self.stop(fault)
                return
            if _cancelled():
                raise asyncio.CancelledError
            if not ended.begun:
                if ended.reason is not None:
                    self._rest(ended.reason)
                return
            if ended.reason is None and not ended.settled:
                return
            strikes = strikes + 1 if ended.reason is not None and ended.settled <= 1 else 0
            if strikes >= STRIKES and ended.reason is not None:
                self._rest(ended.reason)
                return

    def _rest(self, reason: CertmailError) -> None:
        """Leave a relay alone that lets nobody in, or stop if that will not pass."""
        if not may_pass(reason):
            self.stop(reason)
            return
        self._outages += 1
        pause = self.backoff.delay_s(self._outages)
        if self.clock() + pause > self.until:
            self.stop(reason)
            return
        self._rest_until = self.clock() + pause

    async def _next(self) -> Offer | None:
        """Give the next offer; None when nothing is due now."""
        while self.stopped is None and self.clock() >= self._rest_until:
            while self._later and self._later[0][0] <= self.clock():
                self._ready.append(heapq.heappop(self._later)[1])
            if self._ready:
                offer = self.open_offer(self._ready.popleft())
                if offer is not None:
                    return offer
            elif self._feeding:
                self._wake.clear()
                await self._wake.wait()
            else:
                return None
        return None


async def in_parallel(
    items: Iterable[Item],
    work: Callable[[Item], Made],
    *,
    workers: int,
    done: Callable[[Item, Made | CertmailError], None],
) -> None:
    """Work on items in threads, few at a time; ``done`` hears of each, in this thread.

    The first is worked on alone, so that a person is asked for a passphrase once.
    """
    loop = asyncio.get_running_loop()
    source = iter(items)
    running: set[asyncio.Task[None]] = set()
    with ThreadPoolExecutor(workers, thread_name_prefix="certmail") as pool:

        async def one(item: Item) -> None:
            try:
                done(item, await loop.run_in_executor(pool, work, item))
            except CertmailError as error:
                done(item, error)

        for item in source:
            await one(item)
            break
        try:
            for item in source:
                running.add(asyncio.create_task(one(item)))
                if len(running) >= workers * 2:
                    finished, running = await asyncio.wait(
                        running, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in finished:
                        task.result()
            while running:
                finished, running = await asyncio.wait(running)
                for task in finished:
                    task.result()
        finally:
            for task in running:
                task.cancel()
            pool.shutdown(wait=True, cancel_futures=True)


def _cancelled() -> bool:
    """Tell whether an interrupt was held back until a verdict was taken down."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
