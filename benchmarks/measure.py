"""Run commands in turns and take down what each cost: wall time, CPU time; and peak memory apart.

All contenders run once before the next round begins, so that a machine that is busy for a while is
busy for all of them; ratios are taken from medians of one run.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What one run of a command cost, its children included."""

    wall_ms: float
    cpu_ms: float
    peak_mib: float = 0.0
    """The largest resident size of any one process; measured by `apart` alone."""


@dataclass
class Measured:
    """The runs of one contender."""

    name: str
    costs: list[Cost] = field(default_factory=list)

    @property
    def wall_ms(self) -> float:
        """The median."""
        return statistics.median(cost.wall_ms for cost in self.costs)

    @property
    def cpu_ms(self) -> float:
        """The median, of the command and what it waited for (an agent's is not in it)."""
        return statistics.median(cost.cpu_ms for cost in self.costs)

    @property
    def spread(self) -> str:
        """The fastest and the slowest run."""
        walls = [cost.wall_ms for cost in self.costs]
        return f"{min(walls):.0f} to {max(walls):.0f}"


def once(words: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Cost:
    """Run one command to its end.

    Raises:
        RuntimeError: it failed, with the end of what it said.
    """
    began = time.perf_counter()
    with subprocess.Popen(
        words, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        said = process.stdout.read() if process.stdout else b""
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{words[:4]} ended with {process.returncode}: {said[-2000:].decode()}")
    return Cost(wall * 1e3, (used.ru_utime + used.ru_stime) * 1e3)


_APART = (
    "import os, resource, sys\n"
    "pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ,"
    " file_actions=[(os.POSIX_SPAWN_OPEN, 1, '/dev/null', os.O_WRONLY, 0)])\n"
    "_, status, used = os.wait4(pid, 0)\n"
    "print(used.ru_maxrss, used.ru_utime + used.ru_stime)\n"
    "sys.exit(os.waitstatus_to_exitcode(status))\n"
)


def apart(words: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Cost:
    """Run one command below a small process: a child's peak begins with its parent's size.

    Raises:
        RuntimeError: it failed.
    """
    program = shutil.which(words[0], path=env["PATH"]) or words[0]
    began = time.perf_counter()
    done = subprocess.run(
        (sys.executable, "-S", "-c", _APART, program, *words[1:]),
        env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    wall = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{words[:4]} ended with {done.returncode}: {done.stderr[-2000:]}")
    peak, cpu = done.stdout.split()
    return Cost(wall * 1e3, float(cpu) * 1e3, int(peak) / 1024)


def in_turns(
    commands: Mapping[str, Sequence[str]],
    *,
    rounds: int,
    env: Mapping[str, str],
    cwd: Path,
    between: Callable[[], None] = lambda: None,
) -> dict[str, Measured]:
    """Run every command ``rounds`` times, in turns, after one round that does not count."""
    measured = {name: Measured(name) for name in commands}
    for number in range(rounds + 1):
        order = list(commands.items())
        # Nobody always runs behind the same neighbour.
        order = order[number % len(order) :] + order[: number % len(order)]
        for name, words in order:
            cost = once(words, env=env, cwd=cwd)
            if number:
                measured[name].costs.append(cost)
            between()
    return measured
