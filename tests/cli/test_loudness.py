"""Quiet says nothing where all is well; verbose tells what is done, and no secret."""

from __future__ import annotations

import base64
import logging
import re

import pytest

from certmail.cli import loudness
from tests.cli.conftest import PASSWORD
from tests.cli.story import ACCEPT
from tests.cli.test_help import contexts
from tests.cli.test_outbox import Here
from tests.test_json import leaves

LINE = re.compile(r" *\d+\.\d{3} [a-z_.]+: \S.*")


@pytest.fixture
def here(user):
    return Here(user.home, user.gnupg, {})


@pytest.mark.parametrize("context", contexts(), ids=lambda one: one.command_path)
def test_every_command_can_be_quiet_and_verbose(context):
    known = {name for option in context.command.get_params(context) for name in option.opts}
    assert {"-q", "--quiet", "-v", "--verbose", "--debug"} <= known


SILENT = {
    *(
        "verify-key",
        "key verify",
        "key refresh",
        "check",
        "acme-test",
        "preview",
        "rehearse",
        "doctor",
    ),
    *("outbox retry", "outbox drop", "outbox export", "log verify", "relay accept"),
    *("secret set", "secret test", "secret forget"),
}
"""Commands that judge or act: where all is well, quiet leaves nothing to say."""


def test_somebody_has_decided_what_quiet_leaves_of_each_command():
    assert {*SILENT, *loudness.ASKED_FOR} == {" ".join(path) for path, _ in leaves()}
    assert set(loudness.ASKED_FOR) & SILENT == set()


@pytest.mark.parametrize("before", [True, False])
def test_a_good_bundle_is_quietly_good(here, bundle, before):
    ran = here("-q", "check", bundle) if before else here("check", bundle, "-q")
    assert (ran.status, ran.out, ran.err) == (0, "", "")


def test_a_refusal_is_never_silent(here, bundle):
    bundle.write_bytes(b"-----BEGIN CERTIFICATE-----\n" + bundle.read_bytes())
    loud, quiet = here("check", bundle), here("check", bundle, "-q")
    assert (quiet.status, quiet.out) == (10, "")
    assert quiet.err == loud.out
    away = here("check", "nowhere.pem", "-q")
    assert (away.status, away.out, away.code) == (10, "", "BUNDLE-UNREADABLE")


def test_a_quiet_send_leaves_it_to_the_exit_status_and_warns_all_the_same(here, bundle, relay):
    ran = here("send", bundle, "--yes", "--quiet", ACCEPT, *relay.flags)
    assert (ran.status, ran.out) == (0, "")
    assert [line[:9] for line in ran.err.splitlines() if not line.startswith(" ")] == [
        "! notice["
    ] * 2
    assert len(relay.mailbox.delivered) == 1
    again = here("send", bundle, "--yes", "--quiet", ACCEPT, *relay.flags)
    assert (again.status, again.out, len(relay.mailbox.delivered)) == (0, "", 1)


def test_quietly_gives_what_was_asked_for(here, bundle):
    exported = here("key", "export", "-q").out
    assert exported == here("key", "export").out != ""
    assert here("key", "export", "-q", "--output", "key.asc").out == ""
    assert here("config", "-q").out == here("config").out
    assert here("check", bundle, "-q", "--json").json["good"] is True
    repaired = here("bundle", bundle, "--output", "-", "-q")
    assert (repaired.out, repaired.err) == (bundle.read_text(), "")
    assert here("outbox", "list", "-q").out == here("log", "-q").out == ""


def test_quiet_and_verbose_contradict_each_other(here):
    ran = here("-v", "config", "-q")
    assert (ran.status, ran.out) == (2, "")
    assert "contradict" in ran.err


def test_verbose_tells_each_step_on_standard_error_and_changes_nothing_else(here, bundle, relay):
    """Every line is one of ours: no foreign logger is listened to."""
    ran = here("send", bundle, "--yes", "--json", "-v", ACCEPT, *relay.flags)
    assert ran.json["outcome"] == "accepted"
    lines = ran.err.splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    seconds = [float(line.split()[0]) for line in lines]
    assert seconds == sorted(seconds)
    receipt = ran.json["receipt"]
    for told in (
        "gnupg.runner: gpg has ended program=",
        "operation=sign ",
        "operation=encrypt ",
        f"outbox.store: kept number=1 name={ran.json['outbox']}",
        "delivery.dial: address tried address=127.0.0.1",
        f"delivery.session: TLS proved version={receipt['tls_version']} cipher={receipt['cipher']}",
        'delivery.session: stage now="reading the password"',
        "secrets.command: command run program=cat",
        'outbox.store: moved number=1 to="dot sent"',
        "outbox.store: moved number=1 to=accepted",
        "ledger.chain: written down line=1",
        "ratchet: remembered host=127.0.0.1",
    ):
        assert told in ran.err
    assert " replied " not in ran.err


CANARY = "kanari-9c4e-geheim"


@pytest.mark.parametrize("loud", [("-vv",), ("-vv", "--debug")], ids=" ".join)
def test_no_secret_is_told_however_loud(here, bundle, relay, loud, tmp_path):
    """Not the private key, not the password, not the words of the command that prints it."""
    (tmp_path / CANARY).write_text(PASSWORD + "\n")
    flags = [
        f"cat {tmp_path / CANARY}" if word.startswith("cat ") else word for word in relay.flags
    ]
    noted = "Bitte-nur-für-den-Support"
    ran = here(*loud, "send", bundle, "--yes", "--note", noted, ACCEPT, *flags)
    assert ran.status == 0, ran.err
    everything = ran.out + ran.err
    assert " replied " in ran.err
    pem = bundle.read_text()
    key = pem[pem.index("-----BEGIN PRIVATE KEY-----") :].split("-----END")[0].splitlines()[1:]
    plain = base64.b64encode(f"\0ops\0{PASSWORD}".encode()).decode()
    secrets = [*key, PASSWORD, base64.b64encode(PASSWORD.encode()).decode(), plain, CANARY]
    assert len(key) > 20
    assert [secret for secret in secrets if secret in everything] == []
    assert noted not in ran.err


def test_a_failure_is_told_as_loudly(here, bundle, relay):
    port = relay.flags.index("--relay-port") + 1
    closed = (*relay.flags[:port], "9", *relay.flags[port + 1 :])
    ran = here("send", bundle, "--yes", "-v", ACCEPT, *closed)
    assert (ran.status, ran.code) == (19, "RELAY-UNREACHABLE")
    assert 'address failed address=127.0.0.1 reason="Connection refused"' in ran.err


def test_nobody_listens_once_the_command_has_ended(here):
    own = logging.getLogger("certmail")
    before = (own.level, own.propagate, list(own.handlers))
    here("-vv", "config")
    assert (own.level, own.propagate, own.handlers) == before
