"""The hostile table once more, on the way that a send takes: what the outbox says afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest

from certmail.delivery.relay import Relay
from certmail.ledger.chain import Ledger
from certmail.message.record import SCHEMA, SealRecord
from certmail.office import Office, hand_over
from certmail.outbox.states import State
from certmail.outbox.store import Again, open_outbox
from certmail.ratchet import Ratchet
from certmail.values import Hostname
from tests.delivery.attempt import CountedPassword
from tests.delivery.cases import CASES, Case, Truth
from tests.delivery.hostile import USER, HostileRelay
from tests.delivery.message import sealed
from tests.delivery.test_hostile import STALLED, USUAL

if TYPE_CHECKING:
    from certmail.submission import Mode

FOR_GOOD = {
    "RELAY-AUTH-MECHANISM",
    "RELAY-AUTH-REFUSED",
    "RELAY-REFUSED",
    "RELAY-STARTTLS-REFUSED",
    "RELAY-TOO-LARGE",
}
"""The codes under which a relay itself may have said no for good."""


@pytest.fixture(scope="session")
def contexts(authority):
    return cache(lambda make: make(authority))


@dataclass
class Bench:
    """What the office asks of a run."""

    at: datetime
    pinned: object
    password: CountedPassword
    patience: object
    accepted: None = None

    def timeouts(self):
        return self.patience

    def secret(self, relay):
        return self.password if relay.user else None

    def key_as_of(self, at):
        return self.pinned


def record_of(message) -> SealRecord:
    return SealRecord(
        schema=SCHEMA,
        sha256=message.sha256,
        message_id=message.message_id,
        reference="00" * 16,
        checked_at=message.signature.created.isoformat(),
        signer=message.signature.signer.text,
        signing_key=message.signature.key.text,
        hash_name=message.signature.hash_name,
        signed_at=message.signature.created.isoformat(),
        recipient_key=message.pinned.fingerprint.text,
        recipient_subkey=message.pinned.encryption_subkey.text,
        copy_for=None,
        names=("shop.example",),
        certificate_sha256="11" * 32,
        certificate_ends=(datetime.now(UTC) + timedelta(days=30)).isoformat(),
    )


def runs():
    return [
        pytest.param(case, mode, id=f"{case.name} [{mode.name}]")
        for case in CASES
        for mode in case.modes
        if case.octets < 1_000_000
    ]


@pytest.mark.parametrize(("case", "mode"), runs())
def test_the_outbox_says_what_is_true_and_keeps_the_bytes(
    case: Case, mode: Mode, contexts, ca_file, tmp_path
):
    message = sealed(octets=case.octets)
    password = CountedPassword()
    bench = Bench(datetime.now(UTC), message.pinned, password, STALLED if case.stalls else USUAL)
    with (
        HostileRelay(
            mode, contexts(case.context), case.acts, mechanisms=case.mechanisms, offers=case.offers
        ) as relay,
        open_outbox(tmp_path / "outbox") as outbox,
    ):
        wishes = {"user": USER, "ca_file": ca_file, "host": "localhost", **case.wishes}
        host = Hostname(wishes.pop("host"))
        asked = Relay(host, relay.port, mode, **wishes)
        entry = outbox.add(
            message,
            record_of(message),
            label="a test",
            relay=asked.url,
            at=bench.at,
            again=Again.REPLACE,
        )
        desk = Office(
            bench,
            outbox,
            bench,
            asked,
            log=Ledger(tmp_path / "log"),
            ratchet=Ratchet(tmp_path / "relays"),
        )
        handed = hand_over(desk, entry.number)
        state = outbox.entry(entry.number).state
        kept = outbox.wire(entry.number)
    code = handed.error.code if handed.error else None
    assert code in ((case.code or "").split() or [None])
    assert (state is State.ACCEPTED) == (case.truth is Truth.ACCEPTED)
    assert (state is State.UNKNOWN) == (code == "DELIVERY-UNKNOWN")
    if state not in {State.ACCEPTED, State.UNKNOWN}:
        assert state is State.WAITING or (state is State.REFUSED and code in FOR_GOOD)
    assert kept == message.wire()
    assert len(relay.messages) <= 1
    assert password.reads == case.reads
