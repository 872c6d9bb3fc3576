"""Another program of the same user: it reads what ``ps e`` shows of a command and its children.

Looks without pause from the command's start to its end, and at any moment that a test names.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cli.conftest import Ran

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.cli.conftest import User
    from tests.leaks.law import Secrets

PAUSE_S = 0.002


@dataclass(frozen=True)
class Shown:
    """Arguments or variables of one process, as the system shows them."""

    program: str
    kind: str
    octets: bytes


@dataclass
class Onlooker:
    """Runs one command and sees what it shows; ``shown`` is all of it, each thing once."""

    mother: int = 0
    shown: set[Shown] = field(default_factory=set)

    def run(self, user: User, *words: str | Path, stdin: bytes = b"") -> Ran:
        """Run certmail, and look until it has ended."""
        with subprocess.Popen(
            [sys.executable, "-m", "certmail", *map(str, words)],
            env=user.environment(), cwd=user.home,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as command:  # fmt: skip
            self.mother = command.pid
            ended = threading.Event()
            looking = threading.Thread(target=self._look_until, args=(ended,))
            looking.start()
            try:
                out, err = command.communicate(stdin, timeout=120)
            finally:
                ended.set()
                looking.join()
        return Ran(command.returncode, out.decode(), err.decode())

    def look(self) -> set[Shown]:
        """Look once at the command and all that it has started."""
        now = {one for process in family_of(self.mother) for one in shown_by(process)}
        self.shown |= now
        return now

    @property
    def programs(self) -> set[str]:
        """Name what was seen running."""
        return {one.program for one in self.shown}

    def _look_until(self, ended: threading.Event) -> None:
        while not ended.wait(PAUSE_S):
            self.look()


def told_by(shown: Iterable[Shown], secrets: Secrets) -> set[str]:
    """Say which secrets are shown, by whom and where."""
    return {
        f"{of} in the {one.kind} of {one.program}"
        for one in shown
        for of in secrets.found_in(one.octets)
    }


def family_of(mother: int) -> set[int]:
    """Give a process and all below it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:  # it has ended meanwhile
            continue
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {mother}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def shown_by(process: int) -> Iterator[Shown]:
    """Read arguments and variables, if the process is still there."""
    try:
        arguments, variables = (
            Path(f"/proc/{process}/{name}").read_bytes() for name in ("cmdline", "environ")
        )
    except OSError:
        return
    argv = arguments.split(b"\0")
    program = "certmail" if argv[1:3] == [b"-m", b"certmail"] else Path(argv[0].decode()).name
    yield Shown(program, "arguments", arguments)
    yield Shown(program, "variables", variables)
