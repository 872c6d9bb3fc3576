"""Take the password from a command, like ``pass show mail/ops``.

In: words, which no shell sees. Out: the first line of the output as a `Secret`. Neither the
output nor the arguments are ever quoted: either may be the password.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NoReturn

from certmail.errors import SecretError
from certmail.events import Teller
from certmail.secrets.bounded import run_within
from certmail.values import Secret, printable

_tell: Final = Teller(__name__)


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """A password that a command prints; the command may ask on the terminal by itself."""

    words: tuple[str, ...] = field(repr=False)
    deadline_s: float = 120.0

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
                f"the password command {self._name} did not end in {self.deadline_s:.0f} seconds",
                why="it may be waiting for somebody to unlock something",
                next="run the command by hand once, so that it asks you; then send again",
            ) from None
        except (OSError, ValueError) as fault:  # ValueError: NUL in a word
            reason = getattr(fault, "strerror", None) or "it is not a command"
            self._refuse(f"could not be started: {printable(reason)}")
        if ended.status != 0:
            self._refuse(f"failed with status {ended.status}")
        line, _, _ = ended.output.partition(b"\n")
        try:
            text = line.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            self._refuse("printed something that is not text")
        if not text:
            self._refuse("printed an empty first line")
        return Secret(text)

    @property
    def _name(self) -> str:
        """The program alone: its arguments may be secret."""
        return printable(self.words[0]) if self.words else "(empty)"

    def _refuse(self, how: str) -> NoReturn:
        raise SecretError(
            "SECRET-COMMAND-FAILED",
            f"the password command {self._name} {how}",
            why="its first line of output would have been the relay's password",
            next="run the command by hand and correct relay.password_command",
        ) from None
