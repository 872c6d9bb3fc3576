"""Where outbox, transport, log and ratchet meet: each step is written down before it is done.

The send command and the rehearsal both hand over here, so that what is rehearsed is what is done.
Wires edges together like the command line, and like it reads the clock.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import contextmanager
from dataclasses import asdict, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from certmail import walk
from certmail.batch import Backoff, Outcome, Post, classify, exit_status
from certmail.delivery.many import deliver_many
from certmail.delivery.outcome import Receipt, Stage
from certmail.delivery.smtp import Interruptible
from certmail.durable import StateError
from certmail.errors import CertmailError, Left
from certmail.frozen import frozen, slotted
from certmail.key.renew.acceptance import require_usable_or_accepted
from certmail.ledger.chain import SCHEMA, Ledger
from certmail.outbox.states import Entry, State
from certmail.outbox.store import (
    ALREADY_SENT,
    Outbox,
    already_sent,
    in_flight,
    open_outbox,
    still_unknown,
)
from certmail.places import state_folder
from certmail.ratchet import Offered, Ratchet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from certmail.delivery.many import Ended, Far
    from certmail.delivery.probe import Depth, Probed
    from certmail.delivery.relay import Relay, Timeouts
    from certmail.delivery.tls import TlsFacts
    from certmail.key.pin import PinnedKey
    from certmail.key.renew.acceptance import Acceptance
    from certmail.message.seal import SealedMessage
    from certmail.values import Address, Secret, SecretKind, SecretSource

KEY_JUDGED_FOR: Final = timedelta(hours=1)
"""A run that lasts longer has the key judged again."""

_ENVELOPE: Final = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA})

_RELAYS: Final = {
    "certificate_sha256": "relay_certificate_sha256",
    "spki_sha256": "relay_spki_sha256",
    "relay": "relay_address",
}

_TOLD_ALIKE: Final = tuple(
    each.name
    for each in fields(Receipt)
    if each.name not in {"accepted_at", "tls", "mechanism", "sha256", "size"}
)
_TOLD_OF_A_RECEIPT: Final = (
    *("accepted_at", *_TOLD_ALIKE),
    *("tls_version", "cipher", "certificate_sha256", "spki_sha256"),
    *("auth_mechanism", "message_sha256", "octets"),
)
"""In the order of `receipt_as_json`."""

_STATES: Final = {
    Outcome.ACCEPTED: State.ACCEPTED,
    Outcome.REFUSED: State.REFUSED,
    Outcome.DEFERRED: State.WAITING,
    Outcome.NOT_SENT: State.WAITING,
    Outcome.UNKNOWN: State.UNKNOWN,
}


def ledger() -> Ledger:
    """Give the user's log of receipts."""
    return Ledger(state_folder() / "log")


def ratchet() -> Ratchet:
    """Give the user's memory of relays."""
    return Ratchet(state_folder() / "relays")


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def outbox_to_look(
    folder: Path | None = None, *, now: Callable[[], datetime] = _now
) -> Iterator[Outbox]:
    """Open the outbox of ``folder``, or the user's own; settle what a dead process left there."""
    with open_outbox((folder or state_folder()) / "outbox") as opened:
        opened.recover(at=now())
        yield opened


@contextmanager
def outbox(folder: Path | None = None, *, now: Callable[[], datetime] = _now) -> Iterator[Outbox]:
    """Open it to send from it, and bring the log up to it.

    Raises:
        StateError: ``STATE-UNWRITABLE``, ``LOG-DAMAGED``: before anything is sent.
    """
    log = Ledger((folder or state_folder()) / "log")
    log.require_writable()
    with outbox_to_look(folder, now=now) as opened:
        for entry in opened.unlogged():
            _catch_up(opened, entry, log)
        yield opened


def _catch_up(opened: Outbox, entry: Entry, log: Ledger) -> None:
    """Write a verdict into the log that a crash kept out of it."""
    if not opened.claim(entry.number):
        return
    try:
        if not log.holds(entry.sha256, entry.attempts):
            log.append(facts_of(entry, entry.facts), left=_left(entry.state))
        opened.logged(entry.number)
    finally:
        opened.give_back(entry.number)


@frozen
class Handed:
    """What came of one message."""

    entry: Entry
    outcome: Outcome
    receipt: Receipt | None = None
    error: CertmailError | None = None
    again_at: datetime | None = None

    @property
    def status(self) -> int:
        """The exit status this amounts to."""
        return exit_status(self.outcome, self.error)

    @property
    def todo(self) -> str:
        """What to do, in a sentence; what is kept no longer cannot be tried again."""
        if self.outcome is Outcome.NOT_SENT and not self.entry.kept:
            return "Nothing with this message; it is kept no longer."
        return self.outcome.todo


class Bench(Protocol):
    """What a run brings along: its instant, its patience, and where secrets and keys come from."""

    @property
    def at(self) -> datetime:
        """When the run began and the key was judged."""

    def timeouts(self) -> Timeouts:
        """Give the bounds of a session."""

    def secret(self, relay: Relay) -> SecretSource | None:
        """Name where the password would come from; nothing is read yet."""

    def key_as_of(self, at: datetime) -> PinnedKey:
        """Judge the recipient's key anew."""


class KeyInHand(Protocol):
    """The key to send to, and what the operator accepted of it."""

    @property
    def pinned(self) -> PinnedKey:
        """The key as it was judged."""

    @property
    def accepted(self) -> Acceptance | None:
        """The word given for an expired copy."""


class Once:
    """Reads the password once for all connections of a run; it is gone with the process."""

    def __init__(self, source: SecretSource) -> None:
        """Keep the source; nothing is read yet."""
        self._source = source
        self._secret: Secret | None = None

    @property
    def kind(self) -> SecretKind:
        """What the source gives."""
        return self._source.kind

    def read(self) -> Secret:
        """Give the password."""
        if self._secret is None:
            self._secret = self._source.read()
        return self._secret


@slotted
class Doorkeeper:
    """Holds a relay against what worked with it before. ``live`` is what it offers now, if good."""

    relay: Relay
    ratchet: Ratchet
    live: Offered | None = None

    def before_dial(self) -> None:
        """Hold what the settings ask for against it."""
        self.ratchet.before_dial(self.relay.host.text, self._asked)

    def before_secret(self, tls: TlsFacts, mechanism: str | None) -> None:
        """Hold the live connection against it."""
        live = replace(self._asked, tls_version=tls.version, mechanism=mechanism)
        self.ratchet.before_secret(self.relay.host.text, live)
        self.live = live

    @property
    def _asked(self) -> Offered:
        """What is known of the relay before it is dialled."""
        return Offered(self.relay.mode.scheme, pin=self.relay.pin)


@slotted
class Office:
    """One run's deliveries. ``heard`` is told of each verdict as it is taken down; none is kept."""

    bench: Bench
    outbox: Outbox
    key: KeyInHand
    relay: Relay
    wait_s: float = 0.0
    connections: int = 1
    backoff_s: float = 5.0
    speak_for_unknown: bool = False
    heard: Callable[[Handed], None] = lambda _: None
    progress: Callable[[Stage], None] | None = None
    post: Post[Parcel] = field(init=False)
    log: Ledger = field(default_factory=ledger)
    ratchet: Ratchet = field(default_factory=ratchet)
    now: Callable[[], datetime] = _now
    door: Doorkeeper = field(init=False)
    tls: TlsFacts | None = None
    _secret: SecretSource | None = None
    _judged: tuple[datetime, PinnedKey] = field(init=False)

    def __post_init__(self) -> None:
        """Put the post together; nothing is dialled yet."""
        self.door = Doorkeeper(self.relay, self.ratchet)
        self._judged = (self.bench.at, self.key.pinned)
        self.post = Post(
            session=self._session,
            open_offer=self._open,
            clock=time.monotonic,
            backoff=Backoff(secrets.SystemRandom().random, first_s=self.backoff_s),
            until=time.monotonic() + self.wait_s,
            connections=self.connections,
        )

    def run(self, feed: Callable[[], Awaitable[None]]) -> None:
        """Deliver whatever ``feed`` puts into the post, and whatever it held before.

        Raises:
            RelayError: ``RATCHET-WEAKER``. StateError: what was sent could not be written down.
        """
        self.door.before_dial()
        source = self.bench.secret(self.relay)
        self._secret = None if source is None else Once(Interruptible(source))

        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed(feed))
                group.create_task(self.post.run())

        try:
            asyncio.run(main())
        finally:
            # What an interrupt cut short is settled here and now, as if the process had ended.
            self.outbox.give_back_all()
            self.outbox.recover(at=self.now())

    async def _feed(self, feed: Callable[[], Awaitable[None]]) -> None:
        try:
            await feed()
        except CertmailError as error:
            self.post.stop(error)
        finally:
            self.post.no_more()

    def _session(
        self, offers: Callable[[], Awaitable[Parcel | None]], entered: Callable[[], None]
    ) -> Awaitable[Ended]:
        return deliver_many(
            offers,
            relay=self.relay,
            secret=self._secret,
            now=self.now,
            timeouts=self.bench.timeouts(),
            progress=self.progress,
            entered=entered,
        )

    def _open(self, number: int) -> Parcel | None:
        """Take a message out of the outbox and judge it as of now; None if it may not be sent."""
        if not self.outbox.claim(number):
            busy = self.outbox.entry(number)
            self.heard(Handed(busy, Outcome.NOT_SENT, error=in_flight(busy)))
            return None
        entry = self.outbox.entry(number)
        try:
            self._require_sendable(entry)
            sealed = walk.reopen(
                self.outbox.wire(number), record=entry.record, pinned=self._pinned(), at=self.now()
            )
            require_usable_or_accepted(sealed.pinned, self.key.accepted)
        except CertmailError as error:
            self.outbox.give_back(number)
            self.heard(Handed(entry, _standing(entry, error), error=error))
            return None
        return Parcel(self, entry, sealed)

    def _require_sendable(self, entry: Entry) -> None:
        """Refuse what another process settled meanwhile, and what a person has to speak for."""
        if entry.state is State.ACCEPTED:
            raise already_sent(entry)
        if entry.state is State.UNKNOWN and not self.speak_for_unknown:
            raise still_unknown(entry)

    def _pinned(self) -> PinnedKey:
        """Give the recipient's key, judged not long ago."""
        now = self.now()
        if now - self._judged[0] > KEY_JUDGED_FOR:
            self._judged = (now, self.bench.key_as_of(now))
        return self._judged[1]

    def before_secret(self, tls: TlsFacts, mechanism: str | None) -> None:
        """Hold the live connection against what worked before."""
        self.tls = tls
        self.door.before_secret(tls, mechanism)

    def take_down(self, parcel: Parcel, verdict: Receipt | CertmailError, *, far: Far) -> None:
        """Write a verdict down: in the outbox, then in the log; then tell."""
        error = verdict if isinstance(verdict, CertmailError) else None
        receipt = verdict if isinstance(verdict, Receipt) else None
        outcome = classify(error)
        number, now = parcel.entry.number, self.now()
        entry = self.outbox.entry(number)
        cut_off = far.stage in _ENVELOPE and not far.listens
        pause = self.post.settle(number, error, cut_off=cut_off)
        again_at = None if pause is None else now + timedelta(seconds=pause)
        logs = outcome is not Outcome.NOT_SENT
        facts = self._facts(receipt, error, far) if logs else None
        left = Left.SENT if receipt else error.left if error else Left.NOTHING
        self.outbox.move(
            number,
            _STATES[outcome] if entry.state is not State.UNKNOWN else State.UNKNOWN,
            at=now,
            code=error.code if error else None,
            said=error.what if error else receipt.reply if receipt else None,
            facts=facts,
            again_at=again_at,
            unlogged=entry.attempts if logs else 0,
            left=left,
        )
        moved = self.outbox.entry(number)
        if facts is not None:
            self.log.append(facts_of(moved, facts), left=left)
            self.outbox.logged(number)
        if receipt is not None and self.door.live is not None:
            self.ratchet.remember(self.relay.host.text, self.door.live, at=now)
        self.outbox.give_back(number)
        self.heard(Handed(moved, outcome, receipt, error, again_at))

    def remembering(self) -> dict[int, Handed]:
        """Give what came of each message by its number, as it is heard: for few messages."""
        heard, known = self.heard, {}

        def remember(handed: Handed) -> None:
            known[handed.entry.number] = handed
            heard(handed)

        self.heard = remember
        return known

    def facts_before_the_dot(self) -> dict[str, Any]:
        """Gather what is known of the connection before there is a verdict."""
        found: dict[str, Any] = {
            "at": self.now().isoformat(),
            "relay": self.relay.url,
            "user": self.relay.user,
        }
        if self.tls is not None:
            found |= _tls_as_json(self.tls)
            found["auth_mechanism"] = self.door.live.mechanism if self.door.live else None
        return found

    def _facts(
        self, receipt: Receipt | None, error: CertmailError | None, far: Far
    ) -> dict[str, Any]:
        """Gather the public facts of one attempt."""
        found = self.facts_before_the_dot()
        found["stage"] = far.stage.name.lower()
        found["outcome"] = classify(error).name.lower()
        if far.stage in {*_ENVELOPE, Stage.BODY, Stage.VERDICT}:
            found |= asdict(far.asked)
        if error is not None:
            found |= {"code": error.code, "reply": error.what}
        if receipt is not None:
            # The certificate in the log is the one that was handed over, not the relay's.
            told = receipt_as_json(receipt)
            found |= {_RELAYS.get(name, name): value for name, value in told.items()}
        return found


@slotted
class Parcel:
    """One message at the counter: what the transport asks for, and tells."""

    office: Office
    entry: Entry
    sealed: SealedMessage

    def before_secret(self, tls: TlsFacts, mechanism: str | None) -> None:
        """Let the ratchet object."""
        self.office.before_secret(tls, mechanism)

    def begins(self) -> None:
        """Write down that it is being offered."""
        self.office.outbox.move(self.entry.number, State.SENDING, at=self.office.now())

    def before_dot(self) -> None:
        """Write down that the dot is next; durable when this returns."""
        self.office.outbox.move(
            self.entry.number,
            State.DOT_SENT,
            at=self.office.now(),
            facts=self.office.facts_before_the_dot(),
        )

    def ends(self, verdict: Receipt | CertmailError, *, far: Far) -> None:
        """Write down what came of it."""
        self.office.take_down(self, verdict, far=far)


def facts_of(entry: Entry, facts: Any) -> dict[str, Any]:
    """Give one line of the log: the attempt's facts beside the message's."""
    record = entry.record
    return {
        "schema": SCHEMA,
        "at": entry.changed_at.isoformat(),
        **facts,
        "attempt": entry.attempts,
        "message_sha256": entry.sha256,
        "message_id": record.message_id,
        "reference": record.reference,
        "label": entry.label,
        "recipient_key": record.recipient_key,
        "recipient_subkey": record.recipient_subkey,
        "copy_for": record.copy_for,
        "signer": record.signer,
        "signing_key": record.signing_key,
        "certificate_sha256": record.certificate_sha256,
        "certificate_serial": record.certificate_serial,
        "certificate_ends": record.certificate_ends,
        "names": list(record.names),
    }


def receipt_as_json(receipt: Receipt) -> dict[str, Any]:
    """Give a receipt as JSON values; what the transport learns to report comes along."""
    return {
        "accepted_at": receipt.accepted_at.isoformat(),
        **{name: getattr(receipt, name) for name in _TOLD_ALIKE},
        "tls_version": receipt.tls.version,
        "cipher": receipt.tls.cipher,
        "certificate_sha256": receipt.tls.leaf_sha256,
        "spki_sha256": receipt.tls.spki_sha256,
        "auth_mechanism": receipt.mechanism,
        "message_sha256": receipt.sha256,
        "octets": receipt.size,
    }


def receipt_of(entry: Entry) -> dict[str, Any]:
    """Give, of an accepted message, what `receipt_as_json` gave of its receipt."""
    return {name: entry.facts.get(_RELAYS.get(name, name)) for name in _TOLD_OF_A_RECEIPT}


def _tls_as_json(tls: TlsFacts) -> dict[str, Any]:
    return {
        "tls_version": tls.version,
        "cipher": tls.cipher,
        "relay_certificate_sha256": tls.leaf_sha256,
        "relay_spki_sha256": tls.spki_sha256,
    }


def outcome_of(error: CertmailError) -> Outcome:
    """Tell what an error that came before the post says of a message."""
    return Outcome.ALREADY if error.code == ALREADY_SENT else classify(error)


def status_of(outcome: Outcome, error: CertmailError | None) -> int:
    """Give its exit status."""
    return exit_status(outcome, error)


def _standing(entry: Entry, error: CertmailError) -> Outcome:
    """Tell what an error before the dial says of a message, given what is known of it."""
    if entry.state is State.ACCEPTED:
        return Outcome.ALREADY
    return classify(error)


def _left(state: State) -> Left:
    return {State.ACCEPTED: Left.SENT, State.UNKNOWN: Left.UNKNOWN}.get(state, Left.NOTHING)


def hand_over(desk: Office, number: int) -> Handed:
    """Hand over one message; an interrupt after the final dot is told as what it left behind."""
    handed = desk.remembering()
    desk.post.feed(number)
    try:
        desk.run(_nothing)
    except KeyboardInterrupt:
        known = handed.get(number)
        if known is None or known.outcome is not Outcome.UNKNOWN:
            raise
    except StateError:
        raise
    except CertmailError as error:
        desk.post.stop(error)
    stopped = desk.post.stopped
    if isinstance(stopped, StateError):
        raise stopped
    if number not in handed and stopped is not None:
        desk.heard(Handed(desk.outbox.entry(number), Outcome.NOT_SENT, error=stopped))
    return handed[number]


async def _nothing() -> None:
    """Feed nothing more."""


def visit(
    relay: Relay,
    *,
    depth: Depth,
    secret: SecretSource | None = None,
    sender: Address | None = None,
    timeouts: Timeouts | None = None,
    heard: Callable[[Probed], None] | None = None,
    progress: Callable[[Stage], None] | None = None,
) -> Probed:
    """Visit a relay without a message; what worked before is held against it, as for a delivery.

    Nothing is remembered of it: only what carried a message has worked.

    Raises:
        RelayError: ``RATCHET-WEAKER``, or as a delivery does. SecretError: there is no password.
    """
    from certmail.delivery.probe import probe_now  # noqa: PLC0415 - a delivery is no visit

    door = Doorkeeper(relay, ratchet())
    door.before_dial()
    return probe_now(
        relay,
        depth=depth,
        secret=secret,
        sender=sender,
        timeouts=timeouts,
        watch=door,
        heard=heard,
        progress=progress,
    )
