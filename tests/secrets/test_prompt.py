"""The person at the terminal, and nobody where there is none."""

from __future__ import annotations

import pytest

from tests.secrets.support import alone, no_bus, run_in_terminal

ASK = """
from certmail.errors import SecretError
from certmail.secrets.prompt import Prompt
try:
    said = Prompt("Password of ops: ").read()
    print(len(said.reveal()), "characters", said)
except SecretError as error:
    print(error.code)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_person_types_and_the_screen_shows_nothing_of_it():
    status, screen = run_in_terminal(ASK, type_in=b"typed-canary\n")
    assert status == 0
    assert "12 characters <secret>" in screen
    assert "typed-canary" not in screen


@pytest.mark.parametrize(("key", "said"), [(b"\x04", "SECRET-MISSING"), (b"\x03", "interrupted")])
def test_a_person_may_decline(key, said):
    status, screen = run_in_terminal(ASK, type_in=key)
    assert (status, said in screen) == (0, True)


def test_without_a_terminal_nobody_is_asked_and_no_pipe_is_believed():
    assert alone(ASK, stdin="piped-canary\n") == "SECRET-NO-TERMINAL"


# The keyring, then a person

KEYRING_OR_PROMPT = """
from certmail import secrets
from certmail.errors import SecretError
class Somebody:
    url, user = "smtps://smtp.example.org:465", "ops@example.org"
try:
    print(len(secrets.from_keyring_or_prompt(Somebody).read().reveal()), "characters")
except SecretError as error:
    print(error.code)
"""


def test_without_an_entry_a_person_is_asked(monkeypatch, tmp_path):
    for name, value in no_bus(tmp_path).items():
        monkeypatch.setenv(name, value)
    status, screen = run_in_terminal(KEYRING_OR_PROMPT, type_in=b"typed\n", wait_for=b":465: ")
    assert (status, "5 characters" in screen) == (0, True)
    assert "Password of ops@example.org at smtps://smtp.example.org:465: " in screen


def test_without_an_entry_and_without_a_person_the_keyring_is_what_is_missing(tmp_path):
    assert alone(KEYRING_OR_PROMPT, env=no_bus(tmp_path)) == "SECRET-KEYRING-NONE"
