"""The lines around a finding, as they may be shown: boundaries and plain words, never a body.

Comes in: the file and a range of lines. Goes out: rows. A line is shown only if it is provably
harmless: a boundary with a label we know, or words of a few letters; anything else is counted.
That holds for certificates too, and for text outside blocks, since what stands at a wrong place in
a damaged file may be the key.
"""

from __future__ import annotations

import re
from typing import Final

from certmail.bundle import labels
from certmail.frozen import frozen

MAX_ROWS: Final = 7
"""A range with more boundaries than that is shown from its first ones."""

_LINE: Final = re.compile(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
_HYPHENS: Final = r"[-\u2010-\u2015\u2212\ufe58\ufe63\uff0d \t]"
_BOUNDARY: Final = re.compile(
    rf"(?P<front>[ \t>\"']{{0,8}}{_HYPHENS}{{0,8}})(?P<word>BEGIN|END)"
    rf"(?P<label>[ \t]+[A-Z0-9 ]{{1,40}}?)?(?P<back>{_HYPHENS}{{0,8}}[\"']?)",
    re.IGNORECASE,
)
_LONGEST: Final = 120
_WORD: Final = re.compile(r"[#;]|[#;]?[A-Z]?[a-z]{1,10}[.,:;]?")
_MAX_WORDS: Final = 16
_OTHER_LABELS: Final = frozenset(
    {
        "CERTIFICATE REQUEST",
        "NEW CERTIFICATE REQUEST",
        "PUBLIC KEY",
        "RSA PUBLIC KEY",
        "PKCS7",
        "CMS",
        "DH PARAMETERS",
        "EC PARAMETERS",
        "DSA PARAMETERS",
        "TRUSTED CERTIFICATE",
        "OPENSSH PRIVATE KEY",
        "PGP MESSAGE",
        "PGP PUBLIC KEY BLOCK",
        "PGP PRIVATE KEY BLOCK",
        "X509 CRL",
    }
)
_KNOWN: Final = labels.BELONGS | _OTHER_LABELS


@frozen
class Row:
    """One line with its number, or None and a count of lines that are not shown."""

    number: int | None
    text: str
    marked: bool


def excerpt(data: bytes, lines: tuple[int, int], *, around: int = 1) -> tuple[Row, ...]:
    """Show the lines of a range and ``around`` more on both sides."""
    texts = _lines(data)
    first, last = max(1, lines[0] - around), min(len(texts), lines[1] + around)
    rows: list[Row] = []
    hidden: list[int] = []
    for number in range(first, last + 1):
        shown = _harmless(texts[number - 1])
        if shown is None:
            hidden.append(number)
            continue
        rows += _hidden(hidden, lines)
        hidden = []
        rows.append(Row(number, shown, marked=lines[0] <= number <= lines[1]))
    rows += _hidden(hidden, lines)
    if len(rows) > MAX_ROWS:
        left = last - (rows[MAX_ROWS - 2].number or first)
        rows = [*rows[: MAX_ROWS - 1], Row(None, f"··· {left} lines ···", marked=True)]
    return tuple(rows)


def _hidden(numbers: list[int], lines: tuple[int, int]) -> list[Row]:
    if not numbers:
        return []
    marked = any(lines[0] <= number <= lines[1] for number in numbers)
    if len(numbers) == 1:
        return [Row(numbers[0], "··· 1 line ···", marked=marked)]
    return [Row(None, f"··· {len(numbers)} lines ···", marked=marked)]


def _lines(data: bytes) -> list[str]:
    """Cut as the scanner does: behind LF, CRLF and a lone CR."""
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    found = [match[1] for match in _LINE.finditer(text)]
    return found[:-1] if found and not found[-1] else found


def _harmless(line: str) -> str | None:
    """Give a line that may be shown as it is; None for any other."""
    if not line.strip():
        return ""
    boundary = _BOUNDARY.fullmatch(line) if len(line) < _LONGEST else None
    if boundary and (" ".join((boundary["label"] or "").split()).upper() in _KNOWN):
        return line.replace("\t", " ")
    words = line.split()
    plain = len(words) <= _MAX_WORDS and all(_WORD.fullmatch(word) for word in words)
    return " ".join(words) if plain else None
