"""Run a program for its output, with an end to everything: time, octets, and the program.

In: words and a deadline. Out: what it wrote and its exit status. No shell, no temporary file.
"""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import field
from typing import IO, TYPE_CHECKING, Final

from certmail.frozen import frozen
from certmail.held import Held

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_OCTETS: Final = 65536
"""A password or a small JSON object; a program that writes more has its pipe closed."""

_DRAIN_S: Final = 0.5
"""How long output may trail behind the program's end, where a grandchild keeps the pipe open."""


@frozen
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
    held = Held()
    try:
        program = subprocess.Popen(  # noqa: S603  # words of the user's own settings, no shell
            tuple(words),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            start_new_session=apart,
        )
    except BaseException:
        held.let_go()
        raise
    output = bytearray()
    reader = threading.Thread(target=_collect, args=(program.stdout, output), daemon=True)
    # A wait with a timeout looks, sleeps and looks again, longer each time; a thread is told.
    end = threading.Thread(target=program.wait, daemon=True)
    try:
        held.let_go()
        reader.start()
        end.start()
        _hand_over(program.stdin, stdin)
        end.join(deadline_s)
        if end.is_alive():
            raise TimeoutError  # noqa: TRY301 - ends the program like any other fault
    except BaseException:
        program.kill()
        program.wait()
        if reader.ident is not None:
            reader.join(_DRAIN_S)
        raise
    reader.join(_DRAIN_S)
    return Ended(program.returncode, bytes(output))


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
