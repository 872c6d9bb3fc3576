"""Tables of results: as Markdown for people, as JSON for the charts, as SVG for the documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROW: Final = 26
_LEFT: Final = 190
_WIDE: Final = 640


@dataclass
class Table:
    """One table: a title, what to know about it, headings, rows, and targets that hold or do not."""

    name: str
    title: str
    about: str
    headings: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    targets: list[tuple[str, str, bool]] = field(default_factory=list)
    """What was wanted, what was measured, and whether it holds."""
    bars: list[tuple[str, float]] = field(default_factory=list)
    unit: str = "ms"

    def aim(self, wanted: str, measured: float, bound: float, *, at_least: bool = False) -> None:
        """Hold a ratio or difference against its target."""
        holds = measured >= bound if at_least else measured <= bound
        self.targets.append((wanted, f"{measured:.2f}", holds))

    def markdown(self) -> str:
        """Draw the table."""
        lines = [f"## {self.title}", "", self.about, ""]
        lines += ["| " + " | ".join(self.headings) + " |"]
        lines += ["| --- |" + " ---: |" * (len(self.headings) - 1)]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        if self.targets:
            lines += ["", "| target | measured | holds |", "| --- | ---: | --- |"]
            lines += [f"| {w} | {m} | {'yes' if holds else 'no'} |" for w, m, holds in self.targets]
        return "\n".join([*lines, ""])

    def json(self) -> dict[str, Any]:
        """Give the table as JSON values."""
        return {
            "name": self.name,
            "title": self.title,
            "about": self.about,
            "unit": self.unit,
            "headings": list(self.headings),
            "rows": [list(row) for row in self.rows],
            "targets": [
                {"wanted": wanted, "measured": measured, "holds": holds}
                for wanted, measured, holds in self.targets
            ],
            "bars": [list(bar) for bar in self.bars],
        }

    @classmethod
    def of_json(cls, known: dict[str, Any]) -> Table:
        """Give a table back that was kept as JSON values."""
        return cls(
            known["name"], known["title"], known["about"], known["headings"],
            [tuple(row) for row in known["rows"]],
            [(each["wanted"], each["measured"], each["holds"]) for each in known["targets"]],
            [(name, value) for name, value in known["bars"]],
            unit=known["unit"],
        )  # fmt: skip

    def svg(self) -> str:
        """Draw the bars: one hue, the values beside them, readable on light and on dark."""
        longest = max((value for _, value in self.bars), default=1) or 1
        high = 34 + _ROW * len(self.bars) + 8
        room = _WIDE - _LEFT - 90
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {high}" role="img"'
            f' aria-label="{escape(self.title)}" font-family="system-ui, sans-serif" font-size="13">',
            "<style>text{fill:#1f2328}.b{fill:#3b6ea5}.o{fill:#9aa7b4}"
            "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.b{fill:#79a9d9}.o{fill:#6e7a86}}"
            "</style>",
            f'<text x="8" y="20" font-weight="600">{escape(self.title)}, {escape(self.unit)}</text>',
        ]
        for number, (label, value) in enumerate(self.bars):
            y = 34 + _ROW * number
            kind = "b" if label.startswith("certmail") else "o"
            parts += [
                f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(label)}</text>',
                f'<rect class="{kind}" x="{_LEFT}" y="{y + 3}" height="{_ROW - 8}" rx="2"'
                f' width="{max(value / longest * room, 1):.1f}"/>',
                f'<text x="{_LEFT + value / longest * room + 6:.1f}" y="{y + 15}">{value:.4g}</text>',
            ]
        return "\n".join([*parts, "</svg>", ""])
