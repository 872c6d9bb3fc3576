"""A day's work, every command of it with --json: each object there is comes out of a real run."""

from __future__ import annotations

import json

import pytest

from certmail.recipient import CLEVER_CLOUD
from certmail.rehearsal.authority import throwaway_bundle
from tests.cli.conftest import RENEWED, ROOT
from tests.cli.test_outbox import Here
from tests.schemas import conforms, schemas
from tests.test_json import KEPT, PARTS

ACCEPT = f"--accept-expired-key={CLEVER_CLOUD.pin}"
"""The copy that comes along has expired; whoever has no newer one gives their word."""

MANY = RENEWED.exists()
"""Nobody gives their word for many at once."""

ELSEWHERE = {
    "certmail.acme-test/1": "tests/cli/test_acme.py",
    **dict.fromkeys(
        ("certmail.secret-set/1", "certmail.secret-test/1", "certmail.secret-forget/1"),
        "tests/cli/test_secret.py",
    ),
}
"""What needs a world of its own; the test that has one names the schema."""


@pytest.fixture
def said(user, bundle, relay, relay_files, at):
    """Everything that was said, by the name of its schema."""
    from certmail.rehearsal.authority import throwaway_authority

    said, person = {}, Here(user.home, user.gnupg, {})
    others = [user.home / name for name in ("shop.pem", "mail.pem", "late.pem")]
    for path in others:
        path.touch(mode=0o600)
        path.write_bytes(throwaway_bundle(throwaway_authority(at), f"{path.stem}.example"))
    shop, mail, late = others

    def run(*arguments):
        ran = person(*arguments, "--json")
        said.setdefault(ran.json["schema"], ran.json)
        return ran.json

    port = relay.flags.index("--relay-port") + 1
    nobody = (*relay.flags[:port], "9", *relay.flags[port + 1 :])
    away = run("send", late, "--yes", ACCEPT, *nobody)
    run("outbox", "retry", away["outbox"], ACCEPT, *relay.flags)
    said.pop("certmail.send/1")
    sent = run("send", bundle, "--yes", ACCEPT, *relay.flags)
    for arguments in (
        ("check", bundle),
        ("check", bundle, shop),
        ("check", "nowhere.pem"),
        ("bundle", shop),
        ("upload", shop),
        ("completion", "bash"),
        ("preview", bundle, "--output", "message.eml"),
        *([("send", shop, mail, "--yes", "--key-file", RENEWED, *relay.flags)] if MANY else []),
        ("outbox", "list"),
        ("outbox", "show", sent["outbox"]),
        ("outbox", "export", sent["outbox"], "again.eml"),
        ("outbox", "drop", "--accepted", "--yes"),
        ("log",),
        ("log", "verify"),
        ("due", "--days", "3650"),
        ("relay", "list"),
        ("relay", "accept", "127.0.0.1", "--yes"),
        ("verify-key",),
        ("verify-key", "--fingerprint", CLEVER_CLOUD.pin.grouped()),
        ("key", "export"),
        ("key", "refresh", "--from", _copy(person)),
        ("key", "show"),
        ("key", "history"),
        ("inspect", f"127.0.0.1:{relay.mailbox.port}", "--bundle", bundle),
        ("rehearse",),
        ("config",),
        ("doctor", *relay.flags),
        ("explain",),
        ("explain", "KEY-EXPIRED"),
    ):
        run(*arguments)
    line = person("log", "--export").out.splitlines()[0]
    said["certmail.receipt/1"] = conforms(json.loads(line))
    for path in (*user.home.rglob("*.json"), *user.home.rglob("*.record")):
        kept = conforms(json.loads(path.read_bytes()))
        said[kept["schema"]] = kept
    return said


def _copy(person):
    path = person.home / "clever-cloud.asc"
    path.write_text(person("key", "export").out)
    return path


def test_each_schema_describes_what_a_command_says(said):
    missing = set() if MANY else {"certmail.batch/1"}
    assert set(said) == set(schemas()) - {PARTS} - missing - set(ELSEWHERE)
    assert set(said) >= KEPT


@pytest.mark.parametrize(("name", "where"), ELSEWHERE.items())
def test_what_is_said_elsewhere_is_held_against_its_schema_there(name, where):
    assert name in (ROOT / where).read_text(encoding="utf-8")
