"""Take the password or token from a command, like ``pass show mail/ops``.

In: words, which no shell sees. Out: the first line of the output as a `Secret`. Neither the
output nor the arguments are ever quoted: either may be the secret.
"""

from __future__ import annotations

import shutil
from dataclasses import field
from typing import Final, NoReturn

from certmail.errors import SecretError
from certmail.events import Teller
from certmail.frozen import frozen
from certmail.secrets.bounded import run_within
from certmail.secrets.line import Unusable, first_line, reason
from certmail.values import Secret, SecretKind, printable

_tell: Final = Teller(__name__)


@frozen
class CommandOutput:
    """A secret that a command prints; the command may ask on the terminal by itself."""

    words: tuple[str, ...] = field(repr=False)
    deadline_s: float = 120.0
    kind: SecretKind = SecretKind.PASSWORD

    @property
    def place(self) -> str:
        """Name the program alone: its arguments may be secret."""
        return f"the {self.kind.value} command {self._name}"

    @property
    def _name(self) -> str:
        return printable(self.words[0]) if self.words else "(empty)"

    def foresee(self) -> str:
        """Say that the program is there, without running it.

        Raises:
            SecretError: ``SECRET-COMMAND-FAILED``.
        """
        if not self.words or shutil.which(self.words[0]) is None:
            self._refuse("is not there")
        return f"from {self.place}, which is there; not run"

    def read(self) -> Secret:
        """Run the command once.

        Raises:
            SecretError: ``SECRET-COMMAND-FAILED``, ``SECRET-COMMAND-TIMEOUT``.
        """
        if not self.words:
            self._refuse("is not there")
        _tell("command run", program=self._name)
        try:
            ended = run_within(self.deadline_s, self.words)
        except TimeoutError:
            raise SecretError(
                "SECRET-COMMAND-TIMEOUT",
                f"{self.place} did not end in {self.deadline_s:.0f} seconds",
                why="it may be waiting for somebody to unlock something",
                next="run the command by hand once, so that it asks you; then send again",
            ) from None
        except (OSError, ValueError) as fault:  # ValueError: NUL in a word
            self._refuse(f"could not be started: {reason(fault)}")
        if ended.status != 0:
            self._refuse(f"failed with status {ended.status}")
        try:
            return Secret(first_line(ended.output), self.kind)
        except Unusable as fault:
            self._refuse(f"printed what {fault}")

    def _refuse(self, how: str) -> NoReturn:
        raise SecretError(
            "SECRET-COMMAND-FAILED",
            f"{self.place} {how}",
            why=f"its first line of output would have been the relay's {self.kind.value}",
            next=f"run the command by hand and correct relay.{self.kind.value}_command",
        ) from None
