"""Deviations of layout: the blocks can still be read, but a stricter reader would not read them.

Comes in: "this defect, on that line", as often as it happens. Goes out: one finding per defect,
with a count and the first line. The defects are data; RFC 7468 §2 and §3 give the form they
deviate from. A defect that explains others hides them: causes before consequences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from certmail.bundle import rules
from certmail.bundle.findings import Finding, Severity
from certmail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable


@frozen
class Layout:
    """One way to be laid out wrongly; ``{where}`` in ``what`` becomes the lines."""

    code: str
    severity: Severity
    what: str
    why: str
    next: str
    repair: str | None
    hides: frozenset[str] = frozenset()


_STRICT: Final = "OpenSSL and the provider's proxy read a block only where its form is exact"
_HARMLESS: Final = "readers agree on skipping it, but nobody has to"
_TYPED: Final = "an editor, a chat or a web page put them there; they are not part of PEM"
_REWRAP: Final = "copy the file again from where it was issued, without an editor in between"

_SPACING: Final = frozenset(
    {"LINES-INDENTED", "SPACE-TRAILING", "BLOCK-SPACES", "BLOCK-WRAP", "BLOCK-GLUED"}
)

BOM: Final = Layout(
    "FILE-BOM",
    Severity.ERROR,
    "a byte order mark stands in front of {where} and hides it",
    _STRICT,
    "umask 077 && sed '1s/^\\xEF\\xBB\\xBF//' bundle.pem >fixed.pem",
    "characters",
)
INVISIBLE: Final = Layout(
    "CHAR-INVISIBLE",
    Severity.ERROR,
    "invisible characters, like a no-break space, on {where}",
    _TYPED,
    "umask 077 && LC_ALL=C tr -d '\\200-\\377' <bundle.pem >fixed.pem",
    "characters",
    _SPACING | {"BLOCK-BLANK"},
)
NON_ASCII: Final = Layout(
    "CHAR-NON-ASCII",
    Severity.ERROR,
    "characters outside ASCII on {where}",
    "PEM is ASCII; a letter that looks right in an editor can be another one",
    "LC_ALL=C grep -n '[^ -~]' bundle.pem | cut -d: -f1",
    None,
    frozenset({"BASE64-CHARACTER"}),
)
CONTROL: Final = Layout(
    "CHAR-CONTROL",
    Severity.ERROR,
    "control characters on {where}",
    "they do not belong in PEM, and they can make a terminal show another text",
    "umask 077 && LC_ALL=C tr -cd '\\n -~' <bundle.pem >fixed.pem",
    "characters",
    frozenset({"FILE-NO-NEWLINE"}),
)
CRLF: Final = Layout(
    "LINES-CRLF",
    Severity.ERROR,
    "Windows line ends, CR LF, on {where}",
    rules.LINE_ENDING.says,
    "umask 077 && tr -d '\\r' <bundle.pem >fixed.pem",
    "line-ends",
)
CR: Final = Layout(
    "LINES-CR",
    Severity.ERROR,
    "old Mac line ends, CR alone, on {where}",
    rules.LINE_ENDING.says,
    "umask 077 && tr '\\r' '\\n' <bundle.pem >fixed.pem",
    "line-ends",
)
MIXED: Final = Layout(
    "LINES-MIXED",
    Severity.ERROR,
    "different line ends in one file: CR or CR LF on {where}",
    rules.LINE_ENDING.says,
    "umask 077 && tr -s '\\r' '\\n' <bundle.pem >fixed.pem",
    "line-ends",
)
NO_NEWLINE: Final = Layout(
    "FILE-NO-NEWLINE",
    Severity.WARNING,
    "no line end behind the last line, {where}",
    "the next block that is appended will be glued to it",
    "echo >>bundle.pem",
    "line-ends",
)
ESCAPED: Final = Layout(
    "LINES-ESCAPED",
    Severity.ERROR,
    "line ends written as the two letters \\n on {where}",
    "the text went through a variable or JSON and was never turned back",
    "umask 077 && printf '%b\\n' \"$(cat bundle.pem)\" >fixed.pem",
    "lines",
    _SPACING | {"LINES-JOINED", "LINES-QUOTED"},
)
QUOTED: Final = Layout(
    "LINES-QUOTED",
    Severity.ERROR,
    "quotes, > or a variable's name around the text on {where}",
    _STRICT,
    "take the bare text out of the variable, mail or script it was wrapped in",
    "lines",
    _SPACING | {"LINES-JOINED"},
)
JOINED: Final = Layout(
    "LINES-JOINED",
    Severity.ERROR,
    "a BEGIN or END joined to other text on {where}",
    "line ends were lost or turned into spaces; RFC 7468 §3 wants each boundary on its own line",
    _REWRAP,
    "lines",
    _SPACING,
)
GLUED: Final = Layout(
    "BLOCK-GLUED",
    Severity.ERROR,
    "an END line glued to the next BEGIN line on {where}",
    "files without a final line end were concatenated; OpenSSL calls this a bad end line",
    "umask 077 && sed 's/----------BEGIN/-----\\n-----BEGIN/g' bundle.pem >fixed.pem",
    "lines",
)
INDENTED: Final = Layout(
    "LINES-INDENTED",
    Severity.ERROR,
    "spaces in front of {where}",
    _STRICT,
    "umask 077 && sed 's/^[ \\t]*//' bundle.pem >fixed.pem",
    "lines",
)
TRAILING: Final = Layout(
    "SPACE-TRAILING",
    Severity.WARNING,
    "spaces at the end of {where}",
    _HARMLESS,
    "umask 077 && sed 's/[ \\t]*$//' bundle.pem >fixed.pem",
    "lines",
)
BLANK: Final = Layout(
    "BLOCK-BLANK",
    Severity.ERROR,
    "blank inside a block: {where}",
    "a blank line inside a block ends the headers, so readers take what is above for headers",
    "umask 077 && sed '/^[ \\t]*$/d' bundle.pem >fixed.pem",
    "lines",
)
SPACES: Final = Layout(
    "BLOCK-SPACES",
    Severity.ERROR,
    "spaces in the middle of a block's text on {where}",
    _STRICT,
    "umask 077 && sed '/^-/!s/[ \\t]//g' bundle.pem >fixed.pem",
    "lines",
)
WRAP: Final = Layout(
    "BLOCK-WRAP",
    Severity.WARNING,
    "a block is not wrapped at 64 characters on {where}",
    # RFC 7468 §2: "each line consists of exactly 64 characters except for the final line"
    "RFC 7468 §2 asks writers for lines of exactly 64 characters; not every reader takes others",
    "openssl x509 -in one.pem -out wrapped.pem; for the key: openssl pkey",
    "lines",
)
DASHES: Final = Layout(
    "BOUNDARY-DASHES",
    Severity.ERROR,
    "a BEGIN or END without exactly five dashes on each side on {where}",
    _STRICT,
    "write -----BEGIN …----- and -----END …----- with five dashes on each side",
    "boundaries",
)
LOOKALIKE: Final = Layout(
    "BOUNDARY-LOOKALIKE",
    Severity.ERROR,
    "long dashes that only look like hyphens on {where}",
    "a word processor or chat replaced the hyphens; no reader sees a BEGIN line there",
    "type the dashes again as plain hyphens, five on each side",
    "boundaries",
    frozenset({"BOUNDARY-DASHES"}),
)
SPELLING: Final = Layout(
    "BOUNDARY-SPELLING",
    Severity.ERROR,
    "a BEGIN or END in lower case or with extra spaces on {where}",
    _STRICT,
    "write the words in capitals with single spaces, and no space next to the dashes",
    "boundaries",
)
HEADERS: Final = Layout(
    "BLOCK-HEADERS",
    Severity.ERROR,
    "headers at the top of a block on {where}",
    "RFC 7468 §3 has no headers; a reader that does not know them takes them for base64",
    "remove the headers and the blank line behind them",
    "headers",
)
BAG: Final = Layout(
    "TEXT-BAG",
    Severity.WARNING,
    "descriptions written by openssl outside the blocks on {where}",
    _HARMLESS,
    "umask 077 && sed -n '/^-----BEGIN/,/^-----END/p' bundle.pem >fixed.pem",
    "text",
)
OUTSIDE: Final = Layout(
    "TEXT-OUTSIDE",
    Severity.WARNING,
    "text outside the blocks, which would be sent as well, on {where}",
    _HARMLESS,
    "umask 077 && sed -n '/^-----BEGIN/,/^-----END/p' bundle.pem >fixed.pem",
    "text",
)


class Tally:
    """Counts the lines each defect befell, and remembers the first and the last."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[Layout, list[int]] = {}

    def note(self, defect: Layout, line: int, *, times: int = 1) -> None:
        """Count a defect on a line; once per line, unless ``times`` lines are given at once."""
        first, last, count = self._seen.get(defect, [line, 0, 0])
        self._seen[defect] = [first, line, count + times * (line != last)]

    def forget(self, defect: Layout) -> None:
        """Take back a defect that something graver explains."""
        self._seen.pop(defect, None)

    def findings(self, others: Iterable[Finding]) -> tuple[Finding, ...]:
        """Give one finding per defect and the others, by line, without those a defect explains."""
        hidden = frozenset[str]().union(*(defect.hides for defect in self._seen))
        mine = (_finding(defect, *counted) for defect, counted in self._seen.items())
        shown = (finding for finding in (*mine, *others) if finding.code not in hidden)
        return tuple(sorted(shown, key=lambda finding: finding.lines or (0, 0)))


def _finding(defect: Layout, first: int, last: int, count: int) -> Finding:
    where = f"line {first}" if count == 1 else f"{count} lines, the first is line {first}"
    return Finding(
        code=defect.code,
        severity=defect.severity,
        lines=(first, last),
        what=defect.what.format(where=where),
        why=defect.why,
        next=defect.next,
        repair=defect.repair,
    )
