"""How much a command says: ``--quiet`` and ``--verbose``, the same for every command.

Quiet: where all is well, standard output holds what was asked for and nothing else, which for a
command that judges or acts is nothing at all: its exit status says it. Where something is wrong,
what would have stood there goes to standard error, since a refusal is never silent. Errors,
warnings and questions are told as always.

Verbose: the events of the library (`certmail.events`) go to standard error, one line each. Loggers
of other packages are never listened to: some of them log keys.
"""

from __future__ import annotations

import contextlib
import io
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli.withheld import hush_libraries

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping

_QUIET: Final = "certmail.quiet"
_VERBOSE: Final = "certmail.verbose"
_EARS: Final = "certmail.ears"

_LEVELS: Final = ("CRITICAL", "INFO", "DEBUG")


def _always(_given: Mapping[str, Any]) -> bool:
    return True


def _never(_given: Mapping[str, Any]) -> bool:
    return False


ASKED_FOR: Final[Mapping[str, Callable[[Mapping[str, Any]], bool]]] = {
    **dict.fromkeys(("completion", "config", "due", "explain", "inspect", "upload"), _always),
    **dict.fromkeys(("key history", "key show", "log", "outbox list", "outbox show"), _always),
    "relay list": _always,
    "bundle": lambda given: given["output"] == "-",
    "key export": lambda given: given["output"] is None,
    # What consent is given on must be seen.
    **dict.fromkeys(("send", "setup"), lambda given: not given["yes"]),
}
"""Commands whose text is what was asked for, by their words; all others judge or act."""


def options() -> list[click.Option]:
    """Make the options that every command has."""
    return [
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_hear_quiet,
            help="Say nothing where all is well; errors and warnings are told.",
        ),
        click.Option(
            ["-v", "--verbose"],
            count=True,
            expose_value=False,
            callback=_hear_verbose,
            help="Tell what is done, on standard error; -vv tells more.",
        ),
        # `entry` looks for the word itself, since a bug may come before anything is read.
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            help="Show where a bug of certmail happened.",
        ),
    ]


def _hear_quiet(context: click.Context, _option: click.Parameter, value: Any) -> None:
    if value:
        context.meta[_QUIET] = True


def _hear_verbose(context: click.Context, _option: click.Parameter, value: Any) -> None:
    if value:
        context.meta[_VERBOSE] = context.meta.get(_VERBOSE, 0) + value


def is_quiet() -> bool:
    """Whether --quiet was given."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_QUIET))


def is_hushed() -> bool:
    """Whether to leave out how far something is: with --quiet, and with --json."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(
        context.meta.get(_QUIET) or context.params.get("as_json", False)
    )


def aside(text: str) -> None:
    """Tell on standard error how far something is; not what is wrong, and not what was found."""
    if not is_hushed():
        from certmail.cli.draw import wrapped

        click.echo(wrapped(text, indent="    "), err=True)


def remark(text: str) -> None:
    """Say in place of a list that it is empty, unless quiet."""
    if not is_quiet():
        click.echo(text)


def run(context: click.Context, words: str, act: Callable[[], Any]) -> Any:
    """Run a command as loud as the command line has it; give what it gives.

    ``words`` are the command's. ``act`` may return an exit status.
    """
    if context.meta.get(_QUIET) and context.meta.get(_VERBOSE):
        raise click.UsageError("--quiet and --verbose contradict each other", ctx=context)
    hush_libraries()
    with _listening(context):
        if not context.meta.get(_QUIET) or _is_asked_for(words, context.params):
            return act()
        with _held_back() as held:
            ended = act()
        if isinstance(ended, int) and ended:
            click.echo(held(), err=True, nl=False)
        return ended


def run_group(context: click.Context, act: Callable[[], Any]) -> Any:
    """Run a command that has others below it, which look after their own standard output."""
    with _listening(context):
        return act()


def _is_asked_for(words: str, given: Mapping[str, Any]) -> bool:
    return bool(given.get("as_json") or ASKED_FOR.get(words, _never)(given))


@contextlib.contextmanager
def _held_back() -> Iterator[Callable[[], str]]:
    """Keep back what is written to standard output; give how to read it."""
    encoding = sys.stdout.encoding or "utf-8"
    kept = io.TextIOWrapper(io.BytesIO(), encoding, "backslashreplace", write_through=True)

    def held() -> str:
        kept.seek(0)
        return kept.read()

    with contextlib.redirect_stdout(kept):
        yield held


@contextlib.contextmanager
def _listening(context: click.Context) -> Iterator[None]:
    """Write the events of certmail's own loggers to standard error, if that was asked for."""
    wanted = context.meta.get(_VERBOSE, 0)
    if not wanted:
        yield
        return
    import logging

    own = logging.getLogger("certmail")
    if context.meta.get(_EARS):
        own.setLevel(_LEVELS[min(wanted, len(_LEVELS) - 1)])
        yield
        return
    ears = logging.StreamHandler(sys.stderr)
    ears.setFormatter(_formatter())
    before = own.level, own.propagate
    own.addHandler(ears)
    own.setLevel(_LEVELS[min(wanted, len(_LEVELS) - 1)])
    own.propagate = False
    context.meta[_EARS] = True
    try:
        yield
    finally:
        context.meta[_EARS] = False
        own.removeHandler(ears)
        own.setLevel(before[0])
        own.propagate = before[1]


def _formatter() -> logging.Formatter:
    """Give seconds since certmail began, the room, and the event with its values."""
    import logging

    class Line(logging.Formatter):
        """One line for each event."""

        def format(self, record: logging.LogRecord) -> str:
            """Write one line."""
            room = record.name.removeprefix("certmail.")
            return f"{record.relativeCreated / 1000:9.3f} {room}: {record.getMessage()}"

    return Line()
