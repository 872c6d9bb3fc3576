"""Which inputs are worth keeping: the few that together reach the most of certmail.

What a target's seeds reach already counts for nothing. Lines are counted by the interpreter's own
tracing, so that the choice is the same everywhere.
"""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING, Any

from tests.fuzz.target import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fuzz.target import Target

MOST_FILES = 12
MOST_OCTETS = 18_000
"""For one target; all targets together stay under 200 files and 300 KB."""

LARGEST = 6144
PACKAGE = str(ROOT / "certmail")

Steps = set[tuple[str, int, int]]


def steps(target: Target, data: bytes) -> Steps:
    """Give each step from one line of certmail to another that an input makes."""
    found: Steps = set()

    def enter(frame: Any, event: str, argument: object) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(PACKAGE):
            return None
        before = 0

        def step(frame: Any, event: str, argument: object) -> Any:
            nonlocal before
            if event == "line":
                found.add((name, before, frame.f_lineno))
                before = frame.f_lineno
            return step

        return step

    tracing = sys.gettrace()
    sys.settrace(enter)
    try:
        target.run(data)
    finally:
        sys.settrace(tracing)
    return found


def choose(target: Target, inputs: Iterable[bytes]) -> list[bytes]:
    """Choose what to keep, under the bounds: always what reaches most, the shortest of equals."""
    reached: Steps = set()
    for seed in target.seeds():
        reached |= steps(target, seed)
    small = (data for data in set(inputs) if len(data) <= LARGEST)
    gains = {data: new for data in small if (new := steps(target, data) - reached)}
    kept: list[bytes] = []
    room = MOST_OCTETS
    while len(kept) < MOST_FILES:
        fit = [data for data, new in gains.items() if new and len(data) <= room]
        if not fit:
            break
        best = min(fit, key=lambda data: (-len(gains[data]), len(data), data))
        kept.append(best)
        room -= len(best)
        found = gains.pop(best)
        gains = {data: new - found for data, new in gains.items()}
    return kept


def keep(target: Target, inputs: Iterable[bytes]) -> int:
    """Write the choice into the target's folder, in the place of what lay there."""
    chosen = choose(target, [*target.kept(), *inputs])
    target.folder.mkdir(parents=True, exist_ok=True)
    for path in target.folder.iterdir():
        path.unlink()
    for data in chosen:
        (target.folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return len(chosen)
