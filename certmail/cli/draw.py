"""Plain words on the terminal: errors and findings; and how wide and how coloured it may be.

Every other drawing asks here: `width` and `is_coloured`. The words are the same with colour and
without.
"""

from __future__ import annotations

import os
import sys
import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TextIO

import click

from certmail.bundle.findings import Finding, Severity
from certmail.errors import CertmailError, Left

if TYPE_CHECKING:
    from collections.abc import Iterable

    from certmail.delivery.outcome import Receipt
    from certmail.key.renew.life import Notice

MAX_WIDTH: Final = 100
MIN_WIDTH: Final = 40
USUAL_WIDTH: Final = 80
ACCEPTED: Final = "Accepted"

_MARKS: Final = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "·"}
_PLAIN_MARKS: Final = {Severity.ERROR: "x", Severity.WARNING: "!", Severity.NOTE: "-"}


def width() -> int:
    """Give the columns to draw in."""
    return max(MIN_WIDTH, min(MAX_WIDTH, _columns()))


def _columns() -> int:
    """Count the columns as `shutil` does, which brings along all that unpacks archives."""
    with suppress(KeyError, ValueError):
        if (columns := int(os.environ["COLUMNS"])) > 0:
            return columns
    if sys.__stdout__ is not None:
        # A closed one, or none that is a terminal.
        with suppress(ValueError, OSError):
            return os.get_terminal_size(sys.__stdout__.fileno()).columns or USUAL_WIDTH
    return USUAL_WIDTH


def is_coloured(stream: TextIO) -> bool:
    """Whether to write escape codes into a stream.

    NO_COLOR (not empty) says no to all; then CLICOLOR_FORCE (neither empty nor 0) says yes to all;
    otherwise it is a terminal that knows them.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") not in {"", "0"}:
        return True
    plain = os.environ.get("TERM", "") in {"dumb", "unknown"} or os.environ.get("CLICOLOR") == "0"
    return stream.isatty() and not plain


def echo_error(error: CertmailError) -> None:
    """Write a refusal to standard error: on a terminal the word error in red, and next in bold."""
    text = draw_error(error)
    if is_coloured(sys.stderr):
        text = text.replace("error[", "\x1b[31merror\x1b[0m[", 1)
        text = text.replace("\n  next:", "\n  \x1b[1mnext:\x1b[0m", 1)
    click.echo(text, nl=False, err=True, color=is_coloured(sys.stderr))


def draw_error(error: CertmailError) -> str:
    """Draw a refusal: what, where, why, next, and what has left the machine."""
    where = ""
    if error.file is not None:
        where = f"{error.file}:{error.lines[0]}: " if error.lines else f"{error.file}: "
    elif error.lines is not None:
        where = f"line {error.lines[0]}: "
    lines = _wrap(f"certmail: error[{error.code}]: {where}{error.what}", indent="  ")
    if error.why:
        lines += _row("why:", error.why)
    lines += _row("next:", error.next)
    if error.exit_status not in (2, 16) or error.left is not Left.NOTHING:
        lines += _row("left:", error.left.value)
    return "\n".join(lines) + "\n"


def receipt_rows(receipt: Receipt) -> tuple[tuple[str, str], ...]:
    """Give what the relay said, and over what it was said, as labels and values."""
    return (
        ("relay", f"{receipt.relay} ({receipt.peer})"),
        ("TLS", f"{receipt.tls.version}, {receipt.tls.cipher}, certificate verified"),
        ("its SHA-256", receipt.tls.leaf_sha256),
        ("login", receipt.mechanism or "none asked for"),
        ("reply", receipt.reply),
        ("Message-ID", receipt.message_id),
        ("SHA-256", receipt.sha256),
        ("at", f"{receipt.accepted_at:%Y-%m-%d %H:%M:%S} UTC"),
    )


def draw_receipt_plainly(receipt: Receipt) -> str:
    """Draw a receipt for a file or a pipe: a row each, nothing around and nothing folded."""
    rows = receipt_rows(receipt)
    wide = max(len(label) for label, _ in rows)
    return "\n".join([ACCEPTED, *(f"  {label:<{wide}}  {value}" for label, value in rows), ""])


def echo_notices(notices: Iterable[Notice]) -> None:
    """Write to standard error what stops nothing and should be known."""
    for notice in notices:
        lines = _wrap(f"! notice[{notice.code}] {notice.what}", indent="  ")
        lines += _row("next:", notice.next)
        click.echo("\n".join(lines), err=True)


def draw_findings(findings: Iterable[Finding]) -> str:
    """Draw findings in the order in which they were found: causes before consequences."""
    marks = _MARKS if takes_unicode() else _PLAIN_MARKS
    lines: list[str] = []
    for finding in findings:
        head = f"{marks[finding.severity]} {finding.severity.value}[{finding.code}]"
        lines += _wrap(f"{head} {_place(finding)}{finding.what}", indent="  ")
        lines += _row("why:", finding.why)
        lines += _row("next:", finding.next)
    return "\n".join(lines) + "\n" if lines else ""


def wrapped(text: str, *, indent: str = "  ") -> str:
    """Wrap to the width; lines after the first begin with ``indent``. A long word stays whole."""
    return "\n".join(_wrap(text, indent=indent))


def _place(finding: Finding) -> str:
    if finding.lines is None:
        return ""
    first, last = finding.lines
    return f"line {first}: " if first == last else f"lines {first} to {last}: "


def _row(label: str, text: str) -> list[str]:
    return _wrap(f"  {label:<6}{text}", indent=" " * 8)


def _wrap(text: str, *, indent: str) -> list[str]:
    """Wrap to the terminal, never inside a word: commands and paths stay whole."""
    return textwrap.wrap(
        text,
        width=width(),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def takes_unicode() -> bool:
    """Whether what is printed can hold more than ASCII."""
    return (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "utf16")
