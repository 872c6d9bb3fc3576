"""The order of the steps, what happens between them, and the end of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from certmail.cli.setup import last, login, recipient, relay, sender, signing
from certmail.cli.setup.book import Outcome, Problem, Step
from certmail.errors import CertmailError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from certmail.cli.setup.book import Book

STEPS: Final[tuple[tuple[tuple[str, ...], str, Callable[[Book], Any], tuple[str, ...]], ...]] = (
    ((sender.NAME,), sender.TITLE, sender.sender, ()),
    ((signing.NAME,), signing.TITLE, signing.signing, (sender.NAME,)),
    ((relay.NAME,), relay.TITLE, relay.relay, (sender.NAME,)),
    ((login.NAME, login.LIVE), login.TITLE, login.login, (relay.NAME,)),
    ((recipient.NAME,), recipient.TITLE, recipient.recipient, ()),
    ((last.NAME,), last.TITLE, last.preview, (signing.NAME,)),
)
"""What each is called, its heading, how it goes, and what it cannot do without."""


def walk(book: Book) -> tuple[Step, ...]:
    """Take one step after the other; what fails is told, tried again if wished, and not hidden."""
    done: dict[str, Step] = {}
    for number, (names, title, take, needs) in enumerate(STEPS, 1):
        book.talk.heading(number, len(STEPS), title)
        broken = [name for name in needs if done[name].outcome is Outcome.FAILED]
        if broken:
            book.talk.say(f"This needs what is missing above: {', '.join(broken)}.")
            taken: tuple[Step, ...] = tuple(Step(name, Outcome.SKIPPED) for name in names)
        else:
            taken = _take(book, names, take, title=title)
        done |= {step.name: step for step in taken}
    return tuple(done.values())


def _take(
    book: Book, names: tuple[str, ...], take: Callable[[Book], Any], *, title: str
) -> tuple[Step, ...]:
    """Take one step, again and again while somebody at the terminal wishes so."""
    while True:
        try:
            taken = take(book)
        except UsageError:
            raise
        except CertmailError as error:
            book.talk.trouble(error)
            if book.talk.asks and book.talk.confirm("Try this step again", default=True):
                book.ask_anew(names)
                book.talk.turn(f"{title}, again")
                continue
            skipped = (Step(name, Outcome.SKIPPED) for name in names[:-1])
            return *skipped, Step(names[-1], Outcome.FAILED, problems=(Problem.of(error),))
        return taken if isinstance(taken, tuple) else (taken,)
