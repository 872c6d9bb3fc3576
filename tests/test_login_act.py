"""A secret is kept only after the relay took it, in this order and in no other."""

from __future__ import annotations

import json
import sys

import pytest
import trustme

from certmail.delivery.relay import Relay
from certmail.errors import CertmailError, SecretError
from certmail.login import try_and_keep, try_once
from certmail.secrets import from_memory
from certmail.secrets.keyring import KeyringEntry
from certmail.submission import Mode
from certmail.values import Hostname, Secret, SecretKind
from tests.delivery.conftest import server_context
from tests.delivery.hostile import PASSWORD, USER, HostileRelay

RECORDER = """#!{python}
import json, sys
order = json.load(sys.stdin)
with open({file!r}, "a") as file:
    file.write(order["act"] + " " + order.get("secret", "") + chr(10))
print(json.dumps({answer}))
"""


@pytest.fixture(autouse=True)
def _at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority):
    with HostileRelay(Mode.IMPLICIT, server_context(authority.issue_cert("localhost"))) as server:
        yield server


@pytest.fixture
def relay(server, authority, tmp_path) -> Relay:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    return Relay(Hostname("localhost"), server.port, Mode.IMPLICIT, user=USER, ca_file=ca_file)


@pytest.fixture
def acts(tmp_path):
    return tmp_path / "acts"


@pytest.fixture
def entry(tmp_path, acts):
    """Make an entry of a keyring that writes down what it is asked, and answers as told."""

    def make(**answer: str) -> KeyringEntry:
        program = tmp_path / "python"
        said = {"verdict": "done", "keyring": "SecretService"} | answer
        program.write_text(RECORDER.format(python=sys.executable, file=str(acts), answer=said))
        program.chmod(0o755)
        return KeyringEntry("certmail-smtp:smtps://localhost:465", USER, 20, python=str(program))

    return make


def asked(acts) -> list[str]:
    return acts.read_text().splitlines() if acts.exists() else []


def test_a_secret_that_worked_is_kept(relay, server, entry, acts):
    kept = try_and_keep(relay, from_memory(Secret(PASSWORD)), entry=entry())
    assert (kept.keyring, kept.visit.mechanism) == ("SecretService", "PLAIN")
    assert asked(acts) == ["look ", f"store {PASSWORD}"]
    assert server.verbs == ["EHLO", "AUTH", "QUIT"]
    assert PASSWORD not in repr(kept)


def test_a_secret_that_was_refused_is_not_kept(relay, server, entry, acts):
    with pytest.raises(CertmailError) as caught:
        try_and_keep(relay, from_memory(Secret("wrong")), entry=entry())
    assert caught.value.code == "RELAY-AUTH-REFUSED"
    assert asked(acts) == ["look "]
    assert server.verbs.count("AUTH") == 1


@pytest.mark.parametrize(
    ("verdict", "code"), [("locked", "SECRET-KEYRING-LOCKED"), ("none", "SECRET-KEYRING-NONE")]
)
def test_nothing_is_tried_that_could_not_be_kept(verdict, code, relay, server, entry):
    class Unread:
        kind = SecretKind.PASSWORD

        def read(self) -> Secret:
            raise AssertionError

    with pytest.raises(SecretError) as caught:
        try_and_keep(relay, Unread(), entry=entry(verdict=verdict))
    assert (caught.value.code, server.connections) == (code, 0)


def test_a_relay_that_offers_less_than_before_gets_no_secret(relay, server, entry, acts, tmp_path):
    folder = tmp_path / "state" / "certmail" / "relays"
    folder.mkdir(parents=True, mode=0o700)
    known = {"mode": "smtps", "pin": None, "tls_version": "TLSv1.3", "mechanism": "SCRAM-SHA-256"}
    known["at"] = "2026-01-02T03:04:05+00:00"
    memory = {"schema": "certmail.ratchet/1", "relays": {"localhost": known}}
    (folder / "relays.json").write_text(json.dumps(memory))
    with pytest.raises(CertmailError) as caught:
        try_and_keep(relay, from_memory(Secret(PASSWORD)), entry=entry())
    assert caught.value.code == "RATCHET-WEAKER"
    assert "AUTH" not in server.verbs
    assert asked(acts) == ["look "]


def test_where_there_is_no_login_there_is_nothing_to_try(entry, acts, server, relay):
    nobody = Relay(relay.host, relay.port, relay.mode, ca_file=relay.ca_file)
    for act in (
        lambda: try_once(nobody, from_memory(Secret(PASSWORD))),
        lambda: try_and_keep(nobody, from_memory(Secret(PASSWORD)), entry=entry()),
    ):
        with pytest.raises(CertmailError) as caught:
            act()
        assert caught.value.code == "SECRET-NO-LOGIN"
    assert (asked(acts), server.connections) == ([], 0)
