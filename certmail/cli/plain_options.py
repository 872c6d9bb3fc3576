"""Options that commands share and that no setting stands behind, unlike those of `options`."""

from __future__ import annotations

import click

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of text."
)
domain_option = click.option(
    "--domain",
    "domains",
    multiple=True,
    metavar="NAME",
    help="A name the certificate must cover; may be given several times.",
)
