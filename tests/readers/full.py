"""Every reader opens every message, in both forms of RFC 3156 §6; the table is written at the end.

Too long for each run of the suite: ``make readers``.
"""

from __future__ import annotations

import pytest

from tests.readers.everybody import READERS
from tests.readers.reading import Sign, judge
from tests.readers.recipes import RECIPES, Form, To
from tests.readers.table import Table

pytestmark = pytest.mark.peer

OCB = next(recipe for recipe in RECIPES if recipe.to is To.OCB)


@pytest.fixture(scope="session")
def table(at):
    table = Table()
    yield table
    if table.is_whole():
        table.write()


@pytest.mark.parametrize("form", Form, ids=lambda form: form.name.lower())
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.package)
def test_a_reader_opens_every_message(reader, form, workshop, table, tmp_path):
    messages = [workshop.message(recipe, form) for recipe in RECIPES]
    readings = reader.read(messages, tmp_path)
    cells = [judge(m, r, reader.signs) for m, r in zip(messages, readings, strict=True)]
    table.add(reader, form, cells)
    failed = {m.name: found for m, found in zip(messages, cells, strict=True) if not all_of(found)}
    assert not failed


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.package)
def test_who_would_open_a_packet_of_type_20(reader, workshop, table, tmp_path):
    """Nobody has to: this is what the message would meet if GnuPG had its way."""
    (tmp_path / "make").mkdir()
    (tmp_path / "read").mkdir()
    message = workshop.with_packet_20(OCB, tmp_path / "make")
    [reading] = reader.read([message], tmp_path / "read")
    opened = judge(message, reading, reader.signs)[Sign.OPENED]
    table.would_open[reader.name] = opened
    # The one that made it reads it; else this would tell nothing.
    assert opened or reader.name != "RNP", reading.said


def all_of(found: dict[Sign, bool]) -> bool:
    return all(found.values())
