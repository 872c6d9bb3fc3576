"""Change the rooms that refuse, one small change at a time, and list what no test notices.

    python -m tests.mutation [ROOM …] [--again]

A run can be ended and taken up again: what was found lies in ``build/mutation`` and holds as long
as neither the source nor the tests change. When a room is done, ``survivors.json`` is written anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutation.rooms import ROOMS, ROOT
from tests.mutation.run import End, run, warm

if TYPE_CHECKING:
    from tests.mutation.rooms import Room

SURVIVORS = Path(__file__).with_name("survivors.json")
WORK = ROOT / "build" / "mutation"
SLOWER = 4.0
"""A mutant may take so much longer than the source, and some seconds more."""


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.mutation")
    words.add_argument("rooms", nargs="*", choices=[[], *ROOMS], metavar="ROOM")
    words.add_argument("--again", action="store_true", help="forget what was found before")
    words.add_argument("--survivors", action="store_true", help="run only those that survived")
    words.add_argument("--seconds", type=float, default=1e9, help="leave the rest for next time")
    given = words.parse_args()
    warm()
    end = time.monotonic() + given.seconds
    for name in given.rooms or ROOMS:
        whole(ROOMS[name], again=given.again, only_survivors=given.survivors, end=end)
    return 0


def whole(room: Room, *, again: bool, only_survivors: bool, end: float) -> None:
    """Run every mutant of a room until ``end``, and write down what came of it."""
    WORK.mkdir(parents=True, exist_ok=True)
    memory = WORK / f"{room.name}.json"
    known = {} if again or not memory.exists() else json.loads(memory.read_text())
    seconds = baseline(room) if time.monotonic() < end else 0.0
    found = {}
    for file, mutant in room.mutants():
        key = f"{mutant.name} {_digest(ast_text(mutant))}"
        came = known.get(key)
        is_due = came is None or (only_survivors and came == End.SURVIVED.value)
        if is_due and time.monotonic() < end:
            came = known[key] = run(room, file, mutant, seconds=seconds).value
            memory.write_text(json.dumps(known, indent=1))
            say(f"{came:9} {mutant}")
        found[mutant.name] = (came, mutant)
    every = json.loads(SURVIVORS.read_text()) if SURVIVORS.exists() else {}
    ends = [came for came, _ in found.values()]
    every[room.name] = {
        "mutants": len(ends),
        "killed": ends.count(End.KILLED.value),
        "timed out": ends.count(End.TIMED_OUT.value),
        "not run": ends.count(None),
        "survived": {
            name: f"{mutant.was}  ->  {mutant.now}"
            for name, (came, mutant) in found.items()
            if came == End.SURVIVED.value
        },
    }
    SURVIVORS.write_text(json.dumps(every, indent=1, sort_keys=True) + "\n")
    say(f"{room.name}: {len(ends)} mutants, {ends.count(End.SURVIVED.value)} survived")


def baseline(room: Room) -> float:
    """Run the tests on the source as it is, which must pass; give the time a mutant may take."""
    began = time.monotonic()
    if run(room, "", None, seconds=600) is not End.SURVIVED:
        raise SystemExit(f"the tests of {room.name} fail on the source as it is")
    return (time.monotonic() - began) * SLOWER + 5


def ast_text(mutant: object) -> str:
    return f"{mutant.was} {mutant.now}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
