"""Run mutants drawn by the digest of the sources, as many as some seconds allow.

    python -m tests.mutation.sample SECONDS

Fails when one survives that is not listed, or when there was time for none.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time

from tests.mutation.__main__ import SURVIVORS, say
from tests.mutation.rooms import ROOMS, ROOT
from tests.mutation.run import End, run, warm

MOST = 20
QUICK = ("replies", "tls", "consistency", "check", "pin")
"""Rooms whose mutants take a second or two; where GnuPG makes keys first, each takes ten."""


def main(seconds: float) -> int:
    warm()
    known = json.loads(SURVIVORS.read_text("utf-8"))
    listed = {name for found in known.values() for name in found["survived"]}
    # A room that was not run to its end may hold survivors that nobody has answered yet.
    rooms = [ROOMS[name] for name in QUICK if name in known and not known[name]["not run"]]
    every = [(room, *pair) for room in rooms for pair in room.mutants()]
    every = [drawn for drawn in every if drawn[2].name not in listed]
    sources = b"".join((ROOT / file).read_bytes() for room in rooms for file in room.files)
    chance = random.Random(hashlib.sha256(sources).digest())
    end, done, survived = time.monotonic() + seconds, 0, []
    for room, file, mutant in chance.sample(every, MOST):
        if time.monotonic() > end:
            break
        done += 1
        if run(room, file, mutant, seconds=120) is End.SURVIVED:
            survived.append(str(mutant))
    say(f"{done} mutants, {len(survived)} survived", *survived)
    return 1 if survived or not done else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
