"""Where the relay's password or token comes from, and nothing of what it opens.

In: an account (a relay's URL and a user), and what the settings name. Out: something whose ``read``
gives a `Secret` or raises a `SecretError` that names the remedy. Must not know SMTP. Nothing is
read before ``read`` is called, and nothing that was read is kept.

A keyring entry is bound to protocol, host, port and user, so that it cannot go to a host configured
later; tokens have entries of their own, so that none is sent as a password.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from certmail.errors import SecretError
from certmail.frozen import frozen
from certmail.values import SecretKind, SecretSource, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from certmail.secrets.command import CommandOutput
    from certmail.secrets.credential import Credential
    from certmail.secrets.file import PasswordFile
    from certmail.secrets.keyring import KeyringEntry
    from certmail.secrets.prompt import Prompt
    from certmail.secrets.stdin import StandardInput
    from certmail.values import Secret

SERVICE_PREFIXES: Final = {
    SecretKind.PASSWORD: "certmail-smtp:",
    SecretKind.TOKEN: "certmail-smtp-token:",
}
"""What certmail's entries in a keyring begin with."""

LOOK_S: Final = 8.0
"""For a keyring to say its name: one that is alive does within two seconds."""

_NOTHING_THERE: Final = frozenset(
    {"SECRET-MISSING", "SECRET-KEYRING-NONE", "SECRET-KEYRING-UNSAFE"}
)


class Source(SecretSource, Protocol):
    """A source that can say where it looks."""

    @property
    def place(self) -> str:
        """Name the place, in words that may be shown."""

    def foresee(self) -> str:
        """Say whether the secret could be had from there, and read nothing.

        Raises:
            SecretError: as ``read`` would.
        """


class Account(Protocol):
    """Whom a secret belongs to: a relay, spelled ``smtps://host:465``, and a login there."""

    @property
    def url(self) -> str:
        """Protocol, host and port."""

    @property
    def user(self) -> str | None:
        """The login, where the relay wants one."""


def from_keyring(account: Account, kind: SecretKind = SecretKind.PASSWORD) -> KeyringEntry:
    """Name the account's entry in the system's keyring."""
    from certmail.secrets.keyring import KeyringEntry

    return KeyringEntry(
        service=SERVICE_PREFIXES[kind] + account.url, user=account.user or "", kind=kind
    )


def from_command(words: Sequence[str], kind: SecretKind = SecretKind.PASSWORD) -> CommandOutput:
    """Name a command whose first line of output is the secret."""
    from certmail.secrets.command import CommandOutput

    return CommandOutput(tuple(words), kind=kind)


def from_prompt(account: Account, kind: SecretKind = SecretKind.PASSWORD) -> Prompt:
    """Name the person at the terminal."""
    from certmail.secrets.prompt import Prompt

    return Prompt(f"{kind.value.capitalize()} of {account.user} at {account.url}: ", kind)


def from_file(path: Path) -> PasswordFile:
    """Name a file that only its owner can read."""
    from certmail.secrets.file import PasswordFile

    return PasswordFile(path)


def from_credential(name: str, env: Mapping[str, str]) -> Credential:
    """Name a credential that systemd hands to the unit."""
    from certmail.secrets.credential import credential

    return credential(name, env)


def from_standard_input(kind: SecretKind = SecretKind.PASSWORD) -> StandardInput:
    """Name what is piped in."""
    from certmail.secrets.stdin import StandardInput

    return StandardInput(kind)


def from_memory(secret: Secret) -> InMemory:
    """Name a secret that is there already, such as one that was typed just now."""
    return InMemory(secret)


def from_usual_places(account: Account, kind: SecretKind, env: Mapping[str, str]) -> Source:
    """Name where a secret is looked for when the settings name no source.

    The first of these: the systemd credential ``certmail-password``, where this unit has one; the
    keyring; where the keyring holds nothing, the person at the terminal. A token comes from no
    credential.
    """
    from certmail.secrets.credential import USUAL_NAME, credential

    handed = credential(USUAL_NAME, env)
    if kind is SecretKind.PASSWORD and handed.is_there:
        return handed
    return from_keyring_or_prompt(account, kind)


def from_keyring_or_prompt(account: Account, kind: SecretKind = SecretKind.PASSWORD) -> Source:
    """Name the keyring and, where it holds nothing, the person at the terminal."""
    return _KeyringOrPrompt(from_keyring(account, kind), from_prompt(account, kind))


@frozen
class InMemory:
    """A secret that the calling program has."""

    secret: Secret

    @property
    def kind(self) -> SecretKind:
        """What it is."""
        return self.secret.kind

    @property
    def place(self) -> str:
        """Name the source."""
        return "the calling program"

    def read(self) -> Secret:
        """Give it."""
        return self.secret


@frozen
class _KeyringOrPrompt:
    """A keyring that holds no password is no reason to stop where somebody can type it.

    A keyring that is locked or does not answer is: the person is told, instead of wondering why
    certmail asks for what was stored.
    """

    keyring: KeyringEntry
    prompt: Prompt

    @property
    def kind(self) -> SecretKind:
        """What both of them give."""
        return self.keyring.kind

    @property
    def place(self) -> str:
        """Name both, in their order."""
        return f"{self.keyring.place}; where that is empty, {self.prompt.place}"

    def foresee(self) -> str:
        """Say which keyring would be asked, or that a person would."""
        from certmail.secrets.prompt import has_terminal

        try:
            name = replace(self.keyring, deadline_s=LOOK_S).look()
        except SecretError as error:
            if error.code not in _NOTHING_THERE or not has_terminal():
                raise
            return f"{error.what}; {self.prompt.foresee()}"
        return f"from the keyring {printable(name)}; not read"

    def read(self) -> Secret:
        """Read from the keyring, or ask."""
        from certmail.secrets.prompt import has_terminal

        try:
            return self.keyring.read()
        except SecretError as error:
            if error.code not in _NOTHING_THERE or not has_terminal():
                raise
        return self.prompt.read()
