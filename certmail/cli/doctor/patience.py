"""Wait for something that knows no clock, and no longer than that.

A look-up by the system or a listing by a foreign program cannot be told to stop. It is done in a
thread that is left behind when its time is over, and that ends with the process.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """Give what ``call`` gives or raises.

    Raises:
        TimeoutError: it takes longer than ``seconds``.
    """
    given: list[T] = []
    raised: list[BaseException] = []

    def work() -> None:
        try:
            given.append(call())
        except BaseException as fault:  # noqa: BLE001 - raised again where it is waited for
            raised.append(fault)

    worker = threading.Thread(target=work, name="certmail-look", daemon=True)
    worker.start()
    worker.join(max(0.0, seconds))
    if raised:
        raise raised[0]
    if not given:
        raise TimeoutError
    return given[0]
