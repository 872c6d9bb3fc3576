"""Every example of --help and the man pages is run, as it stands there, on a page's machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from certmail.cli.pages import page
from tests.cli.test_help import contexts, words
from tests.docs.pages import Block
from tests.docs.sandbox import machine
from tests.docs.test_commands import made, run_block

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("made",)

BEFORE = {
    "certmail send --sealed sealed.eml": "certmail preview bundle.pem --output sealed.eml",
    "certmail relay accept smtp.example.org": "certmail send a.pem --yes",
    "certmail relay accept smtp.example.org --yes": "certmail send a.pem --yes",
}
"""What somebody has done who types an example."""

ANSWERS = {"", "send", "outbox retry", "relay", "relay accept"}
"""Commands whose examples ask, and are answered yes."""

AFRESH = {"send", "outbox retry", "relay accept"}
"""Commands after which the next example would find its work done."""

STATUSES = {
    # The machine's certificates are of a CA of its own.
    "certmail check bundle.pem --domain www.example.org --trust system": "10",
    # The machine's www.example.org stands behind a redirect.
    "certmail acme-test www.example.org": "21",
    "certmail acme-test www.example.org --json": "21",
    # Its certificates are made on the day of the test, and live for 60 days.
    "certmail check bundle.pem --at 2026-12-24 --json": "0,10",
}
"""Examples that end with another status than 0 on such a machine, and why."""

SHELLS_OF_THEIR_OWN = {"certmail completion fish | source"}
"""Run in that shell, in tests/cli/test_completion.py."""

WITH_EXAMPLES = [words(context) for context in contexts() if page(words(context)).examples]


@pytest.mark.parametrize("command", WITH_EXAMPLES)
def test_the_examples_of_a_command_do_what_they_say(command, made, tmp_path_factory):
    kind = "outbox" if command.startswith("outbox") else "operator"
    found = list(blocks(command))
    ran: list[object] = []
    faults: list[str] = []
    for together in [[block] for block in found] if command in AFRESH else [found]:
        with machine(kind, folder=tmp_path_factory.mktemp("page"), made=made, port=None) as here:
            for block in together:
                run_block(block, here, ran, faults)
    assert len(ran) == len(found)
    assert faults == [], "\n\n".join(faults)


def blocks(command: str) -> Iterator[Block]:
    """Give each example as a block of a page would be."""
    for number, example in enumerate(page(command).examples):
        if example.line in SHELLS_OF_THEIR_OWN:
            continue
        manner = {"answer": "y" if command in ANSWERS else ""}
        if example.line in STATUSES:
            manner["status"] = STATUSES[example.line]
        if example.line in BEFORE:
            manner["before"] = BEFORE[example.line]
        yield Block(f"certmail {command}", number, "console", f"$ {example.line}\n", manner)


def test_every_deviation_is_of_an_example():
    lines = {example.line for command in WITH_EXAMPLES for example in page(command).examples}
    assert {*BEFORE, *STATUSES, *SHELLS_OF_THEIR_OWN} <= lines
