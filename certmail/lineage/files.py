"""Reads regular files within bounds; a link is followed, since certbot and Kubernetes use them.

In: a path. Out: octets, or a refusal that names the path. Opens nothing that could block or grow.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from certmail.errors import BundleError
from certmail.values import printable

if TYPE_CHECKING:
    from pathlib import Path

MAX_OCTETS: Final = 2**20
"""As for a bundle: every part is smaller than the whole."""


def read(path: Path, *, limit: int = MAX_OCTETS) -> bytes:
    """Read a file whole.

    Raises:
        BundleError: ``LINEAGE-UNREADABLE``.
    """
    try:
        data = _read(path, limit)
    except OSError as fault:
        raise unreadable(path, fault.strerror or "it cannot be read") from None
    except ValueError:  # a NUL in the path
        raise unreadable(path, "it is not a path") from None
    if len(data) > limit:
        raise unreadable(path, f"it is larger than {limit} octets")
    return data


def unreadable(path: Path, reason: str) -> BundleError:
    """Say that a path cannot be read."""
    shown = printable(str(path), limit=400)
    return BundleError(
        "LINEAGE-UNREADABLE",
        f"{shown} cannot be read: {printable(reason)}",
        why="a part of the bundle is to come from it",
        next=f"ls -lL {shown}; certbot's files are for root only, so sudo may be needed",
        file=shown,
    )


def _read(path: Path, limit: int) -> bytes:
    # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a regular file")
        return stream.read(limit + 1)
