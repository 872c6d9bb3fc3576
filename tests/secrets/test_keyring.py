"""The system's keyring, or none."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from certmail import secrets
from certmail.errors import SecretError
from certmail.secrets import worker
from certmail.secrets.keyring import KeyringEntry
from certmail.values import Secret
from tests.secrets.support import (
    CANARY,
    ROOT,
    SERVICE,
    Somebody,
    alone,
    ask_keyring,
    no_bus,
    overheard,
    run_in_terminal,
    secret_service,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_an_entry_is_bound_to_protocol_host_port_and_user():
    entry = secrets.from_keyring(Somebody())
    assert (entry.service, entry.user) == (SERVICE, "ops@example.org")
    other = secrets.from_keyring(Somebody(url="smtp+starttls://smtp.example.org:587"))
    assert other.service != entry.service


def test_a_machine_without_a_keyring_is_told_apart(tmp_path):
    assert ask_keyring(no_bus(tmp_path)).startswith("SECRET-KEYRING-NONE ")


def test_a_plain_file_is_refused_by_name_and_never_loaded(tmp_path, foreign):
    said = ask_keyring(no_bus(tmp_path, PYTHONPATH=str(foreign)))
    assert said.startswith("SECRET-KEYRING-UNSAFE ")
    assert "plainfile:PlainFile" in said
    assert not (tmp_path / "loaded").exists()
    stored = ask_keyring(no_bus(tmp_path, PYTHONPATH=str(foreign)), "store", secret=CANARY)
    assert stored.startswith("SECRET-KEYRING-UNSAFE ")
    assert not (tmp_path / "loaded").exists()


def test_the_packages_variable_and_its_file_have_no_effect(tmp_path, foreign):
    """``keyringrc.cfg`` may even put a folder in front of Python's path."""
    for folder in (tmp_path / "config" / "python_keyring", tmp_path / "data" / "python_keyring"):
        folder.mkdir(parents=True)
        (folder / "keyringrc.cfg").write_text(
            f"[backend]\ndefault-keyring=plainfile.PlainFile\nkeyring-path={foreign}\n"
        )
    env = no_bus(tmp_path, KEYRING_PROPERTY_PREFERRED_COLLECTION="/evil")
    said = ask_keyring(env)
    assert said.startswith("SECRET-KEYRING-UNSAFE ")
    assert "plainfile.PlainFile" in said
    said = ask_keyring(env | {"PYTHON_KEYRING_BACKEND": "another.PlainFile"})
    assert "another.PlainFile, plainfile.PlainFile" in said
    assert not (tmp_path / "loaded").exists()


@pytest.mark.parametrize(
    "named",
    [
        "keyring.backends.chainer.ChainerBackend",
        "keyrings.alt.file.PlaintextKeyring",
        "somebody.elses.Keyring",
        "\x1b[2Jkeyring",
    ],
)
def test_a_keyring_that_is_not_the_systems_own_is_refused_by_name(named, tmp_path):
    """A plain file, a chain that may end in one, and what nobody knows."""
    said = ask_keyring(no_bus(tmp_path, PYTHON_KEYRING_BACKEND=named))
    assert said.startswith("SECRET-KEYRING-UNSAFE ")
    assert named.replace("\x1b", "?") in said
    assert "docs/secrets.md" in said


@pytest.mark.parametrize(
    "named", ["keyring.backends.SecretService.Keyring", "keyring.backends.fail.Keyring", ""]
)
def test_a_safe_keyring_that_is_not_there_is_no_unsafe_one(named, tmp_path):
    said = ask_keyring(no_bus(tmp_path, PYTHON_KEYRING_BACKEND=named))
    assert said.startswith("SECRET-KEYRING-NONE ")


def test_only_the_systems_own_stores_are_asked():
    assert {module.rpartition(".")[2] for module, _ in worker.SAFE} == {
        "SecretService",
        "kwallet",
        "libsecret",
        "macOS",
        "Windows",
    }


def keyring_that(code: str, tmp_path: Path, *, deadline_s: float = 20) -> KeyringEntry:
    """Name an entry whose worker is replaced by a program."""
    program = tmp_path / "python"
    program.write_text(f"#!{sys.executable}\n{code}\n")
    program.chmod(0o755)
    return KeyringEntry(SERVICE, "ops@example.org", deadline_s, python=str(program))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import time; time.sleep(60)", "SECRET-KEYRING-TIMEOUT"),
        ("", "SECRET-KEYRING-FAILED"),
        ("print('[]')", "SECRET-KEYRING-FAILED"),
        ("print('{')", "SECRET-KEYRING-FAILED"),
        ('print(\'{"verdict": "odd", "fault": "\\x1b[2J"}\')', "SECRET-KEYRING-FAILED"),
        ('print(\'{"verdict": "locked"}\')', "SECRET-KEYRING-LOCKED"),
        ('print(\'{"verdict": "absent"}\')', "SECRET-MISSING"),
        ('print(\'{"verdict": "done"}\')', "SECRET-MISSING"),
        ('print(\'{"verdict": "done", "secret": 5}\')', "SECRET-MISSING"),
        ('print(\'{"verdict": "none"}\')', "SECRET-KEYRING-NONE"),
    ],
)
def test_every_way_a_keyring_fails_has_a_name(code, expected, tmp_path):
    entry = keyring_that(code, tmp_path, deadline_s=2 if "sleep" in code else 20)
    with pytest.raises(SecretError) as caught:
        entry.read()
    assert caught.value.code == expected
    assert caught.value.what.isprintable()


def test_a_python_that_cannot_be_started_is_told_apart(tmp_path):
    with pytest.raises(SecretError) as caught:
        KeyringEntry(SERVICE, "ops", python=str(tmp_path / "none")).read()
    assert caught.value.code == "SECRET-KEYRING-FAILED"


# A real Secret Service


@pytest.mark.peer
def test_a_real_keyring_keeps_gives_and_forgets_a_password(short_home):
    with secret_service(short_home) as env:
        assert ask_keyring(env).startswith("SECRET-MISSING ")
        assert ask_keyring(env, "store", secret=CANARY) == "kept in SecretService"
        assert ask_keyring(env) == f"read {CANARY}"
        # Another host, another port, another user: another password, or none.
        assert ask_keyring(env, service=SERVICE.replace("465", "587")).startswith("SECRET-MISSING ")
        assert ask_keyring(env, user="root").startswith("SECRET-MISSING ")
        assert ask_keyring(env, "store", secret="another") == "kept in SecretService"
        assert ask_keyring(env) == "read another"
        assert ask_keyring(env, "forget") == "forgotten"
        assert ask_keyring(env, "forget").startswith("SECRET-MISSING ")
        assert ask_keyring(env).startswith("SECRET-MISSING ")


@pytest.mark.peer
def test_a_locked_keyring_is_not_waited_for_without_a_terminal(short_home):
    with secret_service(short_home) as env:
        assert ask_keyring(env, "store", secret=CANARY) == "kept in SecretService"
    with secret_service(short_home, unlock=False) as env, overheard(env) as bus:
        began = time.monotonic()
        assert ask_keyring(env).startswith("SECRET-KEYRING-LOCKED ")
        assert ask_keyring(env, "store", secret="x").startswith("SECRET-KEYRING-LOCKED ")
        assert time.monotonic() - began < 10
        said = bus()
    # It was asked whether it is locked, and not asked to be unlocked.
    assert 'string "Locked"' in said
    assert not {"Unlock", "Prompt", "CreateItem"} & set(re.findall(r"member=(\w+)", said))


@pytest.mark.peer
@pytest.mark.parametrize("act", ["read", "store", "look", "forget"])
def test_a_keyring_that_hangs_is_left_within_the_deadline(act, short_home, monkeypatch):
    with secret_service(short_home, frozen=True) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        entry = KeyringEntry(SERVICE, "ops@example.org", 2)
        began = time.monotonic()
        with pytest.raises(SecretError) as caught:
            entry.store(Secret(CANARY)) if act == "store" else getattr(entry, act)()
        assert time.monotonic() - began < 10
    assert caught.value.code == "SECRET-KEYRING-TIMEOUT"
    assert CANARY not in repr(vars(caught.value))


@pytest.mark.peer
def test_no_variable_sends_the_question_elsewhere(short_home):
    """The keyring package sets any attribute of a backend from such a variable."""
    with secret_service(short_home) as env:
        env["KEYRING_PROPERTY_PREFERRED_COLLECTION"] = "/org/freedesktop/secrets/collection/evil"
        env["KEYRING_PROPERTY_SCHEME"] = "evil"
        assert ask_keyring(env, "store", secret=CANARY) == "kept in SecretService"
        assert ask_keyring(env) == f"read {CANARY}"


def test_the_worker_imports_nothing_from_the_current_folder(tmp_path):
    """Python would otherwise look there first, even for its own modules."""
    (tmp_path / "json.py").write_text("from pathlib import Path; Path('loaded').touch()")
    code = f"""
import sys
sys.path.append({str(ROOT)!r})
from certmail.errors import SecretError
from certmail.secrets.keyring import KeyringEntry
try:
    KeyringEntry("certmail-smtp:smtps://smtp.example.org:465", "ops@example.org").read()
except SecretError as error:
    print(error.code)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=tmp_path,
        env=no_bus(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        start_new_session=True,
    )
    assert done.stdout.strip() == "SECRET-KEYRING-NONE"
    assert not (tmp_path / "loaded").exists()


@pytest.mark.peer
def test_a_plain_file_beside_a_real_keyring_is_never_asked(short_home, foreign):
    with secret_service(short_home) as env:
        env |= {"PYTHONPATH": str(foreign), "PYTHON_KEYRING_BACKEND": "plainfile.PlainFile"}
        assert ask_keyring(env).startswith("SECRET-MISSING ")
    assert not (short_home / "loaded").exists()


@pytest.mark.peer
def test_the_keyring_packages_own_command_makes_the_same_entry(short_home):
    """Entries are ordinary ones: whoever has made one by hand keeps it."""
    with secret_service(short_home) as env:
        subprocess.run(
            [sys.executable, "-m", "keyring", "set", SERVICE, "ops@example.org"],
            input=CANARY,
            env=env,
            text=True,
            check=True,
            capture_output=True,
            timeout=60,
        )
        assert ask_keyring(env) == f"read {CANARY}"


@pytest.mark.peer
def test_what_the_keyring_holds_is_not_asked_for_again(short_home):
    code = """
from certmail import secrets
class Somebody:
    url, user = "smtps://smtp.example.org:465", "ops@example.org"
print(secrets.from_keyring_or_prompt(Somebody).read().reveal())
"""
    with secret_service(short_home) as env:
        ask_keyring(env, "store", secret=CANARY)
        assert alone(code, env=env) == CANARY


@pytest.mark.peer
def test_a_keyring_that_stays_locked_is_an_error_even_on_a_terminal(short_home, monkeypatch):
    """Somebody is there, and nothing that could show a prompt: it ends all the same."""
    code = """
from certmail.errors import SecretError
from certmail.secrets.keyring import KeyringEntry
try:
    KeyringEntry("certmail-smtp:smtps://smtp.example.org:465", "ops@example.org", 3).read()
except SecretError as error:
    print(error.code)
"""
    with secret_service(short_home) as env:
        ask_keyring(env, "store", secret=CANARY)
    with secret_service(short_home, unlock=False) as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        status, screen = run_in_terminal(code, type_in=b"")
    assert (status, screen.strip() in {"SECRET-KEYRING-LOCKED", "SECRET-KEYRING-TIMEOUT"}) == (
        0,
        True,
    )
