"""The hostile table, held against certmail in both modes."""

from __future__ import annotations

import time
from functools import cache

import pytest

from certmail.delivery.outcome import Stage
from certmail.delivery.relay import Timeouts
from certmail.errors import DeliveryUnknown, Left
from certmail.submission import Mode
from tests.delivery.attempt import Attempt, attempt, refuse_leak
from tests.delivery.cases import CASES, Case, Family, Truth
from tests.delivery.hostile import HostileRelay
from tests.delivery.message import sealed

STALLED = Timeouts(connect_s=0.5, command_s=0.4, data_block_s=0.5, final_s=0.4, total_s=1.5)
USUAL = Timeouts(connect_s=5, command_s=5, data_block_s=5, final_s=5, total_s=8)

STALLED_DEADLINE_S = 3.0
DEADLINE_S = 6.0


@pytest.fixture(scope="session")
def contexts(authority):
    """One server context for each kind of certificate: making keys takes time."""
    return cache(lambda make: make(authority))


def runs():
    return [
        pytest.param(case, mode, id=f"{case.name} [{mode.name}]")
        for case in CASES
        for mode in case.modes
    ]


def test_the_table_is_as_long_as_it_claims():
    """Eighty cases at least that hold in both modes, each under its own name."""
    assert len({case.name for case in CASES}) == len(CASES)
    assert len([case for case in CASES if len(case.modes) == len(Mode)]) >= 80


@pytest.mark.parametrize(("case", "mode"), runs())
def test_a_hostile_relay_gets_nothing_and_is_told_apart(case: Case, mode: Mode, contexts, ca_file):
    message = sealed(octets=case.octets)
    began = time.monotonic()
    with HostileRelay(
        mode, contexts(case.context), case.acts, mechanisms=case.mechanisms, offers=case.offers
    ) as relay:
        tried = attempt(
            relay,
            ca_file=ca_file,
            message=message,
            timeouts=STALLED if case.stalls else USUAL,
            **case.wishes,
        )
        took_s = time.monotonic() - began
    # The verdict, and how soon.
    assert tried.code in ((case.code or "").split() or [None])
    assert took_s < (STALLED_DEADLINE_S if case.stalls else DEADLINE_S)
    # What was read, and what the relay heard; never twice.
    assert tried.reads == case.reads
    assert relay.connections == 1
    refuse_surprises(case, relay)
    # What the verdict means.
    assert isinstance(tried.error, DeliveryUnknown) == (tried.code == "DELIVERY-UNKNOWN")
    assert (tried.receipt is not None) == (case.truth is Truth.ACCEPTED)
    if tried.error is not None:
        assert tried.error.left is left(tried)
        shown = f"{tried.error.what} {tried.error.why} {tried.error.next}"
        assert shown.isprintable()
        refuse_leak(shown)


def left(tried: Attempt) -> Left:
    """Say what must have left this machine: it follows from how far the delivery came."""
    if tried.code == "DELIVERY-UNKNOWN":
        return Left.UNKNOWN
    return Left.REFUSED if Stage.BODY in tried.stages else Left.NOTHING


def refuse_surprises(case: Case, relay: HostileRelay) -> None:
    """Hold the transcript against the case: nothing said that did not have to be."""
    inside = [heard.verb for heard in relay.heard if heard.inside]
    assert set(relay.in_clear) <= {"EHLO", "STARTTLS", "QUIT"}
    if case.family in {Family.TLS, Family.CLEAR} and not case.heard:
        assert inside == []
        assert relay.messages == []
        return
    said = [verb for verb in inside if verb in {"EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"}]
    if " " in (case.code or ""):  # a race, after which goodbye may be said or not
        said = said[: len(case.steps)]
    in_the_open = relay.mode is Mode.STARTTLS and not case.heard
    assert said == ([] if in_the_open else case.steps)
    assert len(relay.messages) <= 1
