"""Somebody at a terminal of 80 columns and 24 lines, who is asked and answers."""

from __future__ import annotations

import itertools
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.posix import posix

PROGRAM = "import sys; from certmail.cli.entry import run; sys.exit(run(sys.argv[1:]))"
PATIENCE_S = 20
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|[\x00-\x08\x0e-\x1f]")


@dataclass
class Conversation:
    """One ``certmail setup`` on a pseudo-terminal; ``seen`` is all of the screen so far."""

    user: object
    arguments: tuple[str, ...] = ()
    program: str = PROGRAM
    extra: dict[str, str] = field(default_factory=dict)
    seen: str = ""
    read: int = 0

    def __enter__(self):
        fcntl, termios = posix("fcntl"), posix("termios")
        self.leader, follower = os.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = {
            **self.user.environment(),
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(Path.cwd()),
            **self.extra,
        }
        environment.pop("COLUMNS")
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.program, "setup", *map(str, self.arguments)],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=environment,
            cwd=self.user.home,
            start_new_session=True,
            # The new session's terminal, so that Ctrl-C and a password prompt find it.
            preexec_fn=lambda: (  # noqa: PLW1509 - the test has one thread
                fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                signal.signal(signal.SIGINT, signal.default_int_handler),
            ),
        )
        os.close(follower)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.leader)

    def _more(self) -> bool:
        ready, _, _ = select.select([self.leader], [], [], 0.05)
        if not ready:
            return True
        try:
            chunk = os.read(self.leader, 65536)
        except OSError:
            return False
        self.seen += chunk.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(chunk)

    def until(self, text: str | None) -> str:
        """Read until ``text`` is seen that was not there before, or the end; give what is new."""
        deadline = time.monotonic() + PATIENCE_S
        while text is None or text not in self.seen[self.read :]:
            if not self._more() or time.monotonic() > deadline:
                break
        new = self.seen[self.read :]
        if text is not None:
            assert text in new, f"{text!r} was not seen after:\n{self.seen}"
            self.read += new.index(text) + len(text)
            return new[: new.index(text)]
        self.read = len(self.seen)
        return new

    def which(self, questions) -> str | None:
        """Wait until one of ``questions`` stands there; None at the end."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            new = self.seen[self.read :]
            for question in questions:
                if question in new and new.endswith(": "):
                    self.read = len(self.seen)
                    return question
            if not self._more():
                return None
        raise AssertionError(self.seen)

    def type(self, text: str) -> None:
        os.write(self.leader, text.encode())

    def answer(self, question: str, text: str = "") -> str:
        """Wait for a question and answer it; give what was said before it."""
        said = self.until(question)
        self.type(text + "\n")
        return said

    def end(self) -> int:
        self.until(None)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(self.seen) from None

    def interrupt(self) -> int:
        """Press Ctrl-C until it is heard: Python's input() misses one just before it waits."""
        for _ in range(PATIENCE_S):
            self.type("\x03")
            while self._more():
                if self.process.poll() is not None or self._is_quiet():
                    break
            if self.process.poll() is not None:
                break
        return self.end()

    def _is_quiet(self) -> bool:
        ready, _, _ = select.select([self.leader], [], [], 1)
        return not ready


def screens(seen: str) -> list[list[str]]:
    """Cut what was seen at its headings: a line, and a rule below it."""
    lines = CONTROL.sub("", seen).split("\n")
    starts = [n - 1 for n, line in enumerate(lines) if line and set(line) == {"-"}]
    cuts = [0, *starts, len(lines)]
    found = (lines[a:b] for a, b in itertools.pairwise(cuts))
    return [screen for screen in found if any(screen)]
