"""A strict scanner of PEM: octets go in, blocks with their lines and all deviations come out.

Nothing is skipped: a line belongs to a block, is blank, or is in a finding. Reading is forgiving
where only one reading is possible, so that all findings come at once; the verdict is not: every
deviation from RFC 7468 §3 that a strict reader would refuse is an ERROR. Total on any octets,
linear in their number, and no piece of a body ever stands in a finding. Must not know whether a
block is any good.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Final

from certmail.bundle import boundary, broken, labels, layout, mistaken, text
from certmail.bundle.body import Body
from certmail.bundle.boundary import Boundary, Text
from certmail.bundle.findings import Finding
from certmail.bundle.layout import Tally
from certmail.frozen import frozen

MAX_BLOCKS: Final = 64
"""Clients follow at most some ten certificates; four times sixteen is a store, not a bundle."""

_ESCAPED_END: Final = re.compile(r"(?:\\r)?\\n")
_QUOTES: Final = ("'", '"', "`")
_ASSIGNMENT: Final = re.compile(
    r"[ \t]*(?:export[ \t]+)?[A-Za-z_][\w.-]{0,80}[ \t]*[=:][ \t]*[\"']?"
)
_BAG: Final = re.compile(
    r"[ \t]*(?:Bag Attributes|Key Attributes|(?:localKeyID|friendlyName|X509v3 [A-Za-z ]+"
    r"|Microsoft [A-Za-z ]+|subject|issuer|\d+(?:\.\d+)+) ?[:=])"
)
_STRAY_BODY: Final = re.compile(r"[ \t]*+[A-Za-z0-9+/]{40,}+={0,2}[ \t]*+")
_STRAY_END: Final = re.compile(r"[A-Za-z0-9+/]{2,}+={0,2}")


@frozen
class Block:
    """One block that can be part of a bundle; its body decoded, but not looked at.

    ``encrypted`` is what the headers of RFC 1421 §4.6.1.1 say; a label can say so as well.
    """

    label: str
    first_line: int
    last_line: int
    der: bytes = field(repr=False)
    encrypted: bool

    @property
    def lines(self) -> tuple[int, int]:
        """The block's lines, its boundaries included."""
        return (self.first_line, self.last_line)


@frozen
class Scan:
    """What stands in a file. ``legible`` is whether every block could be attributed and decoded.

    Where it is False, ``blocks`` may be incomplete, and a check of them would report fallout.
    """

    blocks: tuple[Block, ...]
    findings: tuple[Finding, ...]
    legible: bool


def scan(data: bytes) -> Scan:
    """Read a file of at most 1 MiB and 64 blocks; any octets give a Scan, never an exception."""
    refusal = text.caps(data) or text.wide(data) or mistaken.recognise(data)
    if refusal is not None:
        return Scan((), (refusal,), legible=False)
    reader = _Reader()
    for line in text.lines(data, reader.tally):
        if not reader.read(line):
            break
    return reader.close()


class _Reader:
    """Walks the lines, with at most one block open."""

    __slots__ = ("_begun", "_blocks", "_findings", "_legible", "_open", "_stray", "tally")

    def __init__(self) -> None:
        self.tally = Tally()
        self._blocks: list[Block] = []
        self._findings: list[Finding] = []
        self._legible = True
        self._open: Body | None = None
        self._stray: tuple[int, int] | None = None
        self._begun = 0

    def read(self, line: text.Line) -> bool:
        """Take one line; False when the file holds more blocks than a bundle can."""
        pieces = _ESCAPED_END.split(line.text)
        if len(pieces) > 1:
            self.tally.note(layout.ESCAPED, line.number)
        for piece in pieces:
            if len(pieces) == 1 or piece.strip("\"' \t,"):
                self._piece(self._unquoted(piece, line.number), line.number)
        return self._begun <= MAX_BLOCKS

    def close(self) -> Scan:
        """End the file; the findings come in the order of the lines."""
        if self._begun > MAX_BLOCKS:
            return Scan((), (broken.too_many(MAX_BLOCKS),), legible=False)
        if self._open is not None:
            self._cut_short(self._open, None)
            self.tally.forget(layout.NO_NEWLINE)
        self._settle_stray()
        return Scan(tuple(self._blocks), self.tally.findings(self._findings), self._legible)

    def _unquoted(self, piece: str, line: int) -> str:
        assigned = _ASSIGNMENT.match(piece)
        if assigned and piece.startswith("--", assigned.end()):
            self.tally.note(layout.QUOTED, line)
            piece = piece[assigned.end() :]
        quoted_in_front = piece.lstrip().startswith((">", *_QUOTES))
        if not quoted_in_front and not piece.rstrip(" \t,;").endswith(_QUOTES):
            return piece
        bare = piece.strip("\"'`>,; \t")
        if self._open is None and not bare.startswith("--"):
            return piece
        self.tally.note(layout.QUOTED, line)
        return bare

    def _piece(self, piece: str, line: int) -> None:
        found = boundary.tokens(piece)
        if any(isinstance(token, Boundary) for token in found):
            self._note_boundary_line(piece, found, line)
        for token in found:
            if self._begun > MAX_BLOCKS:
                return
            if isinstance(token, Text):
                self._text(token.text, line, alone=len(found) == 1)
            elif token.kind == boundary.BEGIN:
                self._begin(token, line)
            else:
                self._end(token, line)
        if not piece and self._open is not None:
            self._text("", line, alone=True)

    def _note_boundary_line(
        self, piece: str, found: tuple[Boundary | Text, ...], line: int
    ) -> None:
        if any(isinstance(token, Text) for token in found):
            self.tally.note(layout.JOINED, line)
        elif piece != piece.lstrip():
            self.tally.note(layout.INDENTED, line)
        if piece != piece.rstrip():
            self.tally.note(layout.TRAILING, line)

    def _begin(self, token: Boundary, line: int) -> None:
        if self._open is not None:
            self._cut_short(self._open, line)
        self._settle_stray()
        self._begun += 1
        self._open = Body(token.label, line, self.tally)
        self._spelling(token, line)

    def _end(self, token: Boundary, line: int) -> None:
        block, self._open = self._open, None
        self._spelling(token, line)
        if block is None:
            self._begun += 1
            first = self._stray[0] if self._stray else line
            self._stray = None
            self._illegible(broken.no_begin(first, line))
        elif not token.label or not block.label:
            return  # it was said where the label could not be read
        elif block.label != token.label:
            self._illegible(broken.mismatch(block.label, token.label, (block.first_line, line)))
        else:
            self._close(block, line)

    def _spelling(self, token: Boundary, line: int) -> None:
        if not token.label:
            self._illegible(broken.no_label(line))
            return
        if token.glued:
            self.tally.note(layout.GLUED, line)
        if not token.dashes_right:
            self.tally.note(layout.DASHES, line)
        if not token.spelled_right:
            self.tally.note(layout.SPELLING, line)

    def _close(self, block: Body, line: int) -> None:
        lines = (block.first_line, line)
        if block.label not in labels.BELONGS:
            if block.label:
                self._findings.append(broken.foreign(block.label, lines))
            return
        if block.label == labels.OLD_CERTIFICATE:
            self._findings.append(broken.old_label(lines))
        decoded = block.decode(line)
        if isinstance(decoded, Finding):
            self._illegible(decoded)
            return
        self._blocks.append(Block(block.label, *lines, decoded, block.encrypted))

    def _cut_short(self, block: Body, before: int | None) -> None:
        if block.label:  # else it was said where the label could not be read
            self._illegible(broken.unterminated(block.label, block.first_line, before))

    def _text(self, piece: str, line: int, *, alone: bool) -> None:
        if self._open is not None:
            self._open.add(piece, line, alone=alone)
        elif _STRAY_BODY.fullmatch(piece) or (self._stray and _STRAY_END.fullmatch(piece)):
            self._stray = (self._stray[0] if self._stray else line, line)
        elif _BAG.match(piece):
            self.tally.note(layout.BAG, line)
        elif piece.strip():
            self.tally.note(layout.OUTSIDE, line)
        elif piece:
            self.tally.note(layout.TRAILING, line)

    def _settle_stray(self) -> None:
        if self._stray is not None:
            self._illegible(broken.stray(self._stray))
            self._stray = None

    def _illegible(self, finding: Finding) -> None:
        self._findings.append(finding)
        self._legible = False
