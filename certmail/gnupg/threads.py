"""Talk to a child by a thread for each pipe, where pipes cannot be waited for together (Windows).

In and out as of ``child``, which chooses between the two.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from threading import Thread
from typing import IO, TYPE_CHECKING

from certmail.gnupg.pipes import (
    CHUNK_BYTES,
    MAX_OUTPUT_BYTES,
    refuse_flood,
    refuse_timeout,
    stop,
)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from certmail.gnupg.pipes import Pipes
    from certmail.held import Held


def talk(
    child: subprocess.Popen[bytes],
    pipes: Pipes,
    *,
    stdin: bytes,
    timeout_s: float,
    grace_s: float,
    held: Held | None,
) -> list[bytes]:
    """Feed and drain at once, until the child has ended and every stream with it."""
    deadline = time.monotonic() + timeout_s
    drains = [_Drain(pipe, child.kill) for pipe in pipes.drains]
    workers: list[Thread] = [Thread(target=_feed, args=(pipes.feed, stdin), daemon=True), *drains]
    # A wait with a timeout looks, sleeps and looks again, longer each time; a thread is told.
    end = Thread(target=child.wait, daemon=True)
    try:
        for worker in (*workers, end):
            worker.start()
        if held is not None:
            held.let_go()
        end.join(timeout_s)
        if end.is_alive():
            refuse_timeout(timeout_s)
        for worker in workers:
            worker.join(max(deadline - time.monotonic(), grace_s))
    finally:
        stop(child, grace_s)
        for worker in workers:
            if worker.ident is not None:
                worker.join(grace_s)
    if any(worker.is_alive() for worker in workers):
        # Something that was started still holds a pipe; what we have may be half of it.
        refuse_timeout(timeout_s)
    if any(drain.flooded for drain in drains):
        refuse_flood()
    return [bytes(drain.kept) for drain in drains]


class _Drain(Thread):
    """Read one stream to its end, keeping at most `MAX_OUTPUT_BYTES`."""

    def __init__(self, stream: IO[bytes], on_flood: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._on_flood = on_flood
        self.kept = bytearray()
        self.flooded = False

    def run(self) -> None:
        # Closed by whoever reads it: nobody takes away what a thread waits for.
        with self._stream:
            while chunk := os.read(self._stream.fileno(), CHUNK_BYTES):
                if len(self.kept) + len(chunk) > MAX_OUTPUT_BYTES:
                    self.flooded = True
                    self._on_flood()
                if not self.flooded:
                    self.kept += chunk


def _feed(stream: IO[bytes], content: bytes) -> None:
    """Write all of ``content``; a child that stops reading says why in its status lines."""
    with suppress(OSError):
        stream.write(content)
    with suppress(OSError):
        stream.close()
