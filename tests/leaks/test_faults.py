"""Exceptions, signals and kills at every stage: nothing is told, kept, left or claimed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.leaks.conftest import SEND
from tests.leaks.endings import Ended, with_fault, wrong
from tests.peers import need
from tests.posix import KILL

if TYPE_CHECKING:
    from tests.leaks.conftest import Watched

FAULTS = [
    ("cli.files:read_bundle", "memory", 1),
    ("bundle.pem:scan", "bug", 1),
    ("bundle.check:check", "value", 1),
    ("gnupg.signers:find_signer", "disk", 1),
    ("message.letter:compose", "bug", 1),
    ("message.seal:seal", "memory", 1),
    ("gnupg.engine:GnuPG.sign", "value", 1),
    ("gnupg.polling:_exchange", "bug", 1),
    ("gnupg.engine:GnuPG.verify", "interrupt", 1),
    ("gnupg.engine:GnuPG.encrypt", "exit", 1),
    ("gnupg.homes:_remove", "interrupt", 2),
    ("message.record:record", "bug", 1),
    ("outbox.store:Outbox.add", "disk", 1),
    ("secrets.command:CommandOutput.read", "bug", 1),
    ("delivery.login:converse", "value", 1),
    ("outbox.store:Outbox.move", "bug", 2),
    ("ledger.chain:Ledger.append", "disk", 1),
]


@pytest.mark.parametrize(("place", "kind", "count"), FAULTS, ids=str)
def test_a_fault_at_any_stage_tells_nothing_and_leaves_nothing(watched, place, kind, count):
    ended = with_fault(watched, place, kind, count=count)
    assert ended.status != 99, ended.err.decode()
    # Whoever interrupts the cleaning up keeps a folder with a public key.
    left = frozenset({"only.gpg"}) if place.startswith("gnupg.homes:") else frozenset()
    assert wrong(watched, ended, left=left) == [], ended.err.decode()


GPG = """#!/bin/sh
case " $* " in
  *" --{step} "*) echo $$ >"{reached}"; exec sleep 60 ;;
esac
exec "{gpg}" "$@"
"""


def stalled(watched: Watched, step: str) -> tuple[subprocess.Popen, int]:
    """Begin a send with a gpg that stops at ``step``, and wait until it does."""
    reached = watched.root / "reached"
    folder = watched.root / "bin"
    folder.mkdir()
    stand_in = folder / "gpg"
    stand_in.write_text(GPG.format(step=step, reached=reached, gpg=need("gpg")))
    stand_in.chmod(0o755)
    os.mkfifo(reached)
    env = watched.user.environment()
    sending = subprocess.Popen(
        [sys.executable, "-m", "certmail", *SEND, "bundle.pem", *watched.relay.flags],
        env={**env, "PATH": f"{folder}:{env['PATH']}"},
        cwd=watched.user.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # A test runner's worker may ignore Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )  # fmt: skip
    return sending, int(reached.read_text())


@pytest.mark.parametrize("step", ["sign", "verify", "encrypt"])
@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (KILL, -9)]
)
def test_a_signal_while_gpg_has_the_letter_leaves_at_most_public_keys(watched, step, sent, status):
    sending, gpg = stalled(watched, step)
    sending.send_signal(sent)
    out, err = sending.communicate(timeout=30)
    assert sending.returncode == status, err.decode()
    if sent is KILL:
        # The real one would find the end of its input; this one sleeps.
        os.kill(gpg, KILL)
    left = frozenset({"only.gpg"}) if sent is KILL and step != "sign" else frozenset()
    assert wrong(watched, Ended(status, out, err), left=left) == []
    homes = list(watched.tmp.iterdir())
    assert len(homes) == len(left)
    assert all(home.stat().st_mode & 0o777 == 0o700 for home in homes)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, KILL])
def test_a_signal_while_the_password_is_fetched_leaves_neither_it_nor_the_command(watched, sent):
    """The command has printed the password, and has not ended."""
    reached = watched.root / "reached"
    os.mkfifo(reached)
    at = watched.relay.flags.index("--relay-password-command")
    words = f"sh -c 'echo correct-horse-battery; echo $$ >{reached}; exec sleep 60'"
    sending = subprocess.Popen(
        [
            sys.executable, "-m", "certmail", *SEND, "bundle.pem", *watched.relay.flags[:at],
            "--relay-password-command", words,
        ],
        env=watched.user.environment(),
        cwd=watched.user.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )  # fmt: skip
    command = int(reached.read_text())
    sending.send_signal(sent)
    out, err = sending.communicate(timeout=30)
    if sent is signal.SIGKILL:
        os.kill(command, signal.SIGKILL)
    assert wrong(watched, Ended(sending.returncode, out, err)) == [], err.decode()
    assert watched.relay.mailbox.delivered == []
