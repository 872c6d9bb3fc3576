"""The same relays, shown to other programs: the page that says who fails what is true."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from certmail.submission import Mode
from tests.control.clients import CLIENTS
from tests.control.judge import COMPARED, World, judge

DOCUMENT = Path(__file__).parents[2] / "docs" / "hostile-network.md"

SHOWN = (
    "an unknown authority",
    "the name as Common Name only",
    "STARTTLS taken away",
    "replies glued to the 220",
    "auth: 535 5.7.8 wrong",
    "rcpt: 550 5.1.1 nobody",
    "rcpt: 550 and 250 in one",
    "an early 250 glued to the 354, then 554",
    "dot: closed",
    "nothing strange",
)
"""One of each kind, none that waits; the whole table is `python -m tests.control`."""


@pytest.fixture(scope="session")
def world(authority, ca_file):
    return World(ca_file, cache(lambda make: make(authority)))


@cache
def rows() -> dict[str, dict[str, str]]:
    """Read the cells of the page."""
    found = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == len(CLIENTS) + 1 and cells[1] not in {"---", "certmail"}:
            found[cells[0]] = dict(zip(CLIENTS, cells[1:], strict=True))
    return found


def test_the_page_has_a_row_for_every_case_and_certmail_fails_none():
    from tests.control.__main__ import readable

    assert set(rows()) == {readable(case.name) for case in COMPARED}
    assert {row["certmail"] for row in rows().values()} == {""}


@pytest.mark.peer
@pytest.mark.parametrize("program", CLIENTS)
@pytest.mark.parametrize("name", SHOWN)
def test_a_row_of_the_page_is_true(name, program, world):
    [case] = [case for case in COMPARED if case.name == name]
    written = rows()[name][program]
    for mode in case.modes:
        wrong = judge(case, mode, program, world)
        assert all(words in written for words in wrong), (mode, wrong)
        if not wrong and case.modes == (Mode.STARTTLS,):
            assert written == ""
