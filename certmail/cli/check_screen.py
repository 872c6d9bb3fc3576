"""The page of ``certmail check`` and ``certmail inspect``: findings, last line, summary.

Decides nothing; every line fits the width. Lines of the file are shown as the core lets them be
shown: never a line of a body.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from certmail.bundle.facts import common_name
from certmail.bundle.findings import Finding, Severity
from certmail.cli.chain_screen import draw_tree, signs, some
from certmail.cli.draw import draw_error, draw_findings, width
from certmail.cli.ink import Ink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from certmail.bundle.change import Change
    from certmail.bundle.check import Verdict
    from certmail.bundle.facts import CertificateFacts
    from certmail.errors import CertmailError

_STYLES: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def plural(number: int, word: str) -> str:
    """Count things in words: ``1 day``, ``2 days``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def counted(findings: Iterable[Finding]) -> str:
    """Count findings by severity: ``1 error, 2 warnings``; empty for none."""
    found = [finding.severity for finding in findings]
    numbers = ((found.count(severity), severity.value) for severity in Severity)
    return ", ".join(plural(number, word) for number, word in numbers if number)


def draw_verdict(verdict: Verdict, *, data: bytes, at: datetime) -> Ink:
    """Draw the chain, then each finding with the lines around it."""
    page = Ink()
    if verdict.facts is not None:
        page.add(draw_tree(verdict.facts, at=at))
    before: tuple[int, int] | None = None
    for finding in verdict.findings:
        page.add(_finding(finding))
        if finding.lines is not None and finding.lines != before:
            page.add(_excerpt(data, finding))
        page.append("\n")
        before = finding.lines
    return page


def last_line(name: str, verdict: Verdict, *, good: bool) -> Ink:
    """Say in one line what it came to."""
    many = counted(verdict.findings)
    if good:
        text, style = f"{name}: good to send" + (f" ({many})" if many else ""), "green"
    elif verdict.checked is not None:
        text, style = f"{name}: refused, as warnings count ({many})", "red"
    else:
        text, style = f"{name}: refused ({many})", "red"
    line = Ink(text, f"bold {style}")
    errors = [finding for finding in verdict.findings if finding.severity is Severity.ERROR]
    if errors and all(finding.repair is not None for finding in errors):
        line.append(f"\nnext: certmail bundle {name} --output NEW.pem mends it", style)
    return line


def heading(text: str) -> Ink:
    """Write what a part of the page is about."""
    return Ink(text, style="bold underline")


def draw_unread(error: CertmailError) -> Ink:
    """Draw why a file among several could not be read."""
    return Ink(draw_error(error), style="red")


def draw_summary(rows: Iterable[tuple[str, int, Verdict | None]], *, at: datetime) -> Ink:
    """Draw one line per file: verdict, days left, name of the certificate."""
    page = Ink("\n")
    page.add(heading("summary")).append("\n")
    for name, status, verdict in rows:
        said = "unread" if verdict is None else "refused" if status else "good"
        leaf = verdict.facts.path[0] if verdict and verdict.facts and verdict.facts.path else None
        left = f"{(leaf.not_after - at).days:>5} days" if leaf else " " * 10
        page.append(f"{said:<8}", style="red" if status else "green")
        room = width() - 8 - 12
        title = name + (f"  {common_name(leaf.subject)}" if leaf else "")
        page.append(f"{left}  {title if len(title) <= room else title[: room - 1] + '…'}\n")
    return page


def sentences(seen: Change, *, old: CertificateFacts, new: CertificateFacts) -> tuple[str, ...]:
    """Say what a change will do, in words."""
    if seen.same:
        return ("the server shows the bundle's certificate already; nothing would change",)
    found = [
        f"names: {plural(len(seen.kept), 'name')} stay"
        + (f"; new: {some(seen.gained)}" if seen.gained else "")
        + (f"; NO LONGER COVERED: {some(seen.lost)}" if seen.lost else "; none is lost"),
        "key: the same key stays in use" if seen.same_key else "key: a new key",
    ]
    days = abs(seen.longer.days)
    if seen.longer.total_seconds() >= 0:
        found.append(f"end: {plural(days, 'day')} later, on {new.not_after:%Y-%m-%d}")
    else:
        found.append(
            f"end: {plural(-seen.longer.days, 'day')} EARLIER, on {new.not_after:%Y-%m-%d}; the"
            " provider's proxy goes on serving the old certificate until"
            f" {old.not_after:%Y-%m-%d}, unless it is removed: ask for that in the mail"
        )
    return tuple(found)


def wrapped(text: str, *, indent: str = "  ") -> str:
    """Wrap a sentence to the width."""
    return textwrap.fill(
        text, width=width(), initial_indent=indent, subsequent_indent=indent + "  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _finding(finding: Finding) -> Ink:
    text = draw_findings((finding,))
    head = text.index("]") + 1
    return Ink(text[:head], _STYLES[finding.severity]).append(text[head:])


def _excerpt(data: bytes, finding: Finding) -> Ink:
    return Ink("\n".join(_rows(data, finding)) + "\n", style="dim")


def _rows(data: bytes, finding: Finding) -> Iterator[str]:
    from certmail.bundle.excerpt import excerpt  # a bundle without fault has nothing to show

    rule = signs().rule
    for row in excerpt(data, finding.lines or (1, 1)):
        number = "" if row.number is None else str(row.number)
        text = row.text if rule == "│" else row.text.replace("·", ".")
        yield f"  {'>' if row.marked else ' '}{number:>5} {rule} {text}"[: width()].rstrip()
