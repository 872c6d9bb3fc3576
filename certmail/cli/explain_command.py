"""``certmail explain``: the page of an error, a finding or an exit status, as in the documents."""

from __future__ import annotations

import textwrap

import click

from certmail.cli import plain_options
from certmail.cli.code_pages import code_pages, status_pages
from certmail.cli.command import Command
from certmail.cli.json_output import echo_json


@click.command(cls=Command)
@click.argument("code", required=False)
@plain_options.json_option
def explain(code: str | None, as_json: bool) -> int:  # noqa: FBT001 - click's flag
    """Explain CODE, like KEY-EXPIRED, or an exit status, like 14; without one, list the codes."""
    from certmail.cli.draw import width
    from certmail.errors import UsageError
    from certmail.values import printable

    pages = code_pages()
    if code is None:
        if as_json:
            echo_json("certmail.codes/1", codes=list(pages))
        else:
            click.echo("\n".join(pages))
        return 0
    wanted = code.upper().strip("[]")
    if wanted.isdecimal():
        pages = status_pages()
    if wanted not in pages:
        import difflib

        near = difflib.get_close_matches(wanted, pages, n=3, cutoff=0.4)
        raise UsageError(
            "EXPLAIN-UNKNOWN",
            f"there is no {'exit status' if wanted.isdecimal() else 'code'} {printable(code)}",
            why="a code stands in brackets behind the word error, warning or note",
            next=f"certmail explain {near[0]}" if near else "certmail explain",
        )
    paragraphs = [_plain(text) for text in pages[wanted].strip().split("\n\n")]
    if as_json:
        echo_json("certmail.explain/1", code=wanted, paragraphs=paragraphs)
        return 0
    click.echo(f"exit status {wanted}" if wanted.isdecimal() else wanted)
    for paragraph in paragraphs:
        click.echo(textwrap.fill(paragraph, width(), initial_indent="  ", subsequent_indent="  "))
    return 0


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("**", "").replace("`", "")
