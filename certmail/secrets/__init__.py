"""Where the relay's password comes from: the system's keyring, a command, or a person.

In: an account (a relay's URL and a user), or a command. Out: something whose ``read`` gives a
`Secret` or raises a `SecretError` that names the remedy. Must not know what the password opens,
nor SMTP. Nothing is read before ``read`` is called, and nothing that was read is kept.

A password is bound to protocol, host, port and user: it cannot go to a host configured later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from certmail.errors import SecretError
from certmail.secrets.command import CommandOutput
from certmail.secrets.keyring import KeyringEntry
from certmail.secrets.prompt import Prompt, has_terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certmail.values import Secret

SERVICE_PREFIX: Final = "certmail-smtp:"
"""What certmail's entries in a keyring begin with."""

_NOTHING_THERE: Final = frozenset(
    {"SECRET-MISSING", "SECRET-KEYRING-NONE", "SECRET-KEYRING-UNSAFE"}
)


class SecretSource(Protocol):
    """Something that gives the password when it is asked, and not before."""

    def read(self) -> Secret:
        """Give the password, or raise a SecretError."""


class Account(Protocol):
    """Whom a password belongs to: a relay, spelled ``smtps://host:465``, and a login there."""

    @property
    def url(self) -> str:
        """Protocol, host and port."""

    @property
    def user(self) -> str | None:
        """The login, where the relay wants one."""


def from_keyring(account: Account) -> KeyringEntry:
    """Name the account's entry in the system's keyring."""
    return KeyringEntry(service=SERVICE_PREFIX + account.url, user=account.user or "")


def from_command(words: Sequence[str]) -> CommandOutput:
    """Name a command whose first line of output is the password."""
    return CommandOutput(tuple(words))


def from_prompt(account: Account) -> Prompt:
    """Name the person at the terminal."""
    return Prompt(f"Password of {account.user} at {account.url}: ")


def from_keyring_or_prompt(account: Account) -> SecretSource:
    """Name the keyring and, where it holds nothing, the person at the terminal."""
    return _KeyringOrPrompt(from_keyring(account), from_prompt(account))


@dataclass(frozen=True, slots=True)
class _KeyringOrPrompt:
    """A keyring that holds no password is no reason to stop where somebody can type it.

    A keyring that is locked or does not answer is: the person is told, instead of wondering why
    certmail asks for what was stored.
    """

    keyring: KeyringEntry
    prompt: Prompt

    def read(self) -> Secret:
        """Read from the keyring, or ask."""
        try:
            return self.keyring.read()
        except SecretError as error:
            if error.code not in _NOTHING_THERE or not has_terminal():
                raise
        return self.prompt.read()
