"""Ask at the terminal, or refuse to and name the flag that answers.

In: questions, each with the flag that answers it. Out: answers that have been proved. Everything is
wrapped to the terminal and cleaned: an answer is foreign text too. A screen is what stands between
two headings; no step says more than fits 24 lines of 80 columns.
"""

from __future__ import annotations

import sys
import textwrap
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeVar

import click

from certmail.cli.draw import draw_error, width
from certmail.errors import CertmailError, UsageError
from certmail.frozen import frozen
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from certmail.settings.keys import Key

T = TypeVar("T")

SCREEN_LINES: Final = 24
COLUMNS: Final = 80
LISTED: Final = 8
"""Rows of a list; what is more is told as a number."""


class Manner(Enum):
    """Who answers: somebody at the terminal, or the flags alone, in text or as JSON."""

    ASKS = "asks"
    TOLD = "told"
    JSON = "json"


@frozen
class Talk:
    """One conversation, or its absence."""

    manner: Manner

    @property
    def asks(self) -> bool:
        """Whether somebody is there to answer."""
        return self.manner is Manner.ASKS

    def heading(self, number: int, total: int, title: str) -> None:
        """Begin a screen."""
        self.turn(f"{number} of {total}  {title}")

    def turn(self, title: str) -> None:
        """Begin a screen within a step."""
        if self.asks:
            click.echo(f"\n{title}\n{'-' * min(width(), COLUMNS)}")

    def say(self, text: str = "", *, indent: int = 0) -> None:
        """Say something, where anybody reads along."""
        if not self.asks:
            return
        margin = " " * indent
        lines = textwrap.wrap(
            text,
            width=min(width(), COLUMNS) - 1,
            initial_indent=margin,
            subsequent_indent=margin,
            break_long_words=False,
            break_on_hyphens=False,
        )
        click.echo("\n".join(lines))

    def trouble(self, error: CertmailError) -> None:
        """Show a refusal in full, to somebody who can do something about it now."""
        if self.asks:
            click.echo(draw_error(error), nl=False)

    def ask(
        self,
        question: str,
        *,
        flag: str,
        prove: Callable[[str], T],
        default: str | None = None,
        given: str | None = None,
    ) -> T:
        """Ask until the answer proves itself; Enter takes ``default``, which may be empty.

        ``given`` is what a flag has said already; without a terminal it is the answer, or
        ``default`` is.

        Raises:
            UsageError: ``SETUP-ANSWER-MISSING``. And what ``prove`` raises of a flag's answer.
        """
        if given is not None or not self.asks:
            answer = given if given is not None else default
            if answer is None:
                raise missing(flag)
            return _taken(answer, prove=prove, flag=flag)
        while True:
            typed = click.prompt(
                question,
                default=default if default is not None else "",
                show_default=bool(default),
                type=click.STRING,
            )
            try:
                return prove(typed.strip())
            except CertmailError as error:
                self.say(f"{error.what}: {error.why}.", indent=2)
            except ValueError as wrong:
                self.say(f"{printable(typed)!r} is not {wrong}.", indent=2)

    def choose(
        self, question: str, words: Sequence[str], *, flag: str, default: str | None = None
    ) -> str:
        """Ask for one of ``words``, which have been shown with what they mean."""

        def prove(text: str) -> str:
            if text.lower() not in words:
                raise ValueError("one of " + ", ".join(words))
            return text.lower()

        return self.ask(question, flag=flag, prove=prove, default=default)

    def confirm(self, question: str, *, default: bool) -> bool:
        """Ask for a yes; whoever cannot be asked has said ``--yes``, which is ``default`` here."""
        return click.confirm(question, default=default) if self.asks else default


def _taken(answer: str, *, prove: Callable[[str], T], flag: str) -> T:
    """Prove an answer that nobody can be asked for again."""
    try:
        return prove(answer)
    except ValueError as wrong:
        raise UsageError(
            "SETUP-ANSWER-UNUSABLE",
            f"the answer {printable(answer)!r} for {flag} is not {wrong}",
            why="it was given before anybody was asked",
            next="certmail setup --help shows what each flag takes",
        ) from None


def proof(key: Key[T]) -> Callable[[str], str]:
    """Make a proof of a setting's spelling, which gives the spelling back."""

    def prove(text: str) -> str:
        try:
            key.read(text)
        except ValueError:
            raise ValueError(key.wants) from None
        return text

    return prove


def missing(*flags: str) -> UsageError:
    """Say that nothing is guessed where nobody can be asked."""
    listed = ", ".join(flags)
    return UsageError(
        "SETUP-ANSWER-MISSING",
        f"nobody can be asked here, and there is no answer for {listed}",
        why="a set-up guesses nothing: it asks at a terminal, or takes flags",
        next=f"certmail setup --yes {' '.join(flags)}; or run certmail setup at a terminal",
    )


def manner_of(*, yes: bool, as_json: bool) -> Manner:
    """Tell who answers.

    Raises:
        UsageError: ``SETUP-NOBODY``, where nobody can, and nobody has said so.
    """
    if as_json:
        return Manner.JSON
    if yes:
        return Manner.TOLD
    if sys.stdin.isatty() and sys.stdout.isatty():
        return Manner.ASKS
    raise UsageError(
        "SETUP-NOBODY",
        "there is no terminal to ask on",
        why="the settings file is about to be written; somebody must answer, or say yes in advance",
        next="certmail setup --yes --from ADDRESS --provider NAME --relay-user USER"
        " --password-stdin; certmail setup --help lists the flags",
    )
