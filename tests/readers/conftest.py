"""The workshop that makes messages, with a relay through which they pass; once per session."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import trustme

from certmail.delivery.relay import Relay
from certmail.delivery.smtp import deliver
from certmail.submission import Mode
from certmail.values import Hostname, Secret, SecretKind
from tests.delivery import postfix
from tests.delivery.hostile import PASSWORD, USER
from tests.readers.messages import Workshop


class Keyring:
    kind = SecretKind.PASSWORD

    def read(self):
        return Secret(PASSWORD)


@pytest.fixture(scope="session")
def relay(tmp_path_factory):
    """Hand a sealed message to a Postfix, and give the mail that lies in its maildir."""
    authority = trustme.CA()
    ca_file = tmp_path_factory.mktemp("relay") / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    with postfix.running(authority) as server:
        port = server.ports[Mode.IMPLICIT]
        relay = Relay(Hostname("localhost"), port, Mode.IMPLICIT, USER, ca_file)

        def pass_through(sealed) -> bytes:
            server.forget()
            deliver(sealed, relay=relay, secret=Keyring(), now=lambda: datetime.now(UTC))
            [mail] = server.delivered()
            return mail

        yield pass_through


@pytest.fixture(scope="session")
def workshop(gpg, make_person, relay, at) -> Workshop:
    return Workshop(gpg=gpg, make_person=make_person, relay=relay, at=at)
