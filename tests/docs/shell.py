"""A terminal for the commands of a page: bash on a pseudo-terminal, one command after the other.

Folder and exported variables stay from one command to the next. Questions are answered from what
the page's directive gives, when they are asked. Every process ends with the shell.
"""

from __future__ import annotations

import errno
import os
import re
import select
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.posix import posix

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 60.0
_ASKS = re.compile(r"[^\n]*[:?\]>] $")
_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])")
_PORT = re.compile(r"127\.0\.0\.1[: ](\d{4,5})")

# What runs in the background outlives its shell, until the block ends.
_RUN = """
trap '' HUP
[ -e "$STATE/exports" ] && . "$STATE/exports"
cd "$(cat "$STATE/cwd")" || exit 125
set -o pipefail
{command}
status=$?
pwd > "$STATE/cwd"
export -p | grep -v -E '^declare -x (SHLVL|OLDPWD|PWD|_)=' > "$STATE/exports"
exit $status
"""


@dataclass(frozen=True)
class Seen:
    """What one command did."""

    status: int
    text: str


@dataclass
class Shell:
    """A terminal in a folder, with an environment of its own."""

    state: Path
    env: dict[str, str]
    groups: list[int] = field(default_factory=list)

    def start(self, folder: Path) -> None:
        self.state.mkdir()
        (self.state / "cwd").write_text(str(folder))

    def run(self, command: str, *, answers: tuple[str, ...] = ()) -> Seen:
        termios = posix("termios")
        leader, follower = posix("pty").openpty()
        settings = termios.tcgetattr(follower)
        settings[1] &= ~termios.ONLCR
        termios.tcsetattr(follower, termios.TCSANOW, settings)
        child = subprocess.Popen(
            ["bash", "-c", _RUN.replace("{command}", command)],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env={**self.env, "STATE": str(self.state)},
            start_new_session=True,
        )
        os.close(follower)
        self.groups.append(child.pid)
        seen, left, asked = b"", list(answers), ""
        end = time.monotonic() + PATIENCE_S
        try:
            while time.monotonic() < end:
                ready, _, _ = select.select([leader], [], [], 0.05)
                if ready:
                    try:
                        chunk = os.read(leader, 65536)
                    except OSError as error:
                        if error.errno != errno.EIO:
                            raise
                        break
                    if not chunk:
                        break
                    seen += chunk
                elif child.poll() is not None:
                    break  # a job in the background keeps the terminal open
                elif _ASKS.search(plain(seen)) and plain(seen) != asked:
                    asked = plain(seen)
                    # Without an answer, the end of input: nobody is there.
                    os.write(leader, left.pop(0).encode() + b"\n" if left else b"\x04")
            status = child.wait(max(0.0, end - time.monotonic()) + 1)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait(5)
            status = 124
        finally:
            os.close(leader)
        if command.rstrip().endswith("&"):
            self._await(command)
        return Seen(status, plain(seen))

    def _await(self, command: str) -> None:
        """Wait until a server in the background answers."""
        for port in _PORT.findall(command):
            end = time.monotonic() + 10
            while time.monotonic() < end:
                try:
                    socket.create_connection(("127.0.0.1", int(port)), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.05)

    def end_jobs(self) -> None:
        """End what runs in the background."""
        for group in self.groups:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(group, number)
                except ProcessLookupError:
                    break
                time.sleep(0.02)
        self.groups.clear()


def plain(seen: bytes) -> str:
    """Drop what only moves a cursor or colours."""
    text = _ANSI.sub("", seen.decode("utf-8", "replace"))
    return text.replace("\r\n", "\n").replace("\r", "\n")
