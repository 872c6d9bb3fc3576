"""``certmail setup``: from nothing to a first send, asked step by step or told by flags."""

from __future__ import annotations

from typing import Any, Final

import click

from certmail.cli import options, plain_options
from certmail.cli.command import Command
from certmail.providers import OTHER, PROVIDERS

_SETTINGS: Final = (*options.SENDER, *options.KEY, *options.GNUPG, *options.RELAY)

_SKIPPED: Final = ("live-test", "preview")


@click.command(cls=Command, short_help="Set up sender, key, relay and password, and test them.")
@click.option(
    "--provider",
    type=click.Choice([*(provider.name for provider in PROVIDERS), OTHER], case_sensitive=False),
    metavar="NAME",
    help="Take this provider's relay: "
    + ", ".join(provider.name for provider in PROVIDERS)
    + f"; or {OTHER}.",
)
@click.option(
    "--discover",
    is_flag=True,
    help="Ask the DNS which relay the mail domain names (RFC 6186); shown, and confirmed.",
)
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Take the relay's password from standard input; the keyring keeps it once it worked.",
)
@click.option("--make-key", is_flag=True, help="Make a signing key in your GnuPG home.")
@click.option(
    "--no-passphrase",
    is_flag=True,
    help="With --make-key: without a passphrase, for a machine where nobody can type one.",
)
@click.option("--bundle", metavar="FILE", help="Preview this bundle instead of a throw-away one.")
@click.option("--offline", is_flag=True, help="Look for no newer copy of the recipient's key.")
@click.option(
    "--skip",
    multiple=True,
    type=click.Choice(_SKIPPED),
    help="Leave out a test; may be given twice.",
)
@click.option("--yes", is_flag=True, help="Ask nothing: flags and what is set are the answers.")
@plain_options.json_option
@options.with_settings(*_SETTINGS)
@click.pass_obj
def setup(common: dict[str, Any], /, **parameters: Any) -> int:
    """Set up all that a send needs, one step at a time, and test it. Nothing is sent.

    Each answer is written into the settings file at once: stop when you like, and run it again to
    go on; Enter keeps what is set. The last steps visit the relay up to the login and seal a
    throw-away bundle. Ends with the status of the first thing that would stop a send.
    """
    from certmail.cli.setup.book import Book
    from certmail.cli.setup.report import draw, echo, exit_status
    from certmail.cli.setup.talk import Manner, Talk, manner_of
    from certmail.cli.setup.tour import walk

    if parameters["no_passphrase"] and not parameters["make_key"]:
        raise click.UsageError("--no-passphrase goes with --make-key")
    manner = manner_of(yes=parameters["yes"], as_json=parameters["as_json"])
    flags = options.flags_of(parameters, *_SETTINGS)
    book = Book.open(common, flags, dict(parameters), Talk(manner))
    try:
        _greet(book)
        steps = walk(book)
    except (KeyboardInterrupt, click.Abort):
        if manner is Manner.ASKS:
            click.echo("\nWhat you answered is kept; certmail setup goes on from there.")
        raise
    if manner is Manner.JSON:
        echo(steps, book)
    else:
        draw(steps, book)
    return exit_status(steps)


def _greet(book: Any) -> None:
    talk = book.talk
    talk.say("certmail set-up: six steps. Nothing is sent.")
    talk.say("Enter takes what stands in brackets. Ctrl-C stops; run it again to go on.")
    talk.say("Answers are kept in")
    talk.say(str(book.path), indent=2)
