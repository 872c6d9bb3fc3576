"""Files, credentials of systemd and standard input: what is taken, and what is not believed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from certmail import secrets
from certmail.errors import SecretError
from certmail.secrets.bounded import MAX_OCTETS
from certmail.secrets.credential import VARIABLE
from certmail.values import SecretKind
from tests.posix import IS_ROOT, POSIX
from tests.secrets.support import CANARY, ROOT, Somebody, no_bus, run_in_terminal


@pytest.fixture
def kept(tmp_path) -> Path:
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text(CANARY + "\nuser: ops\n", encoding="utf-8")
    return path


def refused(source) -> SecretError:
    """Give the refusal; it quotes nothing of what was read."""
    with pytest.raises(SecretError) as caught:
        source.read()
    assert CANARY not in repr(vars(caught.value))
    assert caught.value.__cause__ is None
    return caught.value


# A file


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_the_first_line_of_a_private_file_is_the_password(mode, kept):
    kept.chmod(mode)
    secret = secrets.from_file(kept).read()
    assert (secret.reveal(), secret.kind) == (CANARY, SecretKind.PASSWORD)


@POSIX
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666, 0o777])
def test_a_file_that_others_have_a_bit_of_is_refused_with_what_to_type(mode, kept):
    kept.chmod(mode)
    error = refused(secrets.from_file(kept))
    assert (error.code, error.next) == ("SECRET-FILE-UNSAFE", f"chmod 600 {kept}")
    assert f"{mode:04o}" in error.what


@POSIX
@pytest.mark.skipif(not IS_ROOT, reason="only root gives files away")
def test_a_file_of_somebody_else_is_refused(kept):
    os.chown(kept, 65534, 65534)
    assert refused(secrets.from_file(kept)).code == "SECRET-FILE-UNSAFE"


def link(path: Path) -> None:
    target = path.with_name("target")
    path.rename(target)
    path.symlink_to(target)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def listening(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


STRANGE = {
    "a link": link,
    "a pipe": pipe,
    "a folder": folder,
    "a socket": listening,
    "nothing": Path.unlink,
    "an empty file": lambda path: path.write_bytes(b""),
    "an empty line": lambda path: path.write_bytes(b"\n" + CANARY.encode()),
    "no text": lambda path: path.write_bytes(b"\xff\xfe" + CANARY.encode("latin-1") + b"\n"),
    "no end": lambda path: path.write_bytes(CANARY.encode() * (MAX_OCTETS // 10)),
}


@POSIX
@pytest.mark.parametrize("what", STRANGE)
def test_what_is_no_private_file_with_a_line_is_not_read(what, kept, monkeypatch):
    monkeypatch.chdir(kept.parent)
    STRANGE[what](Path("password"))
    began = time.monotonic()
    assert refused(secrets.from_file(kept)).code == "SECRET-FILE-UNREADABLE"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("path", ["/nonexistent/password", "a\0b", "/dev/null"])
def test_a_path_that_leads_nowhere_is_a_refusal(path):
    assert refused(secrets.from_file(Path(path))).code == "SECRET-FILE-UNREADABLE"


# A credential


def handed(kept: Path) -> dict[str, str]:
    return {VARIABLE: str(kept.parent)}


def test_a_credential_is_read_where_systemd_puts_it(kept):
    kept.chmod(0o440)  # with an access list for the unit's user, the group's bits show its mask
    assert secrets.from_credential("password", handed(kept)).read().reveal() == CANARY


@pytest.mark.parametrize("env", [{}, {VARIABLE: ""}, {VARIABLE: "/nonexistent"}])
def test_outside_its_unit_there_is_no_credential(env):
    error = refused(secrets.from_credential("password", env))
    assert error.code == "SECRET-CREDENTIAL-MISSING"
    assert "LoadCredentialEncrypted=password" in error.next


def test_a_credential_is_looked_for_in_one_folder_only(kept, monkeypatch):
    """Not where certmail happens to run, and not by a path."""
    monkeypatch.chdir(kept.parent)
    for name, env in (
        ("password", {VARIABLE: "."}),
        ("../" + kept.parent.name + "/password", {VARIABLE: str(kept.parent)}),
        (str(kept), {VARIABLE: "/"}),
    ):
        assert refused(secrets.from_credential(name, env)).code == "SECRET-CREDENTIAL-UNUSABLE"


@POSIX
@pytest.mark.parametrize("what", [name for name in STRANGE if name != "nothing"])
def test_a_credential_that_is_none_is_not_read(what, kept, monkeypatch):
    monkeypatch.chdir(kept.parent)
    STRANGE[what](Path("password"))
    error = refused(secrets.from_credential("password", handed(kept)))
    assert error.code == "SECRET-CREDENTIAL-UNUSABLE"


def test_the_usual_credential_is_taken_before_the_keyring(tmp_path):
    """And only where this unit was handed one of that name."""
    (tmp_path / "certmail-password").write_text(CANARY)
    env = {VARIABLE: str(tmp_path)}
    usual = secrets.from_usual_places(Somebody(), SecretKind.PASSWORD, env)
    assert usual.place == "the systemd credential certmail-password"
    for kind, other in (
        (SecretKind.PASSWORD, {}),
        (SecretKind.PASSWORD, {VARIABLE: str(tmp_path / "nothing")}),
        (SecretKind.TOKEN, env),
    ):
        assert secrets.from_usual_places(Somebody(), kind, other).place.startswith("the keyring")


def test_a_token_has_an_entry_of_its_own():
    password = secrets.from_keyring(Somebody())
    token = secrets.from_keyring(Somebody(), SecretKind.TOKEN)
    assert (password.kind, token.kind) == (SecretKind.PASSWORD, SecretKind.TOKEN)
    assert password.service != token.service
    assert token.service == "certmail-smtp-token:smtps://smtp.example.org:465"


# Standard input

READ = """
from certmail import secrets
from certmail.errors import SecretError
from certmail.secrets.stdin import StandardInput
try:
    print(len(StandardInput(deadline_s=0.5).read().reveal()), "characters")
except SecretError as error:
    print(error.code, error.what)
"""


def piped(octets: bytes | None, **more) -> str:
    """Run with ``octets`` on standard input, or with one that nobody writes to."""
    given = {"input": octets} if octets is not None else {}
    done = subprocess.run(
        [sys.executable, "-c", READ],
        cwd=ROOT,
        capture_output=True,
        timeout=30,
        check=True,
        **given,
        **more,
    )
    assert CANARY.encode() not in done.stdout + done.stderr
    return done.stdout.decode().strip()


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nmore\n"])
def test_the_first_line_of_standard_input_is_the_secret(end):
    assert piped((CANARY + end).encode()) == f"{len(CANARY)} characters"


@pytest.mark.parametrize("octets", [b"", b"\n", b"\xff\xfe\n", b"x" * (MAX_OCTETS + 5000)])
def test_standard_input_without_a_line_is_a_refusal(octets):
    assert piped(octets).startswith("SECRET-STDIN-UNUSABLE")


def test_standard_input_is_not_waited_for_for_ever():
    reading, writing = os.pipe()
    try:
        assert piped(None, stdin=reading) == (
            "SECRET-STDIN-UNUSABLE standard input gave no line in 0 seconds"
        )
    finally:
        os.close(reading)
        os.close(writing)


def test_a_closed_standard_input_is_a_refusal():
    said = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "$1" <&-', sys.executable, READ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert said.stdout.startswith("SECRET-STDIN-UNUSABLE")


def test_a_terminal_is_no_pipe():
    """What is typed there would be seen."""
    _, screen = run_in_terminal(READ, type_in=b"")
    assert "SECRET-STDIN-TERMINAL" in screen


@pytest.mark.parametrize("kind", SecretKind)
def test_no_source_shows_what_it_holds(kind, kept, tmp_path):
    env = no_bus(tmp_path)
    for source in (
        secrets.from_command(("echo", CANARY), kind),
        secrets.from_file(kept),
        secrets.from_usual_places(Somebody(), kind, env),
        secrets.from_standard_input(kind),
        secrets.from_prompt(Somebody(), kind),
        secrets.from_keyring(Somebody(), kind),
    ):
        assert CANARY not in repr(source) + source.place
        assert source.place.isprintable()
