"""The screens of preview, send and rehearse, drawn with rich; plain text off a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from certmail.cli.draw import ACCEPTED, is_coloured, receipt_rows, width

if TYPE_CHECKING:
    from collections.abc import Iterable

    from certmail.delivery.outcome import Receipt
    from certmail.key.pin import PinnedKey
    from certmail.message.preview import Inside, Outside

_FOLD: Final = "fold"
_SHA256_DIGITS: Final = 64


def console(*, error: bool = False) -> Console:
    """Make a console that draws as `draw` decides, and never guesses at words to colour."""
    stream = sys.stderr if error else sys.stdout
    coloured = is_coloured(stream)
    return Console(
        file=stream,
        # With no_color alone rich would go on writing bold and dim.
        color_system=("auto" if stream.isatty() else "standard") if coloured else None,
        force_terminal=coloured,
        legacy_windows=None if coloured else False,
        highlight=False,
        markup=False,
        emoji=False,
        width=width(),
        soft_wrap=False,
    )


def is_lively() -> bool:
    """Whether something may move on standard error."""
    return sys.stderr.isatty() and is_coloured(sys.stderr)


def rows(pairs: Iterable[tuple[str, str | Text]]) -> Table:
    """Lay out labels and values in two columns."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow=_FOLD)
    for label, value in pairs:
        table.add_row(label, value if isinstance(value, Text) else Text(value))
    return table


def digest(hexadecimal: str) -> Text:
    """Break a digest in the middle, so that the halves can be compared by eye."""
    half = len(hexadecimal) // 2
    return Text(f"{hexadecimal[:half]}\n{hexadecimal[half:]}")


def panel(title: str, *parts: RenderableType, style: str = "none") -> Panel:
    """Frame one view under its title."""
    return Panel(
        Group(*parts), title=Text(title), title_align="left", border_style=style, padding=(0, 1)
    )


def draw_outside(view: Outside) -> Panel:
    """Draw what an eavesdropper sees."""
    readers = Group(
        *(Text(f"{reader.key_id}  {reader.who}") for reader in view.readers),
    )
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow=_FOLD)
    table.add_row("encrypted to", readers)
    table.add_row("", Text(f"and to nobody else ({len(view.readers)} read back from the packets)"))
    table.add_row("protected by", view.integrity)
    table.add_row("size", f"{view.octets} octets")
    table.add_row("SHA-256", digest(view.sha256))
    return panel(
        "What anybody on the way sees",
        rows(view.headers),
        Text(),
        _mime(view.tree),
        Text(),
        table,
        style="yellow",
    )


def draw_inside(view: Inside) -> Panel:
    """Draw what the recipient reads."""
    attachments: list[RenderableType] = []
    for part in view.attachments:
        attachments += [
            Text(),
            Text(f"{part.file_name}  {part.media_type}, {part.octets} octets, {part.role}"),
            *(Padding(Text(line), (0, 0, 0, 2)) for line in part.lines),
        ]
    return panel(
        "What the recipient reads",
        rows(view.headers),
        Text(),
        Text(view.text.rstrip()),
        *attachments,
        Text(),
        _mime(view.tree),
        style="green",
    )


def draw_key(pinned: PinnedKey, *, verdict: str) -> Panel:
    """Draw the recipient's key and whether it can be encrypted to."""
    ends = f"{pinned.expires:%Y-%m-%d}" if pinned.expires else "never"
    return panel(
        "The recipient's key",
        rows(
            (
                ("fingerprint", pinned.fingerprint.grouped()),
                ("", f"equals the pin of {pinned.recipient.name}"),
                ("encrypts with", pinned.encryption_subkey.grouped()),
                ("user ID", pinned.user_id),
                ("expires", ends),
                ("copy", pinned.source),
                ("verdict", verdict),
            )
        ),
    )


def draw_receipt(receipt: Receipt) -> Panel:
    """Draw what the relay said, and over what it was said."""
    return panel(
        ACCEPTED,
        rows(
            (label, digest(value) if _is_digest(value) else value)
            for label, value in receipt_rows(receipt)
        ),
        style="green",
    )


def _is_digest(value: str) -> bool:
    return len(value) == _SHA256_DIGITS and value.isalnum()


def _mime(tree: tuple[tuple[int, str, int], ...]) -> Tree:
    _, media_type, octets = tree[0]
    root = Tree(Text(f"{media_type}  {octets} octets"))
    branches = {0: root}
    for depth, media_type, octets in tree[1:]:
        branches[depth] = branches[depth - 1].add(Text(f"{media_type}  {octets} octets"))
    return root
