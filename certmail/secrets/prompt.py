"""Ask the person at the terminal, and nobody else.

In: a question. Out: a `Secret`. The terminal is asked directly: what is piped into certmail is
never taken for a password, and a job without a terminal ends at once instead of waiting.
"""

from __future__ import annotations

import getpass
import os
import sys
import warnings
from typing import Final, NoReturn

from certmail.errors import SecretError
from certmail.events import Teller
from certmail.frozen import frozen
from certmail.values import Secret, SecretKind, printable

_tell: Final = Teller(__name__)

_TERMINAL: Final = "/dev/tty"
"""The controlling terminal of the process, wherever its standard streams go (POSIX)."""

_QUESTION: Final = 200
"""Characters of the question; host and user fit."""


@frozen
class Prompt:
    """A password or token that a person types, unseen."""

    question: str
    kind: SecretKind = SecretKind.PASSWORD

    @property
    def place(self) -> str:
        """Name the source."""
        return "the terminal"

    def foresee(self) -> str:
        """Say that somebody is there to be asked.

        Raises:
            SecretError: ``SECRET-NO-TERMINAL``.
        """
        if not has_terminal():
            _refuse_no_terminal()
        return "you would be asked for it"

    def read(self) -> Secret:
        """Ask once; Ctrl-C is the caller's.

        Raises:
            SecretError: ``SECRET-NO-TERMINAL``, ``SECRET-MISSING``.
        """
        if not has_terminal():
            _refuse_no_terminal()
        _tell("asking at the terminal")
        with warnings.catch_warnings():
            # getpass would go on with the password visible on the screen.
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                typed = getpass.getpass(printable(self.question, limit=_QUESTION))
                return Secret(typed, self.kind)
            except (getpass.GetPassWarning, OSError):
                _refuse_no_terminal()
            except EOFError:
                raise SecretError(
                    "SECRET-MISSING",
                    "no password was typed",
                    why="the relay wants a login, and nothing was sent",
                    next="run the command again and type the password",
                ) from None


def has_terminal() -> bool:
    """Tell whether somebody could be asked."""
    if sys.platform == "win32":
        return sys.stdin is not None and sys.stdin.isatty()
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _refuse_no_terminal() -> NoReturn:
    raise SecretError(
        "SECRET-NO-TERMINAL",
        "the password must be typed, and there is no terminal to type it on",
        why="a job in the background cannot ask anybody",
        next="certmail secret set, once and on a terminal; or set relay.password_command, or"
        " another source (docs/secrets.md)",
    ) from None
