"""``certmail send`` with many bundles: check all, ask once, seal in parallel, one verdict each."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from certmail import office
from certmail.batch import Outcome, in_parallel, worst
from certmail.cli.deliver import Manner, handed_as_json
from certmail.cli.delivery_options import PROVIDER_WARNING
from certmail.cli.json_output import echo_json, error_as_json
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
    from collections.abc import Iterable

    from certmail.cli.key_for_send import KeyForSend
    from certmail.cli.wiring import Workbench
    from certmail.message.letter import Request
    from certmail.message.seal import Copy, Engine, Signer

SHOWN: Final = 20
"""Rows that are drawn before the rest is counted; what went wrong is drawn in full."""

INTERRUPTED: Final = 130


@frozen
class Checked:
    """One bundle that may be sent: what is remembered of it. The bundle itself is read again."""

    path: str
    names: tuple[str, ...]
    ends: str
    certificate_sha256: str
    findings: int
    sha256: str
    """Of the bundle's octets: the same ones need no second look at the key's numbers."""


@frozen
class Row:
    """One line of the summary."""

    path: str
    names: tuple[str, ...]
    outcome: Outcome
    status: int
    handed: Handed | None = None
    error: CertmailError | None = None


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
            found |= dict.fromkeys(str(file) for file in sorted(path.glob("*.pem")))
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


def check_all(bench: Workbench, files: list[str]) -> tuple[list[Checked], list[Row]]:
    """Check every bundle in threads; give the good ones and, for the others, why not."""
    import asyncio

    good: dict[str, Checked] = {}
    bad: list[Row] = []

    def done(path: str, made: Checked | CertmailError) -> None:
        if isinstance(made, CertmailError):
            bad.append(Row(path, (), Outcome.NOT_SENT, made.exit_status, error=made))
        else:
            good[path] = made
        counted.one_more()

    with Counted("checked", total=len(files)) as counted:
        asyncio.run(
            in_parallel(files, partial(_check, bench), workers=os.cpu_count() or 1, done=done)
        )
    order = {path: place for place, path in enumerate(files)}
    return (
        [good[path] for path in files if path in good],
        sorted(bad, key=lambda row: order[row.path]),
    )


def _check(bench: Workbench, path: str) -> Checked:
    from certmail.bundle.facts import sha256_hex
    from certmail.cli.files import read_bundle
    from certmail.walk import Order, check_bundle

    data = read_bundle(path)
    checked, findings = check_bundle(Order(data, at=bench.at))
    leaf = checked.leaf
    return Checked(
        path,
        leaf.names,
        f"{leaf.not_after:%Y-%m-%d}",
        leaf.sha256,
        len(findings),
        sha256_hex(data),
    )


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
    rows: dict[str, Row]
    paths: dict[int, Checked]
    done: Counted

    async def feed(self, checked: list[Checked]) -> None:
        """Seal what the outbox does not hold yet, and feed the post with all of it."""
        unsealed = [one for one in checked if not self._resumed(one)]
        await in_parallel(
            unsealed, self._seal, workers=max(2, os.cpu_count() or 1), done=self._sealed
        )

    def heard(self, handed: Handed) -> None:
        """Take down a verdict; one that is tried again is none yet."""
        one = self.paths[handed.entry.number]
        self._row(one, handed.outcome, handed.status, handed=handed, error=handed.error)

    def _resumed(self, one: Checked) -> bool:
        """Go on with what an earlier run left in the outbox; tell whether there was something."""
        kept = self.desk.outbox.of_certificate(one.certificate_sha256)
        open_ones = [entry for entry in kept if entry.state is not State.ACCEPTED]
        for entry in open_ones:
            if entry.state in RETRIED or (
                entry.state is State.UNKNOWN and self.manner.resend_unknown
            ):
                self._feed(one, entry)
            else:
                self._failed(one, _in_the_way(entry))
            return True
        if kept and not self.manner.again:
            self._row(one, Outcome.ALREADY, 0, error=already_sent(kept[-1]))
            return True
        return False

    def _seal(self, one: Checked) -> Entry:
        """Read, check, seal and keep one bundle, in a thread of its own."""
        from certmail.bundle.further import Further
        from certmail.cli.files import read_bundle, with_file
        from certmail.message.record import record
        from certmail.walk import Order, seal_bundle

        at = self.bench.now()
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

    def _sealed(self, one: Checked, made: Entry | CertmailError) -> None:
        if isinstance(made, CertmailError):
            self._failed(one, made)
            if isinstance(made, StateError):
                self.desk.post.stop(made)
        else:
            self._feed(one, made)

    def _feed(self, one: Checked, entry: Entry) -> None:
        self.paths[entry.number] = one
        self.desk.post.feed(entry.number)

    def _failed(self, one: Checked, error: CertmailError) -> None:
        outcome = office.outcome_of(error)
        self._row(one, outcome, office.status_of(outcome, error), error=error)

    def _row(
        self,
        one: Checked,
        outcome: Outcome,
        status: int,
        *,
        handed: Handed | None = None,
        error: CertmailError | None = None,
    ) -> None:
        fresh = one.path not in self.rows
        self.rows[one.path] = Row(one.path, one.names, outcome, status, handed, error)
        if fresh:
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
    files = files_of(bundles)
    checked, refused = check_all(bench, files)
    checked, twice = _once_each(checked)
    if refused:
        return _finish(manner, refused, tried=len(files), none_sent=True)
    signer = bench.signer()
    if manner.asks:
        _draw_plan(checked)
        click.echo(PROVIDER_WARNING, err=True)
        relay = bench.relay(signer.address)
        if not click.confirm(f"Send {len(checked)} messages through {relay}?", err=True):
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
            rows={},
            paths={},
            done=Counted("settled", total=len(checked)),
        )
        desk.heard = batch.heard
        interrupted = _run(batch, checked)
        rows = _rows(batch, checked, twice)
    status = _finish(manner, rows, tried=len(files), none_sent=False)
    return INTERRUPTED if interrupted and status in {0, 18, 19} else status


def _run(batch: Batch, checked: list[Checked]) -> bool:
    """Run the batch and count; tell whether it was interrupted."""
    try:
        with batch.done:
            batch.desk.run(partial(batch.feed, checked))
    except KeyboardInterrupt:
        return True
    except CertmailError as error:
        batch.desk.post.stop(error)
    return False


def _once_each(checked: list[Checked]) -> tuple[list[Checked], dict[str, str]]:
    """Keep the first file of each certificate; name the others by it."""
    first: dict[str, Checked] = {}
    twice: dict[str, str] = {}
    for one in checked:
        if one.certificate_sha256 in first:
            twice[one.path] = first[one.certificate_sha256].path
        else:
            first[one.certificate_sha256] = one
    return list(first.values()), twice


def _rows(batch: Batch, checked: list[Checked], twice: dict[str, str]) -> list[Row]:
    """Give a row for each file; what never had its turn waits, for the reason that stopped all."""
    stopped = batch.desk.post.stopped
    rows = []
    for one in checked:
        row = batch.rows.get(one.path)
        if row is None:
            error, outcome = stopped or _not_reached(), Outcome.NOT_SENT
            for entry in batch.desk.outbox.of_certificate(one.certificate_sha256):
                if entry.state is State.UNKNOWN:
                    error, outcome = still_unknown(entry), Outcome.UNKNOWN
            row = Row(one.path, one.names, outcome, office.status_of(outcome, error), error=error)
        rows.append(row)
    by_path = {row.path: row for row in rows}
    for path, first in twice.items():
        same = by_path[first]
        rows.append(Row(path, same.names, same.outcome, same.status, same.handed, same.error))
    return rows


def _finish(manner: Manner, rows: list[Row], *, tried: int, none_sent: bool) -> int:
    """Say what came of each, and give the worst status."""
    status = worst(row.status for row in rows)
    if manner.as_json:
        echo_json("certmail.batch/1", messages=_as_json(rows), exit_status=status)
    else:
        _draw(rows, tried=tried, none_sent=none_sent)
    return status


def _draw_plan(checked: list[Checked]) -> None:
    from rich.table import Table

    from certmail.cli import screens

    table = Table(box=None, pad_edge=False)
    for heading in ("bundle", "names", "until"):
        table.add_column(heading, overflow="fold")
    for one in checked[:SHOWN]:
        table.add_row(printable(one.path, limit=60), _names(one.names), one.ends)
    screen = screens.console()
    screen.print(table)
    if len(checked) > SHOWN:
        screen.print(f"and {len(checked) - SHOWN} more")


def _draw(rows: Iterable[Row], *, tried: int, none_sent: bool) -> None:
    """Draw the summary: what needs somebody in full, what went well up to a screen."""
    from rich.table import Table

    from certmail.cli import screens

    rows = list(rows)
    fine = [row for row in rows if row.status == 0]
    table = Table(box=None, pad_edge=False)
    for heading in ("bundle", "names", "outcome", "said"):
        table.add_column(heading, overflow="fold")
    for row in [row for row in rows if row.status != 0] + fine[:SHOWN]:
        table.add_row(printable(row.path, limit=60), _names(row.names), _word(row), _said(row))
    screen = screens.console()
    screen.print(table)
    if len(fine) > SHOWN:
        screen.print(f"and {len(fine) - SHOWN} more like the last")
    counts: dict[str, int] = {}
    for row in rows:
        counts[_word(row)] = counts.get(_word(row), 0) + 1
    screen.print(", ".join(f"{number} {word}" for word, number in sorted(counts.items())))
    if none_sent:
        screen.print(f"{len(rows)} of {tried} bundles were refused, so none was sent.")
    for outcome in {row.outcome: None for row in rows if row.status and not none_sent}:
        screen.print(f"{outcome.value}: {outcome.todo}")


def _word(row: Row) -> str:
    if row.error is not None and row.error.exit_status == BundleError.exit_status:
        return "bundle refused"
    return row.outcome.value


def _said(row: Row) -> str:
    if row.error is not None:
        return f"{row.error.code}: {row.error.what}"
    return row.handed.receipt.reply if row.handed and row.handed.receipt else ""


def _names(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}" if names else ""


def _as_json(rows: list[Row]) -> list[dict[str, Any]]:
    return [
        {
            "file": row.path,
            "names": list(row.names),
            "outcome": row.outcome.name.lower(),
            "todo": row.outcome.todo,
            "exit_status": row.status,
            "error": error_as_json(row.error) if row.error else None,
            "delivery": handed_as_json(row.handed) if row.handed else None,
        }
        for row in rows
    ]


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
