"""Take the secret from standard input, where a program hands it over in a pipe or a file.

In: descriptor 0. Out: its first line as a `Secret`. A terminal is refused: what is typed there
would be seen, and the prompt is for that. Read only when it is asked for, and not for ever.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Final, NoReturn

from certmail.errors import SecretError
from certmail.events import Teller
from certmail.frozen import frozen
from certmail.secrets.bounded import MAX_OCTETS
from certmail.secrets.line import Unusable, first_line
from certmail.values import Secret, SecretKind

_tell: Final = Teller(__name__)

_STANDARD_INPUT: Final = 0


@frozen
class StandardInput:
    """A secret that is piped in; nothing after its line is read on purpose."""

    kind: SecretKind = SecretKind.PASSWORD
    deadline_s: float = 120.0

    @property
    def place(self) -> str:
        """Name the source."""
        return "standard input"

    def foresee(self) -> str:
        """Say what it is; whether anything comes, only reading tells."""
        return f"from {self.place}; not read"

    def read(self) -> Secret:
        """Read up to the first end of line.

        Raises:
            SecretError: ``SECRET-STDIN-TERMINAL``, ``SECRET-STDIN-UNUSABLE``.
        """
        if sys.stdin is None:
            # Closed before we began: by now descriptor 0 may be something else.
            self._refuse("is closed")
        if os.isatty(_STANDARD_INPUT):
            raise SecretError(
                "SECRET-STDIN-TERMINAL",
                f"standard input is a terminal, and the {self.kind.value} would be seen there",
                why="--password-stdin is for a pipe or a file",
                next=f"leave the flag out to be asked for the {self.kind.value} unseen",
            )
        _tell("standard input read")
        output = bytearray()
        # In a thread of its own: a pipe that nobody writes to or closes would be waited for.
        reader = threading.Thread(target=_collect, args=(output,), daemon=True)
        reader.start()
        reader.join(self.deadline_s)
        if reader.is_alive():
            self._refuse(f"gave no line in {self.deadline_s:.0f} seconds")
        try:
            return Secret(first_line(bytes(output)), self.kind)
        except Unusable as fault:
            self._refuse(str(fault))

    def _refuse(self, how: str) -> NoReturn:
        raise SecretError(
            "SECRET-STDIN-UNUSABLE",
            f"standard input {how}",
            why=f"its first line would have been the relay's {self.kind.value}",
            next=f"pipe in the {self.kind.value} and an end of line",
        ) from None


def _collect(output: bytearray) -> None:
    """Read to the first end of line, the end, or the cap."""
    try:
        while b"\n" not in output and len(output) < MAX_OCTETS:
            chunk = os.read(_STANDARD_INPUT, 4096)
            if not chunk:
                return
            output += chunk
    except OSError:
        return  # closed: what there is is judged
