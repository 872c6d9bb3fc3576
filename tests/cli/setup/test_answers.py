"""Answers that are wrong, hostile or changed; a password that is typed; a key that is made."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.peers import need
from tests.secrets.support import secret_service

UNTIL_THE_SECRET = (
    *("--from", "ops@sender.example", "--sender-name", "-", "--relay-mode", "implicit"),
)


@pytest.fixture
def at_the_secret(place):
    """Flags that answer everything up to the password."""
    key = ("--sign-with", place.sender.fingerprint.text)
    return (*UNTIL_THE_SECRET, *key, *place.to_relay)


def test_answers_that_cannot_be_are_asked_again_and_never_shown_raw(place):
    with place.talk("--sign-with", place.sender.fingerprint.text) as talk:
        talk.answer("Your address [", "Ops <ops@sender.example>")
        talk.answer("Your address [", "ops@sender.example\x1b]0;owned\x07")
        talk.answer("Your address [", "root@localhost")
        talk.answer("Your address [", "ops@sender.example")
        talk.answer("Name shown beside it", "Ops\x1b[2J")
        talk.answer("Name shown beside it", "x" * 201)
        talk.answer("Name shown beside it", "")
        talk.answer("Number or letter:", "99")
        talk.answer("Number or letter:", "GMAIL")
        talk.answer("User name", "-")
        talk.until("no password to keep")
        talk.interrupt()
    # The terminal echoes what is typed as ^[; what certmail says holds no escape.
    assert "\x1b]0;owned" not in talk.seen
    assert "\x1b[2J" not in talk.seen
    assert place.settings["sender"]["address"] == "ops@sender.example"
    assert "name" not in place.settings["sender"]
    assert place.settings["relay"]["host"] == "smtp.gmail.com"


def test_a_key_is_named_by_its_whole_fingerprint_or_its_number(place, stranger):
    with place.talk("--from", "ops@sender.example", "--sender-name", "-") as talk:
        talk.answer("Number of the key", "0")
        talk.answer("Number of the key", place.sender.fingerprint.key_id)
        talk.until("be forged; only")
        # Well-formed, and nobody's here: the step fails, and can be taken again.
        talk.answer("Number of the key", stranger.fingerprint.text)
        talk.until("SIGNER-NOT-FOUND")
        talk.answer("Try this step again")
        talk.answer("Number of the key", place.sender.fingerprint.grouped())
        talk.until("Number or letter:")
        talk.interrupt()
    assert place.settings["sender"]["key"] == place.sender.fingerprint.text


def test_a_wrong_flag_is_asked_anew_at_a_terminal(place):
    with place.talk(
        "--from", "ops@sender.example", "--sender-name", "-", "--sign-with", "0" * 40
    ) as talk:
        talk.until("SIGNER-NOT-FOUND")
        talk.answer("Try this step again")
        talk.answer("Number of the key", "1")
        talk.until("Number or letter:")
        talk.interrupt()
    assert place.settings["sender"]["key"] == place.sender.fingerprint.text


def test_a_typed_password_is_kept_only_once_the_relay_took_it(
    place, at_the_secret, short_home, password
):
    with secret_service(short_home) as env:
        bus = {name: env[name] for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")}
        with place.talk(*at_the_secret, extra=bus) as talk:
            talk.answer("Where is it [1]:")
            talk.answer("Password of ops at smtps://127.0.0.1", "canary-wrong")
            talk.until("RELAY-AUTH-REFUSED")
            talk.answer("Try this step again")
            # Nothing was kept: there is no "keep" to be offered.
            talk.answer("Where is it [1]:")
            talk.answer("Password of ops at smtps://127.0.0.1", password)
            talk.until("kept: the system's keyring")
            talk.answer("Look for a newer copy", "n")
            talk.interrupt()
        assert "canary-wrong" not in talk.seen
        assert password not in talk.seen + place.file.read_text()
        with place.talk(extra=bus) as talk:
            for question in ("Your address [", "Name shown", "Number of the key", "Keep it"):
                talk.answer(question)
            said = talk.answer("Where is it [k]:")
            talk.until("taken: TLS")
            talk.interrupt()
        assert "keep what the keyring holds" in said


def test_a_password_that_is_kept_nowhere_is_tried_all_the_same(place, at_the_secret, password):
    with place.talk(*at_the_secret) as talk:
        talk.answer("Where is it [2]:", "n")
        talk.answer("Password of ops at", password)
        talk.until("taken: TLS")
        talk.until("Look for a newer copy")
        talk.interrupt()
    assert password not in talk.seen + place.file.read_text()


def test_another_way_takes_the_first_ones_place(place, at_the_secret, tmp_path, password):
    kept = tmp_path / "kept"
    kept.touch(mode=0o600)
    kept.write_text(f"{password}\n")
    with place.talk(*at_the_secret, "--relay-password-command", "echo wrong") as talk:
        talk.until("RELAY-AUTH-REFUSED")
        talk.answer("Try this step again")
        talk.answer("Where is it [k]:", "3")
        talk.answer("The file", str(kept))
        talk.until("taken: TLS")
        talk.interrupt()
    relay = place.settings["relay"]
    assert (relay["password_file"], "password_command" in relay) == (str(kept), False)


def test_a_step_that_fails_can_be_left_and_the_rest_is_told(place, at_the_secret):
    with place.talk(*at_the_secret, "--relay-password-command", "false") as talk:
        talk.until("SECRET-COMMAND-FAILED")
        talk.answer("Try this step again", "n")
        talk.answer("Look for a newer copy", "n")
        talk.answer("Go on", "n")
        assert talk.end() == 15
    assert re.search(r"^failed +live-test", talk.seen, re.MULTILINE)
    assert re.search(r"^skipped +preview", talk.seen, re.MULTILINE)


@pytest.mark.peer
def test_a_key_is_made_with_a_passphrase_that_only_pinentry_sees(place, tmp_path_factory):
    """The real pinentry, on the terminal that setup runs on."""
    pinentry = need("pinentry-curses")
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    (home / "gpg-agent.conf").write_text(f"pinentry-program {pinentry}\n")
    place.user.gnupg = home
    passphrase = "canary passphrase 8812"
    try:
        with place.talk("--from", "ops@sender.example", "--sender-name", "-") as talk:
            talk.answer("Make one now")
            talk.answer("Make it")
            for _ in range(2):
                talk.until("Passphrase:")
                talk.type(f"{passphrase}\r")
            talk.until("made: ")
            talk.until("Number or letter:")
            talk.interrupt()
        listed = subprocess.run(
            ["gpg", "--homedir", str(home), "--batch", "--with-colons", "--list-secret-keys"],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            check=True,
        ).stdout
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
    assert place.settings["sender"]["key"] in listed
    assert passphrase not in talk.seen
    [grip, _] = sorted(Path(home, "private-keys-v1.d").glob("*.key"))
    assert b"protected-private-key" in grip.read_bytes()
