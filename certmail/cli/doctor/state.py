"""What certmail remembers: its folder, the outbox, the log."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final

from certmail import office
from certmail.cli.doctor.look import Seen, note, ok
from certmail.durable import StateError, private_folder
from certmail.outbox.states import State
from certmail.places import state_folder
from certmail.values import printable

if TYPE_CHECKING:
    from certmail.cli.doctor.case import Case

MEBIBYTE: Final = 1024 * 1024
LEAST_FREE: Final = 64 * MEBIBYTE
"""Room for thousands of sealed messages; less is worth a word, and writing tells the rest."""


def folder(case: Case) -> Seen:
    """Prove that the state folder can be written, and see how much room there is."""
    del case
    path = private_folder(state_folder())
    free = shutil.disk_usage(path).free
    room = f"{printable(str(path), limit=200)}, {free // MEBIBYTE} MiB free"
    if free < LEAST_FREE:
        return note(room, next=f"df -h {printable(str(path), limit=200)}")
    return ok(room)


def outbox(case: Case) -> Seen:
    """Count what waits and what nobody knows the fate of."""
    del case
    with office.outbox_to_look() as opened:
        unknown = len(opened.entries(State.UNKNOWN))
        waiting = len(opened.entries(State.WAITING, State.PREPARED))
    if unknown:
        return note(
            f"{unknown} delivered or not, nobody knows",
            code="DELIVERY-UNKNOWN",
            next="certmail outbox list",
        )
    return ok(f"{waiting} waiting" if waiting else "nothing waits")


def log(case: Case) -> Seen:
    """Follow the chain of receipts from its beginning."""
    ledger = office.ledger()
    ledger.require_writable()
    seen = ledger.verify()
    if not seen.good:
        raise StateError(
            "LOG-DAMAGED",
            f"line {seen.line}: {seen.fault}",
            why="a receipt written behind a changed line would vouch for it",
            next="certmail log verify",
        )
    last = None
    for last in ledger.records():  # noqa: B007 - the last one is wanted
        pass
    with suppress(ValueError, TypeError):
        if last is not None:
            case.has_passed(datetime.fromisoformat(str(last["at"])), "the log's last record")
    return ok(f"{seen.count} records, each chained to the one before")
