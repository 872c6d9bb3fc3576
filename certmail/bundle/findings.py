"""What a check has to say about a bundle: findings, each complete in itself.

A finding carries a stable code, how grave it is, where it is, and what / why / next. Its texts
quote public facts only; a base64 line of a key block never reaches a finding.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from certmail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(Enum):
    """How grave a finding is. An ERROR forbids sending; nothing turns one into a WARNING."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@frozen
class Finding:
    """One thing a check found.

    ``lines`` is an inclusive 1-based range in the file, or None where no line is at fault.
    ``what``, ``why`` and ``next`` are sentences without a final period; ``next`` is a command or
    an act. ``repair`` names the mechanical change that would cure it, where one exists.
    """

    code: str
    severity: Severity
    lines: tuple[int, int] | None
    what: str
    why: str
    next: str
    repair: str | None = None


def error(
    code: str,
    lines: tuple[int, int] | None,
    what: str,
    *,
    why: str,
    next: str,
    repair: str | None = None,
) -> Finding:
    """Find something that forbids sending."""
    return Finding(code, Severity.ERROR, lines, what, why, next, repair)


def warning(
    code: str,
    lines: tuple[int, int] | None,
    what: str,
    *,
    why: str,
    next: str,
    repair: str | None = None,
) -> Finding:
    """Find something the user should know before sending."""
    return Finding(code, Severity.WARNING, lines, what, why, next, repair)


def forbids_sending(findings: Iterable[Finding]) -> bool:
    """Tell whether any of the findings is an ERROR."""
    return any(finding.severity is Severity.ERROR for finding in findings)


def span(lines: tuple[int, int]) -> str:
    """Say where: ``line 3`` or ``lines 3-20``."""
    first, last = lines
    return f"line {first}" if first == last else f"lines {first}-{last}"
