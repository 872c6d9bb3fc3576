"""The page of ``certmail check`` and ``certmail inspect``: chain, findings, last line.

Decides nothing. Text that rich colours on a terminal and leaves plain elsewhere; every line fits
the width. Lines of the file are shown as the core lets them be shown: never a line of a body.
"""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Final

from rich.text import Text

from certmail.bundle import idn
from certmail.bundle.excerpt import excerpt
from certmail.bundle.facts import common_name
from certmail.bundle.findings import Finding, Severity
from certmail.cli.draw import draw_error, draw_findings, width

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from certmail.bundle.change import Change
    from certmail.bundle.check import Verdict
    from certmail.bundle.facts import BundleFacts, CertificateFacts
    from certmail.errors import CertmailError

SHOWN_NAMES: Final = 8
BAR: Final = 20

_MAX_INDENT: Final = 15
_STYLES: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}
_UNICODE: Final = {"branch": "└─ ", "full": "█", "empty": "░", "rule": "│"}
_ASCII: Final = {"branch": "`- ", "full": "#", "empty": ".", "rule": "|"}


def plural(number: int, word: str) -> str:
    """Count things in words: ``1 day``, ``2 days``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def counted(findings: Iterable[Finding]) -> str:
    """Count findings by severity: ``1 error, 2 warnings``; empty for none."""
    found = [finding.severity for finding in findings]
    numbers = ((found.count(severity), severity.value) for severity in Severity)
    return ", ".join(plural(number, word) for number, word in numbers if number)


def draw_verdict(verdict: Verdict, *, data: bytes, at: datetime) -> Text:
    """Draw the chain, then each finding with the lines around it."""
    page = Text()
    if verdict.facts is not None:
        page.append_text(draw_tree(verdict.facts, at=at))
    before: tuple[int, int] | None = None
    for finding in verdict.findings:
        page.append_text(_finding(finding))
        if finding.lines is not None and finding.lines != before:
            page.append_text(_excerpt(data, finding))
        page.append("\n")
        before = finding.lines
    return page


def last_line(name: str, verdict: Verdict, *, good: bool) -> Text:
    """Say in one line what it came to."""
    many = counted(verdict.findings)
    if good:
        text, style = f"{name}: good to send" + (f" ({many})" if many else ""), "green"
    elif verdict.checked is not None:
        text, style = f"{name}: refused, as warnings count ({many})", "red"
    else:
        text, style = f"{name}: refused ({many})", "red"
    line = Text(text, style=f"bold {style}")
    errors = [finding for finding in verdict.findings if finding.severity is Severity.ERROR]
    if errors and all(finding.repair is not None for finding in errors):
        line.append(f"\nnext: certmail bundle {name} --output NEW.pem mends it", style="not bold")
    return line


def heading(text: str) -> Text:
    """Write what a part of the page is about."""
    return Text(text, style="bold underline")


def draw_unread(error: CertmailError) -> Text:
    """Draw why a file among several could not be read."""
    return Text(draw_error(error), style="red")


def draw_summary(rows: Iterable[tuple[str, int, Verdict | None]], *, at: datetime) -> Text:
    """Draw one line per file: verdict, days left, name of the certificate."""
    page = Text("\n")
    page.append_text(heading("summary")).append("\n")
    for name, status, verdict in rows:
        said = "unread" if verdict is None else "refused" if status else "good"
        leaf = verdict.facts.path[0] if verdict and verdict.facts and verdict.facts.path else None
        left = f"{(leaf.not_after - at).days:>5} days" if leaf else " " * 10
        page.append(f"{said:<8}", style="red" if status else "green")
        room = width() - 8 - 12
        title = name + (f"  {common_name(leaf.subject)}" if leaf else "")
        page.append(f"{left}  {title if len(title) <= room else title[: room - 1] + '…'}\n")
    return page


def draw_tree(facts: BundleFacts, *, at: datetime) -> Text:
    """Draw the key, the certificate below it, and its issuers up to the end of the chain."""
    page = Text()
    path = facts.path or facts.certificates
    depth = 0
    if facts.key is not None:
        fits = any(facts.key.spki_sha256 == c.spki_sha256 for c in facts.certificates)
        belongs = ", fits the certificate" if fits else ", fits no certificate here"
        title = f"private key  {facts.key.algorithm} {facts.key.bits}"
        _line(page, "", title + (belongs if facts.certificates else ""), facts.key.lines)
        depth = 1
    for certificate in path:
        _certificate(page, certificate, depth, at)
        depth += 1
    if path:
        _end(page, path[-1], facts.anchor, depth)
    others = [c for c in facts.certificates if facts.path and c not in facts.path]
    if others:
        page.append("also in the file\n", style="dim")
        for certificate in others:
            _certificate(page, certificate, 1, at)
    return page.append("\n") if page else page


def draw_chain(chain: tuple[CertificateFacts, ...], *, at: datetime) -> Text:
    """Draw what a server shows, in its order."""
    page = Text()
    for depth, certificate in enumerate(chain):
        _certificate(page, certificate, depth, at, place=f"shown {certificate.lines[0]}.")
    return page


def sentences(seen: Change, *, old: CertificateFacts, new: CertificateFacts) -> tuple[str, ...]:
    """Say what a change will do, in words."""
    if seen.same:
        return ("the server shows the bundle's certificate already; nothing would change",)
    found = [
        f"names: {plural(len(seen.kept), 'name')} stay"
        + (f"; new: {_some(seen.gained)}" if seen.gained else "")
        + (f"; NO LONGER COVERED: {_some(seen.lost)}" if seen.lost else "; none is lost"),
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


def _signs() -> dict[str, str]:
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return _UNICODE if encoding in ("utf8", "utf16") else _ASCII


def _some(names: tuple[str, ...]) -> str:
    rest = len(names) - SHOWN_NAMES
    return ", ".join(idn.both(name) for name in names[:SHOWN_NAMES]) + (
        f" and {rest} more" if rest > 0 else ""
    )


def _indent(depth: int) -> str:
    return " " * min(_MAX_INDENT, 3 * depth)


def _line(page: Text, indent: str, title: str, lines: tuple[int, int], place: str = "") -> None:
    """Write a title on the left and its place on the right."""
    where = place or f"lines {lines[0]} to {lines[1]}"
    room = width() - len(indent) - len(where) - 1
    shown = title if len(title) <= room else title[: room - 1] + "…"
    page.append(indent).append(shown, style="bold")
    page.append(f"{where:>{width() - len(indent) - len(shown)}}\n", style="dim")


def _certificate(
    page: Text, certificate: CertificateFacts, depth: int, at: datetime, place: str = ""
) -> None:
    signs = _signs()
    branch = signs["branch"] if depth else ""
    indent = _indent(depth - 1) + branch if depth else ""
    kind = "" if certificate.is_ca else f"  {certificate.key_algorithm} {certificate.key_bits}"
    _line(page, indent, common_name(certificate.subject) + kind, certificate.lines, place)
    below = _indent(depth)
    if certificate.names:
        for row in textwrap.wrap(
            _some(certificate.names),
            width=width() - len(below),
            break_long_words=False,
            break_on_hyphens=False,
        ):
            page.append(f"{below}{row}\n")
    bar, left, style = _validity(certificate, at, signs)
    page.append(f"{below}{certificate.not_before:%Y-%m-%d} {bar} {certificate.not_after:%Y-%m-%d}")
    page.append("  ").append(left, style=style).append("\n")


def _validity(
    certificate: CertificateFacts, at: datetime, signs: dict[str, str]
) -> tuple[str, str, str]:
    """Draw how much of the life is over, and say what is left."""
    life = certificate.not_after - certificate.not_before
    share = (at - certificate.not_before) / life if life else 1.0
    full = max(0, min(BAR, round(share * BAR)))
    bar = signs["full"] * full + signs["empty"] * (BAR - full)
    if at > certificate.not_after:
        return bar, f"ended {plural((at - certificate.not_after).days, 'day')} ago", "red"
    if at < certificate.not_before:
        return bar, f"begins in {plural((certificate.not_before - at).days, 'day')}", "red"
    days = (certificate.not_after - at).days
    return bar, f"{plural(days, 'day')} left", "green" if days > 14 else "yellow"  # noqa: PLR2004


def _end(page: Text, top: CertificateFacts, anchor: str, depth: int) -> None:
    """Say where the chain goes on behind the file."""
    start = _indent(depth - 1) + _signs()["branch"]
    if anchor:
        text, style = f"trusted: {anchor}", "green"
    elif top.self_signed:
        return
    else:
        text, style = f"{common_name(top.issuer)}, not in the file", "dim"
    room = width() - len(start)
    for row in textwrap.wrap(text, width=room, break_on_hyphens=False):
        page.append(start).append(f"{row}\n", style=style)
        start = " " * len(start)


def _finding(finding: Finding) -> Text:
    text = Text(draw_findings((finding,)))
    text.stylize(_STYLES[finding.severity], 0, text.plain.index("]") + 1)
    return text


def _excerpt(data: bytes, finding: Finding) -> Text:
    return Text("\n".join(_rows(data, finding)) + "\n", style="dim")


def _rows(data: bytes, finding: Finding) -> Iterator[str]:
    rule = _signs()["rule"]
    for row in excerpt(data, finding.lines or (1, 1)):
        number = "" if row.number is None else str(row.number)
        text = row.text if rule == _UNICODE["rule"] else row.text.replace("·", ".")
        yield f"  {'>' if row.marked else ' '}{number:>5} {rule} {text}"[: width()].rstrip()
