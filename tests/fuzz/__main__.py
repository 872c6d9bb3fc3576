"""Fuzz the readers, each for some seconds.

    python -m tests.fuzz [TARGET …] [--seconds N] [--keep]

Without a name all targets are run. ``--keep`` chooses anew what lies in ``tests/fuzz/corpus``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.fuzz.keep import keep
from tests.fuzz.target import ROOT
from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from pathlib import Path

_RUNS = re.compile(r"number_of_executed_units: (\d+)")
WORK = ROOT / "build" / "fuzz"


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.fuzz")
    words.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET")
    words.add_argument("--seconds", type=int, default=60)
    words.add_argument("--keep", action="store_true")
    given = words.parse_args()
    failed = []
    names = given.targets or list(TARGETS)
    for name in names:
        ended, told = run([name], WORK, seconds=given.seconds)[name]
        runs = _RUNS.search(told)
        say(f"{name:10} {runs[1] if runs else '-':>9} runs", "" if ended == 0 else "FOUND")
        if ended:
            failed.append(name)
            say(told[-3000:])
        if given.keep:
            inputs = [path.read_bytes() for path in (WORK / name).iterdir()]
            say(f"{name:10} {keep(TARGETS[name], inputs):9} kept")
    return 1 if failed else 0


def run(names: list[str], work: Path, *, seconds: int) -> dict[str, tuple[int, str]]:
    """Run targets; give for each its exit status and what was told."""
    work.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", str(work), str(seconds), *names],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=(seconds + 30) * len(names) + 60,
        check=True,
    )
    statuses = dict(line.split() for line in ended.stdout.decode().splitlines())
    return {
        name: (int(statuses[name]), (work / f"{name}.log").read_text("utf-8", "replace"))
        for name in names
    }


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
