"""What is common to both ways to talk to a child: its pipes, its bounds, and its end."""

from __future__ import annotations

import subprocess
from typing import IO, Final, NoReturn

from certmail.errors import SealError
from certmail.frozen import frozen

MAX_OUTPUT_BYTES: Final = 64 * 1024 * 1024
"""Per stream; a sealed bundle is a few kilobytes."""

STOP_GRACE_S: Final = 2.0
"""GnuPG removes its lock files when asked to stop; after this it is killed."""

CHUNK_BYTES: Final = 65536


@frozen
class Pipes:
    """Where the child reads, and where it writes."""

    feed: IO[bytes]
    drains: tuple[IO[bytes], ...]

    @classmethod
    def of(cls, child: subprocess.Popen[bytes], status: IO[bytes] | None) -> Pipes:
        """Take them from a child that was started with all three, and the one for its status."""
        if child.stdin is None or child.stdout is None or child.stderr is None:
            raise TypeError("the child was started without pipes")
        more = () if status is None else (status,)
        return cls(child.stdin, (child.stdout, child.stderr, *more))


def stop(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """End the child if it still runs: ask, then kill. Its agent is not ours to end."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def refuse_flood() -> NoReturn:
    """Say that the child wrote more than anybody needs."""
    raise SealError(
        "GPG-OUTPUT-TOO-LARGE",
        f"GnuPG wrote more than {MAX_OUTPUT_BYTES // 1024 // 1024} MiB",
        why="a key or a sealed bundle is a thousand times smaller; this is neither",
        next="look at what was given as key file",
    )


def refuse_timeout(timeout_s: float) -> NoReturn:
    """Say that the child did not end, or that something it started holds a pipe."""
    raise SealError(
        "GPG-TIMEOUT",
        f"GnuPG was not done after {timeout_s:g} s",
        why="it may be waiting for a passphrase, a smartcard or a touch nobody gives",
        next="try again and answer the passphrase prompt, or give it more time",
    ) from None
