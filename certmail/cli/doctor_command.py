"""``certmail doctor``: what a send would need, looked at one by one, without sending anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from certmail.cli import options, plain_options
from certmail.cli.command import Command
from certmail.cli.json_output import echo_json
from certmail.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certmail.delivery.probe import Depth


@click.command(cls=Command)
@click.option(
    "--login",
    is_flag=True,
    help="Log in to the relay too: read the password and try it once.",
)
@click.option(
    "--envelope",
    is_flag=True,
    help="Log in, and name sender and recipient too; they are taken back (RSET), nothing is sent.",
)
@click.option("--offline", "no_network", is_flag=True, help="Leave the network alone.")
@click.option(
    "--deadline",
    type=click.IntRange(5, 600),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long all looks together may take.",
)
@plain_options.json_option
@options.with_settings(*options.SENDER, *options.KEY, *options.GNUPG, *options.RELAY)
@click.pass_obj
def doctor(
    common: dict[str, Any],
    /,
    deadline: int,
    as_json: bool,  # noqa: FBT001 - click's flag
    **parameters: Any,
) -> int:
    """Look at what a send would need, one thing after the other; nothing is sent or changed.

    The relay is dialled up to verified TLS and asked what it offers; no password is read without
    --login. The name servers are asked about the recipient's domain, for information. Each look
    says what it saw, and what to type where something is wrong.

    Ends with the exit status of the first thing that would stop a send, else with 0.
    """
    from certmail.cli.doctor.case import Wish
    from certmail.cli.doctor.examine import examine
    from certmail.cli.doctor.screen import as_json as looks_as_json
    from certmail.cli.doctor.screen import draw, exit_status
    from certmail.cli.screens import console

    depth = _depth(parameters)
    keys = (*options.SENDER, *options.KEY, *options.GNUPG, *options.RELAY)
    looks = examine(
        Wish(
            common=common,
            flags=options.flags_of(parameters, *keys),
            depth=depth,
            seconds=float(deadline),
        )
    )
    if as_json:
        echo_json("certmail.doctor/1", **looks_as_json(looks))
    else:
        console().print(draw(looks), soft_wrap=True)
    return exit_status(looks)


def _depth(parameters: Mapping[str, Any]) -> Depth | None:
    """Say how deep to go into the relay; None leaves it alone.

    Raises:
        UsageError: ``DOCTOR-OFFLINE``.
    """
    from certmail.delivery.probe import Depth

    deepest = "envelope" if parameters["envelope"] else "login" if parameters["login"] else "tls"
    if not parameters["no_network"]:
        return Depth(deepest)
    if deepest != "tls":
        raise UsageError(
            "DOCTOR-OFFLINE",
            f"--offline leaves the relay alone, and --{deepest} talks to it",
            why="only one of the two can be meant",
            next=f"certmail doctor --{deepest}",
        )
    return None
