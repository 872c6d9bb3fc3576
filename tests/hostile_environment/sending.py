"""Send a bundle in some environment, and tell what came of it."""

from __future__ import annotations

import email
import email.policy
import subprocess
import sys
from typing import TYPE_CHECKING

from certmail.key.armor import decode_message
from certmail.key.packets import read_encrypted
from tests.cli.conftest import Ran
from tests.cli.story import ACCEPT
from tests.leaks.law import lying_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.leaks.conftest import Watched

SUBKEY = "A922D5F4C62664A5"
"""The one key that may be written to, by its ID."""


def send(
    watched: Watched,
    *more: str | Path,
    variables: dict[str, str] | None = None,
    words: tuple[str, ...] = (),
    unset: tuple[str, ...] = (),
    bundle: str = "bundle.pem",
    flags: tuple[str, ...] | None = None,
) -> Ran:
    """Send the bundle, in this environment."""
    env = {**watched.user.environment(), **(variables or {})}
    done = subprocess.run(
        [
            *words, sys.executable, "-m", "certmail", "send", bundle, "--yes", "--json",
            "--note", "Réplace the old one", ACCEPT, *(flags or watched.relay.flags), *more,
        ],
        env={name: value for name, value in env.items() if name not in unset},
        cwd=watched.user.home, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
        check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def sent_as_ever(watched: Watched, ran: Ran) -> None:
    """One message, to the pinned key alone, over TLS that was verified, and nothing else."""
    assert ran.status == 0, ran.err
    assert ran.json["outcome"] == "accepted"
    assert ran.json["receipt"]["tls_version"] == "TLSv1.3"
    [mail] = watched.relay.mailbox.delivered
    part = list(email.message_from_bytes(mail.content, policy=email.policy.default).iter_parts())[1]
    armor = part.get_content()
    packets = decode_message(armor.encode() if isinstance(armor, str) else armor)
    assert read_encrypted(packets).key_ids == (SUBKEY,)
    nothing_told(watched, ran)


def refused(watched: Watched, ran: Ran, code: str, status: int) -> None:
    assert (ran.code, ran.status) == (code, status), ran.err
    assert watched.relay.mailbox.delivered == []
    nothing_told(watched, ran)


def nothing_told(watched: Watched, ran: Ran) -> None:
    assert "Traceback" not in ran.err
    assert list(watched.secrets.found_in((ran.out + ran.err).encode())) == []
    folders = [watched.user.home, watched.tmp]
    assert lying_in(folders, watched.secrets, but=[*watched.given]) == []


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path
