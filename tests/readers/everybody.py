"""Every reader, and which messages each is given in the suite; the table gives all to all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.readers import openpgp
from tests.readers.mail import Neomutt, Notmuch
from tests.readers.recipes import RECIPES, Recipe
from tests.readers.thunderbird import Thunderbird

if TYPE_CHECKING:
    from tests.readers.reading import Reader

READERS: tuple[Reader, ...] = (*openpgp.ALL, Notmuch(), Neomutt(), Thunderbird())

EACH = 3


def chosen(reader: Reader) -> tuple[Recipe, ...]:
    """Give each reader the next few messages, so that every message has several readers."""
    start = EACH * READERS.index(reader)
    return tuple(RECIPES[(start + step) % len(RECIPES)] for step in range(EACH))
