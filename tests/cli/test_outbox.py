"""What is sent is kept first: kills, full disks, two processes, and what a person is told."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import pytest
import trustme

from certmail.cli import entry
from certmail.ledger.chain import Ledger
from certmail.outbox.store import open_outbox
from certmail.submission import Mode
from tests.cli.conftest import PASSWORD as SECRET
from tests.cli.conftest import Ran, User
from tests.cli.test_terminal import Terminal
from tests.delivery.conftest import server_context
from tests.delivery.hostile import PASSWORD, USER, Deed, HostileRelay
from tests.peers import need
from tests.posix import KILL, POSIX

KILLER = Path(__file__).parent / "killed.py"


@pytest.fixture(scope="module")
def sealed_home(tmp_path_factory, sender, bundle_pem, renewed):
    """A home in which one message was sealed and kept, to be copied for each test."""
    home = tmp_path_factory.mktemp("sealed")
    (home / "bundle.pem").write_bytes(bundle_pem)
    made = User(home=home, gnupg=sender.home)(
        "preview", "bundle.pem", "--key-file", renewed, "--output", "m.eml"
    )
    assert made.status == 0, made.err
    return home


class Here(User):
    """Runs certmail in this very process, which is quicker; whatever is killed runs in another."""

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> Ran:
        term = signal.getsignal(signal.SIGTERM)
        with (
            self.streams() as (out, err, read),
            mock.patch.dict(os.environ, self.environment(), clear=True),
            contextlib.chdir(self.home),
            mock.patch.object(sys, "stdin", io.StringIO()),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                status = entry.run([str(argument) for argument in arguments])
            finally:
                signal.signal(signal.SIGTERM, term)
            return Ran(status, *read())

    @contextlib.contextmanager
    def streams(self):
        """Give where output and errors go, and how to read both when all is said."""
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        yield out, err, lambda: [one.buffer.getvalue().decode() for one in (out, err)]


@pytest.fixture
def person(user, sealed_home, renewed):
    """Somebody with a sealed message in a file of their own."""
    shutil.copytree(sealed_home, user.home, dirs_exist_ok=True)
    extra = {"CERTMAIL_KEY_FILE": str(renewed), "CERTMAIL_KEY_REFRESH": "never"}
    return Here(user.home, user.gnupg, extra)


@pytest.fixture
def abroad(person):
    """The same person, whose commands run in processes of their own."""
    return User(person.home, person.gnupg, person.extra)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def odd(authority, tmp_path):
    """A relay that does as it is told; ``odd.acts`` may be changed while it runs."""
    context = server_context(authority.issue_cert("localhost"))
    authority.cert_pem.write_to_path(tmp_path / "odd-ca.pem")
    (tmp_path / "odd-password").write_text(PASSWORD)
    with HostileRelay(Mode.IMPLICIT, context, {}) as relay:
        relay.flags = (
            "--relay-host", "localhost", "--relay-port", str(relay.port),
            "--relay-ca-file", str(tmp_path / "odd-ca.pem"), "--relay-user", USER,
            "--relay-password-command", f"cat {tmp_path / 'odd-password'}",
        )  # fmt: skip
        yield relay


def state_of(person) -> Path:
    return Path(person.extra.get("XDG_STATE_HOME", person.home / ".local/state")) / "certmail"


def states(person) -> list[str]:
    """Give the states that ``certmail outbox list`` would show."""
    with open_outbox(state_of(person) / "outbox") as kept:
        kept.recover(at=datetime.now(UTC))
        return [entry.state.value for entry in kept.entries()]


def logged(person) -> list[str]:
    log = Ledger(state_of(person) / "log")
    assert log.verify().good
    return [record["outcome"] for record in log.records()]


def kill(person, when: str, what: str, *arguments) -> None:
    done = subprocess.run(
        [sys.executable, KILLER, when, what, *map(str, arguments)],
        env={**person.environment(), "PYTHONPATH": str(KILLER.parent.parent.parent)},
        cwd=person.home,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


SEND = ("send", "--sealed", "m.eml", "--yes")

KILLS = [
    # when, at what, state afterwards, delivered by then
    ("after", "add", "prepared", 0),
    ("before", "SENDING", "prepared", 0),
    ("after", "SENDING", "waiting", 0),
    ("before", "DOT_SENT", "waiting", 0),
    ("after", "DOT_SENT", "unknown", 0),
    ("before", "ACCEPTED", "unknown", 1),
    ("after", "ACCEPTED", "accepted", 1),
    ("after", "log", "accepted", 1),
]


@pytest.mark.parametrize(
    ("when", "what", "state", "delivered"),
    KILLS,
    ids=[f"{when}-{what}" for when, what, *_ in KILLS],
)
def test_a_kill_at_any_change_of_state_loses_nothing_and_sends_nothing_twice(
    person, relay, when, what, state, delivered
):
    kill(person, when, what, *SEND, *relay.flags)
    assert (states(person), len(relay.mailbox.delivered)) == ([state], delivered)
    again = person("outbox", "retry", "--now", *relay.flags)
    if state in {"prepared", "waiting"}:
        assert again.status == 0, again.err
        assert (states(person), len(relay.mailbox.delivered)) == (["accepted"], 1)
        assert relay.mailbox.delivered[0].content == (person.home / "m.eml").read_bytes()
    else:
        assert "nothing in the outbox waits" in again.out
        assert len(relay.mailbox.delivered) == delivered
    assert logged(person) == ["unknown" if state == "unknown" else "accepted"]
    [record] = Ledger(state_of(person) / "log").records()
    assert (record["tls_version"], record["auth_mechanism"]) == ("TLSv1.3", "PLAIN")


def test_a_kill_before_the_message_is_kept_leaves_nothing_behind(person, relay):
    kill(person, "before", "add", *SEND, *relay.flags)
    assert states(person) == []
    assert relay.mailbox.sessions == 0
    assert person(*SEND, *relay.flags).status == 0
    assert len(relay.mailbox.delivered) == 1


def test_the_state_dot_sent_is_on_disk_before_the_dot_is_written(person, odd):
    """The relay looks into the outbox's file when it has the text and not yet the dot."""
    import sqlite3

    seen = []

    def look(talk) -> None:
        base = sqlite3.connect(person.home / ".local/state/certmail/outbox/outbox.sqlite3")
        seen.extend(base.execute("SELECT state FROM message").fetchall())
        base.close()
        talk.say(b"250 2.0.0 queued\r\n")

    odd.acts = {"dot": look}
    assert person(*SEND, *odd.flags).status == 0
    assert seen == [("dot sent",)]


def test_what_may_have_been_accepted_is_sent_again_only_by_a_persons_word(person, odd):
    odd.acts = {"dot": Deed.DROP}
    lost = person(*SEND, "--json", *odd.flags)
    assert (lost.status, lost.json["outcome"], lost.json["code"]) == (
        14, "unknown", "DELIVERY-UNKNOWN",
    )  # fmt: skip
    name = lost.json["outbox"]
    odd.acts = {}
    for command in (SEND, ("outbox", "retry", name)):
        refused = person(*command, *odd.flags)
        assert (refused.status, refused.code) == (14, "OUTBOX-STILL-UNKNOWN"), command
    assert "nothing in the outbox" in person("outbox", "retry", *odd.flags).out
    before = len(odd.messages)
    resent = person("outbox", "retry", name, "--resend-unknown", *odd.flags)
    assert resent.status == 0, resent.err
    assert len(odd.messages) == before + 1
    assert odd.messages[-1].octets == (person.home / "m.eml").read_bytes()
    assert states(person) == ["accepted"]
    assert logged(person) == ["unknown", "accepted"]


def test_a_refusal_of_the_second_attempt_does_not_settle_the_first(person, odd):
    odd.acts = {"dot": Deed.DROP}
    name = person(*SEND, "--json", *odd.flags).json["outbox"]
    odd.acts = {"rcpt": b"450 4.2.1 busy\r\n"}
    again = person("outbox", "retry", name, "--resend-unknown", *odd.flags)
    assert again.status == 18, again.err
    assert states(person) == ["unknown"]


def test_a_refusal_for_now_is_tried_again_until_the_wait_is_over(person, odd):
    replies = iter([b"451 4.7.1 greylisted\r\n", b"451 4.7.1 greylisted\r\n"])
    odd.acts = {"rcpt": lambda talk: talk.say(next(replies, b"250 2.1.5 ok\r\n"))}
    sent = person(*SEND, "--wait", "30", "--first-pause", "0.2", *odd.flags)
    assert sent.status == 0, sent.err
    assert "trying again at" in sent.err
    assert (len(odd.messages), odd.connections) == (1, 3)
    assert logged(person) == ["deferred", "deferred", "accepted"]


def test_a_refusal_for_now_without_a_wait_stays_in_the_outbox(person, odd):
    odd.acts = {"mail": b"451 4.3.2 later\r\n"}
    sent = person(*SEND, "--json", *odd.flags)
    assert (sent.status, sent.json["outcome"], sent.json["state"]) == (18, "deferred", "waiting")
    assert odd.connections == 1
    odd.acts = {}
    assert person("outbox", "retry", *odd.flags).status == 0
    assert states(person) == ["accepted"]


def test_a_refusal_for_good_waits_for_a_person(person, odd):
    odd.acts = {"rcpt": b"550 5.7.1 no\r\n"}
    sent = person(*SEND, "--json", "--wait", "60", *odd.flags)
    assert (sent.status, sent.json["outcome"], sent.json["state"]) == (13, "refused", "refused")
    odd.acts = {}
    assert "nothing in the outbox" in person("outbox", "retry", *odd.flags).out
    assert person("outbox", "retry", sent.json["outbox"], *odd.flags).status == 0


def test_a_relay_that_cannot_be_reached_is_an_outcome_of_its_own(person, relay_files):
    ran = person(
        *SEND, "--json", "--relay-host", "127.0.0.1", "--relay-port", "9",
        "--relay-ca-file", relay_files[1], "--relay-password-command", "echo x",
    )  # fmt: skip
    assert (ran.status, ran.json["outcome"]) == (19, "not_sent")
    assert (states(person), logged(person)) == (["waiting"], [])


def test_an_accepted_certificate_is_not_sent_twice_by_accident(person, relay, bundle):
    sent = person(*SEND, "--json", *relay.flags)
    assert sent.status == 0
    for command in (SEND, ("send", bundle, "--yes")):
        ran = person(*command, *relay.flags)
        assert (ran.status, ran.code) == (0, None)
        assert ran.out.startswith("nothing is sent: this certificate was accepted on ")
        ran = person(*command, "--json", *relay.flags)
        assert (ran.status, ran.json["outcome"], ran.json["receipt"]) == (0, "already", None)
        assert ran.json["outbox"] == sent.json["outbox"]
    assert len(relay.mailbox.delivered) == 1
    assert person("send", bundle, "--yes", "--again", *relay.flags).status == 0
    assert len(relay.mailbox.delivered) == 2


def test_a_new_message_takes_the_place_of_one_that_was_not_accepted(person, odd, bundle):
    odd.acts = {"mail": b"451 4.3.2 later\r\n"}
    assert person(*SEND, *odd.flags).status == 18
    odd.acts = {}
    assert person("send", bundle, "--yes", *odd.flags).status == 0
    assert states(person) == ["accepted"]
    assert person("outbox", "retry", "--now", *odd.flags).status == 0
    assert len(odd.messages) == 1


def test_two_processes_that_retry_at_once_send_each_message_once(person, abroad, odd):
    odd.acts = {"mail": b"451 4.3.2 later\r\n"}
    person(*SEND, *odd.flags)

    def slowly(talk) -> None:
        time.sleep(2)
        talk.say(b"250 2.0.0 ok\r\n")

    odd.acts = {"dot": slowly}
    done: list[Ran] = []
    retry = ("outbox", "retry", "--now", *odd.flags)
    others = [threading.Thread(target=lambda: done.append(abroad(*retry))) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert len(odd.messages) == 1
    assert states(person) == ["accepted"]
    assert 0 in {ran.status for ran in done}
    assert logged(person) == ["deferred", "accepted"]


def test_a_state_folder_that_cannot_be_written_is_named_before_anything_is_sent(person, relay):
    (person.home / "file").write_text("no folder")
    person.extra["XDG_STATE_HOME"] = str(person.home / "file")
    ran = person(*SEND, *relay.flags)
    assert (ran.status, ran.code) == (17, "STATE-UNWRITABLE")
    assert relay.mailbox.sessions == 0


@pytest.fixture
def small_disk(tmp_path):
    """A file system of half a megabyte for the state folder."""
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("mounting takes root")
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=640k", "tmpfs", disk], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield disk
    subprocess.run([need("umount"), disk], check=True)


def test_a_disk_that_is_full_before_the_dot_stops_the_message(person, relay, small_disk):
    person.extra["XDG_STATE_HOME"] = str(small_disk)
    shutil.copytree(person.home / ".local/state/certmail", small_disk / "certmail")
    assert person("outbox", "list").status == 0
    (small_disk / "certmail/outbox/ballast").unlink()
    _fill(small_disk)
    ran = person(*SEND, *relay.flags)
    assert (ran.status, ran.code) == (17, "STATE-UNWRITABLE"), ran.err
    assert relay.mailbox.delivered == []


def test_a_disk_that_fills_up_while_the_verdict_is_awaited_has_room_for_it(person, odd, small_disk):
    person.extra["XDG_STATE_HOME"] = str(small_disk)
    shutil.copytree(person.home / ".local/state/certmail", small_disk / "certmail")

    def fill(talk) -> None:
        _fill(small_disk)
        talk.say(b"250 2.0.0 queued\r\n")

    odd.acts = {"dot": fill}
    ran = person(*SEND, *odd.flags)
    assert (ran.status, ran.code) in {(0, None), (17, "STATE-UNWRITABLE")}, ran.err
    assert (small_disk / "certmail/outbox/ballast").exists() is False
    (small_disk / "filler").unlink()
    assert states(person) == ["accepted"]
    assert logged(person) == ["accepted"]
    assert len(odd.messages) == 1


def _fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as filler:
        for size in (65536, 4096, 512):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError:
                continue


def test_a_file_limit_that_strikes_at_any_write_loses_nothing(person, relay):
    """RLIMIT_FSIZE stands in for a disk that fills up: each run may write a little more."""
    for limit in range(20_000, 220_000, 40_000):
        subprocess.run(
            [
                sys.executable, "-c",
                ("import resource, signal, sys\n"
                f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
                "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
                "from certmail.cli.entry import run\nsys.exit(run(sys.argv[1:]))"),
                *SEND, *relay.flags,
            ],
            env={**person.environment(), "PYTHONPATH": str(KILLER.parent.parent.parent)},
            cwd=person.home, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert len(relay.mailbox.delivered) <= 1
        if "unknown" in states(person):
            break
    person(*SEND, *relay.flags)
    assert states(person) in (["accepted"], ["unknown"])
    assert len(relay.mailbox.delivered) == 1


def test_a_dropped_message_is_never_offered_again_and_may_be_sent_anew(person, odd):
    odd.acts = {"mail": b"451 4.3.2 later\r\n"}
    name = person(*SEND, "--json", *odd.flags).json["outbox"]
    assert person("outbox", "drop", name).code == "OUTBOX-DROP-NOBODY"
    assert person("outbox", "drop").status == 2
    assert person("outbox", "drop", name, "--yes").status == 0
    odd.acts = {}
    gone = person("outbox", "retry", name, *odd.flags)
    assert (gone.status, gone.code) == (2, "OUTBOX-DROPPED")
    assert states(person) == []
    assert person(*SEND, *odd.flags).status == 0
    assert len(odd.messages) == 1


def test_an_exported_message_is_byte_for_byte_what_was_sealed(person, odd, tmp_path):
    odd.acts = {"mail": b"451 4.3.2 later\r\n"}
    name = person(*SEND, "--json", *odd.flags).json["outbox"]
    assert person("outbox", "export", name[:6], tmp_path / "out.eml").status == 0
    assert (tmp_path / "out.eml").read_bytes() == (person.home / "m.eml").read_bytes()


def test_a_sealed_file_can_be_sent_when_only_the_outbox_knows_it(person, odd):
    odd.acts = {"mail": b"451 4.3.2 later\r\n"}
    person(*SEND, *odd.flags)
    shutil.rmtree(person.home / ".local/state/certmail/sealed")
    odd.acts = {}
    sent = person(*SEND, *odd.flags)
    assert sent.status == 0, sent.err


def test_a_key_that_expired_meanwhile_stops_a_retry(person, odd):
    odd.acts = {"mail": b"451 4.3.2 later\r\n"}
    person(*SEND, *odd.flags)
    del person.extra["CERTMAIL_KEY_FILE"]
    ran = person("outbox", "retry", "--now", "--offline", *odd.flags)
    assert (ran.status, ran.code) == (11, "KEY-EXPIRED"), ran.err
    assert states(person) == ["waiting"]


def test_nothing_of_the_bundle_rests_in_the_state_folder(person, relay, bundle, bundle_pem):
    assert person("send", bundle, "--yes", *relay.flags).status == 0
    kept = b"".join(
        path.read_bytes()
        for path in (person.home / ".local/state/certmail").rglob("*")
        if path.is_file()
    )
    assert b"BEGIN PGP MESSAGE" in kept
    assert b"PRIVATE KEY" not in kept
    assert [line for line in bundle_pem.splitlines() if len(line) > 30 and line in kept] == []


@POSIX
def test_the_state_folder_is_for_its_owner_alone(person, relay):
    assert person(*SEND, *relay.flags).status == 0
    root = person.home / ".local/state/certmail"
    loose = [
        str(path) for path in root.rglob("*") if path.is_file() and path.stat().st_mode & 0o077
    ]
    assert loose == []
    assert [oct(path.stat().st_mode & 0o777) for path in (root / "outbox", root / "log")] == [
        "0o700", "0o700",
    ]  # fmt: skip


def test_the_log_holds_the_public_facts_of_a_delivery(person, relay):
    assert person(*SEND, *relay.flags).status == 0
    [record] = person("log", "--json").json["records"]
    for field in (
        "at", "relay", "peer", "tls_version", "cipher", "relay_certificate_sha256",
        "relay_spki_sha256", "auth_mechanism", "reply", "message_id", "message_sha256",
        "recipient_key", "signer", "certificate_serial", "certificate_ends", "names", "reference",
    ):  # fmt: skip
        assert record.get(field), field
    assert record["certificate_sha256"] != record["relay_certificate_sha256"]
    exported = person("log", "--export", "--outcome", "accepted")
    assert json.loads(exported.out) == record
    assert person("log", "--json", "--name", "other.example").json["records"] == []

    assert SECRET not in json.dumps(record)


def test_an_edit_of_the_log_shows_and_stops_the_next_send(person, relay, bundle):
    assert person(*SEND, *relay.flags).status == 0
    log = person.home / ".local/state/certmail/log/receipts.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole.replace(b'"accepted"', b'"refused"'))
    ran = person("log", "verify")
    assert ran.status == 17
    assert "NOT as it was written" in ran.out
    log.write_bytes(b"")
    assert person("log", "verify", "--json").json["good"] is False
    stopped = person("send", bundle, "--yes", "--again", *relay.flags)
    assert (stopped.status, stopped.code) == (17, "LOG-DAMAGED")
    assert len(relay.mailbox.delivered) == 1


def test_what_ends_soon_is_told_to_cron(person, relay):
    assert person("due").status == 0
    assert person(*SEND, *relay.flags).status == 0
    [record] = person("log", "--json").json["records"]
    assert person("due", "--days", "0").status == 0
    soon = person("due", "--days", "3650", "--json")
    assert soon.status == 20
    assert soon.json["due"][0]["names"] == record["names"]


def test_a_weaker_login_later_is_refused_before_a_password_is_read(person, odd, tmp_path, bundle):
    assert person(*SEND, *odd.flags).status == 0
    trace = tmp_path / "read"
    flags = (*odd.flags, "--relay-password-command", f"touch {trace}", "--relay-user", "")
    weaker = person("send", bundle, "--yes", "--again", "--json", *flags)
    assert (weaker.status, weaker.json["code"]) == (19, "RATCHET-WEAKER"), weaker.err
    starttls = person(
        "send", bundle, "--yes", "--again", *odd.flags, "--relay-mode", "starttls",
        "--relay-password-command", f"touch {trace}",
    )  # fmt: skip
    assert (starttls.status, starttls.code) == (19, "RATCHET-WEAKER")
    assert not trace.exists()
    assert len(odd.messages) == 1
    assert person("relay", "accept", "localhost").code == "RATCHET-ACCEPT-NOBODY"
    assert person("relay", "accept", "localhost", "--yes").status == 0
    taken = person("send", bundle, "--yes", "--again", *odd.flags, "--relay-user", "")
    assert taken.status == 0, taken.err


def test_a_message_is_found_by_the_beginning_of_its_hash_alone(person):
    assert person("outbox", "show", "abcd").code == "OUTBOX-NO-SUCH"
    assert person("outbox", "show", "%").code == "OUTBOX-NO-SUCH"


@contextlib.contextmanager
def stuck(person, odd, point: str, *more):
    """Run a send until the relay falls silent at ``point``; end with the process."""
    reached = threading.Event()

    def hang(talk) -> None:
        reached.set()
        talk.wait()

    odd.acts = {point: hang}
    running = subprocess.Popen(
        [sys.executable, "-m", "certmail", *SEND, *odd.flags, *more],
        env=person.environment(), cwd=person.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # A test runner's worker may ignore Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )  # fmt: skip
    try:
        assert reached.wait(30)
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.mark.parametrize(
    ("sign", "point", "status", "state"),
    [
        (signal.SIGINT, "dot", 14, "unknown"),
        (signal.SIGINT, "rcpt", 130, "waiting"),
        (signal.SIGTERM, "dot", 143, "unknown"),
        (signal.SIGTERM, "rcpt", 143, "waiting"),
        (KILL, "dot", -9, "unknown"),
        (KILL, "rcpt", -9, "waiting"),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_signal_leaves_what_is_true_behind(person, odd, sign, point, status, state):
    with stuck(person, odd, point) as running:
        running.send_signal(sign)
        _, err = running.communicate(timeout=30)
    assert running.returncode == status, err.decode()
    assert states(person) == [state]


def test_an_interrupt_while_waiting_to_try_again_leaves_it_waiting(person, odd):
    odd.acts = {"mail": b"451 4.3.2 later\r\n"}
    running = subprocess.Popen(
        [sys.executable, "-m", "certmail", *SEND, *odd.flags, "--wait", "600"],
        env=person.environment(), cwd=person.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )  # fmt: skip
    while b"trying again" not in running.stderr.readline():
        pass
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert running.returncode == 130
    assert states(person) == ["waiting"]


def test_who_waits_with_a_message_that_another_send_replaced_is_told_of_the_other(person, odd):
    """The waiting one may not be tried again, and its certificate needs no second sealing."""
    odd.acts = {"mail": b"451 4.3.2 later\r\n"}
    words = [*SEND, "--json", "-v", *odd.flags, "--wait", "60", "--first-pause", "4"]
    running = subprocess.Popen(
        [sys.executable, "-m", "certmail", *words],
        env=person.environment(), cwd=person.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while states(person) != ["waiting"]:
        time.sleep(0.05)
    odd.acts = {}
    other = person("send", "bundle.pem", "--yes", "--json", *odd.flags)
    assert other.status == 0, other.err
    out, err = (stream.decode() for stream in running.communicate(timeout=60))
    told = json.loads(out)
    assert (running.returncode, told["code"]) == (2, "OUTBOX-DROPPED")
    assert f"certmail outbox show {other.json['outbox']}" in told["error"]["next"]
    assert "retry" not in told["error"]["next"] + told["todo"] + err
    assert len(odd.messages) == 1


@pytest.mark.parametrize(
    ("when", "what", "point", "state"),
    [
        ("before", "WAITING", "mail", "waiting"),
        ("after", "WAITING", "mail", "waiting"),
        ("before", "REFUSED", "rcpt", "waiting"),
        ("after", "REFUSED", "rcpt", "refused"),
        ("before", "REFUSED", "dot", "unknown"),
        ("before", "UNKNOWN", "drop", "unknown"),
        ("after", "UNKNOWN", "drop", "unknown"),
    ],
)
def test_a_kill_while_a_refusal_is_written_down_loses_nothing(
    person, odd, when, what, point, state
):
    odd.acts = {
        "mail": {"mail": b"451 4.3.2 later\r\n"},
        "rcpt": {"rcpt": b"550 5.7.1 no\r\n"},
        "dot": {"dot": b"554 5.6.0 no\r\n"},
        "drop": {"dot": Deed.DROP},
    }[point]
    kill(person, when, what, *SEND, *odd.flags)
    assert states(person) == [state]
    odd.acts = {}
    messages = len(odd.messages)
    person("outbox", "retry", "--now", *odd.flags)
    assert len(odd.messages) == messages + (state == "waiting")


def test_at_a_terminal_a_typed_word_resends_what_may_have_been_accepted(person, odd):
    odd.acts = {"dot": Deed.DROP}
    name = person(*SEND, "--json", *odd.flags).json["outbox"]
    odd.acts = {}
    before = len(odd.messages)
    for word, status, more in ((b"yes\n", 14, 0), (b"RESEND\n", 0, 1)):
        terminal = Terminal(person, "outbox", "retry", name, *odd.flags)
        asked = b"Type RESEND"
        assert asked in terminal.until(asked), terminal.seen
        terminal.type(word)
        assert terminal.end() == status, terminal.seen
        assert len(odd.messages) == before + more
    assert states(person) == ["accepted"]


def test_the_password_is_not_kept(person, relay):
    assert person(*SEND, *relay.flags).status == 0

    for path in (person.home / ".local/state/certmail").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()
