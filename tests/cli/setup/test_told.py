"""Set-up on a server: no terminal, no D-Bus, every answer a flag."""

from __future__ import annotations

import stat
import subprocess
import sys

import pytest

from tests.cli.conftest import Ran
from tests.schemas import conforms
from tests.secrets.support import secret_service

FROM = ("--from", "ops@sender.example")


@pytest.fixture
def told(place):
    """Run certmail in a session without a terminal."""

    def run(*arguments, stdin=b"", command="setup"):
        done = subprocess.run(
            [sys.executable, "-m", "certmail", command, *map(str, arguments)],
            input=stdin,
            env=place.user.environment(),
            cwd=place.user.home,
            capture_output=True,
            timeout=120,
            start_new_session=True,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


def steps(ran):
    assert conforms(ran.json)["schema"] == "certmail.setup/1"
    return {step["name"]: step["outcome"] for step in ran.json["steps"]}


def test_flags_alone_set_up_a_server(place, told, renewed):
    ran = told(*FROM, *place.relay.flags, "--key-file", renewed, "--json")
    assert (ran.status, ran.json["ready"], ran.err) == (0, True, ""), ran.out
    assert steps(ran) == {
        "sender": "done",
        "signing-key": "done",
        "relay": "done",
        "secret": "done",
        "live-test": "done",
        "recipient-key": "kept",
        "preview": "done",
    }
    expected = place.answered
    expected["sender"].pop("name")
    assert place.settings == {**expected, "key": {"file": str(renewed)}}
    assert stat.S_IMODE(place.file.stat().st_mode) == 0o600
    assert place.relay.mailbox.delivered == []
    # What was set up is what a send takes: from nothing to a receipt.
    assert told("--yes").out.count("kept") >= 5


def test_what_was_set_up_sends(place, told, renewed, bundle):
    assert told(*FROM, *place.relay.flags, "--key-file", renewed, "--yes").status == 0
    sent = told(bundle, "--yes", "--json", command="send")
    assert (sent.status, len(place.relay.mailbox.delivered)) == (0, 1), sent.err


def test_without_a_terminal_and_without_consent_nothing_is_asked_or_written(place, told):
    ran = told(*FROM, *place.relay.flags)
    assert (ran.status, ran.code) == (2, "SETUP-NOBODY")
    assert not place.file.exists()


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ((), "--from ADDRESS"),
        (FROM, "--provider NAME"),
        ((*FROM, "--provider", "postfix"), "--relay-host HOST"),
        ((*FROM, "--provider", "ovh"), "--password-stdin"),
    ],
    ids=["nothing", "a sender", "a provider without a host", "no secret"],
)
def test_what_is_missing_is_named_by_its_flag(told, given, flag):
    ran = told(*given, "--yes")
    assert (ran.status, ran.code) == (2, "SETUP-ANSWER-MISSING")
    assert flag in " ".join(ran.err.split())


def test_what_was_answered_before_something_is_missing_is_kept(place, told):
    told(*FROM, "--yes")
    assert place.settings["sender"]["address"] == "ops@sender.example"


def test_a_wrong_password_is_told_and_kept_nowhere(place, told):
    ran = told(*FROM, *place.to_relay, "--relay-password-command", "echo canary-7716", "--json")
    assert (ran.status, steps(ran)["live-test"]) == (13, "failed")
    [problem] = next(s for s in ran.json["steps"] if s["name"] == "live-test")["problems"]
    assert problem["code"] == "RELAY-AUTH-REFUSED"
    assert "canary-7716" not in ran.out + ran.err


def test_a_password_on_standard_input_goes_to_the_keyring_once_it_worked(
    place, told, short_home, password
):
    with secret_service(short_home) as env:
        place.user.extra |= {
            name: env[name] for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")
        }
        given = (*FROM, *place.to_relay, "--json")
        wrong = told(*given, "--password-stdin", stdin=b"wrong\n")
        assert steps(wrong)["live-test"] == "failed"
        nothing = told("--json")
        assert nothing.json["code"] == "SETUP-ANSWER-MISSING"
        right = told(*given, "--password-stdin", stdin=f"{password}\n".encode())
        assert (steps(right)["secret"], steps(right)["live-test"]) == ("done", "done")
        again = told("--json")
        assert (steps(again)["secret"], steps(again)["live-test"]) == ("kept", "done")
    assert password not in place.file.read_text() + right.out + right.err


def test_without_a_keyring_a_piped_password_is_refused_with_the_other_ways(place, told, password):
    ran = told(*FROM, *place.to_relay, "--password-stdin", "--json", stdin=f"{password}\n".encode())
    [problem] = next(s for s in ran.json["steps"] if s["name"] == "live-test")["problems"]
    assert (ran.status, problem["code"]) == (15, "SECRET-KEYRING-NONE")
    assert "relay.password_" in problem["next"]
    assert place.relay.mailbox.sessions == 0


def test_a_password_command_does_not_follow_to_another_relay(place, told):
    place.file.parent.mkdir(parents=True)
    place.file.write_text(
        "# ours\n[relay]\nhost = 'old.example.org'\nuser = 'ops'\n"
        "password_command = 'cat /etc/old'  # the old one\ntimeout_s = 60\n"
    )
    ran = told(*FROM, "--relay-host", "127.0.0.1", "--relay-user", "ops", "--yes")
    assert ran.code == "SETUP-ANSWER-MISSING"
    relay = place.settings["relay"]
    assert (relay["host"], relay["timeout_s"]) == ("127.0.0.1", 60)
    assert "password_command" not in relay
    assert "# ours" in place.file.read_text()
    assert "# the old one" in place.file.read_text()


def test_a_relay_without_a_login_needs_no_secret(place, told):
    ran = told(*FROM, *place.to_relay, "--relay-user", "-", "--skip", "live-test", "--json")
    assert (steps(ran)["secret"], steps(ran)["live-test"]) == ("kept", "skipped")
    assert place.settings["relay"]["user"] == ""


def test_a_variable_that_wins_over_the_file_is_told(place, told):
    place.user.extra["CERTMAIL_RELAY_TIMEOUT_S"] = "90"
    ran = told(*FROM, *place.relay.flags, "--json")
    [note] = ran.json["notes"]
    assert (note["code"], "CERTMAIL_RELAY_TIMEOUT_S" in note["what"]) == ("SETUP-OVERRIDDEN", True)


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("--from", "ops@sender.example\x1b[2J"), "SETTINGS-VALUE"),
        (("--from", "root@localhost"), "SETUP-ANSWER-UNUSABLE"),
        ((*FROM, "--sign-with", "ABCD"), "SETTINGS-VALUE"),
        (
            (*FROM, "--relay-host", "h.example.org", "--relay-ca-file", "no"),
            "SETUP-ANSWER-UNUSABLE",
        ),
        ((*FROM, "--relay-host", "h.example.org", "--relay-user", "a\nb"), "SETTINGS-VALUE"),
    ],
)
def test_an_answer_that_cannot_be_used_is_refused_and_not_written(place, told, flags, code):
    ran = told(*flags, "--yes")
    assert ran.code == code
    assert "\x1b" not in ran.err
    written = place.file.read_text() if place.file.exists() else ""
    assert flags[-1] not in written


def test_a_key_that_is_not_there_fails_that_step_and_the_preview(told, place):
    ran = told(*FROM, *place.relay.flags, "--sign-with", "0" * 40, "--json")
    found = steps(ran)
    assert (ran.status, found["signing-key"], found["preview"]) == (12, "failed", "skipped")
    assert found["live-test"] == "done"


# A key of one's own


@pytest.fixture
def empty(place, tmp_path_factory):
    """A GnuPG home without keys, short enough for an agent's socket."""
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    place.user.gnupg = home
    yield home
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


def test_a_key_is_made_when_told_to_and_signs(place, told, empty):
    ran = told(*FROM, *place.relay.flags, "--make-key", "--no-passphrase", "--json")
    assert (steps(ran)["signing-key"], steps(ran)["preview"]) == ("done", "done"), ran.out
    assert place.settings["sender"]["key"]
    assert (empty / "openpgp-revocs.d" / f"{place.settings['sender']['key']}.rev").exists()


def test_no_key_is_made_unless_told_to(place, told, empty):
    ran = told(*FROM, *place.relay.flags, "--yes")
    assert (ran.code, ran.status) == ("SETUP-ANSWER-MISSING", 2)
    assert "--make-key" in ran.err
    assert list(empty.glob("private-keys-v1.d/*")) == []


def test_a_passphrase_that_nobody_could_be_asked_for_is_refused(told, empty):
    ran = told(*FROM, "--make-key", "--yes")
    assert (ran.code, ran.status) == ("SETUP-NO-PINENTRY", 2)
    assert list(empty.glob("private-keys-v1.d/*")) == []
