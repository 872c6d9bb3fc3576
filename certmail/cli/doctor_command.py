"""``certmail doctor``: what a send would need, looked at one by one, without sending anything."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import options
from certmail.cli.command import Command
from certmail.cli.json_output import echo_json
from certmail.errors import CertmailError

if TYPE_CHECKING:
    from collections.abc import Callable

    from certmail.cli.wiring import Workbench

_MARKS: Final = {"ok": "green", "note": "yellow", "bad": "bold red"}


class Health(Enum):
    """What a look came to."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Look:
    """One check: what was looked at, what was seen, and what to do."""

    name: str
    health: Health
    evidence: str
    code: str | None = None
    next: str | None = None
    exit_status: int = 0


@click.command(cls=Command)
@options.json_option
@options.with_settings(*options.SENDER, *options.KEY, *options.GNUPG, *options.RELAY)
@click.pass_obj
def doctor(
    common: dict[str, Any],
    /,
    as_json: bool,  # noqa: FBT001 - click's flag
    **parameters: Any,
) -> int:
    """Look at what a send would need: GnuPG, keys, relay, outbox and log.

    Nothing is sent, no password is read and no network is used. Ends with the exit status of the
    first thing that would stop a send.
    """
    from certmail.cli.wiring import workbench

    keys = (*options.SENDER, *options.KEY, *options.GNUPG, *options.RELAY)
    bench = workbench(common, options.flags_of(parameters, *keys))
    looks = [look for ask in _ASKED for look in _carefully(ask, bench)]
    if as_json:
        echo_json("certmail.doctor/1", **_as_json(looks))
    else:
        _draw(looks)
    return next((look.exit_status for look in looks if look.exit_status), 0)


def _carefully(ask: tuple[str, Callable[[Workbench], list[Look]]], bench: Workbench) -> list[Look]:
    """Turn a refusal into a look, so that the others are made as well."""
    name, look = ask
    try:
        return look(bench)
    except CertmailError as error:
        return [
            Look(
                name, Health.BAD, error.what, error.code, error.next, exit_status=error.exit_status
            )
        ]


def _gnupg(bench: Workbench) -> list[Look]:
    version = ".".join(map(str, bench.gpg.version))
    home = os.environ.get("GNUPGHOME") or "~/.gnupg"
    return [Look("GnuPG", Health.OK, f"{bench.gpg.path}, version {version}, your home is {home}")]


def _signer(bench: Workbench) -> list[Look]:
    signer = bench.signer()
    evidence = f"{signer.fingerprint.grouped()} signs for <{signer.address}>"
    return [Look("signing key", Health.OK, evidence)]


def _recipient(bench: Workbench) -> list[Look]:
    from certmail.cli.key_for_send import key_at_hand
    from certmail.cli.keys_at_hand import stale_notice
    from certmail.key.pin import require_usable
    from certmail.settings.keys import KEY_MAX_AGE_DAYS

    key = key_at_hand(bench)
    require_usable(key.pinned)
    ends = f"until {key.pinned.expires:%Y-%m-%d}" if key.pinned.expires else "for ever"
    looks = [Look("recipient's key", Health.OK, f"{key.pinned.source}: can be encrypted to {ends}")]
    looks += [Look("recipient's key", Health.NOTE, n.what, n.code, n.next) for n in key.notices]
    at_hand = bench.keys_at_hand()
    if at_hand.is_stale(at=bench.at, max_age_days=bench.settings.require(KEY_MAX_AGE_DAYS)):
        notice = stale_notice(at_hand, why="a send will look for a newer copy")
        looks.append(Look("its freshness", Health.NOTE, notice.what, notice.code, notice.next))
    return looks


def _relay(bench: Workbench) -> list[Look]:
    from certmail.settings import keys

    settings = bench.settings
    host = settings.require(keys.RELAY_HOST)
    mode, port = settings.require(keys.RELAY_MODE), settings.require(keys.RELAY_PORT)
    return [Look("relay", Health.OK, f"{host}:{port}, {mode.value} TLS; not dialled")]


def _outbox(bench: Workbench) -> list[Look]:
    del bench
    from certmail.office import outbox_to_look
    from certmail.outbox.states import State

    with outbox_to_look() as opened:
        unknown = len(opened.entries(State.UNKNOWN))
        waiting = len(opened.entries(State.WAITING, State.PREPARED))
    if unknown:
        return [
            Look(
                "outbox",
                Health.NOTE,
                f"{unknown} delivered or not, nobody knows",
                "DELIVERY-UNKNOWN",
                "certmail outbox list",
            )
        ]
    return [Look("outbox", Health.OK, f"{waiting} waiting" if waiting else "nothing waits")]


def _log(bench: Workbench) -> list[Look]:
    del bench
    from certmail.office import ledger

    log = ledger()
    log.require_writable()
    seen = log.verify()
    if not seen.good:
        evidence = f"line {seen.line}: {seen.fault}"
        return [Look("log", Health.BAD, evidence, "LOG-DAMAGED", "certmail log verify", 17)]
    return [Look("log", Health.OK, f"{seen.count} records, each chained to the one before")]


_ASKED: Final = (
    ("GnuPG", _gnupg),
    ("signing key", _signer),
    ("recipient's key", _recipient),
    ("relay", _relay),
    ("outbox", _outbox),
    ("log", _log),
)


def _draw(looks: list[Look]) -> None:
    from rich.table import Table
    from rich.text import Text

    from certmail.cli import screens

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for look in looks:
        code = f" [{look.code}]" if look.code else ""
        mark = Text(look.health.value, style=_MARKS[look.health.value])
        table.add_row(mark, look.name, Text(look.evidence + code))
        if look.next:
            table.add_row("", "", Text(f"next: {look.next}"))
    screens.console().print(table)


def _as_json(looks: list[Look]) -> dict[str, Any]:
    return {
        "healthy": not any(look.health is Health.BAD for look in looks),
        "looks": [
            {
                "name": look.name,
                "health": look.health.value,
                "evidence": look.evidence,
                "code": look.code,
                "next": look.next,
            }
            for look in looks
        ],
    }
