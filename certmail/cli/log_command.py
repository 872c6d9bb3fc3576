"""``certmail log`` and ``certmail due``: what was handed over, whether it was edited, what ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import plain_options
from certmail.cli.command import Command, Group
from certmail.cli.draw import wrapped
from certmail.cli.json_output import echo_json
from certmail.cli.loudness import remark

if TYPE_CHECKING:
    from collections.abc import Iterable

EDITED: Final = 17
"""The status of ``certmail log verify`` when the log was changed."""

SOON: Final = 20
"""The status of ``certmail due`` when something ends soon."""

OUTCOMES: Final = ("accepted", "refused", "deferred", "unknown")


@click.group(cls=Group, invoke_without_command=True)
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only what ended like this.")
@click.option("--name", "host", metavar="HOST", help="Only certificates for this name.")
@click.option(
    "--since", metavar="DATE", help="Only what happened on or after this day, as 2026-01-31."
)
@click.option("--export", is_flag=True, help="Print the lines as they are kept, one JSON a line.")
@plain_options.json_option
@click.pass_context
def log(context: click.Context, /, **parameters: Any) -> None:
    """Show each message that was accepted, refused, or whose fate is unknown.

    A line holds public facts alone. Lines are chained by hash, so that a later edit shows: certmail
    log verify.
    """
    if context.invoked_subcommand is not None:
        return
    from certmail import office

    records = list(_filtered(office.ledger().records(), parameters))
    if parameters["export"]:
        for record in records:
            click.echo(json.dumps(record, sort_keys=True, separators=(",", ":")))
    elif parameters["as_json"]:
        echo_json("certmail.log/1", records=records)
    else:
        _draw(records)


@log.command(short_help="Tell whether a line was changed or taken out.")
@click.option("--head", metavar="HASH", help="A hash noted earlier, which must stand in the chain.")
@plain_options.json_option
def verify(head: str | None, as_json: bool) -> int:  # noqa: FBT001 - click's flag
    """Follow the chain of hashes through the log.

    Prints the hash of its last line: noted elsewhere, it shows later that nothing before it was
    rewritten (--head). Ends with 17 when the log was changed.
    """
    from certmail import office
    from certmail.values import printable

    verdict = office.ledger().verify(known=head.strip().lower() if head else None)
    if as_json:
        echo_json(
            "certmail.log-verify/1",
            good=verdict.good,
            lines=verdict.count,
            head=verdict.head,
            fault=verdict.fault,
            line=verdict.line,
        )
    elif verdict.fault is None:
        click.echo(f"{verdict.count} lines, each carrying the hash of the one before")
        click.echo(f"head {verdict.head}")
    else:
        where = f"line {verdict.line}: " if verdict.line else ""
        fault = printable(verdict.fault, limit=200)
        click.echo(wrapped(f"NOT as it was written: {where}{fault}"))
        click.echo(wrapped(f"the first {verdict.count} lines hold; head {verdict.head}"))
    return 0 if verdict.good else EDITED


@click.command(cls=Command)
@click.option(
    "--days", type=click.IntRange(0, 3650), default=30, show_default=True, metavar="N",
    help="How far to look ahead.",
)  # fmt: skip
@plain_options.json_option
def due(days: int, as_json: bool) -> int:  # noqa: FBT001 - click's flag
    """List certificates that were handed over, end within N days, and were not sent anew.

    For cron: ends with 20 when there are any, with 0 when there are none.
    """
    from certmail import office
    from certmail.ledger.expiry import due as find

    at = datetime.now(UTC)
    found = find(office.ledger().records(), at=at, days=days)
    if as_json:
        echo_json(
            "certmail.due/1",
            days=days,
            due=[
                {
                    "names": list(one.names),
                    "ends": one.ends.isoformat(),
                    "days_left": (one.ends - at).days,
                    "serial": one.serial,
                    "certificate_sha256": one.certificate_sha256,
                    "message_id": one.message_id,
                    "accepted_at": one.accepted_at,
                }
                for one in found
            ],
        )
    else:
        for one in found:
            left = (one.ends - at).days
            when = f"in {left} days" if left >= 0 else f"{-left} days ago"
            click.echo(wrapped(f"{one.ends:%Y-%m-%d} ({when})  {', '.join(one.names)}"))
        if not found:
            remark(f"nothing that was handed over ends within {days} days")
    return SOON if found else 0


def _filtered(
    records: Iterable[dict[str, Any]], parameters: dict[str, Any]
) -> Iterable[dict[str, Any]]:
    since = parameters["since"]
    if since is not None:
        try:
            datetime.fromisoformat(since)
        except ValueError:
            raise click.UsageError("--since wants a day like 2026-01-31") from None
    for record in records:
        if parameters["outcome"] not in {None, record.get("outcome")}:
            continue
        if parameters["host"] is not None and parameters["host"] not in record.get("names", ()):
            continue
        if since is not None and str(record.get("at", "")) < since:
            continue
        yield record


def _draw(records: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from certmail.cli import screens
    from certmail.values import printable

    if not records:
        remark("the log holds nothing of that kind")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("at", "outcome", "names", "relay", "reply", "Message-ID"):
        table.add_column(heading, overflow="fold")
    for record in records:
        names = record.get("names") or [""]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        cells = (
            str(record.get("at", ""))[:19].replace("T", " "),
            record.get("outcome"),
            f"{names[0]}{more}",
            record.get("relay"),
            record.get("reply"),
            record.get("message_id"),
        )
        table.add_row(*(printable(str(cell or ""), limit=200) for cell in cells))
    screens.console().print(table)
