"""Many bundles at once: all checked first, each with a verdict, and no failure poisons another."""

from __future__ import annotations

import email
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from aiosmtpd.smtp import SMTP
from cryptography.hazmat.primitives.asymmetric import rsa

from certmail.outbox.store import open_outbox
from certmail.rehearsal.authority import throwaway_authority
from tests.cli.test_terminal import Terminal


@pytest.fixture(scope="session")
def bundles(at) -> list[bytes]:
    """Bundles that share a key, since making keys is what takes time."""
    authority = throwaway_authority(at)
    intermediate = authority.intermediate("batch intermediate")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    made = []
    for number in range(8):
        issued = intermediate.issue(f"host{number}.example", key=key)
        made.append(issued.private_key + issued.certificate + intermediate.pem)
    return made


@pytest.fixture
def folder(tmp_path, bundles):
    path = tmp_path / "bundles"
    path.mkdir()
    for number, bundle in enumerate(bundles):
        (path / f"{number}.pem").write_bytes(bundle)
    return path


@pytest.fixture
def person(user, renewed):
    user.extra = {"CERTMAIL_KEY_FILE": str(renewed), "CERTMAIL_KEY_REFRESH": "never"}
    return user


def outcomes(ran) -> list[str]:
    return [message["outcome"] for message in ran.json["messages"]]


def test_a_folder_is_sent_over_one_session_with_a_verdict_for_each(person, folder, relay):
    ran = person("send", folder, "--yes", "--json", *relay.flags)
    assert (ran.status, outcomes(ran)) == (0, ["accepted"] * 8), ran.err
    assert (relay.mailbox.sessions, relay.mailbox.logins) == (1, 1)
    assert len({mail.content for mail in relay.mailbox.delivered}) == 8
    assert ran.out == json.dumps(ran.json, indent=2) + "\n"
    again = person("send", folder, "--yes", *relay.flags)
    assert again.status == 0
    assert "8 already accepted" in again.out
    assert len(relay.mailbox.delivered) == 8


def test_a_receipt_of_a_batch_says_what_that_of_one_message_says(person, folder, bundle, relay):
    """It is read from the outbox when all are told, instead of being held for each."""
    batch = person("send", folder, "--yes", "--json", *relay.flags)
    single = person("send", bundle, "--yes", "--json", *relay.flags)
    told = batch.json["messages"][0]["delivery"]
    alone = {name: single.json[name] for name in told}
    assert list(told) == [name for name in single.json if name in told]
    assert list(told["receipt"]) == list(alone["receipt"])
    differs = {"accepted_at", "reply", "message_id", "message_sha256", "octets", "envid"}
    for name in set(told["receipt"]) - differs:
        assert told["receipt"][name] == alone["receipt"][name], name
    assert told["receipt"]["message_id"] == told["message_id"]
    assert told["receipt"]["message_sha256"].startswith(told["outbox"])


def test_a_verdict_stands_where_the_outbox_cannot_be_read_any_more(
    person, folder, relay, monkeypatch
):
    """Facts are read when all are told; what was accepted is said to be, whatever befell them."""
    outbox = person.home / ".local/state/certmail/outbox/outbox.sqlite3"
    count = 0

    async def spoiling(self, arg):
        nonlocal count
        count += 1
        if count == 8:
            with closing(sqlite3.connect(outbox, isolation_level=None)) as base:
                base.execute("UPDATE message SET record = 'x' WHERE number = 2")
        await plain(self, arg)

    plain = SMTP.smtp_RCPT
    monkeypatch.setattr(SMTP, "smtp_RCPT", spoiling)
    ran = person("send", folder, "--yes", "--json", *relay.flags)
    assert (ran.status, outcomes(ran)) == (17, ["accepted"] * 8)
    [lost] = [message for message in ran.json["messages"] if message["delivery"] is None]
    assert (lost["error"]["code"], lost["exit_status"]) == ("OUTBOX-DAMAGED", 17)
    again = person("send", folder, "--yes", *relay.flags)
    assert again.status == 14  # of one nobody can say whether it was sent
    assert "OUTBOX-DAMAGED" in again.out
    assert len(relay.mailbox.delivered) == 8


def test_one_bad_bundle_stops_all_before_anything_is_sent(person, folder, relay):
    (folder / "3.pem").write_text("nothing")
    (folder / "5.pem").write_bytes((folder / "5.pem").read_bytes().replace(b"\n", b"\r\n"))
    ran = person("send", folder, "--yes", *relay.flags)
    assert ran.status == 10
    assert "2 of 8 bundles were refused, so none was sent" in ran.out
    assert relay.mailbox.sessions == 0


def test_what_was_never_kept_is_not_to_be_retried(person, folder, relay):
    """The outbox holds nothing of a bundle that was refused."""
    (folder / "3.pem").write_bytes(b"no bundle")
    ran = person("send", folder, "--yes", "--json", *relay.flags)
    [refused] = ran.json["messages"]
    assert "outbox retry" not in refused["todo"]
    assert refused["todo"] == refused["error"]["next"]


def test_a_refusal_of_one_message_poisons_no_other(person, folder, relay, monkeypatch):
    count = 0

    async def picky(self, arg):
        nonlocal count
        count += 1
        if count == 3:
            await self.push("550 5.7.1 not this one")
        elif count == 5:
            await self.push("451 4.7.1 not now")
        else:
            await plain(self, arg)

    plain = SMTP.smtp_RCPT
    monkeypatch.setattr(SMTP, "smtp_RCPT", picky)
    ran = person("send", folder, "--yes", "--json", *relay.flags)
    assert sorted(outcomes(ran)) == ["accepted"] * 6 + ["deferred", "refused"]
    assert ran.status == 13  # the worst of 0, 13 and 18
    assert (len(relay.mailbox.delivered), relay.mailbox.sessions) == (6, 1)
    again = person("send", folder, "--yes", *relay.flags)
    assert again.status == 0, again.out
    assert len({mail.content for mail in relay.mailbox.delivered}) == 8


def test_a_relay_that_ends_the_session_is_dialled_again(person, folder, relay, monkeypatch):
    """RFC 5321 §3.8: 421 and the connection closes, here after every third message."""

    async def limited(self, arg):
        self.count = getattr(self, "count", 0) + 1
        if self.count > 3:
            await self.push("421 4.7.0 enough for one session")
            self.transport.close()
        else:
            await plain(self, arg)

    plain = SMTP.smtp_MAIL
    monkeypatch.setattr(SMTP, "smtp_MAIL", limited)
    ran = person("send", folder, "--yes", "--json", *relay.flags)
    assert (ran.status, outcomes(ran)) == (0, ["accepted"] * 8), ran.out
    assert relay.mailbox.sessions == 3


def test_an_announced_limit_of_messages_is_kept(person, folder, relay, monkeypatch):
    """RFC 9422: LIMITS MAILMAX."""

    async def announce(self, hostname):
        self.session.host_name = hostname
        self.session.extended_smtp = True
        for line in (b"250-relay", b"250-AUTH PLAIN LOGIN", b"250 LIMITS MAILMAX=3"):
            await self.push(line)

    monkeypatch.setattr(SMTP, "smtp_EHLO", announce)
    ran = person("send", folder, "--yes", "--json", *relay.flags)
    assert (ran.status, outcomes(ran)) == (0, ["accepted"] * 8), ran.out + ran.err
    assert relay.mailbox.sessions == 3


def test_several_connections_share_one_reading_of_the_password(person, folder, relay, tmp_path):
    trace = tmp_path / "reads"
    command = tmp_path / "say"
    command.write_text(f"#!/bin/sh\necho x >> {trace}\ncat {tmp_path / 'password'}\n")
    command.chmod(0o700)
    ran = person(
        "send", folder, "--yes", "--json", "--connections", "3", *relay.flags,
        "--relay-password-command", str(command),
    )  # fmt: skip
    assert (ran.status, outcomes(ran)) == (0, ["accepted"] * 8), ran.err
    assert trace.read_text() == "x\n"
    assert relay.mailbox.sessions <= 3
    assert len({mail.content for mail in relay.mailbox.delivered}) == 8


def test_a_wrong_password_is_tried_once_for_the_whole_batch(person, folder, relay):
    ran = person(
        "send", folder, "--yes", "--json", "--connections", "4", *relay.flags,
        "--relay-password-command", "echo wrong",
    )  # fmt: skip
    assert relay.mailbox.logins == 1
    assert ran.status == 13
    assert set(outcomes(ran)) <= {"refused", "not_sent"}
    by_itself = person("outbox", "retry", *relay.flags)
    assert (by_itself.status, by_itself.code) == (13, "OUTBOX-LOGIN-REFUSED")
    assert relay.mailbox.logins == 1
    assert person("send", folder, "--yes", *relay.flags).status == 0
    assert len(relay.mailbox.delivered) == 8


def test_at_a_terminal_the_plan_is_shown_and_asked_once(person, folder, relay):
    for answer, status, delivered in ((b"n\n", 130, 0), (b"y\n", 0, 8)):
        terminal = Terminal(person, "send", folder, *relay.flags)
        asked = b"Send 8 messages through"
        assert asked in terminal.until(asked), terminal.seen
        assert b"host7.example" in terminal.seen
        terminal.type(answer)
        assert terminal.end() == status, terminal.seen
        assert len(relay.mailbox.delivered) == delivered
    assert b"8/8" in terminal.seen
    assert b"8 accepted" in terminal.seen


def test_a_letter_is_dated_when_it_is_signed_however_long_the_answer_takes(person, folder, relay):
    """Thunderbird calls a signature bad that was made more than an hour from the mail's Date."""
    terminal = Terminal(person, "send", folder, *relay.flags)
    asked = b"Send 8 messages through"
    assert asked in terminal.until(asked), terminal.seen
    answered = time.time() + 2
    while time.time() < answered:  # the Date has whole seconds
        time.sleep(0.1)
    terminal.type(b"y\n")
    assert terminal.end() == 0, terminal.seen
    for mail in relay.mailbox.delivered:
        dated = parsedate_to_datetime(str(email.message_from_bytes(mail.content)["Date"]))
        assert dated.timestamp() >= int(answered)


def test_the_same_certificate_in_two_files_is_sent_once(person, folder, relay):
    (folder / "9.pem").write_bytes((folder / "0.pem").read_bytes())
    ran = person("send", folder, "--yes", "--json", *relay.flags)
    assert (ran.status, len(outcomes(ran))) == (0, 9)
    assert len(relay.mailbox.delivered) == 8


def test_an_empty_folder_and_standard_input_are_no_batch(person, tmp_path, relay):
    (tmp_path / "none").mkdir()
    assert person("send", tmp_path / "none", "--yes", *relay.flags).code == "BATCH-EMPTY"
    assert person("send", "a.pem", "-", "--yes", *relay.flags).code == "BATCH-STDIN"
    assert person("send", "a.pem", "b.pem", "--sealed", "m.eml", "--yes").status == 2


def test_two_processes_with_the_same_folder_send_each_message_once(person, folder, relay):
    commands = [
        [sys.executable, "-m", "certmail", "send", folder, "--yes", "--json", *relay.flags]
    ] * 2
    both = [
        subprocess.Popen(
            command, env=person.environment(), cwd=person.home, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for command in commands
    ]  # fmt: skip
    errors = [one.communicate(timeout=60)[1].decode() for one in both]
    statuses = {one.returncode for one in both}
    assert statuses <= {0, 17}, errors
    contents = [mail.content for mail in relay.mailbox.delivered]
    assert len(contents) == len(set(contents))
    # A process that finds a message in the other's hands says so and leaves it; nothing is lost.
    assert len(contents) == 8 or 17 in statuses, errors
    assert person("send", folder, "--yes", "--json", *relay.flags).status == 0
    contents = [mail.content for mail in relay.mailbox.delivered]
    assert (len(contents), len(set(contents))) == (8, 8)


@pytest.fixture
def runtime(person):
    """A place for throw-away homes that a killed process leaves behind; its path must be short."""
    with tempfile.TemporaryDirectory(prefix="cm-killed-", dir="/tmp") as place:
        person.extra["XDG_RUNTIME_DIR"] = place
        yield place


def test_a_batch_killed_again_and_again_delivers_each_message_once(person, folder, relay, runtime):
    """SIGKILL at random moments; what is then unknown is exactly what a person must look at."""
    chance = random.Random(7)
    for _ in range(4):
        running = subprocess.Popen(
            [sys.executable, "-m", "certmail", "send", folder, "--yes", "--json", *relay.flags],
            env=person.environment(),
            cwd=person.home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(chance.uniform(0.7, 2.2))
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(timeout=10)
    time.sleep(0.2)
    ran = person("send", folder, "--yes", "--json", *relay.flags)
    assert ran.status in {0, 14}, ran.out + ran.err
    contents = [mail.content for mail in relay.mailbox.delivered]
    assert len(contents) == len(set(contents))
    with open_outbox(person.home / ".local/state/certmail/outbox") as kept:
        kept.recover(at=datetime.now(UTC))
        unknown = {e.sha256 for e in kept.entries() if e.state.value == "unknown"}
        accepted = {e.sha256 for e in kept.entries() if e.state.value == "accepted"}
    assert len(unknown) + len(accepted) == 8
    assert len(accepted) <= len(contents) <= len(accepted) + len(unknown)
    assert ran.status == (14 if unknown else 0)


def test_a_bundle_that_was_checked_is_known_again_by_its_octets(tmp_path, bundle_pem, at):
    """In the spelling in which the check compares, or every key would be validated twice."""
    from types import SimpleNamespace

    from certmail.bundle.facts import sha256_hex
    from certmail.cli.batch_send import _check

    path = tmp_path / "known.pem"
    path.write_bytes(bundle_pem)
    assert _check(SimpleNamespace(at=at), str(path)).sha256 == sha256_hex(bundle_pem)
