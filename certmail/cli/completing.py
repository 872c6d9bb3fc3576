"""What a shell may offer for a word that is being typed: files, words, codes, messages.

What an option or argument takes is read from what the help calls it: FILE is completed to a file,
``implicit|starttls`` to one of the two. Nothing is opened for it but the documents and the outbox,
read-only, and what cannot be read offers nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
from click.types import StringParamType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from click.shell_completion import CompletionItem

_FILES: Final = frozenset({"FILE", "FILE.EML", "FILE.HTML", "PATH", "STORE", "BUNDLE", "DIR"})
_STORES: Final = ("system", "certifi")


class Offered(StringParamType):
    """Text, for which a shell offers what the help says may stand there."""

    def __init__(self, metavar: str) -> None:
        self.words = metavar.strip("[].").split("|")

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Offer what fits the beginning of a word."""
        from click.shell_completion import CompletionItem

        offers = [
            CompletionItem(value, help=said or None)
            for value, said in self._words(ctx, param)
            if value.startswith(incomplete)
        ]
        if any(word.upper() in _FILES for word in self.words):
            offers.insert(0, CompletionItem(incomplete, type="file"))
        return offers

    def _words(self, ctx: click.Context, param: click.Parameter) -> Iterator[tuple[str, str]]:
        yield from ((word, "") for word in self.words if word.islower())
        if "STORE" in self.words:
            yield from ((word, "") for word in _STORES)
        if not isinstance(param, click.Argument):
            return
        if self.words == ["CODE"]:
            from certmail.cli.code_pages import code_pages

            yield from ((code, "") for code in code_pages())
        elif self.words == ["NAME"] and ctx.command_path.startswith("certmail outbox"):
            from certmail.outbox.glance import names
            from certmail.places import state_folder

            yield from names(state_folder() / "outbox")


def offer(parameters: Iterable[click.Parameter]) -> None:
    """Let a shell complete every parameter that takes plain text."""
    for parameter in parameters:
        if type(parameter.type) is StringParamType:
            parameter.type = Offered(parameter.metavar or (parameter.name or "").upper())
