"""Talk to a child in one thread, where pipes can be waited for together.

In and out as of ``child``. Starting a thread for each pipe took longer than the talk, and in a
batch each start waited for its turn.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from certmail.gnupg.pipes import CHUNK_BYTES, MAX_OUTPUT_BYTES, refuse_flood, refuse_timeout, stop

if TYPE_CHECKING:
    from certmail.gnupg.pipes import Pipes
    from certmail.held import Held

if sys.platform == "win32":
    raise ImportError("pipes cannot be waited for here")


def talk(
    child: subprocess.Popen[bytes],
    pipes: Pipes,
    *,
    stdin: bytes,
    timeout_s: float,
    grace_s: float,
    held: Held | None,
) -> list[bytes]:
    """Write when the child reads, and read when it writes, until it has closed every stream."""
    deadline = time.monotonic() + timeout_s
    try:
        if held is not None:
            held.let_go()
        kept = _exchange(child, pipes, stdin, deadline)
        # All that it had to say was said: it has ended, ends at once, or hangs.
        child.wait(max(deadline - time.monotonic(), grace_s))
    except (TimeoutError, subprocess.TimeoutExpired):
        refuse_timeout(timeout_s)
    finally:
        stop(child, grace_s)
        for pipe in (pipes.feed, *pipes.drains):
            pipe.close()
    return kept


def _exchange(
    child: subprocess.Popen[bytes], pipes: Pipes, stdin: bytes, deadline: float
) -> list[bytes]:
    """Go on until every pipe has come to its end, and where the system tells, the child too.

    Raises:
        TimeoutError: at the deadline. SealError: ``GPG-OUTPUT-TOO-LARGE``.
    """
    feed, left = pipes.feed.fileno(), memoryview(stdin)
    kept = {pipe.fileno(): bytearray() for pipe in pipes.drains}
    os.set_blocking(feed, False)
    with selectors.PollSelector() as waiting, ExitStack() as opened:
        waiting.register(feed, selectors.EVENT_WRITE)
        end = _end_of(child, opened)
        if end is not None:
            waiting.register(end, selectors.EVENT_READ)
        for drain in kept:
            waiting.register(drain, selectors.EVENT_READ)
        while waiting.get_map():
            ready = waiting.select(max(deadline - time.monotonic(), 0))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                is_open = False
                if key.fd in kept:
                    is_open = _drain(key.fd, kept[key.fd])
                elif key.fd == feed:
                    left = _feed(feed, left)
                    is_open = bool(left)
                if not is_open:
                    waiting.unregister(key.fd)
                    if key.fd == feed:
                        pipes.feed.close()
    return [bytes(octets) for octets in kept.values()]


def _end_of(child: subprocess.Popen[bytes], opened: ExitStack) -> int | None:
    """Give a descriptor that tells the child's end (pidfd_open(2)).

    Without it, a wait with a limit looks and sleeps, which takes longer than the end.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            end = os.pidfd_open(child.pid)
            opened.callback(os.close, end)
            return end
    return None


def _drain(number: int, kept: bytearray) -> bool:
    """Read what is there; tell whether more may come."""
    chunk = os.read(number, CHUNK_BYTES)
    if len(kept) + len(chunk) > MAX_OUTPUT_BYTES:
        refuse_flood()
    kept += chunk
    return bool(chunk)


def _feed(number: int, left: memoryview) -> memoryview:
    """Write what fits; a child that stops reading says why in its status lines."""
    try:
        return left[os.write(number, left[:CHUNK_BYTES]) :]
    except BlockingIOError:
        return left
    except OSError:
        return left[:0]
