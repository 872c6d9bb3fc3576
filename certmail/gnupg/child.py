"""Talk to a running child: feed it, drain it, and end it if it does not end.

Comes in: a started process and what it is to read. Goes out: what it wrote on each stream. Bounded
in octets and in time; on any exception, Ctrl-C included, the child is ended before it is passed
on. Knows nothing of what is said.
"""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from threading import Thread
from typing import IO, TYPE_CHECKING, Final, NoReturn

from certmail.errors import SealError

if TYPE_CHECKING:
    from collections.abc import Callable

    from certmail.held import Held

MAX_OUTPUT_BYTES: Final = 64 * 1024 * 1024
"""Per stream; a sealed bundle is a few kilobytes."""

STOP_GRACE_S: Final = 2.0
"""GnuPG removes its lock files when asked to stop; after this it is killed."""

_CHUNK_BYTES: Final = 65536


def converse(
    child: subprocess.Popen[bytes],
    status: IO[bytes] | None,
    *,
    stdin: bytes,
    timeout_s: float,
    grace_s: float = STOP_GRACE_S,
    held: Held | None = None,
) -> tuple[bytes, bytes, bytes | None]:
    """Feed and drain at once, so that no full pipe stops either side; give what came back.

    ``held`` are signals to let go as soon as the child would be ended by them.
    Every pipe is closed afterwards. ``grace_s`` is the time to end in when asked to, and to be
    read to the end in when the child has ended.

    Raises:
        SealError: ``GPG-TIMEOUT``, ``GPG-OUTPUT-TOO-LARGE``.
    """
    if child.stdin is None or child.stdout is None or child.stderr is None:
        raise TypeError("the child was started without pipes")
    deadline = time.monotonic() + timeout_s
    streams = (child.stdout, child.stderr) + (() if status is None else (status,))
    drains = [_Drain(stream, child.kill) for stream in streams]
    workers: list[Thread] = [Thread(target=_feed, args=(child.stdin, stdin), daemon=True), *drains]
    # A wait with a timeout looks, sleeps and looks again, longer each time; a thread is told.
    end = Thread(target=child.wait, daemon=True)
    try:
        for worker in (*workers, end):
            worker.start()
        if held is not None:
            held.let_go()
        end.join(timeout_s)
        if end.is_alive():
            _refuse_timeout(timeout_s)
        for worker in workers:
            worker.join(timeout=max(deadline - time.monotonic(), grace_s))
    finally:
        _stop(child, grace_s)
        _finish(workers, grace_s)
        for stream, drain in zip(streams, drains, strict=True):
            if not drain.is_alive():
                stream.close()
    if any(worker.is_alive() for worker in workers):
        # Something GnuPG started still holds a pipe; what we have may be half of it.
        _refuse_timeout(timeout_s)
    if any(drain.flooded for drain in drains):
        raise SealError(
            "GPG-OUTPUT-TOO-LARGE",
            f"GnuPG wrote more than {MAX_OUTPUT_BYTES // 1024 // 1024} MiB",
            why="a key or a sealed bundle is a thousand times smaller; this is neither",
            next="look at what was given as key file",
        )
    kept = [bytes(drain.kept) for drain in drains]
    return kept[0], kept[1], kept[2] if status is not None else None


class _Drain(Thread):
    """Read one stream to its end, keeping at most `MAX_OUTPUT_BYTES`."""

    def __init__(self, stream: IO[bytes], on_flood: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._on_flood = on_flood
        self.kept = bytearray()
        self.flooded = False

    def run(self) -> None:
        with self._stream:
            while chunk := os.read(self._stream.fileno(), _CHUNK_BYTES):
                if len(self.kept) + len(chunk) > MAX_OUTPUT_BYTES:
                    self.flooded = True
                    self._on_flood()
                if not self.flooded:
                    self.kept += chunk


def _finish(workers: list[Thread], grace_s: float) -> None:
    """Wait a little for every thread that was started; the child has ended by now."""
    for worker in workers:
        if worker.ident is not None:
            worker.join(timeout=grace_s)


def _feed(stream: IO[bytes], content: bytes) -> None:
    """Write all of ``content``; a child that stops reading says why in its status lines."""
    with suppress(OSError):
        stream.write(content)
    with suppress(OSError):
        stream.close()


def _stop(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """End the child if it still runs: ask, then kill. Its agent is not ours to end."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _refuse_timeout(timeout_s: float) -> NoReturn:
    raise SealError(
        "GPG-TIMEOUT",
        f"GnuPG was not done after {timeout_s:g} s",
        why="it may be waiting for a passphrase, a smartcard or a touch nobody gives",
        next="try again and answer the passphrase prompt, or give it more time",
    ) from None
