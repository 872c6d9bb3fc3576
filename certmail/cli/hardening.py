"""What a process that holds a private key must not leave behind: core dumps, open files."""

from __future__ import annotations

import contextlib
import os


def harden() -> None:
    """Forbid core dumps to this process and its children, and give new files to the user alone.

    A core dump would write the whole memory to disk, the bundle included. Where the system has no
    such limits (Windows), nothing is done.
    """
    os.umask(0o077)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
