"""What a page of the documents tells people to type, and what it says they will see.

A fenced ``console`` block holds commands behind ``$ ``, or ``# `` for root, and their output;
``sh`` is a script, run as one command. A comment in front of a block says how to run it
(CONTRIBUTING.md, "Commands in the documents")::

    <!-- run: fixture=outbox status=18 answer="y" -->
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

SHELLS = ("console", "sh")
KEYS = {"fixture", "status", "answer", "port", "before"}

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+|~~~+)(?P<info>[^\n`]*)$")
_DIRECTIVE = re.compile(r"^\s*<!-- run:(?P<words>.*?)-->\s*$")


@dataclass(frozen=True)
class Command:
    """One thing to type, and what follows; ``shown`` is None where no output is shown."""

    line: int
    text: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A fence of a page: its language, its lines, and how to run it."""

    page: str
    line: int
    language: str
    text: str
    manner: dict[str, str]

    def commands(self) -> list[Command]:
        if self.language == "sh":
            return [Command(self.line, self.text.rstrip("\n"), ())]
        found: list[Command] = []
        typed: list[str] = []
        shown: list[str] = []
        began = self.line

        def finish() -> None:
            if typed:
                found.append(Command(began, "\n".join(typed), tuple(shown)))

        for number, line in enumerate(self.text.splitlines(), start=self.line + 1):
            if line.startswith(("$ ", "# ")):
                finish()
                # A prompt of root's stands for sudo.
                said = line[2:] if line[0] == "$" else f"sudo {line[2:]}"
                typed, shown, began = [said], [], number
            elif typed and not shown and typed[-1].endswith("\\"):
                typed.append(line.removeprefix("> "))
            elif typed:
                shown.append(line)
            else:
                raise ValueError(f"{self.page}:{number}: output before the first command")
        finish()
        return found


def pages() -> list[str]:
    """Every page, as a path from the root."""
    top = [path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"]
    below = (ROOT / "docs").rglob("*.md")
    return sorted(str(path.relative_to(ROOT)) for path in (*top, *below))


def blocks(page: str) -> list[Block]:
    """Read the fences of a page, in order."""
    found: list[Block] = []
    fence: re.Match[str] | None = None
    inside: list[str] = []
    manner: dict[str, str] = {}
    began = 0
    text = (ROOT / page).read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        match = _FENCE.match(line)
        if fence is None:
            if match:
                fence, inside, began = match, [], number
            elif said := _DIRECTIVE.match(line):
                manner |= read_manner(said["words"], where=f"{page}:{number}")
            elif line.strip():
                manner = {}
        elif match and not match["info"].strip() and match["ticks"] == fence["ticks"]:
            content = "".join(one.removeprefix(fence["indent"]) + "\n" for one in inside)
            found.append(Block(page, began, fence["info"].strip(), content, manner))
            fence, manner = None, {}
        else:
            inside.append(line)
    if fence is not None:
        raise ValueError(f"{page}:{began}: a fence is not closed")
    return found


def read_manner(words: str, *, where: str) -> dict[str, str]:
    """Read ``key=value`` words; an unknown key is a mistake and no comment."""
    manner = dict(word.partition("=")[::2] for word in shlex.split(words))
    if not set(manner) <= KEYS:
        raise ValueError(f"{where}: {sorted(set(manner) - KEYS)} is none of {sorted(KEYS)}")
    return manner
