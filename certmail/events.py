"""What the library tells of its doing: events with public values, on the loggers of ``certmail``.

A room makes one `Teller` and tells ``tell("TLS proved", version=…)``. Who listens, and where it is
written, is the calling program's choice: with nobody listening nothing is written anywhere. A value
is a word, a number or an instant that may stand in a log: never a password, a passphrase, a line of
a bundle, or an argument that could be one. Text of others is cleaned and cut here, so that no relay
can write a second line.
"""

from __future__ import annotations

import logging
from enum import Enum
from typing import Final, TypeAlias

from certmail.values import printable

Value: TypeAlias = str | int | float | Enum | None

_MAX_VALUE: Final = 200


class Teller:
    """Tells the events of one room."""

    def __init__(self, room: str) -> None:
        """Name the room, as ``__name__`` has it."""
        self._logger = logging.getLogger(room)

    def __call__(self, event: str, /, **values: Value) -> None:
        """Tell what was done."""
        self._tell(logging.INFO, event, values)

    def detail(self, event: str, /, **values: Value) -> None:
        """Tell a step of what is done, for those who want to know more."""
        self._tell(logging.DEBUG, event, values)

    def _tell(self, level: int, event: str, values: dict[str, Value]) -> None:
        if self._logger.isEnabledFor(level):
            told = [f"{name}={_spelled(value)}" for name, value in values.items()]
            self._logger.log(level, "%s", " ".join([event, *told]))


def _spelled(value: Value) -> str:
    """Write a value so that it ends where it ends; what is no public value shows its type alone."""
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        # Never an exception: a slip here must not end a delivery between the dot and its verdict.
        return f"<{type(value).__name__}>"
    clean = printable(value, limit=_MAX_VALUE)
    bare = clean and not set(clean) & set(" \"'=")
    return clean if bare else '"' + clean.replace('"', "'") + '"'
