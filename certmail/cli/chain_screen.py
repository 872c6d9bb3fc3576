"""The chain on a terminal: key, certificate and issuers as a tree, and a bar for each life.

A bar runs from a certificate's first instant to its last, with a mark where the check's instant
lies; all bars of a tree have one length and one place, so that they can be compared. Decides
nothing; every line fits the width, in ASCII where the terminal has no more.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from certmail.bundle import idn
from certmail.bundle.facts import common_name
from certmail.cli.draw import takes_unicode, width
from certmail.cli.ink import Ink, columns, cut
from certmail.cli.life import Life, Standing, life
from certmail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certmail.bundle.facts import BundleFacts, CertificateFacts, KeyFacts

SHOWN_NAMES: Final = 8

_STEP: Final = 3
_MAX_DEPTH: Final = 5
_SHORTEST: Final = 8
_LONGEST: Final = 32
_DAY: Final = len("2026-11-23")

_STYLES: Final = {
    Standing.GOOD: "green",
    Standing.SOON: "yellow",
    Standing.OVER: "red",
    Standing.NOT_YET: "red",
}


@frozen
class Signs:
    """What trees and bars are drawn with."""

    branch: str
    trunk: str
    passed: str
    today: str
    to_come: str
    rule: str
    cut: str


_UNICODE: Final = Signs("└─ ", "│  ", "━", "●", "─", "│", "…")
_ASCII: Final = Signs("`- ", "|  ", "=", "o", "-", "|", "~")


def signs() -> Signs:
    """Give the signs that what is printed can hold."""
    return _UNICODE if takes_unicode() else _ASCII


def some(names: Sequence[str]) -> str:
    """List names, each as it is written and read; only the first of many."""
    rest = len(names) - SHOWN_NAMES
    return ", ".join(idn.both(name) for name in names[:SHOWN_NAMES]) + (
        f" and {rest} more" if rest > 0 else ""
    )


def draw_tree(facts: BundleFacts, *, at: datetime) -> Ink:
    """Draw the key, the certificate below it, and its issuers up to the end of the chain."""
    page = Ink()
    path = facts.path or facts.certificates
    others = [c for c in facts.certificates if facts.path and c not in facts.path]
    sheet = _Sheet(page, [*path, *others], at=at, deepest=len(path))
    depth = 0
    if facts.key is not None:
        sheet.key(facts.key, facts.certificates)
        depth = 1
    for number, certificate in enumerate(path, 1):
        goes_on = number < len(path) or bool(facts.anchor) or not certificate.self_signed
        sheet.certificate(certificate, depth, goes_on=goes_on)
        depth += 1
    if path:
        sheet.end(path[-1], facts.anchor, depth)
    if others:
        page.append("also in the file\n", style="dim")
        for certificate in others:
            sheet.certificate(certificate, 1, goes_on=False)
    sheet.legend()
    return page.append("\n") if page else page


def draw_chain(chain: tuple[CertificateFacts, ...], *, at: datetime) -> Ink:
    """Draw what a server shows, in its order."""
    page = Ink()
    sheet = _Sheet(page, chain, at=at, deepest=len(chain) - 1)
    for depth, certificate in enumerate(chain):
        place = f"shown {certificate.lines[0]}."
        sheet.certificate(certificate, depth, goes_on=depth + 1 < len(chain), place=place)
    sheet.legend()
    return page


class _Sheet:
    """One tree being drawn: where its bars stand, and how long they are."""

    def __init__(
        self, page: Ink, all_of_them: Sequence[CertificateFacts], *, at: datetime, deepest: int
    ) -> None:
        self.page = page
        self.at = at
        self.signs = signs()
        self.lives = {one.sha256: life(one.not_before, one.not_after, at=at) for one in all_of_them}
        said = max((len(one.said) for one in self.lives.values()), default=0)
        self.start = _STEP * (min(deepest, _MAX_DEPTH) + 1) + _DAY + 1
        room = width() - self.start - 1 - _DAY - 2 - said
        self.bar = min(_LONGEST, room) if room >= _SHORTEST else 0

    def key(self, key: KeyFacts, certificates: tuple[CertificateFacts, ...]) -> None:
        """Draw the private key's line: its kind, and whether a certificate is its own."""
        fits = any(key.spki_sha256 == c.spki_sha256 for c in certificates)
        belongs = ", fits the certificate" if fits else ", fits no certificate here"
        title = f"private key  {key.algorithm} {key.bits}"
        self._title("", title + (belongs if certificates else ""), _lines(key.lines))

    def certificate(
        self, one: CertificateFacts, depth: int, *, goes_on: bool, place: str = ""
    ) -> None:
        """Draw a certificate: its name and place, the names it covers, and its life."""
        branch = _indent(depth - 1) + self.signs.branch if depth else ""
        kind = "" if one.is_ca else f"  {one.key_algorithm} {one.key_bits}"
        self._title(branch, common_name(one.subject) + kind, place or _lines(one.lines))
        below = _indent(depth) + (self.signs.trunk if goes_on else " " * _STEP)
        for row in self._wrapped(some(one.names), len(below)) if one.names else ():
            self.page.append(below, style="dim").append(f"{row}\n")
        self._life(one, below)

    def end(self, top: CertificateFacts, anchor: str, depth: int) -> None:
        """Say where the chain goes on behind the file."""
        start = _indent(depth - 1) + self.signs.branch
        if anchor:
            text, style = f"trusted: {anchor}", "green"
        elif top.self_signed:
            return
        else:
            text, style = f"{common_name(top.issuer)}, not in the file", "dim"
        for row in self._wrapped(text, len(start)):
            self.page.append(start, style="dim").append(f"{row}\n", style=style)
            start = " " * len(start)

    def legend(self) -> None:
        """Say what the mark in the bars is, where there are bars."""
        if self.lives:
            self.page.append(f"{self.signs.today} is {self.at:%Y-%m-%d}\n", style="dim")

    def _life(self, one: CertificateFacts, below: str) -> None:
        seen = self.lives[one.sha256]
        style = _STYLES[seen.standing]
        begins, ends = f"{one.not_before:%Y-%m-%d}", f"{one.not_after:%Y-%m-%d}"
        self.page.append(below, style="dim")
        if self.bar:
            # Dates move in with the tree; bars do not.
            self.page.append(f"{begins:<{self.start - len(below)}}")
            self._bar(seen, self.bar, style)
            self.page.append(f" {ends}  ").append(seen.said, style=style).append("\n")
            return
        self._bar(seen, max(_SHORTEST, min(_LONGEST, width() - len(below))), style)
        self.page.append("\n")
        for row in self._wrapped(f"{begins} to {ends}, {seen.said}", len(below)):
            self.page.append(below, style="dim").append(f"{row}\n", style=style)

    def _bar(self, seen: Life, length: int, style: str) -> None:
        over = min(length - 1, int(seen.share * length))
        self.page.append(self.signs.passed * over, style="dim")
        self.page.append(self.signs.today, style=f"bold {style}")
        self.page.append(self.signs.to_come * (length - 1 - over), style=style)

    def _title(self, branch: str, title: str, place: str) -> None:
        """Write a title on the left and its place on the right."""
        room = width() - len(branch) - len(place) - 1
        shown = cut(title, room, sign=self.signs.cut)
        self.page.append(branch, style="dim").append(shown, style="bold")
        gap = width() - len(branch) - columns(shown)
        self.page.append(f"{place:>{gap}}\n", style="dim")

    @staticmethod
    def _wrapped(text: str, indent: int) -> list[str]:
        return textwrap.wrap(
            text, width=width() - indent, break_long_words=False, break_on_hyphens=False
        )


def _indent(depth: int) -> str:
    return " " * (_STEP * min(_MAX_DEPTH, depth))


def _lines(lines: tuple[int, int]) -> str:
    return f"lines {lines[0]} to {lines[1]}"
