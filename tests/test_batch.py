"""The order of many: pure, with a relay that is a list and a clock that is a number."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from certmail.batch import (
    Backoff,
    Outcome,
    Post,
    classify,
    exit_status,
    in_parallel,
    may_pass,
    worst,
)
from certmail.errors import DeliveryUnknown, RelayError, SecretError


def relay_error(code: str) -> RelayError:
    return RelayError(code, "what", why="why", next="next")


UNKNOWN = DeliveryUnknown("DELIVERY-UNKNOWN", "what", why="why", next="next")


@dataclass(frozen=True)
class End:
    reason: RelayError | None
    begun: bool
    settled: int


@dataclass
class Relay:
    """Takes each number unless told what to say; ``lets_in`` says how each session begins."""

    says: dict[int, list[RelayError | None]] = field(default_factory=dict)
    lets_in: list[RelayError | None] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    sessions: int = 0
    post: Post | None = None

    async def session(self, offers, entered):
        number = await offers()
        if number is None:
            return End(None, False, 0)
        self.sessions += 1
        shut = self.lets_in.pop(0) if self.lets_in else None
        if shut is not None:
            self.post.settle(number, shut)
            return End(shut, False, 0)
        entered()
        settled = 0
        while number is not None:
            await asyncio.sleep(0)
            error = (self.says.get(number) or [None]).pop(0)
            if error is None:
                self.taken.append(number)
            self.post.settle(number, error)
            settled += 1
            number = await offers()
        return End(None, True, settled)


def run(relay: Relay, numbers, *, wait_s: float = 0.0, connections: int = 1) -> Post:
    async def main() -> Post:
        clock = asyncio.get_running_loop().time
        relay.post = Post(
            session=relay.session,
            open_offer=lambda number: number,
            clock=clock,
            backoff=Backoff(lambda: 0.0, first_s=0.02),
            until=clock() + wait_s,
            connections=connections,
        )
        for number in numbers:
            relay.post.feed(number)
        relay.post.no_more()
        await asyncio.wait_for(relay.post.run(), 10)
        return relay.post

    return asyncio.run(main())


def test_each_number_is_offered_once_in_its_order():
    relay = Relay()
    run(relay, range(50))
    assert (relay.taken, relay.sessions) == (list(range(50)), 1)


def test_several_connections_offer_each_number_once():
    relay = Relay()
    run(relay, range(200), connections=4)
    assert (sorted(relay.taken), relay.sessions) == (list(range(200)), 4)


def test_a_refusal_for_now_is_tried_again_within_the_wait_and_not_beyond():
    for wait_s, taken in ((5.0, [1, 3, 2]), (0.0, [1, 3])):
        relay = Relay(says={2: [relay_error("RELAY-TEMPORARY")]})
        post = run(relay, [1, 2, 3], wait_s=wait_s)
        assert relay.taken == taken
        assert post.stopped is None


def test_a_refusal_for_good_is_not_tried_again():
    relay = Relay(says={2: [relay_error("RELAY-REFUSED")]})
    run(relay, [1, 2, 3], wait_s=5)
    assert relay.taken == [1, 3]


def test_what_may_have_been_accepted_is_never_tried_again():
    relay = Relay(says={2: [UNKNOWN]})
    run(relay, [1, 2, 3], wait_s=5)
    assert relay.taken == [1, 3]


def test_a_relay_that_is_down_is_left_alone_and_dialled_again():
    down = relay_error("RELAY-UNREACHABLE")
    relay = Relay(lets_in=[down, down, None])
    post = run(relay, [1, 2, 3], wait_s=5)
    assert (sorted(relay.taken), relay.sessions, post.stopped) == ([1, 2, 3], 3, None)


def test_a_relay_that_stays_down_stops_the_run_when_the_wait_is_over():
    relay = Relay(lets_in=[relay_error("RELAY-UNREACHABLE")] * 100)
    post = run(relay, [1, 2, 3], wait_s=0.1)
    assert post.stopped.code == "RELAY-UNREACHABLE"
    assert relay.taken == []


@pytest.mark.parametrize("code", ["RELAY-AUTH-REFUSED", "RELAY-TLS-CERTIFICATE", "RATCHET-WEAKER"])
def test_what_does_not_pass_by_itself_stops_the_run_at_once(code):
    relay = Relay(lets_in=[relay_error(code)] * 10)
    post = run(relay, range(10), wait_s=60, connections=4)
    assert (post.stopped.code, relay.sessions, relay.taken) == (code, 1, [])
    assert sorted(post.left_over()) == list(range(1, 10))


def test_pauses_grow_and_end():
    backoff = Backoff(lambda: 1.0, first_s=5, longest_s=600)
    assert [backoff.delay_s(n) for n in (1, 2, 3, 8, 100)] == [5, 10, 20, 600, 600]
    assert Backoff(lambda: 0.0, first_s=5).delay_s(1) == 2.5


def test_each_outcome_has_a_status_of_its_own_and_a_sentence():
    statuses = {outcome: exit_status(outcome) for outcome in Outcome if outcome.value}
    del statuses[Outcome.ALREADY]
    assert len(set(statuses.values())) == len(statuses)
    assert all(outcome.todo.endswith(".") for outcome in Outcome)


@pytest.mark.parametrize(
    ("error", "outcome", "status"),
    [
        (None, Outcome.ACCEPTED, 0),
        (relay_error("RELAY-REFUSED"), Outcome.REFUSED, 13),
        (relay_error("RELAY-TEMPORARY"), Outcome.DEFERRED, 18),
        (relay_error("RELAY-TLS-HOSTNAME"), Outcome.NOT_SENT, 19),
        (SecretError("SECRET-MISSING", "a", why="b", next="c"), Outcome.NOT_SENT, 15),
        (UNKNOWN, Outcome.UNKNOWN, 14),
    ],
)
def test_an_error_says_what_became_of_the_message(error, outcome, status):
    assert classify(error) is outcome
    assert exit_status(outcome, error) == status


def test_only_what_certainly_was_not_accepted_may_pass():
    assert not may_pass(UNKNOWN)


def test_the_worst_status_is_the_one_that_asks_most():
    assert worst([0, 18, 14, 13]) == 14
    assert worst([0, 18, 19]) == 19
    assert worst([0, 0]) == 0
    assert worst([]) == 0
    assert worst([0, 99]) == 99


def test_work_in_threads_takes_few_at_a_time_and_reports_each():
    done = {}
    at_once = most = 0

    def work(item: int) -> int:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        at_once -= 1
        if item == 5:
            raise relay_error("RELAY-REFUSED")
        return item * 2

    def items():
        for item in range(100):
            assert item - len(done) <= 10
            yield item

    asyncio.run(in_parallel(items(), work, workers=4, done=done.__setitem__))
    assert len(done) == 100
    assert done[5].code == "RELAY-REFUSED"
    assert {done[item] for item in range(100) if item != 5} == {
        item * 2 for item in range(100) if item != 5
    }
