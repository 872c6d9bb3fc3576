"""``--accept-expired-key``, spelled alone or with a fingerprint behind an equals sign."""

from __future__ import annotations

from typing import Any, Final

import click

from certmail.cli.command import Command

ASK: Final = "ask"
"""What the option without a fingerprint stands for."""


def accept_option(command: Any) -> Any:
    """Add ``--accept-expired-key``, alone or with a fingerprint behind an equals sign."""
    return click.option(
        "--accept-expired-key",
        metavar="[=FINGERPRINT]",
        help="Encrypt to an expired copy of the pinned key, once, after confirming it with Clever"
        " Cloud. Asks for the last 8 digits; scripts write all 40 behind the equals sign.",
    )(command)


class Send(Command):
    """A command on which ``--accept-expired-key`` may stand alone without taking the next word."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Spell the option out where it stands alone."""
        end = args.index("--") if "--" in args else len(args)
        spelled = [
            f"{word}={ASK}" if word == "--accept-expired-key" else word for word in args[:end]
        ]
        return super().parse_args(ctx, [*spelled, *args[end:]])
