"""The table of docs/readers.md: who reads what, in which version, and on which day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from certmail.message.seal import Copy
from tests.readers.everybody import READERS
from tests.readers.reading import Sign
from tests.readers.recipes import RECIPES, Form

if TYPE_CHECKING:
    from tests.readers.reading import Reader

PAGE = Path(__file__).parent.parent.parent / "docs" / "readers.md"
BEGIN, END = "<!-- made by make readers: begin -->", "<!-- end -->"
GOOD = "✓"


class Table:
    """What was found, cell by cell."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, Form], list[dict[Sign, bool]]] = {}
        self.versions: dict[str, str] = {}
        self.would_open: dict[str, bool] = {}

    def add(self, reader: Reader, form: Form, cells: list[dict[Sign, bool]]) -> None:
        self.cells[reader.name, form] = cells
        self.versions[reader.name] = reader.version()

    def is_whole(self) -> bool:
        everybody = {reader.name for reader in READERS}
        wanted = {(name, form) for name in everybody for form in Form}
        return set(self.cells) == wanted and set(self.would_open) == everybody

    def write(self) -> None:
        """Put the tables between the marks of the page."""
        head, _, rest = PAGE.read_text().partition(BEGIN)
        _, _, tail = rest.partition(END)
        PAGE.write_text(f"{head}{BEGIN}\n\n{self.render()}\n\n{END}{tail}")

    def render(self) -> str:
        return "\n\n".join(
            [
                f"Found on {datetime.now(UTC):%Y-%m-%d}.",
                "## The messages",
                *_messages(),
                "## What certmail sends: one signed and encrypted OpenPGP message (RFC 3156 §6.2)",
                self._form(Form.COMBINED),
                "\n".join(f"- {r.name}: {r.note}." for r in READERS if r.note),
                "## The other form: multipart/signed inside (RFC 3156 §6.1), which it never sends",
                self._form(Form.ENCAPSULATED),
                "## A packet of type 20, which it never sends",
                self._would_open(),
            ]
        )

    def _form(self, form: Form) -> str:
        numbers = [str(number) for number in range(1, len(RECIPES) + 1)]
        rows = [["reader", "version", "tells", *numbers]]
        for reader in READERS:
            tells = "".join(sign.value for sign in Sign if sign in reader.signs)
            cells = [_cell(found) for found in self.cells[reader.name, form]]
            rows.append([reader.name, self.versions[reader.name], tells, *cells])
        return _markdown(rows)

    def _would_open(self) -> str:
        can = [name for name, opened in self.would_open.items() if opened]
        cannot = [name for name, opened in self.would_open.items() if not opened]
        return f"Opened by {', '.join(can)}. Not opened by {', '.join(cannot) or 'nobody'}."


def _messages() -> list[str]:
    rows = [["", "signing key", "bundle", "names", "recipient's key", "copy for the sender"]]
    for number, recipe in enumerate(RECIPES, 1):
        copy = "yes" if recipe.copy is Copy.FOR_SENDER else "no"
        signing, size, names, to = recipe.signing, recipe.size, recipe.names, recipe.to
        row = [str(number), signing.value, size.name.lower(), names.value, to.value, copy]
        rows.append(row)
    sizes = sorted({(recipe.size.name.lower(), recipe.size.value) for recipe in RECIPES})
    return [_markdown(rows), "; ".join(f"*{name}*: {words}" for name, words in sizes) + "."]


def _cell(found: dict[Sign, bool]) -> str:
    """Give a tick, or the letters of what was not found."""
    missing = "".join(sign.value for sign, good in found.items() if not good)
    return f"not {missing}" if missing else GOOD


def _markdown(rows: list[list[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
