"""``certmail outbox``: what is on its way, what became of it, and what to do about it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import accept_option, delivery_options, options, plain_options
from certmail.cli.command import Group
from certmail.cli.json_output import echo_json
from certmail.cli.loudness import remark
from certmail.cli.password_stdin import password_stdin_option, piped_in

if TYPE_CHECKING:
    from certmail.office import Handed
    from certmail.outbox.states import Entry
    from certmail.outbox.store import Outbox

_RETRYING: Final = (*options.KEY, *options.KEY_WARNING, *options.GNUPG)

CONFIRMED: Final = "RESEND"


@click.group(cls=Group)
def outbox() -> None:
    """Show what was sealed to be sent: what became of it, and what to do.

    Each message is kept here, sealed, from before the first byte is offered to a relay. It is named
    by the beginning of its SHA-256.
    """


@outbox.command(name="list", short_help="List the messages and their states.")
@click.option("--all", "everything", is_flag=True, help="Also what was dropped.")
@plain_options.json_option
def list_(everything: bool, as_json: bool) -> None:  # noqa: FBT001 - click's flags
    """List the messages that are kept, oldest first."""
    from certmail import office
    from certmail.outbox.states import State

    with office.outbox_to_look() as kept:
        entries = kept.entries(*(tuple(State) if everything else ()))
    if as_json:
        echo_json("certmail.outbox/1", messages=[_as_json(entry) for entry in entries])
    else:
        _draw_list(entries)


@outbox.command(short_help="Show one message and what to do about it.")
@click.argument("name")
@plain_options.json_option
def show(name: str, as_json: bool) -> None:  # noqa: FBT001 - click's flag
    """Show what became of the message NAME, why, and what to do."""
    from certmail import office

    with office.outbox_to_look() as kept:
        entry = kept.find(name)
    if as_json:
        echo_json("certmail.outbox-show/1", **_as_json(entry))
    else:
        _draw_entry(entry)


@outbox.command(cls=accept_option.Send, short_help="Offer what waits once more.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@delivery_options.wait_option
@delivery_options.connections_option
@delivery_options.resend_unknown_option
@delivery_options.backoff_option
@password_stdin_option
@click.option("--now", is_flag=True, help="Also what is not due yet.")
@click.option("--offline", is_flag=True, help="Look for no newer copy of the key.")
@click.option(
    "--require-fresh", is_flag=True, help="Refuse where no source has confirmed the key lately."
)
@accept_option.accept_option
@plain_options.json_option
@options.with_settings(*_RETRYING, *options.KEY_AGE, *options.RELAY)
@click.pass_obj
def retry(common: dict[str, Any], /, names: tuple[str, ...], **parameters: Any) -> int:
    """Offer messages once more, byte for byte: NAMEs, or all that wait and are due.

    What was refused for good is offered again when it is named. Of what may have been accepted
    nobody knows enough to decide: it takes --resend-unknown, or your word at a terminal. For cron
    and timers: ends with 0 when nothing is left to do.
    """
    from certmail import office
    from certmail.cli.key_for_send import key_for_send
    from certmail.cli.wiring import workbench

    flags = options.flags_of(parameters, *_RETRYING, *options.KEY_AGE, *options.RELAY)
    bench = workbench(common, flags, piped_in=piped_in(parameters))
    bench.require_one_source()
    with office.outbox() as kept:
        chosen = _chosen(kept, names, parameters, at=bench.at)
        if not chosen:
            return _finish([], parameters)
        key = key_for_send(bench, parameters)
        handed: list[Handed] = []
        for sender, entries in _by_sender(kept, chosen):
            desk = office.Office(
                bench,
                kept,
                key,
                bench.relay(sender),
                wait_s=float(parameters["wait"]),
                connections=parameters["connections"],
                backoff_s=parameters["first_pause"],
                speak_for_unknown=parameters["resend_unknown"],
            )
            handed += _hand_over(desk, entries)
    return _finish(handed, parameters)


@outbox.command(short_help="Forget a message's sealed bytes.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--accepted", is_flag=True, help="Every message that was accepted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@plain_options.json_option
def drop(
    names: tuple[str, ...],
    accepted: bool,  # noqa: FBT001 - click's flags
    yes: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Forget the sealed bytes of the messages NAME, or of all that were accepted.

    A dropped message is never offered again, and its certificate may be sent anew. Of one that was
    accepted the fact remains, so that it is not sent twice; the log keeps every receipt.
    """
    from certmail import office
    from certmail.errors import UsageError
    from certmail.outbox.states import State
    from certmail.outbox.store import in_flight

    if not names and not accepted:
        raise click.UsageError("give NAME, or --accepted")
    dropped: list[dict[str, Any]] = []
    with office.outbox() as kept:
        settled = [e for e in kept.entries(State.ACCEPTED) if e.kept] if accepted else []
        for entry in [*settled, *(kept.find(name) for name in names)]:
            if not yes:
                if as_json or not sys.stdin.isatty():
                    raise UsageError(
                        "OUTBOX-DROP-NOBODY",
                        "there is no terminal to ask on",
                        why="a dropped message cannot be brought back",
                        next=f"certmail outbox drop {entry.name} --yes",
                    )
                click.confirm(f"Drop {entry.name} ({entry.state.value})?", abort=True, err=True)
            if not kept.claim(entry.number):
                raise in_flight(entry)
            kept.drop(entry.number, at=_now())
            dropped.append({"name": entry.name, "sha256": entry.sha256, "was": entry.state.value})
            if not as_json:
                click.echo(f"dropped {entry.name}, which was {entry.state.value}")
    if as_json:
        echo_json("certmail.outbox-drop/1", dropped=dropped)


@outbox.command(short_help="Write a message's sealed bytes to a file.")
@click.argument("name")
@click.argument("file", metavar="FILE.eml")
@plain_options.json_option
def export(name: str, file: str, as_json: bool) -> None:  # noqa: FBT001 - click's flag
    """Write the sealed bytes of the message NAME to a new FILE.eml, exactly as they are offered."""
    from certmail import office
    from certmail.cli.files import write_sealed

    with office.outbox_to_look() as kept:
        entry = kept.find(name)
        write_sealed(file, kept.wire(entry.number))
    if as_json:
        echo_json("certmail.outbox-export/1", name=entry.name, sha256=entry.sha256, file=file)
    else:
        click.echo(f"wrote {entry.name} to {file}")


def _chosen(
    kept: Outbox, names: tuple[str, ...], parameters: dict[str, Any], *, at: Any
) -> list[Entry]:
    """Choose what to offer: what was named, or what waits and is due."""
    from certmail.outbox.states import PENDING, RETRIED, State
    from certmail.outbox.store import already_sent, still_unknown

    if not names:
        _require_no_refused_login(kept)
        states = (*PENDING, State.UNKNOWN) if parameters["resend_unknown"] else tuple(PENDING)
        waiting = kept.entries(*states)
        return [
            entry
            for entry in waiting
            if entry.kept and (parameters["now"] or entry.again_at is None or entry.again_at <= at)
        ]
    chosen = [kept.find(name) for name in names]
    for entry in chosen:
        if entry.state is State.ACCEPTED:
            raise already_sent(entry)
        if entry.state is State.UNKNOWN and not parameters["resend_unknown"]:
            if not _confirmed(entry, parameters):
                raise still_unknown(entry)
            parameters["resend_unknown"] = True
        elif entry.state not in {*RETRIED, State.UNKNOWN}:
            kept.wire(entry.number)  # says that it was dropped
    return chosen


def _require_no_refused_login(kept: Outbox) -> None:
    """Try no login by itself after one was refused: some refusals lock an account."""
    from certmail.errors import RelayError
    from certmail.outbox.states import State

    for entry in kept.entries(State.REFUSED):
        if entry.code == "RELAY-AUTH-REFUSED":
            raise RelayError(
                "OUTBOX-LOGIN-REFUSED",
                f"the last login was refused, on {entry.changed_at:%Y-%m-%d %H:%M} UTC",
                why="a timer that goes on trying a wrong password locks the account",
                next="certmail secret test tries the login once; when it works, certmail outbox"
                f" retry {entry.name}",
            )


def _confirmed(entry: Entry, parameters: dict[str, Any]) -> bool:
    """Ask at a terminal for the word that resends what may have been accepted."""
    if parameters["as_json"] or not sys.stdin.isatty() or not sys.stderr.isatty():
        return False
    click.echo(
        f"{entry.name}: {entry.means}.\nIt went out as {entry.record.message_id}; sent again it may"
        " arrive twice, at a service that charges.",
        err=True,
    )
    typed = click.prompt(
        f"Type {CONFIRMED} to send it again", default="", show_default=False, err=True
    )
    return bool(typed == CONFIRMED)


def _by_sender(kept: Outbox, chosen: list[Entry]) -> list[tuple[Any, list[Entry]]]:
    """Group messages by sender, read off the sealed bytes: the login defaults to it."""
    from certmail.values import Address

    groups: dict[str, list[Entry]] = {}
    for entry in chosen:
        head = kept.wire(entry.number).split(b"\r\n", 1)[0].decode("ascii", "replace")
        groups.setdefault(head.removeprefix("From: "), []).append(entry)
    return [(Address(text), entries) for text, entries in groups.items()]


def _hand_over(desk: Any, chosen: list[Entry]) -> list[Handed]:
    from certmail.batch import Outcome
    from certmail.errors import CertmailError
    from certmail.office import Handed

    async def nothing() -> None:
        """Feed nothing more."""

    handed: dict[int, Handed] = desk.remembering()
    for entry in chosen:
        desk.post.feed(entry.number)
    try:
        desk.run(nothing)
    except CertmailError as error:
        desk.post.stop(error)
    for number in desk.post.left_over():
        if number not in handed and desk.post.stopped is not None:
            reason = desk.post.stopped
            handed[number] = Handed(desk.outbox.entry(number), Outcome.NOT_SENT, error=reason)
    return list(handed.values())


def _finish(handed: list[Handed], parameters: dict[str, Any]) -> int:
    from certmail.batch import worst
    from certmail.cli.deliver import explained, handed_as_json
    from certmail.cli.draw import echo_error

    status = worst(one.status for one in handed)
    if parameters["as_json"]:
        messages = [handed_as_json(one) for one in handed]
        echo_json("certmail.outbox-retry/1", messages=messages, exit_status=status)
        return status
    if not handed:
        remark("nothing in the outbox waits and is due")
    for one in handed:
        click.echo(f"{one.entry.name}: {one.outcome.value}")
        if one.error is not None:
            echo_error(explained(one))
    return status


def _draw_list(entries: list[Entry]) -> None:
    from rich.table import Table

    from certmail.cli import screens

    if not entries:
        remark("the outbox is empty")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "state", "since", "tries", "names", "said"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        table.add_row(
            entry.name,
            entry.state.value,
            f"{entry.changed_at:%Y-%m-%d %H:%M}",
            str(entry.attempts),
            entry.record.names[0],
            entry.said or "",
        )
    screen = screens.console()
    screen.print(table)
    states = {entry.state: entry for entry in reversed(entries)}
    for state, entry in states.items():
        screen.print(f"{state.value}: {entry.means}. Next: {entry.next}")


def _draw_entry(entry: Entry) -> None:
    from certmail.cli import screens

    facts = entry.facts
    rows = [
        ("state", f"{entry.state.value}: {entry.means}"),
        ("next", entry.next),
        ("said", entry.said or "nothing yet"),
        ("code", entry.code or ""),
        ("tries", str(entry.attempts)),
        ("due again", f"{entry.again_at:%Y-%m-%d %H:%M:%S} UTC" if entry.again_at else ""),
        ("sealed", f"{entry.created_at:%Y-%m-%d %H:%M:%S} UTC, from {entry.label}"),
        ("changed", f"{entry.changed_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("names", ", ".join(entry.record.names)),
        ("valid until", entry.record.certificate_ends),
        ("relay", entry.relay),
        ("Message-ID", entry.record.message_id),
        ("reference", f"{entry.record.reference}, inside the signed part"),
        ("SHA-256", entry.sha256),
        *((name, str(facts[name])) for name in ("envid", "dsn", "requiretls") if facts.get(name)),
    ]
    screen = screens.console()
    screen.print(
        screens.panel(entry.name, screens.rows([(label, text) for label, text in rows if text]))
    )


def _as_json(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "sha256": entry.sha256,
        "state": entry.state.value,
        "means": entry.means,
        "next": entry.next,
        "code": entry.code,
        "said": entry.said,
        "tries": entry.attempts,
        "again_at": entry.again_at.isoformat() if entry.again_at else None,
        "created_at": entry.created_at.isoformat(),
        "changed_at": entry.changed_at.isoformat(),
        "label": entry.label,
        "relay": entry.relay,
        "message_id": entry.record.message_id,
        "reference": entry.record.reference,
        "names": list(entry.record.names),
        "certificate_ends": entry.record.certificate_ends,
        "kept": entry.kept,
        "facts": dict(entry.facts),
    }


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)
