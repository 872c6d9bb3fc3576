"""Take the password from a file that only its owner can read.

In: a path. Out: the file's first line as a `Secret`. The file belongs to the user or to root, and
nobody else may read or write it: what others can read is no secret, and what they can write is
not ours.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from certmail.errors import SecretError
from certmail.events import Teller
from certmail.frozen import frozen
from certmail.secrets.line import Unusable, first_line_of, reason
from certmail.values import Secret, SecretKind, printable

if TYPE_CHECKING:
    from pathlib import Path

_tell: Final = Teller(__name__)


@frozen
class PasswordFile:
    """A password in a file of mode 0600 or stricter."""

    path: Path

    @property
    def kind(self) -> SecretKind:
        """A password: a token is too short-lived for a file."""
        return SecretKind.PASSWORD

    @property
    def place(self) -> str:
        """Name the file."""
        return f"the file {self._shown}"

    def read(self) -> Secret:
        """Read the first line.

        Raises:
            SecretError: ``SECRET-FILE-UNREADABLE``, ``SECRET-FILE-UNSAFE``.
        """
        _tell("password file read", path=str(self.path))
        try:
            return Secret(first_line_of(self.path, judge=self._refuse_unsafe))
        except Unusable as fault:
            self._refuse_unreadable(str(fault))
        except (OSError, ValueError) as fault:  # ValueError: NUL in a path
            self._refuse_unreadable(f"cannot be opened: {reason(fault)}")

    def foresee(self) -> str:
        """Judge the file as `read` does, and read nothing of it; say how it is.

        Raises:
            SecretError: as `read`.
        """
        try:
            status = self.path.stat()
        except (OSError, ValueError) as fault:
            self._refuse_unreadable(f"cannot be opened: {reason(fault)}")
        if not stat.S_ISREG(status.st_mode) or not os.access(self.path, os.R_OK):
            self._refuse_unreadable("is no regular file that can be read")
        self._refuse_unsafe(status)
        return f"from {self.place}, which is yours alone; not read"

    @property
    def _shown(self) -> str:
        return printable(str(self.path), limit=200)

    def _refuse_unsafe(self, status: os.stat_result) -> None:
        """Refuse a file that others can read or change, or that somebody else owns."""
        if sys.platform == "win32":  # access there is by lists, and the mode bits say nothing
            return
        if status.st_uid not in {os.geteuid(), 0}:
            raise SecretError(
                "SECRET-FILE-UNSAFE",
                f"the password file {self._shown} belongs to another user",
                why="its owner can read the password and put another in its place",
                next="make a file of your own, and name it by relay.password_file",
            )
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SecretError(
                "SECRET-FILE-UNSAFE",
                f"the password file {self._shown} is open to others than its owner"
                f" (mode {stat.S_IMODE(status.st_mode):04o})",
                why="a password that others can read is none",
                next=f"chmod 600 {shlex.quote(self._shown)}",
            )

    def _refuse_unreadable(self, how: str) -> NoReturn:
        raise SecretError(
            "SECRET-FILE-UNREADABLE",
            f"the password file {self._shown} {how}",
            why="its first line would have been the relay's password",
            next="give relay.password_file the path of a regular file of mode 0600",
        ) from None
