"""What a process that holds a private key must not leave behind: core dumps, open files."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Final

_DUMPED_MAPPINGS: Final = "/proc/self/coredump_filter"
"""Linux: which kinds of memory a core dump holds, bit by bit; children inherit it (core(5))."""


def harden() -> None:
    """Forbid core dumps to this process and its children, and give new files to the user alone.

    A core dump would write the whole memory to disk, the bundle included. Where the system has no
    such limits (Windows), nothing is done.
    """
    os.umask(0o077)
    forbid_core_dumps()
    empty_core_dumps()


def fill_standard_streams() -> None:
    """Open what was closed of standard input, output and error, on nothing.

    A file, a pipe to gpg or the relay's socket would get the free number otherwise, and what any
    library writes to "standard error" with it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def forbid_core_dumps() -> None:
    """Set the limit below which nothing is dumped.

    A limit of 0 holds for files alone: Linux asks no limit before it pipes a dump to a program such
    as systemd-coredump, but takes 1 for "never", and 1 is too small for a file as well.
    """
    if sys.platform != "win32":
        import resource

        for most in (1, 0) if sys.platform == "linux" else (0,):
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_CORE, (most, most))
                break


def empty_core_dumps() -> None:
    """Let a dump that is made all the same hold the registers, and no memory."""
    with contextlib.suppress(OSError):
        # Not created where it is not there.
        descriptor = os.open(_DUMPED_MAPPINGS, os.O_WRONLY)
        try:
            os.write(descriptor, b"0")
        finally:
            os.close(descriptor)
