"""Ask what is known against the locked releases, and tell three answers apart.

``python -m release.audit [--go-on] LOCK``. 0: every release was asked about and nothing is known.
1: something is known. 3: *not audited*, for the data could not be had, about one release or about
all; that is never called a pass. ``--go-on`` turns the 3, and only the 3, into 0: it is for a
machine that has no way to the data, whose other checks shall run all the same.

pip-audit asks; it installs and resolves nothing (``--disable-pip``). It would leave out what this
system and this Python do not need, so the markers are taken off first: all are asked about.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from release import lock

_BOUND_S: Final = 180.0
"""For all questions together."""

_ANSWER_S: Final = 10
"""For each answer."""


class Outcome(IntEnum):
    """What the audit came to; the number is the exit status."""

    CLEAN = 0
    KNOWN = 1
    NOT_AUDITED = 3


def audit(pins: tuple[lock.Pin, ...]) -> tuple[Outcome, list[str]]:
    """Audit a lock's pins; give the outcome and the lines to show."""
    with tempfile.TemporaryDirectory(prefix="certmail-audit-") as folder:
        asked, answer = Path(folder, "asked.txt"), Path(folder, "answer.json")
        asked.write_text("".join(map(_line, pins)), encoding="utf-8")
        command = (
            *(sys.executable, "-m", "pip_audit", "--requirement", str(asked)),
            *("--require-hashes", "--disable-pip", "--progress-spinner", "off"),
            *("--timeout", str(_ANSWER_S), "--cache-dir", str(Path(folder, "cache"))),
            *("--format", "json", "--desc", "off", "--output", str(answer)),
        )
        try:
            ended = subprocess.run(  # noqa: S603 - words of ours, no shell
                command, capture_output=True, text=True, timeout=_BOUND_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Outcome.NOT_AUDITED, [f"no answer within {_BOUND_S:.0f} s"]
        if not answer.exists():
            said = ended.stderr.strip().splitlines() or [f"it ended with {ended.returncode}"]
            return Outcome.NOT_AUDITED, [said[-1]]
        answered = json.loads(answer.read_text(encoding="utf-8"))["dependencies"]
        return judge(answered, asked=len(pins))


def judge(dependencies: list[dict[str, Any]], *, asked: int) -> tuple[Outcome, list[str]]:
    """Read pip-audit's answer: a release it skipped is not a release without a fault."""
    known = [
        f"{found['name']} {found['version']}: {fault['id']}"
        f"{' ' + ' '.join(fault['aliases']) if fault.get('aliases') else ''}"
        f", mended in {', '.join(fault['fix_versions']) or 'no release'}"
        for found in dependencies
        for fault in found.get("vulns", ())
    ]
    if known:
        return Outcome.KNOWN, known
    skipped = [found for found in dependencies if "skip_reason" in found]
    if skipped:
        first = skipped[0]["skip_reason"]
        return Outcome.NOT_AUDITED, [f"{len(skipped)} of {asked} releases: {first}"]
    if len(dependencies) != asked or not asked:
        return Outcome.NOT_AUDITED, [f"{len(dependencies)} of {asked} releases were answered"]
    return Outcome.CLEAN, [f"{asked} releases, nothing known"]


def _line(pin: lock.Pin) -> str:
    hashes = "".join(f" --hash=sha256:{digest}" for digest in pin.hashes)
    return f"{pin.name}=={pin.version}{hashes}\n"


def main() -> int:
    """Audit the lock that is named; print what came of it."""
    words = argparse.ArgumentParser(prog="python -m release.audit")
    words.add_argument("--go-on", action="store_true", help="end with 0 if the data cannot be had")
    words.add_argument("lock", type=Path)
    asked = words.parse_args()
    outcome, lines = audit(lock.read(asked.lock.read_text(encoding="utf-8")))
    heading = {
        Outcome.CLEAN: "audited",
        Outcome.KNOWN: "KNOWN VULNERABILITIES",
        Outcome.NOT_AUDITED: "NOT AUDITED",
    }
    for line in lines:
        print(f"{asked.lock}: {heading[outcome]}: {line}", flush=True)
    if outcome is Outcome.NOT_AUDITED and asked.go_on:
        return 0
    return int(outcome)


if __name__ == "__main__":
    sys.exit(main())
