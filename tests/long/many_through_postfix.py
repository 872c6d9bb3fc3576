"""Thousands of messages through a Postfix of our own, killed midway and resumed: each arrives once.

``python -m tests.long.many_through_postfix 2000`` takes some minutes and prints what it measured.
The suite runs it with a few dozen. It needs root, Postfix and a usable copy of the recipient's key.
"""

from __future__ import annotations

import argparse
import collections
import email
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

from certmail.gnupg.homes import throwaway_home
from certmail.gnupg.runner import find_gpg, run
from certmail.ledger.chain import Ledger
from certmail.outbox.states import State
from certmail.outbox.store import open_outbox
from certmail.rehearsal.authority import throwaway_authority
from certmail.submission import Mode
from tests.cli.conftest import RENEWED
from tests.delivery import postfix
from tests.delivery.hostile import PASSWORD, USER
from tests.posix import posix

SENDER = "ops@sender.example"
ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Measured:
    """What a run came to."""

    messages: int
    delivered: int
    twice: int
    unknown: int
    kills: int
    seconds: float
    peak_mib: float


def write_bundles(folder: Path, count: int) -> None:
    """Write bundles that share a key, since making keys is what takes time."""
    authority = throwaway_authority(datetime.now(UTC))
    intermediate = authority.intermediate("batch intermediate")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for number in range(count):
        issued = intermediate.issue(f"host{number}.example", key=key)
        bundle = issued.private_key + issued.certificate + intermediate.pem
        (folder / f"{number:05}.pem").write_bytes(bundle)


def run_batch(count: int, *, kills: int = 1, connections: int = 2) -> Measured:
    """Send ``count`` bundles, with ``kills`` interruptions by SIGKILL on the way."""
    authority = trustme.CA()
    with (
        tempfile.TemporaryDirectory(prefix="certmail-long-") as home,
        throwaway_home(os.environ) as gnupg,
        postfix.running(authority) as relay,
    ):
        root = Path(home)
        (root / "bundles").mkdir()
        write_bundles(root / "bundles", count)
        authority.cert_pem.write_to_path(root / "ca.pem")
        (root / "password").write_text(PASSWORD)
        make_key(gnupg)
        return _run(root, gnupg, relay, count=count, kills=kills, connections=connections)


def make_key(gnupg: Path) -> None:
    run(
        find_gpg(None), "--passphrase", "", "--pinentry-mode", "loopback", "--quick-generate-key",
        f"Ops <{SENDER}>", "ed25519", "sign,cert", "never",
        home=gnupg, env=os.environ, timeout_s=60,
    )  # fmt: skip


def _run(
    root: Path, gnupg: Path, relay: postfix.Postfix, *, count: int, kills: int, connections: int
) -> Measured:
    began = time.monotonic()
    flags = (
        "--relay-host", "localhost", "--relay-port", str(relay.ports[Mode.IMPLICIT]),
        "--relay-ca-file", str(root / "ca.pem"), "--relay-user", USER,
        "--relay-password-command", f"cat {root / 'password'}", "--key-file", str(RENEWED),
    )  # fmt: skip
    certmail = (sys.executable, "-m", "certmail")
    send = (*certmail, "send", "bundles", "--yes", "--connections", str(connections), *flags)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "GNUPGHOME": str(gnupg),
        "PYTHONPATH": str(ROOT),
        "CERTMAIL_KEY_REFRESH": "never",
        "XDG_RUNTIME_DIR": str(root),  # what a killed process leaves behind goes with it
    }

    def start(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, env=environment, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

    for number in range(1, kills + 1):
        running = start(send)
        wanted = count * number // (kills + 1)
        while _arrived(relay) < wanted and running.poll() is None:
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
    running = start(send)
    said, _ = running.communicate()
    if running.returncode not in {0, 14}:
        raise RuntimeError(said.decode()[-4000:])
    state = root / ".local/state/certmail"
    unknown = 0
    with open_outbox(state / "outbox") as kept:
        doubtful = kept.entries(State.UNKNOWN)
    for entry in doubtful:
        # What an operator does: look whether the relay has it, and resend only what it has not.
        unknown += 1
        if entry.record.message_id not in _message_ids(relay):
            name = entry.name
            start((*certmail, "outbox", "retry", name, "--resend-unknown", *flags)).communicate()
    _await(relay, count)
    arrived = _message_ids(relay)
    with open_outbox(state / "outbox") as kept:
        settled = {entry.record.message_id for entry in kept.entries(State.ACCEPTED, State.UNKNOWN)}
    if set(arrived) != settled or not Ledger(state / "log").verify().good:
        raise RuntimeError("what arrived is not what the outbox says")
    return Measured(
        messages=count,
        delivered=len(arrived),
        twice=sum(number > 1 for number in arrived.values()),
        unknown=unknown,
        kills=kills,
        seconds=time.monotonic() - began,
        peak_mib=posix("resource").getrusage(posix("resource").RUSAGE_CHILDREN).ru_maxrss / 1024,
    )


def _arrived(relay: postfix.Postfix) -> int:
    folder = relay.root / "mail" / "box" / "new"
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def _await(relay: postfix.Postfix, count: int) -> None:
    """Give Postfix time to deliver what it accepted, and a moment more for what it should not."""
    end = time.monotonic() + 60
    while _arrived(relay) < count and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(1)


def _message_ids(relay: postfix.Postfix) -> collections.Counter[str]:
    folder = relay.root / "mail" / "box" / "new"
    return collections.Counter(
        str(email.message_from_bytes(file.read_bytes())["Message-ID"]) for file in folder.iterdir()
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=int, nargs="?", default=2000)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--connections", type=int, default=2)
    typed = parser.parse_args()
    measured = run_batch(typed.messages, kills=typed.kills, connections=typed.connections)
    print(measured)  # noqa: T201 - a script that tells what it measured
    sys.exit(0 if (measured.delivered, measured.twice) == (typed.messages, 0) else 1)
