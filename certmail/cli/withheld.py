"""What others would print of an exception: its text, which may quote the private key.

The interpreter prints the traceback of what ends a thread, and of what fails where nobody can be
told; libraries log theirs, which reaches standard error where no handler is set up. All of that is
kept down here to the kind of the exception. What ends a command is told by `entry`.
"""

from __future__ import annotations

import sys


def hush_libraries() -> None:
    """Let what libraries log go nowhere: asyncio logs whole exceptions, others keys and sessions.

    Their level does not matter; `logging.lastResort` speaks where there is no handler at all.
    """
    import logging  # what runs a command needs it; help does without

    root = logging.getLogger()
    if not any(isinstance(handler, logging.NullHandler) for handler in root.handlers):
        root.addHandler(logging.NullHandler())


def withhold_texts() -> None:
    """Have the interpreter name an exception that nobody caught, and neither its text nor a line.

    For a process of our own: a program that calls `entry.run` keeps its hooks.
    """
    import threading

    sys.excepthook = lambda kind, *_: _tell(kind, where="")
    threading.excepthook = lambda told: _tell(told.exc_type, where=" in a thread")
    sys.unraisablehook = lambda told: _tell(told.exc_type, where=" while cleaning up")


def _tell(kind: type[BaseException], *, where: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"certmail: {kind.__name__}{where}, text withheld\n")
