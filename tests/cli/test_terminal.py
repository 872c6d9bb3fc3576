"""What an operator at a terminal is shown and asked."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

import pytest

from tests.posix import posix

ASKED = b"Send it now? [y/N]:"


class Terminal:
    """A certmail on a pseudo-terminal."""

    def __init__(self, user, *arguments):
        self.leader, follower = posix("pty").openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "certmail", *map(str, arguments)],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env={**user.environment(), "TERM": "xterm"},
            cwd=user.home,
            start_new_session=True,
            # A test runner's worker may ignore Ctrl-C, and children inherit that.
            preexec_fn=lambda: signal.signal(  # noqa: PLW1509 - the test has one thread
                signal.SIGINT, signal.default_int_handler
            ),
        )
        os.close(follower)
        self.seen = b""

    def until(self, text: bytes | None, *, patience_s: float = 60) -> bytes:
        """Read until ``text`` is seen, or the end."""
        end = time.monotonic() + patience_s
        while (text is None or text not in self.seen) and time.monotonic() < end:
            ready, _, _ = select.select([self.leader], [], [], 0.2)
            if not ready:
                continue
            try:
                chunk = os.read(self.leader, 65536)
            except OSError:
                break
            if not chunk:
                break
            self.seen += chunk
        return self.seen

    def type(self, text: bytes) -> None:
        os.write(self.leader, text)

    def end(self) -> int:
        self.until(None)
        status = self.process.wait(60)
        os.close(self.leader)
        return status


@pytest.fixture
def sending(user, bundle, renewed, relay):
    terminal = Terminal(user, "send", bundle, "--key-file", renewed, *relay.flags)
    assert ASKED in terminal.until(ASKED), terminal.seen
    return terminal


def test_the_operator_sees_both_views_the_price_and_the_form_before_being_asked(sending, relay):
    for shown in (
        b"What anybody on the way sees",
        b"What the recipient reads",
        b"A922D5F4C62664A5",
        b"https://api.clever-cloud.com/v2/certificates/new",
        b"certmail upload BUNDLE",
        b"charges",
        b"ssl@clever-cloud.com",
    ):
        assert shown in sending.seen
    assert relay.mailbox.sessions == 0
    sending.type(b"n\n")
    assert sending.end() == 130
    assert relay.mailbox.sessions == 0


def test_yes_sends_and_shows_the_receipt(sending, relay):
    sending.type(b"y\n")
    assert sending.end() == 0
    assert len(relay.mailbox.delivered) == 1
    assert b"Accepted" in sending.seen


def test_silence_is_no(sending, relay):
    sending.type(b"\n")
    assert sending.end() == 130
    assert relay.mailbox.sessions == 0


def test_ctrl_c_at_the_question_ends_with_130(sending, relay):
    # Between the question and the system call that reads, Python notes a signal and waits on; who
    # sits there presses the keys again.
    for _ in range(5):
        os.killpg(sending.process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            sending.process.wait(3)
            break
    assert sending.end() == 130
    assert b"Traceback" not in sending.seen
    assert relay.mailbox.sessions == 0


def test_sigterm_unwinds_and_leaves_no_home_behind(user, tmp_path, sender):
    user.extra = {"XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    tmp_path.chmod(0o700)
    terminal = Terminal(user, "rehearse")
    terminal.until(b"throw-away keys")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 143
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_reader_that_leaves_early_causes_no_traceback(user):
    done = subprocess.run(
        f"{sys.executable} -m certmail --help | head -c 1",
        shell=True,
        env=user.environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == (b"U", b"")
