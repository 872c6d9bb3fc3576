"""Begin now what is wanted later: a look-up that waits for another program, or an import.

Comes in: something to do. Goes out: its result, or its exception, when that is asked for. What is
begun ahead must do no harm where it turns out not to be wanted, and must not depend on what the
caller does meanwhile: the order in which results are asked for is the order of the story.
"""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Ahead(Generic[T]):
    """Work that was begun in a thread of its own.

    The thread is a daemon: a run that is refused meanwhile does not wait for it.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        """Begin."""
        self._work = work
        self._made: list[T] = []
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="certmail-ahead", daemon=True)
        self._thread.start()

    def result(self) -> T:
        """Wait for the end; give what came out, or raise what was raised."""
        self._thread.join()
        if self._fault is not None:
            raise self._fault
        return self._made[0]

    def _run(self) -> None:
        try:
            self._made.append(self._work())
        # Whatever it is, it belongs to the one who asks for the result.
        except BaseException as fault:  # noqa: BLE001
            self._fault = fault


def load(*modules: str) -> Ahead[None]:
    """Import modules while the caller waits for something else."""

    def work() -> None:
        for module in modules:
            importlib.import_module(module)

    return Ahead(work)
