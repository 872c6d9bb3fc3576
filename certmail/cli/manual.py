"""The man pages, from the source of ``--help``: one for the program, each command, the settings.

In: the commands as they are declared, the pages of `pages`, the settings. Out: troff by file name.
The same commit gives the same octets: the date is the release's. Nothing here runs for a command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from certmail import RELEASED, __version__
from certmail.cli import troff
from certmail.cli.command import commands_by_purpose, options_by_subject, page_of, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certmail.cli.pages import Page
    from certmail.settings.keys import Key

SETTINGS: Final = "certmail-settings"


def man_pages(program: click.Group) -> dict[str, str]:
    """Make every page: file name, like ``certmail-send.1``, and text."""
    written = {f"{SETTINGS}.5": _settings()}
    root = click.Context(program, info_name="certmail", **program.context_settings)
    for context in _contexts(root):
        written[f"{_title(words_of(context))}.1"] = _command(context)
    return written


def _contexts(context: click.Context) -> Iterator[click.Context]:
    yield context
    command = context.command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from _contexts(click.Context(below, parent=context, info_name=name))


def _title(words: str) -> str:
    return "-".join(("certmail", *words.split()))


def _head(title: str, section: int) -> list[str]:
    title = troff.quoted(title.upper())
    return [f'.TH {title} {section} {RELEASED} "certmail {__version__}" "certmail manual"']


def _command(context: click.Context) -> str:
    words, page = words_of(context), page_of(context)
    purpose, _, story = (context.command.help or "").partition("\n\n")
    short = context.command.get_short_help_str(limit=200).rstrip(".")
    lines = [
        *_head(_title(words), 1),
        ".SH NAME",
        f"{troff.escaped(_title(words))} \\- {troff.escaped(short[:1].lower() + short[1:])}",
        ".SH SYNOPSIS",
        " ".join(
            (troff.bold(f"certmail {words}".strip()),
             *(troff.italic(piece) for piece in context.command.collect_usage_pieces(context)))
        ),
        ".SH DESCRIPTION",
        *troff.paragraphs(purpose),
        *([".PP", *troff.paragraphs(story)] if story else []),
        *_commands(context),
        *_options(context),
        *_examples(page),
        *_end(words, page),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _commands(context: click.Context) -> list[str]:
    if not isinstance(context.command, click.Group):
        return []
    lines = [".SH COMMANDS"]
    sorts = commands_by_purpose(context.command, context)
    for purpose, rows in sorts:
        lines += [f".SS {troff.quoted(purpose)}"] if len(sorts) > 1 else []
        for name, said in rows:
            lines += troff.tagged(troff.bold(name), said)
    return lines


def _options(context: click.Context) -> list[str]:
    lines = [".SH OPTIONS"]
    for subject, rows in options_by_subject(context.command, context):
        lines.append(f".SS {troff.quoted(subject)}")
        for declared, said in rows:
            lines += troff.tagged(troff.option(declared), said)
    return lines


def _examples(page: Page) -> list[str]:
    lines = [".SH EXAMPLES"] if page.examples else []
    for index, example in enumerate(page.examples):
        lines += [".PP"] if index else []
        purpose = example.purpose[:1].upper() + example.purpose[1:]
        lines += troff.filled(purpose + ("" if purpose.endswith("?") else ":"))
        lines += troff.literal((f"$ {example.line}",))
    return lines


def _end(words: str, page: Page) -> list[str]:
    lines = [".SH EXIT STATUS"] if page.statuses else []
    for number, said in page.statuses:
        lines += troff.tagged(troff.bold(str(number)), said)
    lines += [".SH FILES"] if page.files else []
    for path, said in page.files:
        lines += troff.tagged(troff.italic(path), said)
    manuals = [_title(word) for word in page.see_also if "/" not in word]
    beside = [title for title in ("certmail", *manuals) if title != _title(words)]
    named = [f"{troff.bold(title)}(1)" for title in beside] + [f"{troff.bold(SETTINGS)}(5)"]
    named += [troff.italic(word) for word in page.see_also if "/" in word]
    return [*lines, ".SH SEE ALSO", ",\n".join(named)]


def _settings() -> str:
    from certmail.settings.keys import KEYS

    lines = [
        *_head(SETTINGS, 5),
        ".SH NAME",
        f"{troff.escaped(SETTINGS)} \\- what certmail can be told, and where",
        ".SH DESCRIPTION",
        *troff.paragraphs(_SETTINGS_STORY),
        ".SH SETTINGS",
    ]
    table = ""
    for key in KEYS:
        if key.table != table:
            table = key.table
            lines.append(f".SS {troff.quoted(f'[{table}]')}")
        lines += _setting(key)
    lines += [
        ".SH FILES",
        *troff.tagged(troff.italic("~/.config/certmail/config.toml"), "the settings file"),
        ".SH SEE ALSO",
        f"{troff.bold('certmail')}(1),\n{troff.bold('certmail-config')}(1)",
    ]
    return "\n".join(lines) + "\n"


_SETTINGS_STORY: Final = """
A setting can be given in three places, of which the first that has it wins: an option of the
command line; a variable of the environment; the settings file, which is TOML. certmail config
shows each setting, its value and where it came from.

Only you or root may own the settings file, and nobody else may write it. A name that is not known
is refused. There is no setting for the recipient, the pin, verification, TLS or a password.
"""


def _setting(key: Key[object]) -> list[str]:
    default = key.without if key.default is None else _shown(key.default)
    return [
        *troff.tagged(troff.bold(key.line), key.help),
        ".br",
        f"{troff.bold(key.flag)}, {troff.bold(key.variable)};",
        *troff.filled(f"default: {default}"),
    ]


def _shown(value: object) -> str:
    inner = getattr(value, "value", value)
    return str(inner).lower() if isinstance(inner, bool) else str(inner)
