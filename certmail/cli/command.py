"""What every command of certmail is: its help in one order, from one source.

``Command`` and ``Group`` draw ``--help`` from the declarations of the options, their subjects
(`subjects`) and the examples (`pages`); the man pages are made from the same. The pages are read
only when somebody asks for help. How loud a command is, `loudness` decides for all of them.
"""

from __future__ import annotations

import importlib
from collections.abc import MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import completing, loudness, subjects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from certmail.cli.pages import Page

_PROGRAM: Final = "certmail"


def words_of(context: click.Context) -> str:
    """Give a command's words without the program's: ``key refresh``; empty for the program."""
    return context.command_path.partition(" ")[2]


def page_of(context: click.Context) -> Page:
    """Find what is written about a command beside its options."""
    from certmail.cli.pages import page

    return page(words_of(context))


class Command(click.Command):
    """A command whose help shows examples first and its options by subject.

    As loud as the command line has it: ``-q`` and ``-v`` stand before its name or behind it.
    """

    def __init__(self, *arguments: Any, **given: Any) -> None:
        super().__init__(*arguments, **given)
        completing.offer(self.params)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Give its own options and those of every command."""
        return [*super().get_params(ctx), *loudness.options()]

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, as loud as wished."""
        return loudness.run(ctx, words_of(ctx), partial(super().invoke, ctx))

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the whole help: purpose, examples, options by subject, exit status, see also."""
        page = page_of(ctx)
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        _write_examples(formatter, page)
        self.format_options(ctx, formatter)
        _write_end(formatter, page)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their subjects, in the subjects' order."""
        write_options(self, ctx, formatter)


class Group(click.Group):
    """A command with commands below it, which are of our kind as well."""

    command_class = Command

    def __init__(self, *arguments: Any, **given: Any) -> None:
        super().__init__(*arguments, **given)
        completing.offer(self.params)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Give its own options and those of every command."""
        return [*super().get_params(ctx), *loudness.options()]

    def invoke(self, ctx: click.Context) -> Any:
        """Run what is below it, or itself; what is below is as loud as wished by itself."""
        return loudness.run_group(ctx, partial(super().invoke, ctx))

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the whole help: purpose, examples, commands, options, exit status, see also."""
        page = page_of(ctx)
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        _write_examples(formatter, page)
        self.format_commands(ctx, formatter)
        write_options(self, ctx, formatter)
        _write_end(formatter, page)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under what they are for."""
        sorts = commands_by_purpose(self, ctx)
        # One column for all lists, so that the eye finds the words in one place.
        widest = max(len(name) for _, rows in sorts for name, _ in rows)
        for purpose, rows in sorts:
            with formatter.section(purpose):
                formatter.write_dl([(f"{name:<{widest}}", said) for name, said in rows])

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which they were added: that of use."""
        del ctx
        return list(self.commands)


class Places(MutableMapping[str, click.Command]):
    """Commands by name, each imported when it is first asked for; together they cost more than it.

    Made from names, places and short help, in the order of use; a place is ``module:attribute`` in
    `cli`.
    """

    def __init__(self, places: Iterable[tuple[str, str, str]]) -> None:
        """Import nothing yet."""
        rows = tuple(places)
        self._places: dict[str, str | click.Command] = {name: place for name, place, _ in rows}
        self._says = {name: says for name, _, says in rows}

    def says(self, name: str) -> str | None:
        """Give a command's short help without importing it."""
        return self._says.get(name)

    def __getitem__(self, name: str) -> click.Command:
        """Import the command, the first time."""
        found = self._places[name]
        if isinstance(found, str):
            module, _, attribute = found.partition(":")
            imported = importlib.import_module(f"{__package__}.{module}")
            found = self._places[name] = getattr(imported, attribute)
            found.short_help = self._says[name]
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        """Add a command that is at hand."""
        self._places[name] = command

    def __delitem__(self, name: str) -> None:
        """Take a command out."""
        del self._places[name]

    def __iter__(self) -> Iterator[str]:
        """Name the commands in their order."""
        return iter(self._places)

    def __len__(self) -> int:
        """Count them."""
        return len(self._places)


class FirstScreen(click.UsageError):
    """Nothing was asked: the first steps, and where to read on. Ends like a usage error."""

    def __init__(self, text: str) -> None:
        super().__init__("no command was given")
        self.text = text

    def show(self, file: Any = None) -> None:
        """Write the screen, where messages go."""
        click.echo(self.text, file=file, err=file is None)


class Program(Group):
    """The program itself: alone, it shows one short screen instead of the whole help."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; without any word, show the first steps."""
        if not args and not ctx.resilient_parsing:
            from certmail.cli.pages import FIRST_SCREEN

            raise FirstScreen(FIRST_SCREEN)
        return super().parse_args(ctx, args)


def commands_by_purpose(
    group: click.Group, context: click.Context
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Give the commands with their short help, sorted by what they are for."""
    shown = {name: _says(group, context, name) for name in group.list_commands(context)}
    sorts = subjects.purposes(words_of(context), tuple(shown))
    return [(purpose, [(name, shown[name]) for name in names]) for purpose, names in sorts]


def _says(group: click.Group, context: click.Context, name: str) -> str:
    """Give a command's short help; the program's own list has it without loading the command."""
    listed = group.commands.says(name) if isinstance(group.commands, Places) else None
    if listed is not None:
        return listed
    command = group.get_command(context, name)
    return "" if command is None else command.get_short_help_str(limit=80)


def options_by_subject(
    command: click.Command, context: click.Context
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Give the options and their help, sorted by subject; hidden ones are left out."""
    sorts: dict[str, list[tuple[str, str]]] = {title: [] for title in subjects.TITLES}
    for parameter in command.get_params(context):
        row = parameter.get_help_record(context)
        if row is not None and isinstance(parameter, click.Option):
            sorts[subjects.subject_of(parameter.name or "")].append(row)
    return [(title, rows) for title, rows in sorts.items() if rows]


def write_options(
    command: click.Command, context: click.Context, formatter: click.HelpFormatter
) -> None:
    """Write the options under their subjects."""
    for title, rows in options_by_subject(command, context):
        with formatter.section(title):
            formatter.write_dl(rows, col_max=26)


def _write_examples(formatter: click.HelpFormatter, page: Page) -> None:
    if not page.examples:
        return
    with formatter.section("Examples"):
        for index, example in enumerate(page.examples):
            if index:
                formatter.write("\n")
            formatter.write_text(f"# {example.purpose}")
            # A command stands whole on its line, so that it can be copied.
            formatter.write(f"{'':>{formatter.current_indent}}$ {example.line}\n")


def _write_end(formatter: click.HelpFormatter, page: Page) -> None:
    if page.statuses:
        with formatter.section("Exit status"):
            formatter.write_dl([(str(number), said) for number, said in page.statuses])
    if page.files:
        with formatter.section("Files"):
            formatter.write_dl(list(page.files))
    if page.see_also:
        with formatter.section("See also"):
            formatter.write_text(see_also(page.see_also))


def see_also(words: Sequence[str]) -> str:
    """Name other commands and documents."""
    return ", ".join(
        word if "/" in word or word.startswith("http") else f"{_PROGRAM} {word}" for word in words
    )
