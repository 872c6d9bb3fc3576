"""Signals that are held back for a moment: while a program is started that nobody knows of yet.

In: nothing. Out: Ctrl-C and SIGTERM, later. For the edges that start programs.
"""

from __future__ import annotations

import signal
import threading
from typing import Any


class Held:
    """Ctrl-C and SIGTERM, held back while a program is started: it runs before we know of it."""

    def __init__(self) -> None:
        """Begin; only the main thread is interrupted by signals, and may change handlers."""
        self._came: list[int] = []
        self._before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: object) -> None:
        del frame
        self._came.append(number)

    def let_go(self) -> None:
        """Put the handlers back, and let them have what came meanwhile."""
        for number, handler in self._before.items():
            # None: it was not set from Python, and cannot be put back from there.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}
        for number in self._came:
            signal.raise_signal(number)
