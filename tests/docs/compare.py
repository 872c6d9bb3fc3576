"""Hold what was seen against what a page shows.

``…`` stands for any text within a line, and for any number of lines where it is alone on one. What
differs from run to run (dates, times, digests, identifiers, counts, ports) is compared by its form;
spaces that line up a table are not compared.
"""

from __future__ import annotations

import re

_FORMS = (
    (r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4}\b", "DATE"),
    (r"\b\d{4}-\d\d-\d\d\b", "DATE"),
    (r"\b\d\d:\d\d(?::\d\d)?\b", "TIME"),
    (r"(?<![0-9A-Za-z])(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}(?![0-9A-Za-z])", "HEX"),
    (r"\b(?:[0-9A-F]{4} {1,2}){3,}[0-9A-F]{4}\b", "HEX"),
    (r"\d+", "9"),
)


def form(line: str) -> str:
    """Reduce a line to its form."""
    for pattern, word in _FORMS:
        line = re.sub(pattern, word, line)
    return re.sub(r"\s+", " ", line).strip()


def pattern_of(shown: tuple[str, ...]) -> re.Pattern[str]:
    lines = [line.rstrip() for line in shown]
    while lines and not lines[-1]:
        lines.pop()
    parts = []
    for line in lines:
        if line.strip() == "…":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(".*?".join(map(re.escape, map(form, line.split("…")))) + r" ?\n")
    return re.compile("".join(parts))


def agrees(shown: tuple[str, ...], seen: str) -> bool:
    """Tell whether the page shows what was seen."""
    lines = [form(line) for line in seen.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return pattern_of(shown).fullmatch("".join(line + "\n" for line in lines)) is not None
