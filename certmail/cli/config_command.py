"""``certmail config``: each setting, its value, and where it came from."""

from __future__ import annotations

import os
from typing import Any

import click

from certmail.cli import plain_options
from certmail.cli.command import Command
from certmail.cli.draw import wrapped
from certmail.cli.json_output import echo_json


@click.command(cls=Command)
@plain_options.json_option
@click.pass_obj
def config(common: dict[str, Any], as_json: bool) -> None:  # noqa: FBT001 - click's flag
    """Show each setting, its value, and where it came from.

    A flag wins over a CERTMAIL_… variable, which wins over the settings file. No setting can turn
    off a refusal, change the recipient, or hold a password.
    """
    from certmail.settings.resolve import load

    settings = load(flags={}, environ=os.environ, config=common["settings_file"])
    rows = list(settings.rows())
    if as_json:
        echo_json(
            "certmail.config/1",
            file=str(settings.path),
            settings=[
                {
                    "name": row.name,
                    "value": row.shown if row.origin else None,
                    "origin": str(row.origin) if row.origin else None,
                }
                for row in rows
            ],
        )
        return
    there = "" if settings.path.exists() else " (does not exist)"
    click.echo(wrapped(f"settings file: {settings.path}{there}") + "\n")
    wide = max(len(row.name) for row in rows)
    for row in rows:
        said = "-" if row.origin is None else f"{row.shown}   [{row.origin}]"
        click.echo(wrapped(f"  {row.name:<{wide}}  {said}", indent=" " * (wide + 4)))
