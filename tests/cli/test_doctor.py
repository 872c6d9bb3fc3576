"""The doctor looks at everything, changes nothing, and says the first thing that would stop a send.

The command is the real one; what it meets are real programs, a relay and name servers on loopback.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from certmail.submission import Mode
from tests.cli.conftest import ROOT, Ran, User
from tests.delivery.conftest import server_context
from tests.delivery.hostile import Deed, HostileRelay
from tests.keysources.serving import answer, make_trust, web
from tests.names.responder import Manner, Table, serving
from tests.posix import IS_ROOT
from tests.secrets.support import run_in_terminal, secret_service

CALLER = """
import json, ssl, sys, time
from datetime import datetime
from certmail.cli.entry import run
from certmail.cli.keys_at_hand import World
from certmail.keysources.fetch import Network
from certmail.names.ask import Resolver
import httpcore
told = json.loads(sys.argv[1])


class Elsewhere(httpcore.SyncBackend):
    def connect_tcp(self, host, port, *more, **named):
        return super().connect_tcp("127.0.0.1", told["web"], *more, **named)


def look_up(host, port):
    if told["look_up"] == "nothing":
        raise OSError(-2, "Name or service not known")
    if told["look_up"] == "silence":
        time.sleep(60)
    return ["127.0.0.1", "::1"]


network = Network(
    env={},
    context=ssl.create_default_context(cafile=told["ca_file"]) if told["ca_file"] else None,
    resolve=lambda host, port: ("93.184.215.14",),
    wire=Elsewhere(),
)
world = World(
    network=network,
    resolver=Resolver(servers=(tuple(told["resolver"]),)),
    look_up=look_up,
    at=datetime.fromisoformat(told["at"]) if told["at"] else None,
)
sys.exit(run(sys.argv[2:], world=world))
"""
"""A program that calls certmail with a world of its own; no flag or variable names one."""

DOMAIN = "clever-cloud.com"
KEY = "ab" * 32
PATIENCE_S = 40
"""For a whole run with a deadline of five seconds, on a machine under load."""


@dataclass
class Patient(User):
    """A user whose resolver, web and clock are those of a test."""

    told: dict = field(default_factory=dict)

    def __call__(self, *arguments, stdin: bytes = b"") -> Ran:
        done = subprocess.run(
            [sys.executable, "-c", CALLER, json.dumps(self.told), *map(str, arguments)],
            input=stdin,
            env={**self.environment(), "PYTHONPATH": str(ROOT)},
            cwd=self.home,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def table():
    with serving(Table()) as running:
        yield running


@pytest.fixture
def patient(tmp_path, sender, table) -> Patient:
    told = {"resolver": table.server, "web": 9, "ca_file": None, "look_up": "", "at": None}
    return Patient(tmp_path, sender.home, told=told)


def looks(ran) -> dict[str, tuple[str, str | None]]:
    return {look["name"]: (look["health"], look["code"]) for look in ran.json["looks"]}


def one(ran, name: str) -> dict:
    return next(look for look in ran.json["looks"] if look["name"] == name)


def offline(user, *arguments) -> Ran:
    return user("doctor", "--offline", "--json", *arguments)


def at_relay(user, relay, *arguments) -> Ran:
    return user("doctor", "--json", *relay.flags, *arguments)


# The whole of it


def test_variables_that_bring_other_code_are_named_and_without_any_there_is_no_row(user):
    assert "environment" not in looks(offline(user))
    user.extra = {"LD_PRELOAD": "/no/such.so", "PYTHONPATH": str(user.home)}
    ran = offline(user)
    assert looks(ran)["environment"] == ("note", "ENVIRONMENT-CODE")
    assert one(ran, "environment")["evidence"].startswith("LD_PRELOAD, PYTHONPATH are set")


def test_every_part_is_looked_at_though_some_are_bad(user):
    ran = offline(user)
    found = looks(ran)
    assert (ran.status, ran.json["healthy"], ran.json["exit_status"]) == (11, False, 11)
    assert found["GnuPG"] == ("ok", None)
    assert found["signing key"] == ("ok", None)
    assert found["recipient's key"] == ("bad", "KEY-EXPIRED")
    assert found["relay"] == ("bad", "SETTINGS-MISSING")
    assert found["outbox"] == ("ok", None)
    assert found["log"] == ("ok", None)


def test_a_good_set_up_is_healthy(patient, renewed, relay):
    ran = at_relay(patient, relay, "--key-file", renewed)
    found = looks(ran)
    assert (ran.status, ran.json["healthy"]) == (0, True), ran.out
    assert "bad" not in {health for health, _ in found.values()}
    assert found["its freshness"] == ("note", "KEY-NOT-REFRESHED")
    assert found["TLS"] == ("ok", None)


def test_offline_leaves_the_network_alone(patient, table, relay):
    found = looks(offline(patient, *relay.flags))
    for name in ("name", "TLS", "login", "envelope", "MX", "DANE", "MTA-STS"):
        assert found[name] == ("skipped", None)
    assert (table.asked, relay.mailbox.sessions) == ([], 0)


@pytest.mark.parametrize("deeper", ["--login", "--envelope"])
def test_offline_and_a_login_are_not_asked_for_together(deeper, user):
    ran = user("doctor", "--offline", deeper)
    assert (ran.status, ran.code) == (2, "DOCTOR-OFFLINE")


def test_the_screen_is_what_the_document_shows(patient, relay, table):
    """Paths, numbers, instants and the copy of the key differ; the words and their order do not."""
    served(table)
    ran = patient("doctor", *relay.flags, "--login")
    assert ran.out.endswith("\n\nA send would stop at: recipient's key [KEY-EXPIRED].\n")
    assert all(len(line) <= 80 or " " not in line[28:].strip() for line in ran.out.splitlines())
    shown = plain(ran.out)
    document = (ROOT / "docs" / "doctor.md").read_text()
    transcript = re.search(r"```text\n(This machine\n.*?)```", document, re.DOTALL)
    assert shown == plain(transcript[1])


def plain(text: str) -> str:
    """Take away what differs from machine to machine, and where lines are folded because of it."""
    text = re.sub(r"\s+", " ", text)
    for pattern, word in (
        (r"(?<![\w.])/[\w./ -]*?(?=[,;) ])", "PATH"),
        (r"\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?", "DAY"),
        (r"127\.0\.0\.1(:\d+)?|smtp\.example\.org(:\d+)?", "HOST"),
        (r"(?:[0-9A-F]{4} ){10}", "FINGERPRINT "),
        (r"<[^>]*>", "ADDRESS"),
        (r"TLSv1\.3, \w+", "TLS"),
        (r"\b[\d,]+ (ms|MiB|octets)", r"N \1"),
        (r"version [\d.]+", "VERSION"),
        (r"agent (?:answers, VERSION|not running;[^;]*?needed)", "AGENT"),
        (r"(?:ok|note) pinentry .*?(?=(?:ok|note) gpg\.conf)", "PINENTRY "),
        (r"(?:ok|note) gpg\.conf .*?(?=ok clock)", "OPTIONS "),
        (r"; set by systemd-timesyncd", ""),
        (r"ok name .*?(?=ok TLS)", "NAME "),
        (r"(?:ok|bad) recipient's key .*?(?=note its)", "KEY "),
        (r"(?:Nothing that was looked at|A send) would stop.*", "VERDICT"),
        (r"ok settings .*?(?=ok password)", "SETTINGS "),
        (r"from the (?:password )?command [^ ]*", "from the command"),
    ):
        text = re.sub(pattern, word, text)
    return text.strip()


# This machine


def test_broken_settings_are_the_first_thing_and_nothing_is_guessed(user):
    path = user.home / "bad.toml"
    path.write_text('[relay]\nhots = "smtp.example.org"\n')
    path.chmod(0o600)
    ran = user("--config", path, "doctor", "--json", "--offline")
    found = looks(ran)
    assert (ran.status, found["settings"]) == (16, ("bad", "SETTINGS-UNKNOWN"))
    assert {found[name][0] for name in ("GnuPG", "signing key", "password")} == {"skipped"}
    assert found["log"] == ("ok", None)


def test_the_settings_say_where_they_come_from(user):
    path = user.home / "good.toml"
    path.write_text('[relay]\nhost = "smtp.example.org"\n')
    path.chmod(0o600)
    user.extra["CERTMAIL_SENDER_NAME"] = "Ops"
    seen = one(user("--config", path, "doctor", "--json", "--offline"), "settings")
    assert "mode 600, 1 setting; 2 by variables" in seen["evidence"]


def program(folder: Path, text: str, name: str = "gpg") -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_gnupg_that_is_too_old_is_told_and_what_needs_it_is_skipped(user, tmp_path):
    old = program(tmp_path, "#!/bin/sh\necho 'gpg (GnuPG) 2.1.18'\n")
    ran = offline(user, "--gnupg-program", old)
    found = looks(ran)
    assert (ran.status, found["GnuPG"]) == (12, ("bad", "GPG-TOO-OLD"))
    assert {found[name][0] for name in ("GnuPG home", "agent", "signing key")} == {"skipped"}
    assert one(ran, "agent")["evidence"] == "needs GnuPG"


def test_a_gnupg_that_is_not_there_is_told(user, tmp_path):
    found = looks(offline(user, "--gnupg-program", tmp_path / "nothing"))
    assert found["GnuPG"] == ("bad", "GPG-MISSING")


def test_a_gnupg_that_hangs_ends_with_the_deadline_and_leaves_nothing(user, tmp_path):
    mark = f"{4000 + os.getpid() % 1000}"
    hangs = program(tmp_path, f"#!/bin/sh\nexec sleep {mark}\n")
    began = time.monotonic()
    ran = offline(user, "--gnupg-program", hangs, "--deadline", "5")
    assert time.monotonic() - began < PATIENCE_S
    assert looks(ran)["GnuPG"] == ("bad", "GPG-MISSING")
    assert one(ran, "log")["evidence"] == "the time is over; --deadline gives more"
    assert (
        f"sleep {mark}"
        not in subprocess.run(
            ["ps", "-eo", "args"], capture_output=True, text=True, check=True
        ).stdout
    )


@contextmanager
def own_home(user, folder: Path):
    """A GnuPG home of the test's own; its agent ends with it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    user.gnupg = folder
    try:
        yield folder
    finally:
        subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=False, timeout=20)


@pytest.fixture
def short(tmp_path_factory) -> Path:
    """A folder whose path is short enough for sockets."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="cm-d-", dir="/tmp") as folder:
        yield Path(folder)


def test_a_home_that_others_can_enter_is_told_with_the_command(user, short):
    with own_home(user, short / "g") as home:
        home.chmod(0o755)
        seen = one(offline(user), "GnuPG home")
    assert (seen["health"], seen["next"]) == ("note", f"chmod 700 {home}")
    assert "mode 755" in seen["evidence"]


def test_a_home_that_is_not_there_yet_is_no_fault_of_its_own(user, short):
    user.gnupg = short / "nowhere"
    ran = offline(user)
    assert one(ran, "GnuPG home")["health"] == "note"
    assert looks(ran)["signing key"] == ("bad", "SIGNER-NONE")


def test_a_home_that_is_a_file_is_bad(user, short):
    user.gnupg = short / "file"
    user.gnupg.touch()
    ran = offline(user)
    assert (ran.status, looks(ran)["GnuPG home"]) == (12, ("bad", "GPG-USER-HOME"))


@pytest.mark.skipif(IS_ROOT, reason="everything is open to root")
def test_a_home_that_may_not_be_entered_is_bad(user, short):
    with own_home(user, short / "g") as home:
        home.chmod(0o000)
        assert looks(offline(user))["GnuPG home"] == ("bad", "GPG-USER-HOME")
        home.chmod(0o700)


def test_an_agent_that_runs_says_its_version_and_one_that_does_not_is_not_started(user, short):
    with own_home(user, short / "g") as home:
        assert (
            "not running"
            in one(offline(user, "--gnupg-program", gpg_only(short)), "agent")["evidence"]
        )
        assert not (home / "S.gpg-agent").exists()
        subprocess.run(
            ["gpg-connect-agent", "--homedir", home, "/bye"],
            check=True,
            capture_output=True,
            timeout=20,
        )
        assert one(offline(user), "agent")["evidence"].startswith("answers, version 2.")


def test_a_gnupg_that_answers_and_fails_is_no_bug_of_certmails(user, short):
    with own_home(user, short / "g"):
        ran = offline(user, "--gnupg-program", gpg_only(short))
    assert (ran.status, looks(ran)["signing key"]) == (12, ("bad", "GPG-FAILED"))


def gpg_only(folder: Path) -> Path:
    """A GnuPG that lists no keys, so that it starts no agent; all else is the machine's."""
    return program(
        folder, '#!/bin/sh\ncase "$*" in *--version*) exec /usr/bin/gpg "$@";; esac\nexit 2\n'
    )


def test_an_agent_that_hangs_is_told_and_the_key_behind_it_not_asked_for(user, short):
    with own_home(user, short / "g") as home, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(home / "S.gpg-agent"))
        silent.listen(8)
        began = time.monotonic()
        ran = offline(user)
        assert time.monotonic() - began < PATIENCE_S
    assert looks(ran)["agent"] == ("bad", "SIGN-NO-AGENT")
    assert one(ran, "signing key")["evidence"] == "needs the agent"


def test_a_home_too_deep_for_a_socket_is_told(user, short):
    with own_home(user, short / ("d" * 120)):
        ran = offline(user)
    if Path(f"/run/user/{os.getuid()}").is_dir():
        pytest.skip("GnuPG keeps its sockets below /run here")
    assert looks(ran)["agent"] == ("bad", "GPG-AGENT-SOCKET")


PINENTRY = """#!/bin/sh
echo "OK Pleased to meet you"
read line
echo "D {flavour}"
echo OK
"""


@pytest.fixture
def pinentry(user, short):
    """Have the agent's settings name a pinentry of the given flavour, or one that is not there."""

    def choose(flavour: str) -> None:
        named = short / "pinentry"
        if flavour:
            program(short, PINENTRY.format(flavour=flavour), "pinentry")
        (short / "g" / "gpg-agent.conf").write_text(f"pinentry-program {named}\n")

    with own_home(user, short / "g"):
        yield choose


@pytest.mark.parametrize(
    ("flavour", "environment", "health", "words"),
    [
        ("gnome3:curses", {"DISPLAY": ":7"}, "ok", "asks in a window on :7"),
        ("qt", {"WAYLAND_DISPLAY": "wayland-0"}, "ok", "asks in a window on wayland-0"),
        ("curses", {"GPG_TTY": "/dev/pts/9"}, "ok", "asks on /dev/pts/9"),
        ("gtk2:curses", {"GPG_TTY": "/dev/pts/9"}, "ok", "asks on /dev/pts/9"),
        ("curses", {"DISPLAY": ":7"}, "note", "nobody can be asked here"),
        ("qt", {"GPG_TTY": "/dev/pts/9"}, "note", "nobody can be asked here"),
        ("tty", {}, "note", "nobody can be asked here"),
        ("", {}, "note", "cannot be run"),
    ],
)
def test_whether_a_passphrase_can_be_asked_for(flavour, environment, health, words, user, pinentry):
    pinentry(flavour)
    user.extra |= environment
    seen = one(offline(user), "pinentry")
    assert (seen["health"], words in seen["evidence"]) == (health, True), seen
    assert seen["code"] == ("SIGN-NO-PINENTRY" if health == "note" else None)


def test_options_that_certmail_does_not_use_are_named_without_their_values(user, short):
    with own_home(user, short / "g") as home:
        (home / "gpg.conf").write_text("# mine\nencrypt-to evil@example.org\n--comment x\n\n")
        seen = one(offline(user), "gpg.conf")
    assert (seen["health"], "encrypt-to, comment" in seen["evidence"]) == ("note", True)
    assert "evil" not in seen["evidence"]


def test_a_clock_before_what_has_passed_is_bad(patient):
    patient.told["at"] = "2024-05-06T07:08:09+00:00"
    ran = offline(patient)
    assert (ran.status, looks(ran)["clock"]) == (12, ("bad", "CLOCK-BEHIND"))
    assert "2024-05-06 07:08 UTC" in one(ran, "clock")["evidence"]


def test_the_clock_is_held_against_the_relays_certificate(patient, relay):
    evidence = one(at_relay(patient, relay), "clock")["evidence"]
    assert "within the certificate of the relay" in evidence


# Keys


def test_a_home_without_keys_is_bad_and_names_the_command(user, short):
    with own_home(user, short / "g"):
        ran = user("doctor", "--offline")
    assert ran.status == 12
    assert "--quick-generate-key" in ran.out


def test_the_signing_key_says_what_it_is(user):
    evidence = one(offline(user), "signing key")["evidence"]
    assert "ed25519, on this machine, no expiry; signs for <ops@sender.example>" in evidence


def test_a_signing_key_for_another_address_is_bad(user):
    ran = offline(user, "--from", "else@example.org")
    assert (ran.status, looks(ran)["signing key"]) == (12, ("bad", "SIGNER-ADDRESS"))


# The password


def test_a_password_command_is_looked_for_and_not_run(patient, relay, tmp_path):
    ran_once = tmp_path / "ran"
    command = program(tmp_path, f"#!/bin/sh\ntouch {ran_once}\n", "secret")
    seen = one(at_relay(patient, relay, "--relay-password-command", command), "password")
    assert (seen["health"], "not run" in seen["evidence"]) == ("ok", True)
    assert not ran_once.exists()
    missing = ("--relay-password-command", tmp_path / "nothing")
    ran = at_relay(patient, relay, *missing)
    assert looks(ran)["password"] == ("bad", "SECRET-COMMAND-FAILED")


RELAY = ("--relay-host", "smtp.example.org", "--relay-user", "ops@example.org")


def test_a_machine_without_a_keyring_and_a_terminal_cannot_give_the_password(user):
    user.extra["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nonexistent"
    found = looks(offline(user, *RELAY))
    assert found["password"] == ("bad", "SECRET-KEYRING-NONE")


def test_on_a_terminal_the_password_can_be_typed(user):
    user.extra["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nonexistent"
    code = f"""
import os
from certmail.cli.entry import run
os.environ |= {user.environment()!r}
raise SystemExit(run({["doctor", "--offline", *RELAY]!r}))
"""
    status, screen = run_in_terminal(code, type_in=b"")
    assert status in {11, 12}
    assert "you would be asked for it" in re.sub(r"\s+", " ", screen)


@pytest.mark.parametrize(
    ("mode", "health", "code"), [(0o600, "ok", None), (0o644, "bad", "SECRET-FILE-UNSAFE")]
)
def test_a_password_file_is_judged_and_not_read(mode, health, code, user):
    path = user.home / "password"
    path.write_text("canary-of-the-file\n")
    path.chmod(mode)
    ran = offline(user, *RELAY, "--relay-password-file", path)
    assert looks(ran)["password"] == (health, code)
    assert "canary" not in ran.out


@pytest.mark.peer
@pytest.mark.xdist_group("keyring")
@pytest.mark.parametrize(
    ("unlock", "health", "code"),
    [(True, "ok", None), (False, "bad", "SECRET-KEYRING-LOCKED")],
)
def test_a_keyring_is_named_and_its_lock_told(unlock, health, code, user, short):
    if not unlock:
        with secret_service(short):  # made and unlocked once, it is locked the next time
            pass
    with secret_service(short, unlock=unlock) as env:
        user.extra |= {name: env[name] for name in env if name not in {"PATH", "HOME"}}
        ran = offline(user, *RELAY)
    assert looks(ran)["password"] == (health, code), ran.out
    if unlock:
        assert one(ran, "password")["evidence"] == "from the keyring SecretService; not read"


def test_a_relay_without_a_login_needs_no_password(user):
    seen = one(offline(user, "--relay-host", "smtp.example.org", "--relay-user", ""), "password")
    assert (seen["health"], "without a login" in seen["evidence"]) == ("ok", True)


# The relay


def test_the_relay_is_dialled_up_to_tls_and_no_further(patient, relay):
    ran = at_relay(patient, relay)
    found = looks(ran)
    assert (found["name"], found["TLS"]) == (("ok", None), ("ok", None))
    assert one(ran, "login")["evidence"].endswith("tried with --login only")
    assert found["envelope"] == ("skipped", None)
    assert "TLSv1.3" in one(ran, "TLS")["evidence"]


def test_a_login_is_tried_once_when_asked_for(patient, relay):
    ran = at_relay(patient, relay, "--login")
    assert one(ran, "login")["evidence"].endswith("as ops: accepted")
    assert looks(ran)["envelope"] == ("skipped", None)
    assert relay.mailbox.delivered == []


def test_the_envelope_is_named_and_taken_back(patient, relay):
    ran = at_relay(patient, relay, "--envelope")
    assert looks(ran)["login"] == ("ok", None)
    assert "RCPT 250" in one(ran, "envelope")["evidence"]
    assert "RSET 250" in one(ran, "envelope")["evidence"]
    assert relay.mailbox.delivered == []


def test_a_refused_login_leaves_tls_good_and_the_envelope_unasked(patient, relay, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong\n")
    ran = at_relay(patient, relay, "--envelope", "--relay-password-command", f"cat {wrong}")
    found = looks(ran)
    assert (found["TLS"], found["login"]) == (("ok", None), ("bad", "RELAY-AUTH-REFUSED"))
    assert one(ran, "envelope")["evidence"] == "needs the login"


def test_a_certificate_that_does_not_verify_is_bad(patient, relay, tmp_path_factory, at):
    other = make_trust(tmp_path_factory.mktemp("other"), at).ca_file
    found = looks(at_relay(patient, relay, "--relay-ca-file", other))
    assert found["TLS"] == ("bad", "RELAY-TLS-CERTIFICATE")
    assert found["login"] == ("skipped", None)


def test_a_port_that_is_closed_is_bad(patient, relay):
    found = looks(at_relay(patient, relay, "--relay-port", "9"))
    assert found["TLS"] == ("bad", "RELAY-UNREACHABLE")


@pytest.mark.parametrize("manner", ["nothing", "silence"])
def test_a_name_that_leads_nowhere_is_bad_and_nothing_is_dialled(manner, patient):
    patient.told["look_up"] = manner
    ran = patient("doctor", "--json", *RELAY)
    found = looks(ran)
    assert found["name"] == ("bad", "RELAY-UNREACHABLE")
    assert one(ran, "TLS")["evidence"] == "needs an address of the relay"
    assert one(ran, "name")["seconds"] < 10


def test_a_name_that_leads_somewhere_is_shown(patient, relay):
    ran = at_relay(patient, relay, "--relay-host", "localhost")
    assert one(ran, "name")["evidence"] == "leads to 127.0.0.1, ::1"


def test_a_weaker_offer_than_what_worked_is_bad(patient, relay):
    folder = patient.home / ".local" / "state" / "certmail" / "relays"
    folder.mkdir(parents=True, mode=0o700)
    worked = {"mode": "smtps", "pin": None, "tls_version": "TLSv1.3", "mechanism": "SCRAM-SHA-512"}
    kept = {"127.0.0.1": {**worked, "at": "2026-01-02T03:04:05+00:00"}}
    (folder / "relays.json").write_text(
        json.dumps({"schema": "certmail.ratchet/1", "relays": kept})
    )
    ran = at_relay(patient, relay, "--login")
    assert looks(ran)["login"] == ("bad", "RATCHET-WEAKER")
    assert "worked on 2026-01-02" in one(ran, "memory")["evidence"]


@pytest.fixture(scope="module")
def hostile_files(tmp_path_factory):
    import trustme

    authority = trustme.CA()
    path = tmp_path_factory.mktemp("hostile") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return server_context(authority.issue_cert("localhost", "127.0.0.1")), path


@pytest.mark.parametrize("point", ["accept", "greeting", "ehlo-inside", "auth", "rcpt"])
def test_a_relay_that_stalls_at_any_stage_is_left_by_the_deadline(point, patient, hostile_files):
    context, ca_file = hostile_files
    secret = patient.home / "password"
    secret.write_text("canary-Pässword-7f3a\n")
    began = time.monotonic()
    with HostileRelay(Mode.IMPLICIT, context, {point: Deed.SILENCE}) as relay:
        ran = patient(
            "doctor", "--json", "--envelope", "--deadline", "5",
            "--relay-host", "127.0.0.1", "--relay-port", relay.port,
            "--relay-ca-file", ca_file, "--relay-user", "ops@example.org",
            "--relay-password-command", f"cat {secret}",
        )  # fmt: skip
    assert time.monotonic() - began < PATIENCE_S
    assert one(ran, "TLS")["seconds"] < 10
    assert ("bad", "RELAY-TIMEOUT") in looks(ran).values(), ran.out
    assert "canary" not in ran.out


def test_a_proxy_looks_names_up_and_nobody_is_asked_around_it(patient, table):
    patient.extra["CERTMAIL_RELAY_PROXY"] = "socks5://127.0.0.1:9"
    ran = patient("doctor", "--json", *RELAY, "--relay-password-command", "cat /nonexistent")
    assert one(ran, "name")["evidence"] == "the proxy looks the name up"
    assert looks(ran)["MX"] == ("skipped", None)
    assert table.asked == []


# The recipient's domain


POLICY = b"version: STSv1\nmode: enforce\nmx: mx1.clever-cloud.com\nmax_age: 864000\n"


def served(table: Table) -> None:
    """Have the recipient's domain say something; not what it says in truth."""
    table.validated = True
    table.records |= {
        (DOMAIN, "MX"): ["10 mx1.clever-cloud.com.", "20 mx2.clever-cloud.com."],
        ("mx1.clever-cloud.com", "A"): ["192.0.2.1"],
        ("mx2.clever-cloud.com", "A"): ["192.0.2.2"],
        ("_25._tcp.mx1.clever-cloud.com", "TLSA"): [f"3 1 1 {KEY}"],
    }


def test_the_recipients_domain_is_told_as_information(patient, table, tmp_path_factory, at):
    served(table)
    table.records["_mta-sts.clever-cloud.com", "TXT"] = ['"v=STSv1; id=1;"']
    trust = make_trust(tmp_path_factory.mktemp("sts"), at, "mta-sts.clever-cloud.com")
    pages = {"/.well-known/mta-sts.txt": answer(POLICY)}
    with web(trust.server("mta-sts.clever-cloud.com"), pages) as running:
        patient.told |= {"web": running.port, "ca_file": str(trust.ca_file)}
        ran = patient("doctor", "--json")
    assert one(ran, "MX")["evidence"] == (
        "mx1.clever-cloud.com, mx2.clever-cloud.com; the answer is validated by the resolver of"
        " this machine"
    )
    assert one(ran, "DANE")["evidence"].startswith("TLSA records for 1 of 2 hosts, validated")
    sts = one(ran, "MTA-STS")
    assert (sts["health"], sts["evidence"]) == (
        "note",
        "mode enforce for 10 days; does not cover mx2.clever-cloud.com",
    )


def test_a_domain_that_promises_nothing_is_no_fault(patient, table):
    table.records[DOMAIN, "MX"] = ["10 mx1.clever-cloud.com."]
    found = looks(patient("doctor", "--json"))
    assert [found[name] for name in ("MX", "DANE", "MTA-STS")] == [("ok", None)] * 3


@pytest.mark.parametrize(
    ("manner", "words"),
    [
        (Manner.SILENT, "no answer came in time"),
        (Manner.SERVFAIL, "could not find out"),
        (Manner.BOGUS, "does not pass DNSSEC"),
    ],
)
def test_a_resolver_that_does_not_help_costs_seconds_and_no_verdict(manner, words, patient, table):
    table.everywhere = manner
    ran = patient("doctor", "--json")
    seen = one(ran, "MX")
    assert (seen["health"], words in seen["evidence"]) == ("note", True)
    assert seen["seconds"] < 8
    assert looks(ran)["DANE"] == ("skipped", None)


# State


def test_a_log_that_was_changed_is_bad(user):
    folder = user.home / ".local" / "state" / "certmail" / "log"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "receipts.jsonl").write_text("{}\n")
    ran = offline(user)
    assert looks(ran)["log"] == ("bad", "LOG-DAMAGED")


def test_a_state_folder_that_is_a_file_is_bad(user):
    folder = user.home / ".local" / "state"
    folder.mkdir(parents=True)
    (folder / "certmail").touch()
    found = looks(offline(user))
    assert [found[name] for name in ("state folder", "outbox", "log")] == [
        ("bad", "STATE-UNWRITABLE")
    ] * 3


def test_the_room_that_is_left_is_shown(user):
    assert re.search(r"\d+ MiB free", one(offline(user), "state folder")["evidence"])
