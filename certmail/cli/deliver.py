"""``certmail send`` from the sealed message on: ask, keep, hand over, and say what came of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from certmail import office
from certmail.batch import Outcome
from certmail.cli.delivery_options import PROVIDER_WARNING
from certmail.cli.draw import draw_receipt_plainly, echo_error
from certmail.cli.json_output import echo_json, error_as_json, instant
from certmail.cli.loudness import aside, is_quiet
from certmail.errors import UsageError
from certmail.frozen import frozen
from certmail.office import Handed, Office, hand_over
from certmail.outbox.states import State
from certmail.outbox.store import ALREADY_SENT, Again, already_sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from certmail.cli.key_for_send import KeyForSend
    from certmail.cli.wiring import Workbench
    from certmail.delivery.outcome import Receipt, Stage
    from certmail.errors import CertmailError
    from certmail.message.record import SealRecord
    from certmail.message.seal import SealedMessage
    from certmail.outbox.store import Outbox


@frozen
class Manner:
    """How to deliver, as the command line has it."""

    asks: bool
    as_json: bool
    wait_s: float = 0.0
    connections: int = 1
    again: bool = False
    resend_unknown: bool = False
    first_pause_s: float = 5.0

    @staticmethod
    def of(parameters: dict[str, Any], *, asks: bool) -> Manner:
        """Read the options."""
        return Manner(
            asks=asks,
            as_json=parameters["as_json"],
            wait_s=float(parameters["wait"]),
            connections=parameters["connections"],
            again=parameters["again"],
            resend_unknown=parameters["resend_unknown"],
            first_pause_s=parameters["first_pause"],
        )


def require_state() -> None:
    """Refuse a state folder that cannot be written, before anything is signed or asked."""
    with office.outbox():
        pass
    office.ratchet().relays()


def record_of(sha256: str) -> SealRecord:
    """Find the record of a sealed message: in the outbox, or beside the file it was kept in.

    Raises:
        SealError: ``SEAL-UNKNOWN``, ``SEAL-RECORD-DAMAGED``.
    """
    from certmail.cli.files import read_record_text
    from certmail.message.record import read_record

    with office.outbox() as kept:
        for entry in kept.with_sha256(sha256):
            return entry.record
    return read_record(read_record_text(sha256), sha256=sha256)


def deliver_one(
    bench: Workbench,
    sealed: SealedMessage,
    record: SealRecord,
    *,
    key: KeyForSend,
    manner: Manner,
    label: str,
) -> Handed:
    """Keep a sealed message in the outbox and hand it over, unless its certificate was accepted.

    A person who is asked learns that as a refusal, since they meant to send. For a script it is
    what it wanted: a hook that is called twice ends well twice.

    Raises:
        UsageError: ``OUTBOX-ALREADY-SENT``. DeliveryUnknown: ``OUTBOX-STILL-UNKNOWN``.
    """
    relay = bench.relay(sealed.sender)
    again = Again.EVEN_ACCEPTED if manner.again else Again.REPLACE
    with office.outbox() as kept:
        try:
            kept.require_free(record, again=again)
        except UsageError as refusal:
            if manner.asks or refusal.code != ALREADY_SENT:
                raise
            return _already(kept, record)
    if manner.asks:
        click.echo(
            f"This goes to {sealed.recipient.address} through {relay}, over verified TLS only.\n"
            + PROVIDER_WARNING,
            err=True,
        )
        if not click.confirm("Send it now?", default=False, err=True):
            raise click.Abort
    with office.outbox() as kept:
        try:
            entry = kept.add(sealed, record, label=label, relay=relay.url, at=bench.at, again=again)
        except UsageError as refusal:
            # Another process was faster since we looked.
            if manner.asks or refusal.code != ALREADY_SENT:
                raise
            return _already(kept, record)
        return hand_over(
            Office(
                bench,
                kept,
                key,
                relay,
                wait_s=manner.wait_s,
                backoff_s=manner.first_pause_s,
                progress=_progress if manner.asks else None,
                heard=waiting_told,
            ),
            entry.number,
        )


def _already(kept: Outbox, record: SealRecord) -> Handed:
    """Say that a certificate was accepted before, as the message that carried it."""
    accepted = [
        entry
        for entry in kept.of_certificate(record.certificate_sha256)
        if entry.state is State.ACCEPTED
    ]
    return Handed(accepted[-1], Outcome.ALREADY)


def finish(handed: Handed, manner: Manner, shown: Callable[[], dict[str, Any]]) -> int:
    """Say what came of a message, on the screen or as JSON; give the exit status.

    ``shown`` gives what the JSON says of the message itself; it is put together for JSON only.
    """
    if manner.as_json:
        echo_json("certmail.send/1", **handed_as_json(handed), **shown())
    if handed.error is not None:
        echo_error(explained(handed))
    elif handed.outcome is Outcome.ALREADY and not manner.as_json and not is_quiet():
        click.echo(f"nothing is sent: {already_sent(handed.entry).what}")
    elif not manner.as_json and not is_quiet() and handed.receipt is not None:
        _draw_receipt(handed.receipt)
    return handed.status


def _draw_receipt(receipt: Receipt) -> None:
    """Draw a receipt; nobody looks at what goes into a file or a pipe, so nothing is framed."""
    if not sys.stdout.isatty():
        click.echo(draw_receipt_plainly(receipt), nl=False)
        return
    from certmail.cli import screens

    screens.console().print(screens.draw_receipt(receipt))


def explained(handed: Handed) -> CertmailError:
    """Give the error with what to do about the message that is kept."""
    error = handed.error
    if error is None:
        raise TypeError("there is no error")
    name = handed.entry.name
    if handed.outcome is Outcome.UNKNOWN:
        error.next += f"; the message is kept as {name}: certmail outbox show {name}"
    elif handed.outcome is not Outcome.ALREADY and handed.entry.kept:
        error.next += f"; the sealed message is kept: certmail outbox retry {name}"
    return error


def handed_as_json(handed: Handed) -> dict[str, Any]:
    """Give what came of one message as JSON values."""
    error = handed.error
    return {
        "outcome": handed.outcome.name.lower(),
        "todo": handed.todo,
        "outbox": handed.entry.name,
        "state": handed.entry.state.value,
        "message_id": handed.entry.record.message_id,
        "again_at": instant(handed.again_at),
        "receipt": office.receipt_as_json(handed.receipt) if handed.receipt else None,
        "error": error_as_json(error) if error else None,
        "code": error.code if error else None,
        "exit_status": handed.status,
    }


def waiting_told(handed: Handed) -> None:
    """Tell a person that a refused message is tried again."""
    if handed.again_at is not None and handed.error is not None:
        aside(f"  … {handed.error.what}; trying again at {handed.again_at:%H:%M:%S} UTC")


def _progress(stage: Stage) -> None:
    aside(f"  … {stage.value}")
