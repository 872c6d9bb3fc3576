"""Which inputs are worth keeping: the shortest that reach a line of certmail no other reaches.

What a target's seeds reach already is not kept again. Lines are counted by the interpreter's own
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
    """Choose what to keep, under the bounds."""
    reached: Steps = set()
    for seed in target.seeds():
        reached |= steps(target, seed)
    kept: list[bytes] = []
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        if len(kept) == MOST_FILES or len(data) > LARGEST:
            break
        new = steps(target, data) - reached
        if new and sum(map(len, kept)) + len(data) <= MOST_OCTETS:
            reached |= new
            kept.append(data)
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
