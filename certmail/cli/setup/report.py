"""The end of a set-up: a summary for people, one object for scripts, and the next command."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from certmail.cli.draw import wrapped
from certmail.cli.json_output import echo_json
from certmail.cli.setup.book import Outcome, Problem, Step
from certmail.cli.setup.talk import COLUMNS

if TYPE_CHECKING:
    from certmail.cli.setup.book import Book


def problems_of(steps: tuple[Step, ...], book: Book) -> tuple[Problem, ...]:
    """Collect what is to be known or done, each once."""
    found = [problem for step in steps for problem in step.problems]
    return tuple(dict.fromkeys((*found, *book.overridden())))


def is_ready(steps: tuple[Step, ...]) -> bool:
    """Tell whether a send would find all it needs, as far as was tried."""
    return not any(step.outcome is Outcome.FAILED for step in steps)


def exit_status(steps: tuple[Step, ...]) -> int:
    """Give the status of the first thing that would stop a send."""
    statuses = (p.exit_status for step in steps for p in step.problems if p.exit_status)
    return next(statuses, 0)


def next_command(steps: tuple[Step, ...], book: Book) -> str:
    """Say what to type now."""
    if not is_ready(steps):
        return f"{_program(book)} setup"
    bundle = book.parameters["bundle"]
    return f"{_program(book)} send {shlex.quote(bundle) if bundle else 'bundle.pem'}"


def echo(steps: tuple[Step, ...], book: Book) -> None:
    """Print the one object."""
    echo_json(
        "certmail.setup/1",
        file=str(book.path),
        ready=is_ready(steps),
        exit_status=exit_status(steps),
        steps=[
            {
                "name": step.name,
                "outcome": step.outcome.value,
                "value": step.value or None,
                "problems": [_problem(problem) for problem in step.problems],
            }
            for step in steps
        ],
        notes=[_problem(problem) for problem in book.overridden()],
        next=next_command(steps, book),
    )


def _problem(problem: Problem) -> dict[str, Any]:
    return {"code": problem.code, "what": problem.what, "next": problem.next}


def draw(steps: tuple[Step, ...], book: Book) -> None:
    """Draw the summary, on one screen."""
    from rich.table import Table
    from rich.text import Text

    from certmail.cli import screens

    if book.talk.asks:
        click.echo(f"\nThe end\n{'-' * COLUMNS}")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for step in steps:
        table.add_row(step.outcome.value, step.name, Text(step.value))
    screens.console().print(table)
    for problem in problems_of(steps, book):
        for text in (f"! {problem.code}: {problem.what}", f"  next: {problem.next}"):
            click.echo(wrapped(text, indent="    "))
    click.echo(f"\nsettings: {book.path}")
    if is_ready(steps):
        bundle = book.parameters["bundle"]
        named = shlex.quote(bundle) if bundle else "bundle.pem"
        click.echo(f"what would be sent:  {_program(book)} preview {named}")
        click.echo(f"send it:             {next_command(steps, book)}")
    else:
        click.echo(f"go on:               {next_command(steps, book)}")
    click.echo("Clever Cloud prefers its upload form, and charges for mail: certmail upload")


def _program(book: Book) -> str:
    """Name the program, with the settings file where it is not the usual one."""
    named = book.common["settings_file"]
    return f"certmail --config {shlex.quote(named)}" if named else "certmail"
