"""What was changed on the way to the canonical form, each change in words.

Comes in: findings that name a repair. Goes out: changes in the past tense, safe to print. A change
never quotes what it changed. Knows the codes of the scanner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from certmail.frozen import frozen

if TYPE_CHECKING:
    from certmail.bundle.findings import Finding


@frozen
class Change:
    """One change: the repair's name, what was done, and where in which source."""

    repair: str
    what: str
    lines: tuple[int, int] | None = None
    source: str | None = None


_DONE: Final[dict[str, str]] = {
    "FILE-BOM": "took away the byte order mark",
    "CHAR-INVISIBLE": "took away invisible characters",
    "CHAR-CONTROL": "took away control characters",
    "CHAR-NON-ASCII": "left out text with characters outside ASCII",
    "LINES-CRLF": "turned Windows line ends into line feeds",
    "LINES-CR": "turned old Mac line ends into line feeds",
    "LINES-MIXED": "made all line ends line feeds",
    "FILE-NO-NEWLINE": "ended the last line",
    "LINES-ESCAPED": "turned the two letters \\n into line ends",
    "LINES-QUOTED": "took away quotes, > or the variable's name around the text",
    "LINES-JOINED": "put every BEGIN and END on a line of its own",
    "LINES-INDENTED": "took away the spaces in front of lines",
    "SPACE-TRAILING": "took away the spaces at line ends",
    "BLOCK-GLUED": "separated blocks that were glued together",
    "BLOCK-BLANK": "took away blank lines inside blocks",
    "BLOCK-SPACES": "took away spaces inside blocks",
    "BLOCK-WRAP": "wrapped the blocks at 64 characters",
    "BLOCK-HEADERS": "left out headers inside blocks",
    "BOUNDARY-DASHES": "gave every BEGIN and END five dashes on each side",
    "BOUNDARY-LOOKALIKE": "made plain hyphens of long dashes",
    "BOUNDARY-SPELLING": "spelled BEGIN, END and labels in capitals with single spaces",
    "TEXT-BAG": "left out descriptions written by openssl",
    "TEXT-OUTSIDE": "left out text outside the blocks",
    "LABEL-X509": "named the certificate CERTIFICATE instead of X509 CERTIFICATE",
    "BLOCK-DH-PARAMETERS": "left out Diffie-Hellman parameters",
    "BLOCK-EC-PARAMETERS": "left out elliptic curve parameters",
    "BLOCK-CRL": "left out a revocation list",
}


_EVERYWHERE: Final = frozenset({"LINES-CRLF", "LINES-CR", "LINES-MIXED"})
"""Their findings name the first line only; the change befell them all."""


def of_finding(finding: Finding, *, source: str | None) -> Change:
    """Say of a finding that its repair was made; a code not in the table keeps its own words."""
    what = _DONE.get(finding.code, f"repaired: {finding.what}")
    lines = None if finding.code in _EVERYWHERE else finding.lines
    return Change(finding.repair or "text", what, lines, source)
