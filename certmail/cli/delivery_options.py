"""Options of everything that hands messages over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from certmail.cli.password_stdin import password_stdin_option
from certmail.recipient import UPLOAD_FORM

Command = TypeVar("Command", bound=Callable[..., Any])

PROVIDER_WARNING: Final = (
    "Clever Cloud prefers its upload form and charges for certificates sent by mail:\n"
    f"  {UPLOAD_FORM}\n"
    "certmail upload BUNDLE tells what to paste there."
)

MAX_WAIT_S: Final = 7 * 24 * 3600
MAX_CONNECTIONS: Final = 16

wait_option = click.option(
    "--wait",
    type=click.IntRange(0, MAX_WAIT_S),
    default=0,
    metavar="SECONDS",
    help="Try again for so long when the relay cannot take it now; then it stays in the outbox.",
)
connections_option = click.option(
    "--connections",
    type=click.IntRange(1, MAX_CONNECTIONS),
    default=1,
    show_default=True,
    metavar="N",
    help="Connections to the relay at once, for many bundles.",
)
again_option = click.option(
    "--again", is_flag=True, help="Send although this certificate was accepted before."
)
resend_unknown_option = click.option(
    "--resend-unknown",
    is_flag=True,
    help="Send once more what may have been accepted; it may arrive twice.",
)
backoff_option = click.option(
    "--first-pause",
    type=click.FloatRange(0.1, 3600),
    default=5.0,
    hidden=True,
    help="Seconds before the first new try.",
)


def with_delivery(command: Command) -> Command:
    """Add the options of ``send`` that say how to deliver."""
    for option in (
        password_stdin_option,
        backoff_option,
        resend_unknown_option,
        again_option,
        connections_option,
        wait_option,
    ):
        command = option(command)
    return command
