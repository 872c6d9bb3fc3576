"""Help: complete, in one order, true, and quick to read."""

from __future__ import annotations

import click
import pytest

from certmail.cli import subjects
from certmail.cli.command import Command, Group, options_by_subject
from certmail.cli.entry import certmail
from certmail.cli.pages import FIRST_SCREEN, page

COLUMNS = 80


def contexts():
    """Give a context for the program and for every command below it."""

    def below(context):
        yield context
        command = context.command
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                yield from below(click.Context(inner, parent=context, info_name=name))

    settings = {"terminal_width": COLUMNS, "help_option_names": ["-h", "--help"]}
    return list(below(click.Context(certmail, info_name="certmail", **settings)))


def words(context) -> str:
    return context.command_path.partition(" ")[2]


EVERY = pytest.mark.parametrize("context", contexts(), ids=lambda one: one.command_path)


@EVERY
def test_every_command_is_of_our_kind_and_has_examples(context):
    assert isinstance(context.command, Command | Group)
    assert 2 <= len(page(words(context)).examples) <= 4


@EVERY
def test_every_option_has_its_subject(context):
    """An option that nobody has placed would stand at the end: add it to `subjects`."""
    options = [p for p in context.command.get_params(context) if isinstance(p, click.Option)]
    assert [p.name for p in options if not subjects.is_placed(p.name)] == []
    titles = [title for title, _ in options_by_subject(context.command, context)]
    assert titles == [title for title in subjects.TITLES if title in titles]


@EVERY
def test_help_fits_80_columns_and_begins_with_the_purpose(context):
    text = context.get_help()
    # A fingerprint in an example stays whole, so that it can be copied.
    assert [
        line for line in text.splitlines() if len(line) > COLUMNS and "--fingerprint" not in line
    ] == []
    blocks = text.split("\n\n")
    assert blocks[0].startswith(f"Usage: {context.command_path}")
    assert blocks[1].strip().endswith(".")
    assert len(" ".join(blocks[1].split())) <= 110


@EVERY
def test_what_is_referred_to_exists(context):
    from pathlib import Path

    known = {words(one) for one in contexts()}
    for word in page(words(context)).see_also:
        assert word in known or (Path(__file__).parents[2] / word).is_file(), word


def test_every_page_belongs_to_a_command():
    from certmail.cli.pages import _PAGES

    assert set(_PAGES) <= {words(context) for context in contexts()}


def test_every_command_is_listed_under_what_it_is_for():
    purposes = [purpose for purpose, _ in subjects.purposes("", tuple(certmail.commands))]
    assert "More" not in purposes


def test_alone_certmail_shows_one_short_screen(user):
    ran = user()
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == FIRST_SCREEN + "\n"
    lines = ran.err.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= COLUMNS


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(("sned",), "send"), (("key", "refesh"), "refresh"), (("send", "--dry-rum"), "--dry-run")],
    ids=str,
)
def test_a_slip_of_the_fingers_is_answered_with_what_was_meant(user, typed, meant):
    ran = user(*typed)
    assert ran.status == 2
    assert meant in ran.err.splitlines()[-1]
