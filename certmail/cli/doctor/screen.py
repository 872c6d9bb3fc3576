"""The looks on the screen: a line each, the way out below what is not as it should be."""

from __future__ import annotations

import textwrap
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from certmail.cli.doctor.look import Health, Look
from certmail.cli.draw import width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STYLES: Final = {
    Health.OK: "green",
    Health.NOTE: "yellow",
    Health.BAD: "bold red",
    Health.SKIPPED: "dim",
}
_NAME_AT: Final = 2 + len("skipped") + 2
_EVIDENCE_AT: Final = _NAME_AT + len("recipient's key") + 2


def draw(looks: Sequence[Look]) -> Text:
    """Draw all looks in their groups, and what they come to."""
    text = Text()
    for group, members in groupby(looks, key=lambda look: look.group):
        text.append(f"{group.value}\n", "bold")
        for (health, evidence), alike in groupby(members, key=_likeness):
            several = list(alike)
            if health is Health.SKIPPED and len(several) > 1:
                _draw_skipped(text, [look.name for look in several], evidence)
            else:
                for look in several:
                    _draw_one(text, look)
    text.append("\n" + "\n".join(_verdict(looks)))
    return text


def _draw_one(text: Text, look: Look) -> None:
    seen = look.seen
    code = f" [{seen.code}]" if seen.code else ""
    first, *others = _wrapped(seen.evidence + code)
    text.append("  ")
    text.append(f"{seen.health.value:<{_NAME_AT - 2}}", _STYLES[seen.health])
    text.append(f"{look.name:<{_EVIDENCE_AT - _NAME_AT}}{first}\n")
    if seen.next:
        others += _wrapped(f"next: {seen.next}", hang="      ")
    for line in others:
        text.append(" " * _EVIDENCE_AT + line + "\n")


def _likeness(look: Look) -> tuple[Health, str]:
    return look.seen.health, look.seen.evidence


def _draw_skipped(text: Text, names: list[str], why: str) -> None:
    """Draw what was left out for one reason on one line."""
    text.append("  ")
    text.append(f"{Health.SKIPPED.value:<{_NAME_AT - 2}}", _STYLES[Health.SKIPPED])
    text.append(f"{', '.join(names)}: {why}\n")


def _wrapped(text: str, *, hang: str = "") -> list[str]:
    """Wrap between words: commands and paths stay whole."""
    return textwrap.wrap(
        text,
        width=width() - _EVIDENCE_AT,
        subsequent_indent=hang,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]


def _verdict(looks: Sequence[Look]) -> Iterator[str]:
    """Say in a sentence what it comes to."""
    stops = [look for look in looks if look.seen.health is Health.BAD]
    if not stops:
        yield "Nothing that was looked at would stop a send."
    else:
        first = stops[0]
        more = f", and {len(stops) - 1} more" if len(stops) > 1 else ""
        yield f"A send would stop at: {first.name} [{first.seen.code}]{more}."


def as_json(looks: Sequence[Look]) -> dict[str, Any]:
    """Give all looks as JSON values."""
    return {
        "healthy": not any(look.seen.health is Health.BAD for look in looks),
        "exit_status": exit_status(looks),
        "looks": [
            {
                "group": look.group.name.lower(),
                "name": look.name,
                "health": look.seen.health.value,
                "evidence": look.seen.evidence,
                "code": look.seen.code,
                "next": look.seen.next,
                "seconds": round(look.seconds, 3),
            }
            for look in looks
        ],
    }


def exit_status(looks: Sequence[Look]) -> int:
    """Give the exit status of the first thing that would stop a send, in the screen's order."""
    return next((look.seen.exit_status for look in looks if look.seen.exit_status), 0)
