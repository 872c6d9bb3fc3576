"""What is true after a run, however it ended: nothing leaked, nothing runs on, nothing is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from certmail.outbox.states import State
from certmail.outbox.store import open_outbox
from tests.leaks.conftest import SEND
from tests.leaks.law import lying_in

if TYPE_CHECKING:
    from tests.leaks.conftest import Watched

FAULTY = Path(__file__).with_name("faulty.py")
ROOT = FAULTY.parent.parent.parent


@dataclass(frozen=True)
class Ended:
    status: int
    out: bytes
    err: bytes


def with_fault(watched: Watched, place: str, kind: str, *, count: int | str = 1) -> Ended:
    """Send the bundle, and let one call fail on the way."""
    done = subprocess.run(
        [
            *(sys.executable, FAULTY, place, str(count), kind),
            *SEND, "bundle.pem", *watched.relay.flags,
        ],
        env={**watched.user.environment(), "PYTHONPATH": str(ROOT)},
        cwd=watched.user.home, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


def wrong(watched: Watched, ended: Ended, *, left: frozenset[str] = frozenset()) -> list[str]:
    """Say what should not be so; ``left`` are names of files that a kill may leave in homes."""
    secrets = watched.secrets
    homes = [path for path in watched.tmp.rglob("*") if path.is_file()]
    return [
        *(f"{of} on the screen" for of in secrets.found_in(ended.out + ended.err)),
        *(["a traceback on the screen"] if b"Traceback" in ended.out + ended.err else []),
        *lying_in([watched.user.home, watched.tmp], secrets, but=[*watched.given]),
        *(f"{path} was left" for path in homes if path.name not in left),
        *(f"{path} was left" for path in watched.tmp.iterdir() if not left),
        *(f"{line} still runs" for line in running(watched)),
        *told_wrongly(watched, ended),
    ]


def running(watched: Watched, *, patience_s: float = 2.0) -> list[str]:
    """Name the processes that were started for this user and have not ended."""
    end = time.monotonic() + patience_s
    while (found := _processes(str(watched.root))) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def _processes(words: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            around = (folder / "environ").read_bytes()
        except OSError:
            continue
        if int(folder.name) != os.getpid() and (words in line or f"={words}/".encode() in around):
            found.append(line)
    return found


def told_wrongly(watched: Watched, ended: Ended) -> list[str]:
    """Compare what the outbox says with what the relay has."""
    got = len(watched.relay.mailbox.delivered)
    folder = watched.user.home / ".local/state/certmail/outbox"
    states: list[State] = []
    if folder.is_dir():
        with open_outbox(folder) as kept:
            kept.recover(at=datetime.now(UTC))
            states = [entry.state for entry in kept.entries()]
    sayings = []
    if got and states not in ([State.ACCEPTED], [State.UNKNOWN]):
        sayings.append(f"the relay has the message, and the outbox says {states}")
    if not got and State.ACCEPTED in states:
        sayings.append("the outbox says accepted, and the relay has nothing")
    if not got and ended.status == 0:
        sayings.append("the command ended well, and the relay has nothing")
    return sayings
