"""``certmail send`` with many bundles: check all, ask once, seal in parallel, one verdict each."""

from __future__ import annotations

import gc
import os
import re
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from certmail import office
from certmail.batch import Outcome, in_parallel, worst
from certmail.cli.batch_roll import Checked, Roll, Verdict
from certmail.cli.deliver import Manner, handed_as_json
from certmail.cli.delivery_options import PROVIDER_WARNING
from certmail.cli.json_output import echo_json_rows, error_as_json
from certmail.cli.progress import Counted
from certmail.durable import StateError
from certmail.errors import BundleError, CertmailError, UsageError
from certmail.frozen import frozen, slotted
from certmail.gnupg.homes import Homes
from certmail.office import Handed, Office
from certmail.outbox.states import RETRIED, Entry, State
from certmail.outbox.store import Again, already_sent, still_unknown
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from certmail.cli.key_for_send import KeyForSend
    from certmail.cli.wiring import Workbench
    from certmail.message.letter import Request
    from certmail.message.seal import Copy, Engine, Signer

SHOWN: Final = 20
"""Rows that are drawn before the rest is counted; what went wrong is drawn in full."""

INTERRUPTED: Final = 130

_OBJECTS_BETWEEN_LOOKS: Final = 2_000


@frozen
class Row:
    """One line of the summary; ``entry`` is None where a message was never offered."""

    path: str
    names: tuple[str, ...]
    outcome: Outcome
    status: int
    entry: Entry | None = None
    error: CertmailError | None = None
    again_at: datetime | None = None

    @property
    def todo(self) -> str:
        """Say what to do: the outbox can be tried again only where it holds the message."""
        if self.outcome is Outcome.NOT_SENT and self.entry is None and self.error is not None:
            return self.error.next
        return self.outcome.todo


def files_of(bundles: tuple[str, ...]) -> list[str]:
    """List the files: each that was named, and of a folder those called ``*.pem``.

    Raises:
        UsageError: ``BATCH-STDIN``, ``BATCH-EMPTY``.
    """
    found: dict[str, None] = {}
    for bundle in bundles:
        if bundle == "-":
            raise UsageError(
                "BATCH-STDIN",
                "standard input holds one bundle, not one of several",
                why="a batch is read twice: to check it, and to seal it",
                next="name files or a folder",
            )
        path = Path(bundle)
        if path.is_dir():
            inside = (str(file) for file in path.glob("*.pem"))
            found |= dict.fromkeys(sorted(inside, key=os.path.normcase))
        else:
            found[bundle] = None
    if not found:
        raise UsageError(
            "BATCH-EMPTY",
            f"{printable(', '.join(bundles), limit=200)} holds no file called *.pem",
            why="of a folder the files with that ending are taken, and those of no folder in it",
            next="name the files, or a folder that holds them",
        )
    return list(found)


def check_all(bench: Workbench, roll: Roll) -> None:
    """Check every bundle in threads; what is wrong with a bad one is its verdict."""
    import asyncio

    def done(place: int, made: Checked | CertmailError) -> None:
        if isinstance(made, CertmailError):
            roll.settle(place, Verdict(Outcome.NOT_SENT, error=made))
        else:
            roll.take(place, made)
        counted.one_more()

    with Counted("checked", total=len(roll)) as counted:
        asyncio.run(
            in_parallel(
                range(len(roll)),
                lambda place: _check(bench, roll.path(place)),
                workers=os.cpu_count() or 1,
                done=done,
            )
        )
    roll.pair_up()


def _check(bench: Workbench, path: str) -> Checked:
    from certmail.bundle.facts import sha256_hex
    from certmail.cli.files import read_bundle
    from certmail.walk import Order, check_bundle

    data = read_bundle(path)
    checked, _ = check_bundle(Order(data, at=bench.at))
    leaf = checked.leaf
    return Checked(path, leaf.names, leaf.not_after.date(), leaf.sha256, sha256_hex(data))


@slotted
class Batch:
    """One run over many bundles."""

    bench: Workbench
    key: KeyForSend
    manner: Manner
    desk: Office
    signer: Signer
    engine: Engine
    request: Request
    copy: Copy
    roll: Roll
    done: Counted

    async def feed(self) -> None:
        """Seal what the outbox does not hold yet, and feed the post with all of it."""
        await in_parallel(
            (place for place in self.roll.single() if not self._resumed(place)),
            self._seal,
            workers=max(2, os.cpu_count() or 1),
            done=self._sealed,
        )

    def heard(self, handed: Handed) -> None:
        """Take down a verdict; one that is tried again is none yet."""
        number = handed.entry.number
        self._settle(
            self.roll.place_of(number),
            Verdict(handed.outcome, number, handed.error, handed.again_at),
        )

    def _resumed(self, place: int) -> bool:
        """Go on with what an earlier run left in the outbox; tell whether there was something."""
        kept = self.desk.outbox.of_certificate(self.roll[place].certificate_sha256)
        open_ones = [entry for entry in kept if entry.state is not State.ACCEPTED]
        for entry in open_ones:
            if entry.state in RETRIED or (
                entry.state is State.UNKNOWN and self.manner.resend_unknown
            ):
                self._feed(place, entry)
            else:
                self._failed(place, _in_the_way(entry))
            return True
        if kept and not self.manner.again:
            self._settle(place, Verdict(Outcome.ALREADY))
            return True
        return False

    def _seal(self, place: int) -> Entry:
        """Read, check, seal and keep one bundle, in a thread of its own."""
        from certmail.bundle.further import Further
        from certmail.cli.files import read_bundle, with_file
        from certmail.message.record import record
        from certmail.walk import Order, seal_bundle

        at = self.bench.now()
        one = self.roll[place]
        order = Order(
            read_bundle(one.path),
            at=at,
            request=self.request,
            copy=self.copy,
            further=Further(sound=one.sha256),
        )
        try:
            sealing = seal_bundle(
                order,
                pinned=self.key.pinned,
                signer=lambda: self.signer,
                engine=self.engine,
                accepted=self.key.accepted,
            )
        except BundleError as error:
            raise with_file(error, one.path) from None
        return self.desk.outbox.add(
            sealing.sealed,
            record(sealing.sealed, sealing.letter),
            label=one.path,
            relay=self.desk.relay.url,
            at=at,
            again=Again.EVEN_ACCEPTED if self.manner.again else Again.RESUME,
        )

    def _sealed(self, place: int, made: Entry | CertmailError) -> None:
        # The library's parser compiles a pattern for each boundary; 512 of them would be kept.
        re.purge()
        if isinstance(made, CertmailError):
            self._failed(place, made)
            if isinstance(made, StateError):
                self.desk.post.stop(made)
        else:
            self._feed(place, made)

    def _feed(self, place: int, entry: Entry) -> None:
        self.roll.number(place, entry.number)
        self.desk.post.feed(entry.number)

    def _failed(self, place: int, error: CertmailError) -> None:
        self._settle(place, Verdict(office.outcome_of(error), error=error))

    def _settle(self, place: int, verdict: Verdict) -> None:
        if self.roll.settle(place, verdict):
            self.done.one_more()


def send_many(
    bench: Workbench,
    bundles: tuple[str, ...],
    *,
    key: KeyForSend,
    manner: Manner,
    request: Request,
    copy: Copy,
) -> int:
    """Send many bundles; give the worst exit status of all."""
    _look_for_rubbish()
    roll = Roll(files_of(bundles))
    check_all(bench, roll)
    if any(_refused(roll)):
        return _finish(manner, _refused(roll), tried=len(roll), none_sent=True)
    many = len(roll) - len(roll.twins)
    signer = bench.signer()
    if manner.asks:
        _draw_plan(roll)
        click.echo(PROVIDER_WARNING, err=True)
        relay = bench.relay(signer.address)
        if not click.confirm(f"Send {many} messages through {relay}?", err=True):
            raise click.Abort
    with office.outbox() as kept, Homes(bench.env) as homes:
        desk = Office(
            bench,
            kept,
            key,
            bench.relay(signer.address),
            wait_s=manner.wait_s,
            connections=manner.connections,
            backoff_s=manner.first_pause_s,
            speak_for_unknown=manner.resend_unknown,
        )
        batch = Batch(
            bench,
            key,
            manner,
            desk,
            signer,
            bench.engine(homes),
            request,
            copy,
            roll,
            done=Counted("settled", total=many),
        )
        desk.heard = batch.heard
        interrupted = _run(batch)
        status = _finish(manner, _rows(batch), tried=len(roll), none_sent=False)
    return INTERRUPTED if interrupted and status in {0, 18, 19} else status


def _look_for_rubbish() -> None:
    """Have what is unused be found soon: at its start, certmail told Python to look seldom.

    That is right for the modules of a run of a second. Those are set apart here, so that looking
    costs little; in a long run what is left in circles would pile up to megabytes.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS)


def _run(batch: Batch) -> bool:
    """Run the batch and count; tell whether it was interrupted."""
    try:
        with batch.done:
            batch.desk.run(batch.feed)
    except KeyboardInterrupt:
        return True
    except CertmailError as error:
        batch.desk.post.stop(error)
    return False


def _refused(roll: Roll) -> Iterator[Row]:
    """Give a row for each bundle that its check refused."""
    for place in range(len(roll)):
        verdict = roll.verdict(place)
        if verdict is not None:
            yield _row(roll, place, verdict)


def _rows(batch: Batch) -> Iterator[Row]:
    """Give a row for each file, read from the outbox one by one: they are too many to be held."""
    roll = batch.roll
    for place in roll.single():
        yield _told(batch, place)
    for place, first in roll.twins.items():
        yield replace(_told(batch, first), path=roll.path(place))


def _told(batch: Batch, place: int) -> Row:
    """Tell what came of a bundle: the verdict as it was heard, and the outbox's facts beside it.

    Where they cannot be read, that is told instead, and the verdict stands.
    """
    verdict, kept = batch.roll.verdict(place), batch.desk.outbox
    try:
        if verdict is None:
            return _row(batch.roll, place, _waiting(batch, place))
        row = _row(batch.roll, place, verdict)
        if verdict.number:
            return replace(row, entry=kept.entry(verdict.number))
        if verdict.outcome is Outcome.ALREADY and verdict.error is None:
            [*_, last] = kept.of_certificate(batch.roll[place].certificate_sha256)
            return replace(row, error=already_sent(last))
    except StateError as lost:
        row = _row(batch.roll, place, verdict or Verdict(Outcome.UNKNOWN))
        return replace(row, error=lost, status=worst((row.status, lost.exit_status)))
    return row


def _waiting(batch: Batch, place: int) -> Verdict:
    """Say of a bundle whose turn did not come that it waits, and why."""
    for entry in batch.desk.outbox.of_certificate(batch.roll[place].certificate_sha256):
        if entry.state is State.UNKNOWN:
            return Verdict(Outcome.UNKNOWN, error=still_unknown(entry))
    return Verdict(Outcome.NOT_SENT, error=batch.desk.post.stopped or _not_reached())


def _row(roll: Roll, place: int, verdict: Verdict) -> Row:
    return Row(
        roll.path(place),
        roll.names(place),
        verdict.outcome,
        office.status_of(verdict.outcome, verdict.error),
        error=verdict.error,
        again_at=verdict.again_at,
    )


def _finish(manner: Manner, rows: Iterable[Row], *, tried: int, none_sent: bool) -> int:
    """Say what came of each, as it is read; give the worst status."""
    seen: set[int] = set()

    def each() -> Iterator[Row]:
        for row in rows:
            seen.add(row.status)
            yield row

    if manner.as_json:
        echo_json_rows(
            "certmail.batch/1",
            "messages",
            map(_as_json, each()),
            behind=lambda: {"exit_status": worst(seen)},
        )
    else:
        _draw(each(), tried=tried, none_sent=none_sent)
    return worst(seen)


def _draw_plan(roll: Roll) -> None:
    from rich.table import Table

    from certmail.cli import screens

    table = Table(box=None, pad_edge=False)
    for heading in ("bundle", "names", "until"):
        table.add_column(heading, overflow="fold")
    for place in islice(roll.single(), SHOWN):
        one = roll[place]
        table.add_row(printable(one.path, limit=60), _names(one.names), f"{one.ends:%Y-%m-%d}")
    screen = screens.console()
    screen.print(table)
    more = len(roll) - len(roll.twins) - SHOWN
    if more > 0:
        screen.print(f"and {more} more")


def _draw(rows: Iterable[Row], *, tried: int, none_sent: bool) -> None:
    """Draw the summary: what needs somebody in full, what went well up to a screen."""
    from rich.table import Table

    from certmail.cli import screens

    poor: list[Row] = []
    fine: list[Row] = []
    counts: Counter[str] = Counter()
    for row in rows:
        counts[_word(row)] += 1
        if row.status:
            poor.append(row)
        elif len(fine) < SHOWN:
            fine.append(row)
    table = Table(box=None, pad_edge=False)
    for heading in ("bundle", "names", "outcome", "said"):
        table.add_column(heading, overflow="fold")
    for row in poor + fine:
        table.add_row(printable(row.path, limit=60), _names(row.names), _word(row), _said(row))
    screen = screens.console()
    screen.print(table)
    more = counts.total() - len(poor) - len(fine)
    if more:
        screen.print(f"and {more} more like the last")
    screen.print(", ".join(f"{number} {word}" for word, number in sorted(counts.items())))
    if none_sent:
        screen.print(f"{counts.total()} of {tried} bundles were refused, so none was sent.")
    for todo in {f"{_word(row)}: {row.todo}": None for row in poor if not none_sent}:
        screen.print(todo)


def _word(row: Row) -> str:
    if row.error is not None and row.error.exit_status == BundleError.exit_status:
        return "bundle refused"
    return row.outcome.value


def _said(row: Row) -> str:
    if row.error is not None:
        return f"{row.error.code}: {row.error.what}"
    return (row.entry.said if row.entry else None) or ""


def _names(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}" if names else ""


def _as_json(row: Row) -> dict[str, Any]:
    return {
        "file": row.path,
        "names": list(row.names),
        "outcome": row.outcome.name.lower(),
        "todo": row.todo,
        "exit_status": row.status,
        "error": error_as_json(row.error) if row.error else None,
        "delivery": _delivery_as_json(row, row.entry) if row.entry else None,
    }


def _delivery_as_json(row: Row, entry: Entry) -> dict[str, Any]:
    """Give what `handed_as_json` gave when the verdict was heard, with the receipt from its log."""
    told = handed_as_json(Handed(entry, row.outcome, error=row.error, again_at=row.again_at))
    accepted = row.outcome is Outcome.ACCEPTED
    return told | {"receipt": office.receipt_of(entry) if accepted else None}


def _in_the_way(entry: Entry) -> CertmailError:
    from certmail.outbox.store import in_flight

    return still_unknown(entry) if entry.state is State.UNKNOWN else in_flight(entry)


def _not_reached() -> CertmailError:
    from certmail.errors import RelayError

    return RelayError(
        "BATCH-NOT-REACHED",
        "its turn did not come before the run ended",
        why="the run was interrupted, or the time to try again was over",
        next="the same command again: it goes on where this one ended",
    )
