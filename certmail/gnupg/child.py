"""Talk to a running child: feed it, drain it, and end it if it does not end.

Comes in: a started process and what it is to read. Goes out: what it wrote on each stream. Bounded
in octets and in time; on any exception, Ctrl-C included, the child is ended before it is passed
on. Knows nothing of what is said.
"""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING

from certmail.gnupg.pipes import STOP_GRACE_S, Pipes

if sys.platform == "win32":
    from certmail.gnupg.threads import talk
else:
    from certmail.gnupg.polling import talk

if TYPE_CHECKING:
    import subprocess

    from certmail.held import Held


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
    Every pipe is closed afterwards. ``grace_s`` is the time to end in when asked to, and to end in
    when all was said.

    Raises:
        SealError: ``GPG-TIMEOUT``, ``GPG-OUTPUT-TOO-LARGE``.
    """
    pipes = Pipes.of(child, status)
    kept = talk(child, pipes, stdin=stdin, timeout_s=timeout_s, grace_s=grace_s, held=held)
    return kept[0], kept[1], kept[2] if status is not None else None
