"""A directive that writes the command line down from its own declarations, as ``--help`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from sphinx.util.docutils import SphinxDirective

from certmail.cli.command import (
    commands_by_purpose,
    options_by_subject,
    page_of,
    see_also,
    words_of,
)
from certmail.cli.entry import certmail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes
    from sphinx.application import Sphinx

    from certmail.cli.pages import Page


def every_command(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """Walk the tree in the order of the help."""
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from every_command(
                    inner, click.Context(inner, info_name=name, parent=context)
                )


def described(context: click.Context) -> Iterator[str]:
    """Write one command in Markdown."""
    command, words = context.command, words_of(context)
    title = f"certmail {words}".strip()
    yield from (f"{'###' if ' ' in words else '##'} {title}", "")
    yield from ("```text", command.get_usage(context).removeprefix("Usage: "), "```", "")
    yield from paragraphs(command.help or "")
    yield from examples(page_of(context))
    if isinstance(command, click.Group):
        yield from below(command, context, title=title)
    for subject, rows in options_by_subject(command, context):
        yield from (f"**{subject}**", "")
        for names, said in rows:
            yield from (f"`{names}`", f": {escaped(said)}", "")
    yield from ending(page_of(context))


def below(group: click.Group, context: click.Context, *, title: str) -> Iterator[str]:
    """List the commands of a group, with links."""
    for _, rows in commands_by_purpose(group, context):
        for name, said in rows:
            yield f"- [`{name}`](#{anchor(f'{title} {name}')}): {escaped(said)}"
    yield ""


def examples(page: Page) -> Iterator[str]:
    """Show how a command is used."""
    if page.examples:
        yield "```text"
        for example in page.examples:
            yield from (f"# {example.purpose}", f"$ {example.line}")
        yield from ("```", "")


def ending(page: Page) -> Iterator[str]:
    """Tell how a command ends, and what else there is."""
    if page.statuses:
        yield from ("**Exit status**", "")
        for number, said in page.statuses:
            yield f"- [{number}](exit-status.md#{number}): {escaped(said)}"
        yield ""
    if page.see_also:
        yield from (f"See also: {see_also(page.see_also)}.", "")


def paragraphs(text: str) -> Iterator[str]:
    """Keep what click keeps as it is, and flow the rest."""
    for block in text.replace("\f", "").split("\n\n"):
        if block.startswith("\b"):
            yield "```text"
            yield from block.lstrip("\b\n").splitlines()
            yield "```"
        else:
            yield escaped(" ".join(block.split()))
        yield ""


def escaped(text: str) -> str:
    """Keep Markdown from reading a help text."""
    return "".join("\\" + c if c in "\\*_[]<>|" else c for c in " ".join(text.split()))


def anchor(title: str) -> str:
    """Spell a heading's anchor."""
    return title.lower().replace(" ", "-")


class Commands(SphinxDirective):
    """Put every command here."""

    def run(self) -> list[nodes.Node]:
        """Write Markdown and have it read."""
        root = click.Context(certmail, info_name="certmail")
        lines = [line for context in every_command(certmail, root) for line in described(context)]
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of the directive."""
    app.add_directive("certmail-commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
