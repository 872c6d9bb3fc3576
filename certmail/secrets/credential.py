"""Take the password from a credential that systemd hands to the unit.

In: a credential's name, and the folder that systemd names in ``CREDENTIALS_DIRECTORY``. Out: the
first line as a `Secret`. Only that folder is looked into, and only systemd fills it: it is of this
unit alone, in memory that is never swapped, and gone with the unit (systemd.exec(5), Credentials).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from certmail.errors import SecretError
from certmail.events import Teller
from certmail.frozen import frozen
from certmail.secrets.line import Unusable, first_line_of, reason
from certmail.values import Secret, SecretKind, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

_tell: Final = Teller(__name__)

VARIABLE: Final = "CREDENTIALS_DIRECTORY"
USUAL_NAME: Final = "certmail-password"
"""The credential that is looked for where the settings name no source."""


@frozen
class Credential:
    """A password that systemd holds for this unit. ``folder`` is None outside such a unit."""

    name: str
    folder: str | None

    @property
    def kind(self) -> SecretKind:
        """A password: a token is too short-lived for a credential."""
        return SecretKind.PASSWORD

    @property
    def place(self) -> str:
        """Name the credential."""
        return f"the systemd credential {printable(self.name)}"

    @property
    def is_there(self) -> bool:
        """Whether systemd has handed something of that name to this unit."""
        return self.folder is not None and os.path.lexists(Path(self.folder, self.name))

    def foresee(self) -> str:
        """Say that it is there, without reading it.

        Raises:
            SecretError: ``SECRET-CREDENTIAL-MISSING``.
        """
        if not self.is_there:
            self._refuse_missing(
                "this unit was handed no credential of that name"
                if self.folder
                else f"{VARIABLE} is not set"
            )
        return f"from {self.place}, which is there; not read"

    def read(self) -> Secret:
        """Read the first line.

        Raises:
            SecretError: ``SECRET-CREDENTIAL-MISSING``, ``SECRET-CREDENTIAL-UNUSABLE``.
        """
        if self.folder is None:
            self._refuse_missing(f"{VARIABLE} is not set")
        _tell("credential read", name=self.name)
        folder = Path(self.folder)
        if not folder.is_absolute() or Path(self.name).name != self.name:
            self._refuse_unusable("is not in a folder of systemd's")
        try:
            return Secret(first_line_of(folder / self.name, judge=_let_pass))
        except FileNotFoundError:
            self._refuse_missing("this unit was handed no credential of that name")
        except Unusable as fault:
            self._refuse_unusable(str(fault))
        except (OSError, ValueError) as fault:
            self._refuse_unusable(f"cannot be opened: {reason(fault)}")

    def _refuse_missing(self, how: str) -> NoReturn:
        raise SecretError(
            "SECRET-CREDENTIAL-MISSING",
            f"there is no {self.place.removeprefix('the ')}: {how}",
            why="systemd hands credentials to the units that ask for them, and to nobody else",
            next=f"write LoadCredentialEncrypted={printable(self.name)} into the unit that runs"
            " certmail (docs/secrets.md)",
        ) from None

    def _refuse_unusable(self, how: str) -> NoReturn:
        raise SecretError(
            "SECRET-CREDENTIAL-UNUSABLE",
            f"{self.place} {how}",
            why="its first line would have been the relay's password",
            next="make the credential again with systemd-creds encrypt (docs/secrets.md)",
        ) from None


def credential(name: str, env: Mapping[str, str]) -> Credential:
    """Name a credential of this unit."""
    return Credential(name, env.get(VARIABLE) or None)


def _let_pass(_status: os.stat_result) -> None:
    """Trust owner and mode: the folder is systemd's, and access to it is by a list."""
