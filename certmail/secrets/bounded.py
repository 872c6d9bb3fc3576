"""Run a program for its output, with an end to everything: time, octets, and the program.

In: words and a deadline. Out: what it wrote and its exit status. No shell, no temporary file.
"""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_OCTETS: Final = 65536
"""A password or a small JSON object; a program that writes more has its pipe closed."""

_DRAIN_S: Final = 0.5
"""How long output may trail behind the program's end, where a grandchild keeps the pipe open."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    status: int
    output: bytes = field(repr=False)


def run_within(
    deadline_s: float,
    words: Sequence[str],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    apart: bool = False,
) -> Ended:
    """Run ``words`` and collect up to `MAX_OCTETS` of what it writes; stderr goes nowhere.

    The program is killed when the time is over or the caller is interrupted. ``apart`` puts it
    into a session of its own, without our terminal.

    Raises:
        TimeoutError: the time is over. OSError: it could not be started.
    """
    program = subprocess.Popen(  # noqa: S603  # words of the user's own settings, no shell
        tuple(words),
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
        start_new_session=apart,
    )
    output = bytearray()
    reader = threading.Thread(target=_collect, args=(program.stdout, output), daemon=True)
    reader.start()
    try:
        _hand_over(program.stdin, stdin)
        status = program.wait(deadline_s)
    except BaseException as fault:
        program.kill()
        program.wait()
        reader.join(_DRAIN_S)
        if isinstance(fault, subprocess.TimeoutExpired):
            raise TimeoutError from None
        raise
    reader.join(_DRAIN_S)
    return Ended(status, bytes(output))


def _hand_over(pipe: IO[bytes] | None, octets: bytes) -> None:
    """Write and close; less than a pipe holds, so that this cannot block."""
    if pipe is None:
        return
    try:
        with pipe:
            pipe.write(octets)
    except BrokenPipeError:
        return  # the program did not care to read; its exit status tells


def _collect(pipe: IO[bytes] | None, output: bytearray) -> None:
    """Read to the end or to the cap, then close, so that an endless writer dies of it."""
    if pipe is None:
        return
    with pipe:
        while len(output) < MAX_OCTETS and (chunk := os.read(pipe.fileno(), 4096)):
            output += chunk
