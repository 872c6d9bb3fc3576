"""An outbox for a program that calls certmail: what was sealed is on disk before it is offered.

In: a folder of the program's own and a clock. Out: entries, and what came of each attempt. The
steps are the office's, as in ``certmail send``: state before act, one claim per message among
threads and processes, a log of receipts, a memory of what each relay offered. Plaintext has no
way in.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from certmail import office
from certmail.api.steps import refuse_inside_loop, require_usable, source_of
from certmail.delivery.relay import Relay, Timeouts
from certmail.delivery.smtp import admit
from certmail.frozen import frozen
from certmail.ledger.chain import Ledger
from certmail.message.record import record
from certmail.outbox.store import Again, in_flight, open_outbox
from certmail.ratchet import Ratchet

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from certmail.key.pin import PinnedKey
    from certmail.key.renew.acceptance import Acceptance
    from certmail.office import Handed
    from certmail.outbox.states import Entry, State
    from certmail.values import Secret, SecretSource
    from certmail.walk import Sealing


@frozen
class Outbox:
    """A state folder and a clock; holds nothing open, so that threads and forks can share it.

    ``folder`` is made with mode 0700 and must be the program's own. ``now`` gives aware instants.
    Every method raises `StateError` (``STATE-…``, ``OUTBOX-…``) where the folder cannot be used.
    """

    folder: Path
    now: Callable[[], datetime]

    def keep(
        self, sealing: Sealing, *, relay: Relay, label: str = "", again: Again = Again.REPLACE
    ) -> Entry:
        """Keep a sealed message; when this returns, it is on the disk.

        ``label`` is the program's own word for it. What waits for the same certificate is replaced
        and what was accepted is not sent again, unless ``again`` says so.

        Raises:
            UsageError: ``OUTBOX-ALREADY-SENT``. DeliveryUnknown: ``OUTBOX-STILL-UNKNOWN``.
            SealError: ``SEAL-FORGED``.
        """
        admit(sealing.sealed)
        with open_outbox(self.folder / "outbox") as opened:
            return opened.add(
                sealing.sealed,
                record(sealing.sealed, sealing.letter),
                label=label,
                relay=relay.url,
                at=self.now(),
                again=again,
            )

    async def hand_over(
        self,
        entry: Entry,
        *,
        key: PinnedKey,
        relay: Relay,
        secret: Secret | SecretSource | None,
        accepted: Acceptance | None = None,
        timeouts: Timeouts | None = None,
    ) -> Handed:
        """Do what `hand_over_sync` does in a thread, and await it.

        A cancellation leaves the thread to its work: what comes of it is in the outbox.
        """
        return await asyncio.to_thread(
            self.hand_over_sync,
            entry,
            key=key,
            relay=relay,
            secret=secret,
            accepted=accepted,
            timeouts=timeouts,
        )

    def hand_over_sync(
        self,
        entry: Entry,
        *,
        key: PinnedKey,
        relay: Relay,
        secret: Secret | SecretSource | None,
        accepted: Acceptance | None = None,
        timeouts: Timeouts | None = None,
    ) -> Handed:
        """Hand one kept message to the relay, once, and write down what came of it.

        A refusal is no exception here: `Handed` has the ``outcome``, the ``receipt`` or the
        ``error``. What was refused for now waits in the outbox for the next call; what nobody
        knows about is never offered again from here.

        Raises:
            UsageError: ``LOOP-RUNNING``. StateError: what was sent could not be written down.
            KeyRefused: ``KEY-EXPIRED``, ``KEY-SUBKEY-EXPIRED``: nothing was offered.
        """
        refuse_inside_loop()
        at = self.now()
        require_usable(key, accepted=accepted, at=at)
        bench = _Bench(at, key, accepted, timeouts or Timeouts(), source_of(secret))
        with office.outbox(self.folder, now=self.now) as opened:
            desk = office.Office(
                bench,
                opened,
                bench,
                relay,
                log=Ledger(self.folder / "log"),
                ratchet=Ratchet(self.folder / "relays"),
                now=self.now,
            )
            return office.hand_over(desk, entry.number)

    def find(self, sha256: str) -> Entry:
        """Give a message as it stands now, by its SHA-256 or the beginning of it.

        Raises:
            UsageError: ``OUTBOX-NO-SUCH``, ``OUTBOX-AMBIGUOUS``.
        """
        with office.outbox_to_look(self.folder, now=self.now) as opened:
            return opened.find(sha256)

    def entries(self, *states: State) -> tuple[Entry, ...]:
        """List messages in the order they came: those in ``states``, or all but the dropped."""
        with office.outbox_to_look(self.folder, now=self.now) as opened:
            return tuple(opened.entries(*states))

    def drop(self, entry: Entry) -> None:
        """Forget the sealed octets; that a message was accepted is remembered.

        Raises:
            StateError: ``OUTBOX-IN-FLIGHT``: it is being offered at this moment.
        """
        with office.outbox_to_look(self.folder, now=self.now) as opened:
            if not opened.claim(entry.number):
                raise in_flight(entry)
            try:
                opened.drop(entry.number, at=self.now())
            finally:
                opened.give_back(entry.number)


@frozen
class _Bench:
    """What the office asks of a run."""

    at: datetime
    pinned: PinnedKey
    accepted: Acceptance | None
    _timeouts: Timeouts
    _source: SecretSource | None

    def timeouts(self) -> Timeouts:
        """Give the bounds of a session."""
        return self._timeouts

    def secret(self, relay: Relay) -> SecretSource | None:
        """Give the source of the password."""
        del relay
        return self._source

    def key_as_of(self, at: datetime) -> PinnedKey:
        """Look at the key's end anew; all else about the same octets stays as it was judged."""
        require_usable(self.pinned, accepted=self.accepted, at=at)
        return self.pinned
