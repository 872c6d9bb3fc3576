"""``--password-stdin``: the relay's password on standard input, and what cannot go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from certmail.secrets import Source

password_stdin_option = click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the relay's password from the first line of standard input.",
)


def piped_in(
    parameters: Mapping[str, Any], *, files: Iterable[str | None] = (), asks: str | None = None
) -> Source | None:
    """Name standard input as the source, where that was asked for; nothing is read yet.

    ``files`` are those that the command reads; ``asks`` is the option that would keep it from
    asking somebody at standard input, where it is going to ask.

    Raises:
        UsageError: ``SECRET-STDIN-CONFLICT``.
    """
    if not parameters["password_stdin"]:
        return None
    from certmail.secrets import from_standard_input

    if "-" in files:
        _refuse("the bundle", "give the bundle as a file")
    if asks is not None:
        _refuse("your answer to a question", f"add {asks}, when a script has the last word")
    return from_standard_input()


def _refuse(other: str, act: str) -> None:
    from certmail.errors import UsageError

    raise UsageError(
        "SECRET-STDIN-CONFLICT",
        f"standard input cannot hold both the password and {other}",
        why="one of the two would be taken for the other",
        next=act,
    )
