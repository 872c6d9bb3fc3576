"""Finds BEGIN and END in a piece of text, also where they are not spelled as they must be.

Comes in: one line, or a part of one. Goes out: boundaries and the text between them, in order.
Knows the encapsulation boundaries of RFC 7468 §3; it does not know which block is open. Every
step is linear in the piece, whatever stands in it.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Final

from certmail.bundle import labels
from certmail.frozen import frozen

BEGIN: Final = "BEGIN"
END: Final = "END"
DASHES: Final = 5

_RUNS: Final = re.compile(r"(-{2,})")
_WORDS: Final = re.compile(r"(BEGIN|END)(?![A-Za-z0-9+/=])(.*)", re.ASCII | re.IGNORECASE)


@frozen
class Boundary:
    """A BEGIN or END with its label, and how it deviates.

    ``label`` is empty where what follows cannot be a label; it is never shown then, since it may
    hold the body itself.
    """

    kind: str
    label: str
    left: int
    right: int
    spelled_right: bool
    glued: bool

    @property
    def dashes_right(self) -> bool:
        """Whether there are five dashes on either side."""
        return self.left == self.right == DASHES


@frozen
class Text:
    """Whatever stands outside boundaries."""

    text: str = field(repr=False)


def tokens(piece: str) -> tuple[Boundary | Text, ...]:
    """Split a piece into boundaries and text; a piece without dashes is text as a whole."""
    if "--" not in piece:
        return (Text(piece),) if piece else ()
    parts = _RUNS.split(piece)
    segments, runs = parts[::2], [0, *map(len, parts[1::2]), 0]
    words = [
        _WORDS.fullmatch(segment.strip(" \t-")) if runs[at] or runs[at + 1] else None
        for at, segment in enumerate(segments)
    ]
    found: list[Boundary | Text] = []
    for at, segment in enumerate(segments):
        match, before, left, right = words[at], at and words[at - 1], runs[at], runs[at + 1]
        if match is None:
            dashes = "" if before or not at else "-" * left
            if segment.strip() or dashes:
                found.append(Text(dashes + segment))
            continue
        if before:
            left = max(0, left - DASHES)
        if at + 1 < len(words) and words[at + 1]:
            right = min(DASHES, right)
        glued = bool(found) and isinstance(found[-1], Boundary)
        found.append(_boundary(match, segment, left, right, glued=glued))
    return tuple(found)


def _boundary(
    words: re.Match[str], segment: str, left: int, right: int, *, glued: bool
) -> Boundary:
    # RFC 7468 §2: "exactly five hyphen-minus (also known as dash) characters" on both ends.
    kind = words[1].upper()
    label = " ".join(words[2].upper().split())
    shown = label if labels.well_formed(label) else ""
    spelled_right = segment == f"{kind} {label}"
    return Boundary(kind, shown, left, right, spelled_right, glued)
