"""``certmail relay``: what worked with each relay, and taking a weaker offer knowingly."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from certmail.cli import plain_options
from certmail.cli.command import Group
from certmail.cli.draw import wrapped
from certmail.cli.json_output import echo_json
from certmail.cli.loudness import remark

if TYPE_CHECKING:
    from certmail.ratchet import Remembered


@click.group(cls=Group)
def relay() -> None:
    """Show how relays were spoken to, and accept a weaker way knowingly.

    certmail remembers for each relay the mode of TLS, its version, the login and the pin that
    worked. A weaker offer later is refused before a password is read.
    """


@relay.command(name="list", short_help="Show what is remembered of each relay.")
@plain_options.json_option
def list_(as_json: bool) -> None:  # noqa: FBT001 - click's flag
    """Show what worked with each relay, and since when."""
    from certmail import office

    relays = office.ratchet().relays()
    if as_json:
        echo_json(
            "certmail.relays/1",
            relays=[_as_json(host, known) for host, known in relays.items()],
        )
        return
    for host, known in relays.items():
        now = known.offered
        parts = [now.mode, now.tls_version, now.mechanism or "no login", now.pin and "pinned"]
        said = ", ".join(part for part in parts if part)
        click.echo(wrapped(f"{host}: {said}, since {known.at[:10]}"))
    if not relays:
        remark("no relay has accepted a message yet")


@relay.command(short_help="Take what a relay offers next, though it is weaker.")
@click.argument("host")
@click.option("--yes", is_flag=True, help="Do not ask.")
@plain_options.json_option
def accept(host: str, yes: bool, as_json: bool) -> None:  # noqa: FBT001 - click's flags
    """Forget what worked with HOST, so that its next offer is taken and remembered.

    TLS of version 1.2 or better and a certificate that verifies are demanded all the same.
    """
    from certmail import office
    from certmail.errors import UsageError
    from certmail.values import Hostname

    name = Hostname(host).text
    memory = office.ratchet()
    known = memory.relays().get(name)
    if known is None:
        raise UsageError(
            "RATCHET-NO-SUCH",
            f"nothing is remembered of {name}",
            why="its next offer is taken anyway",
            next="certmail relay list",
        )
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise UsageError(
                "RATCHET-ACCEPT-NOBODY",
                "there is no terminal to ask on",
                why="a weaker protection of the password is about to be taken",
                next=f"certmail relay accept {name} --yes",
            )
        now = known.offered
        click.echo(
            f"{name} was spoken to by {now.mode}, {now.tls_version}, {now.mechanism or 'no login'}",
            err=True,
        )
        click.confirm("Take whatever it offers next?", abort=True, err=True)
    memory.forget(name)
    if as_json:
        echo_json("certmail.relay-accept/1", forgotten=_as_json(name, known))
    else:
        click.echo(f"what {name} offers next is taken and remembered")


def _as_json(host: str, known: Remembered) -> dict[str, Any]:
    return {"host": host, **asdict(known.offered), "since": known.at}
