"""What certmail prints cannot be written: a full disk, a reader who has left, a closed stream."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.story import ACCEPT
from tests.posix import POSIX

FULL = Path("/dev/full")

pytestmark = [POSIX, pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")]


@contextmanager
def full():
    with FULL.open("wb") as stream:
        yield stream.fileno()


@contextmanager
def left():
    """A pipe whose reader has left."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


def run(user, *arguments, stdout, unbuffered=False):
    extra = {"PYTHONUNBUFFERED": "1"} if unbuffered else {}
    return subprocess.run(
        [sys.executable, "-m", "certmail", *map(str, arguments)],
        env=user.environment() | extra, cwd=user.home, stdout=stdout, stderr=subprocess.PIPE,
        text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize(
    "words", ["--version", "--help", "explain 19", "check {}", "check {} --json"]
)
def test_a_full_disk_is_no_bug_and_no_traceback(user, bundle, words, unbuffered):
    with full() as stdout:
        done = run(user, *words.format(bundle).split(), stdout=stdout, unbuffered=unbuffered)
    assert done.returncode == 22
    assert "Traceback" not in done.stderr
    assert "BUG" not in done.stderr
    if words != "--version":
        assert "error[OUTPUT-LOST]" in done.stderr
        assert "No space left on device" in done.stderr


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("words", ["--version", "--help", "explain 19", "check {}"])
def test_to_a_reader_who_has_left_nothing_is_said(user, bundle, words, unbuffered):
    with left() as stdout:
        done = run(user, *words.format(bundle).split(), stdout=stdout, unbuffered=unbuffered)
    assert (done.returncode, done.stderr) == (22, "")


@pytest.mark.parametrize("words", ["--version", "explain 19"])
def test_a_closed_stream_is_nothing_to_fail_at(user, words):
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m certmail {words} >&-', sys.executable],
        env=user.environment(), cwd=user.home, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_what_was_accepted_stays_accepted_when_nothing_can_be_printed(user, bundle, relay):
    words = ("send", bundle, "--yes", ACCEPT, *relay.flags)
    with full() as stdout:
        done = run(user, *words, stdout=stdout)
    assert (done.returncode, len(relay.mailbox.delivered)) == (22, 1)
    assert "certmail outbox list, and certmail log" in done.stderr
    assert "accepted" in user("log").out
    again = user(*words)
    assert (again.status, len(relay.mailbox.delivered)) == (0, 1)


def test_a_refusal_is_told_apart_from_the_lost_words(user, bundle):
    """The status of the refusal would be lost with its words if both could fail."""
    bundle.write_bytes(b"no bundle")
    with full() as stdout:
        done = run(user, "check", bundle, stdout=stdout)
    assert done.returncode in {10, 22}
    assert "Traceback" not in done.stderr
