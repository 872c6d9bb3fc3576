"""A glance at the outbox, for a shell that completes a name: read-only, at once, or not at all.

In: the folder. Out: names with a word on each. Waits for nobody, recovers nothing and makes no
file; what is busy, damaged or not there has no names to show.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from certmail.outbox.states import FILE_NAME, SHOWN_NAME
from certmail.values import printable

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> list[tuple[str, str]]:
    """Give name, and label with state, of each message whose bytes are kept; the newest first."""
    path = folder / FILE_NAME
    if not path.is_file():
        return []
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)
        ) as base:
            rows = base.execute(
                "SELECT sha256, label, state FROM message WHERE wire IS NOT NULL"
                " ORDER BY number DESC LIMIT 100"
            ).fetchall()
    except sqlite3.Error:
        return []
    return [
        (str(sha256)[:SHOWN_NAME], printable(f"{label}, {state}")) for sha256, label, state in rows
    ]
