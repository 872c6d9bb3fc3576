"""Any course of events, with a crash between any two: never lost, and never sent twice unasked."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from certmail.durable import StateError
from certmail.errors import DeliveryUnknown, UsageError
from certmail.outbox.states import IN_FLIGHT, PENDING, State
from certmail.outbox.store import Again, Outbox
from tests.fuzz.of_mail import seal_record, sealed

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
MESSAGE = sealed()
RECORD = replace(seal_record(), sha256=MESSAGE.sha256)
OTHER = replace(MESSAGE, boundary=f"=_{'77' * 16}")
OTHER_RECORD = replace(RECORD, sha256=OTHER.sha256)


class Sending(RuleBasedStateMachine):
    """One message for one certificate, one relay, and a sender who may die at any point.

    ``taken`` counts how often the relay took the message over; ``asked`` how often a person said
    to offer again what may have been taken.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="certmail-outbox-"))
        self.box = Outbox(self.folder / "outbox")
        self.number = self.box.add(
            MESSAGE, RECORD, label="a.pem", relay="smtps://r:465", at=NOW, again=Again.RESUME
        ).number
        self.taken = self.asked = 0
        self.verdict: str | None = None

    def teardown(self) -> None:
        self.box.close()
        shutil.rmtree(self.folder)

    @property
    def state(self) -> State:
        return self.box.entry(self.number).state

    def move(self, to: State) -> None:
        self.box.move(self.number, to, at=NOW)

    # What a sender does, each step on disk before its act

    @rule(
        steps=st.integers(1, 4),
        verdict=st.sampled_from(["250", "the line is cut", "451", "550"]),
        taken=st.booleans(),
    )
    def go_on(self, steps: int, verdict: str, *, taken: bool) -> None:
        """Take some steps of the way, so that a course of them is not rare."""
        for _ in range(steps):
            self.take_the_next_step(verdict, taken=taken)
            self.what_was_taken_is_never_offered_unasked()

    def take_the_next_step(self, verdict: str, *, taken: bool) -> None:
        state = self.state
        if state in PENDING:
            assert self.box.claim(self.number)
            self.move(State.SENDING)
        elif state is State.SENDING:
            self.move(State.DOT_SENT)
            self.verdict = None
        elif state is State.DOT_SENT and self.verdict is None:
            # The relay takes it over and says so; or not; or nobody hears what it said.
            self.verdict = verdict
            self.taken += verdict == "250" or (verdict == "the line is cut" and taken)
        elif state is State.DOT_SENT:
            ends = {"250": State.ACCEPTED, "550": State.REFUSED, "451": State.WAITING}
            self.move(ends.get(self.verdict or "", State.UNKNOWN))
            self.box.give_back(self.number)

    @precondition(lambda self: self.state is State.SENDING)
    @rule(to=st.sampled_from([State.WAITING, State.REFUSED]))
    def fail_before_the_dot(self, to: State) -> None:
        self.move(to)
        self.box.give_back(self.number)

    # What comes from outside

    @precondition(lambda self: self.state in IN_FLIGHT)
    @rule()
    def crash(self) -> None:
        """The process ends, wherever it stands; the next one settles what it finds."""
        self.box.close()
        self.box = Outbox(self.folder / "outbox")
        found = self.box.recover(at=NOW)
        assert [entry.number for entry in found] == [self.number]
        assert self.state not in IN_FLIGHT

    @precondition(lambda self: self.state in {State.UNKNOWN, State.REFUSED})
    @rule()
    def a_person_says_to_try_again(self) -> None:
        self.asked += self.state is State.UNKNOWN
        assert self.box.claim(self.number)
        self.move(State.SENDING)

    @rule()
    def the_same_bundle_is_sent_again(self) -> None:
        """Another message for the certificate is kept only where nothing may have been taken."""
        self.refused_or_resumed(Again.RESUME)

    @rule(to=st.sampled_from(State))
    def no_state_follows_that_may_not(self, to: State) -> None:
        if self.state is State.ACCEPTED and to is not State.UNKNOWN:
            with pytest.raises(StateError):
                self.move(to)

    def refused_or_resumed(self, again: Again) -> None:
        state = self.state
        try:
            kept = self.box.add(
                OTHER, OTHER_RECORD, label="a.pem", relay="smtps://r:465", at=NOW, again=again
            )
        except (UsageError, DeliveryUnknown, StateError):
            assert state in {State.ACCEPTED, State.UNKNOWN, *IN_FLIGHT}
            return
        assert kept.number == self.number
        assert state not in {State.ACCEPTED, State.UNKNOWN, State.DOT_SENT}

    # What holds at every moment

    @invariant()
    def never_lost(self) -> None:
        assert self.state is not State.DROPPED
        assert self.box.wire(self.number) == MESSAGE.wire()
        assert len(self.box.entries()) == 1

    @invariant()
    def never_twice_unless_a_person_said_so(self) -> None:
        assert self.taken <= 1 + self.asked

    @invariant()
    def what_was_taken_is_never_offered_unasked(self) -> None:
        if self.taken > self.asked:
            assert self.state not in PENDING
        if self.state is State.ACCEPTED:
            assert self.taken


Sending.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestSending = Sending.TestCase
