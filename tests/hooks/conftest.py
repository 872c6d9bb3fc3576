"""An operator's machine: certmail on the PATH, settings in the environment, a relay on loopback."""

from __future__ import annotations

import email
import email.policy
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from certmail.recipient import CLEVER_CLOUD
from tests.cli.conftest import PASSWORD, RENEWED, ROOT, Ran, Relay, relay, relay_files
from tests.conftest import SENDER

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ("relay", "relay_files")

HOOKS = ROOT / "docs" / "hooks"


@dataclass
class Machine:
    """Runs programs with a home of its own; nothing of the real user's is in it."""

    home: Path
    gnupg: Path
    relay: Relay
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def programs(self) -> Path:
        return self.home / "bin"

    def environment(self) -> dict[str, str]:
        given = dict(zip(self.relay.flags[::2], self.relay.flags[1::2], strict=True))
        settings = {
            "CERTMAIL_" + flag.removeprefix("--").replace("-", "_").upper(): value
            for flag, value in given.items()
        }
        return {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "GNUPGHOME": str(self.gnupg),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CERTMAIL_KEY_REFRESH": "never",
            **settings,
            **self.extra,
        }

    def __call__(self, *command: str | Path, stdin: bytes = b"", **more: str) -> Ran:
        done = subprocess.run(
            list(map(str, command)),
            input=stdin,
            env={**self.environment(), **more},
            cwd=self.home,
            capture_output=True,
            timeout=180,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    def program(self, name: str, script: str) -> None:
        self.programs.mkdir(exist_ok=True)
        path = self.programs / name
        path.write_text(script)
        path.chmod(0o700)

    @property
    def mails(self) -> list[bytes]:
        return [mail.content for mail in self.relay.mailbox.delivered]


@pytest.fixture
def machine(tmp_path, sender, relay) -> Machine:
    """The provider's renewed copy of its key, if it is here; else consent to the expired one."""
    machine = Machine(tmp_path, sender.home, relay)
    consent = ""
    if RENEWED.exists():
        machine.extra["CERTMAIL_KEY_FILE"] = str(RENEWED)
    else:
        consent = f"--accept-expired-key={CLEVER_CLOUD.pin.text}"
    machine.program(
        "certmail",
        "#!/bin/sh\n"
        f'test "$1" = send && set -- "$@" {consent}\n'
        f'exec {sys.executable} -m certmail "$@"\n',
    )
    return machine


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def check_sealed(mail: bytes) -> Any:
    """One sealed message to the provider, and nothing in the clear."""
    message = email.message_from_bytes(mail, policy=email.policy.default)
    assert (message["From"].addresses[0].addr_spec, message["To"]) == (
        SENDER.text,
        "ssl@clever-cloud.com",
    )
    assert message.get_content_type() == "multipart/encrypted"
    assert b"PRIVATE KEY" not in mail
    assert PASSWORD.encode() not in mail
    return message
