"""What worked is remembered, and nothing weaker is taken without a person's word."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from certmail.delivery.auth import Mechanism
from certmail.durable import StateError
from certmail.errors import RelayError
from certmail.ratchet import Offered, Ratchet

NOW = datetime(2026, 3, 4, tzinfo=UTC)
BEST = Offered("smtps", pin="aa", tls_version="TLSv1.3", mechanism="SCRAM-SHA-256")


@pytest.fixture
def ratchet(tmp_path) -> Ratchet:
    memory = Ratchet(tmp_path / "relays")
    memory.remember("relay.example", BEST, at=NOW)
    return memory


@pytest.mark.parametrize(
    "now",
    [
        replace(BEST, mode="smtp+starttls"),
        replace(BEST, mode="something new"),
        replace(BEST, pin=None),
        replace(BEST, pin="bb"),
    ],
)
def test_settings_that_are_weaker_are_refused_before_the_dial(ratchet, now):
    with pytest.raises(RelayError) as refused:
        ratchet.before_dial("relay.example", now)
    assert refused.value.code == "RATCHET-WEAKER"
    assert "certmail relay accept relay.example" in refused.value.next


@pytest.mark.parametrize(
    "now",
    [
        replace(BEST, tls_version="TLSv1.2"),
        replace(BEST, tls_version=None),
        replace(BEST, mechanism="PLAIN"),
        replace(BEST, mechanism="XOAUTH2"),
        replace(BEST, mechanism=None),
    ],
)
def test_a_connection_that_is_weaker_is_refused_before_the_password(ratchet, now):
    with pytest.raises(RelayError) as refused:
        ratchet.before_secret("relay.example", now)
    assert refused.value.code == "RATCHET-WEAKER"


def test_what_is_as_strong_or_unknown_passes(ratchet):
    for host in ("relay.example", "other.example"):
        ratchet.before_dial(host, BEST)
        ratchet.before_secret(host, replace(BEST, mechanism="SCRAM-SHA-256-PLUS"))
    ratchet.before_secret("other.example", Offered("smtps"))


def test_two_logins_that_show_the_password_are_as_strong_as_each_other(tmp_path):
    memory = Ratchet(tmp_path)
    memory.remember("r", replace(BEST, mechanism="PLAIN"), at=NOW)
    memory.before_secret("r", replace(BEST, mechanism="LOGIN"))


@pytest.mark.parametrize("mechanism", Mechanism)
def test_no_login_that_certmail_speaks_is_taken_for_weaker_than_itself(mechanism, tmp_path):
    memory = Ratchet(tmp_path)
    memory.remember("r", replace(BEST, mechanism=mechanism.value), at=NOW)
    memory.before_secret("r", replace(BEST, mechanism=mechanism.value))


def test_the_logins_are_ordered_by_what_a_relay_learns_from_one(tmp_path):
    """Bound, then proved, then a token that ends soon, then the password itself, then none."""
    ordered = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "OAUTHBEARER", "PLAIN", None]
    for stronger, weaker in pairwise(ordered):
        memory = Ratchet(tmp_path / str(weaker))
        memory.remember("r", replace(BEST, mechanism=stronger), at=NOW)
        with pytest.raises(RelayError):
            memory.before_secret("r", replace(BEST, mechanism=weaker))
    for one, other in (("OAUTHBEARER", "XOAUTH2"), ("PLAIN", "LOGIN")):
        memory = Ratchet(tmp_path / one)
        memory.remember("r", replace(BEST, mechanism=one), at=NOW)
        memory.before_secret("r", replace(BEST, mechanism=other))


def test_what_is_accepted_knowingly_is_taken_and_remembered(ratchet):
    weaker = replace(BEST, tls_version="TLSv1.2", pin=None)
    assert ratchet.forget("relay.example").offered == BEST
    ratchet.before_dial("relay.example", weaker)
    ratchet.remember("relay.example", weaker, at=NOW)
    assert ratchet.relays()["relay.example"].offered == weaker


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"schema": "x", "relays": {}}', "null", "[" * 9999]
)
def test_a_memory_that_cannot_be_read_is_no_permission(ratchet, text):
    ratchet._file.write_text(text)
    with pytest.raises(StateError) as refused:
        ratchet.before_secret("relay.example", BEST)
    assert refused.value.code == "RATCHET-DAMAGED"


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "something new"},
        {"mode": None},
        {"tls_version": "TLSv1.9"},
        {"tls_version": ""},
        {"mechanism": "PLAIN\x1b[2J"},
        {"mechanism": ["PLAIN"]},
        {"pin": "aa\nbb"},
        {"at": "\x1b[2Jyesterday"},
        {"at": "yesterday"},
        {"at": 7},
    ],
    ids=repr,
)
def test_a_memory_of_what_has_no_rank_is_no_permission(ratchet, change):
    """What certmail never wrote would count as weaker than all, so that anything passed."""
    value = json.loads(ratchet._file.read_text())
    value["relays"]["relay.example"] |= change
    ratchet._file.write_text(json.dumps(value))
    for ask in (ratchet.before_dial, ratchet.before_secret):
        with pytest.raises(StateError) as refused:
            ask("relay.example", BEST)
        assert refused.value.code == "RATCHET-DAMAGED"
