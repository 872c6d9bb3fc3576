"""An operator with one key, a relay on loopback, and a file of settings that is not there yet."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from certmail.rehearsal.server import LOOPBACK
from tests.cli.conftest import PASSWORD, User
from tests.cli.setup.conversation import Conversation

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Place:
    """Where set-up happens."""

    user: User
    relay: Any
    ca_file: Path
    file: Path
    sender: Any

    def talk(self, *arguments, **more) -> Conversation:
        return Conversation(self.user, arguments, **more)

    @property
    def settings(self) -> dict[str, Any]:
        return tomllib.loads(self.file.read_text()) if self.file.exists() else {}

    @property
    def port(self) -> str:
        return str(self.relay.mailbox.port)

    @property
    def password_command(self) -> str:
        return self.relay.flags[self.relay.flags.index("--relay-password-command") + 1]

    @property
    def to_relay(self) -> tuple[str, ...]:
        """The flags that lead to the relay, without its secret."""
        at = self.relay.flags.index("--relay-password-command")
        return self.relay.flags[:at]

    @property
    def questions(self) -> list[tuple[str, str]]:
        """Every question in order, with an answer that leads to the end."""
        return [
            ("Your address [", "ops@sender.example"),
            ("Name shown beside it", "Operator Example"),
            ("Number of the key", "1"),
            ("Number or letter:", "o"),
            ("Host name", LOOPBACK),
            ("How TLS begins", "implicit"),
            ("Port [", self.port),
            ("User name", "ops"),
            ("File with its CA", str(self.ca_file)),
            ("Where is it", "2"),
            ("The command", self.password_command),
            ("Look for a newer copy now", "n"),
            ("Go on", "y"),
        ]

    @property
    def answered(self) -> dict[str, Any]:
        """What the file holds at the end."""
        return {
            "sender": {
                "address": "ops@sender.example",
                "name": "Operator Example",
                "key": self.sender.fingerprint.text,
            },
            "relay": {
                "host": LOOPBACK,
                "mode": "implicit",
                "port": int(self.port),
                "user": "ops",
                "ca_file": str(self.ca_file),
                "password_command": self.password_command,
            },
        }


@pytest.fixture
def place(user, relay, relay_files, sender, tmp_path) -> Place:
    user.extra |= {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}
    file = tmp_path / ".config" / "certmail" / "config.toml"
    return Place(user, relay, relay_files[1], file, sender)


@pytest.fixture
def password() -> str:
    return PASSWORD


@pytest.fixture(autouse=True)
def no_terminal_of_ours(monkeypatch):
    """What is run without a terminal must not find that of the person who runs the tests."""
    assert os.environ
    monkeypatch.delenv("GPG_TTY", raising=False)


@pytest.fixture
def short_home(tmp_path_factory) -> Path:
    """A folder that only we may enter, as the daemons of a desktop demand."""
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    return home
