"""A program that calls certmail: real keys, a relay on loopback, nothing of the user's."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import certmail
from certmail.rehearsal.authority import throwaway_authority
from certmail.rehearsal.refusals import server_context
from certmail.rehearsal.server import LOOPBACK, mail_server

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "correct-horse-battery"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Post:
    """A relay that runs, what leads to it, and what it was given."""

    relay: certmail.Relay
    mailbox: Any
    secret: certmail.Secret


@pytest.fixture(scope="session")
def relay_files(tmp_path_factory, at):
    folder = tmp_path_factory.mktemp("relay")
    authority = throwaway_authority(at)
    issued = authority.issue(LOOPBACK)
    (folder / "relay.pem").write_bytes(issued.private_key + issued.certificate)
    (folder / "ca.pem").write_bytes(authority.pem)
    return folder


@pytest.fixture
def post(relay_files) -> Iterator[Post]:
    context = server_context(relay_files / "relay.pem")
    with mail_server(context=context, user="ops", password=PASSWORD) as mailbox:
        yield Post(
            certmail.Relay(
                certmail.Hostname(LOOPBACK),
                mailbox.port,
                certmail.Mode.IMPLICIT,
                "ops",
                relay_files / "ca.pem",
            ),
            mailbox,
            certmail.Secret(PASSWORD),
        )


@pytest.fixture
def nobody(relay_files) -> certmail.Relay:
    """A relay that does not answer: the port was free a moment ago."""
    import socket

    with contextlib.closing(socket.create_server((LOOPBACK, 0))) as taken:
        port = taken.getsockname()[1]
    return certmail.Relay(
        certmail.Hostname(LOOPBACK), port, certmail.Mode.IMPLICIT, "ops", relay_files / "ca.pem"
    )


@pytest.fixture(scope="session")
def sealing(bundle_pem, at, pinned, signer, engine) -> certmail.Sealing:
    checked = certmail.require_checked(certmail.check(bundle_pem, at=at))
    return certmail.seal(checked, key=pinned, signer=signer, gnupg=engine)
