"""A user at a shell: a home of their own, the real command, and a relay on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from certmail.rehearsal.authority import throwaway_authority
from certmail.rehearsal.refusals import server_context
from certmail.rehearsal.server import LOOPBACK, mail_server
from tests.schemas import conforms

ROOT = Path(__file__).parent.parent.parent
RENEWED = ROOT.parent / "shared" / "keys" / "clever-cloud-renewed-2026-04.asc"
PASSWORD = "correct-horse-battery"


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return conforms(json.loads(self.out))

    @property
    def code(self) -> str | None:
        """The code on the error line."""
        _, found, rest = self.err.rpartition("certmail: error[")
        return rest.partition("]")[0] if found else None


@dataclass
class User:
    """Runs certmail with nothing of the machine's own settings around."""

    home: Path
    gnupg: Path
    extra: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "GNUPGHOME": str(self.gnupg),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "80",
            # No test asks the real world; those about refreshing serve a world of their own.
            "CERTMAIL_KEY_REFRESH": "never",
            **self.extra,
        }

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "certmail", *map(str, arguments)],
            input=stdin,
            env=self.environment(),
            cwd=self.home,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def user(tmp_path, sender) -> User:
    return User(home=tmp_path, gnupg=sender.home)


@pytest.fixture(scope="session")
def renewed() -> Path:
    """The provider's renewed copy of its key, which is not ours to ship."""
    if not RENEWED.exists():
        pytest.skip("the renewed copy of the key is not beside this checkout")
    return RENEWED


@pytest.fixture
def bundle(tmp_path, bundle_pem) -> Path:
    path = tmp_path / "bundle.pem"
    path.touch(mode=0o600)
    path.write_bytes(bundle_pem)
    return path


@pytest.fixture(scope="session")
def relay_files(tmp_path_factory, at) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 with its key, and the CA to trust."""
    folder = tmp_path_factory.mktemp("relay")
    authority = throwaway_authority(at)
    issued = authority.issue(LOOPBACK)
    (folder / "relay.pem").write_bytes(issued.private_key + issued.certificate)
    (folder / "ca.pem").write_bytes(authority.pem)
    return folder / "relay.pem", folder / "ca.pem"


@dataclass(frozen=True)
class Relay:
    """A relay that is running, and the flags that lead to it."""

    mailbox: Any
    flags: tuple[str, ...]


@pytest.fixture
def relay(relay_files, tmp_path):
    certificate, ca_file = relay_files
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    with mail_server(context=server_context(certificate), user="ops", password=PASSWORD) as mailbox:
        yield Relay(
            mailbox,
            (
                "--relay-host", LOOPBACK,
                "--relay-port", str(mailbox.port),
                "--relay-ca-file", str(ca_file),
                "--relay-user", "ops",
                "--relay-password-command", f"cat {secret}",
            ),
        )  # fmt: skip
