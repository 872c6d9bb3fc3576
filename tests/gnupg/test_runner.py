"""GnuPG is run once, bounded in time and size, and its words come back byte for byte."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.errors import SealError
from certmail.gnupg import child, threads
from certmail.gnupg.child import converse
from certmail.gnupg.failure import Failure, why_failed
from certmail.gnupg.homes import throwaway_home
from certmail.gnupg.runner import Gpg, Status, child_environment, find_gpg, run
from certmail.gnupg.status import parse_status
from tests.key.total import refusal_of

VERSION = "echo 'gpg (GnuPG) 2.4.5'"


@pytest.fixture
def program(tmp_path):
    """Write a program that stands in GnuPG's place: what it does is the test's."""

    def write(body: str) -> Gpg:
        path = tmp_path / "gpg"
        path.write_text(
            f"#!{sys.executable}\nimport os, signal, sys, time\n"
            "status = int(sys.argv[sys.argv.index('--status-fd') + 1])\n" + body
        )
        path.chmod(stat.S_IRWXU)
        return Gpg(str(path), (2, 4, 5))

    return write


def start(gpg: Gpg, *args: str, stdin: bytes = b"", timeout_s: float = 20):
    return run(gpg, *args, home=Path("/nowhere"), stdin=stdin, env=os.environ, timeout_s=timeout_s)


def refused(call, *args, **options) -> str:
    with pytest.raises(SealError) as caught:
        call(*args, **options)
    assert caught.value.what.isprintable()
    assert caught.value.next.isprintable()
    return caught.value.code


# Finding it


def shell(tmp_path, body: str) -> str:
    path = tmp_path / "gpg"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(stat.S_IRWXU)
    return str(path)


def test_gnupg_is_found_with_its_version():
    found = find_gpg()
    assert Path(found.path).is_absolute()
    assert found.version >= (2, 2, 17)


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("gpg (GnuPG) 2.2.17", (2, 2, 17)),
        ("gpg (GnuPG/MacGPG2) 2.2.41", (2, 2, 41)),
        ("gpg (GnuPG) 2.5.13-beta12", (2, 5, 13)),
    ],
)
def test_every_spelling_of_a_version_is_read(tmp_path, line, version):
    assert find_gpg(shell(tmp_path, f"echo '{line}'")).version == version


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("echo 'gpg (GnuPG) 2.2.16'", "GPG-TOO-OLD"),
        ("echo 'gpg (GnuPG) 1.4.23'", "GPG-TOO-OLD"),
        ("echo 'hello'", "GPG-MISSING"),
        ("exit 3", "GPG-MISSING"),
        (f"{VERSION}; exit 2", "GPG-MISSING"),
    ],
)
def test_what_is_not_a_gnupg_of_today_is_refused(tmp_path, body, code):
    assert refused(find_gpg, shell(tmp_path, body)) == code


def test_a_missing_gnupg_is_named_with_how_to_install_it(tmp_path):
    assert refused(find_gpg, str(tmp_path / "gpg")) == "GPG-MISSING"
    assert refused(find_gpg, "no-such-gpg") == "GPG-MISSING"


def test_a_gnupg_that_vanished_is_missing():
    assert refused(start, Gpg("/nowhere/gpg", (2, 4, 0))) == "GPG-MISSING"


# Talking to it, in one thread, and in one for each pipe as where pipes cannot be waited for


@pytest.fixture(autouse=True, params=["one thread", "threads"])
def manner(request, monkeypatch):
    if request.param == "threads":
        monkeypatch.setattr(child, "talk", threads.talk)


def test_input_output_and_status_have_pipes_of_their_own(program):
    gpg = program(
        "os.write(status, b'[GNUPG:] GOOD a b\\n[GNUPG:] DONE\\n')\n"
        "sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])\n"
        "sys.stderr.write('[GNUPG:] FORGED')\nsys.exit(3)\n"
    )
    result = start(gpg, stdin=b"abc")
    assert (result.returncode, result.stdout) == (3, b"cba")
    assert result.status == (Status("GOOD", ("a", "b")), Status("DONE", ()))
    assert result.first("GOOD") == Status("GOOD", ("a", "b"))
    assert result.first("FORGED") is None
    assert result.all("DONE") == (Status("DONE", ()),)
    assert result.stderr == "[GNUPG:] FORGED"


def test_large_input_and_output_do_not_block_each_other(program):
    gpg = program(
        "sys.stdout.buffer.write(b'o' * 3_000_000)\nsys.stdout.flush()\n"
        "sys.stderr.write('e' * 3_000_000)\n"
        "os.write(status, b'[GNUPG:] X ' + b's' * 1_000 + b'\\n')\n"
        "assert len(sys.stdin.buffer.read()) == 3_000_000\n"
    )
    result = start(gpg, stdin=b"i" * 3_000_000)
    assert (result.returncode, len(result.stdout)) == (0, 3_000_000)


def test_a_child_that_does_not_read_does_no_harm(program):
    assert start(program("sys.stdin.close()\nsys.exit(2)"), stdin=b"i" * 3_000_000).returncode == 2


def test_secrets_are_in_no_representation(program):
    result = start(program("sys.stdout.buffer.write(sys.stdin.buffer.read())"), stdin=b"CANARY")
    assert result.stdout == b"CANARY"
    assert "CANARY" not in repr(result)


def test_common_options_come_first_and_the_home_is_named(program):
    gpg = program("print(chr(10).join(sys.argv[1:]))")
    arguments = start(gpg, "--sign", "x").stdout.decode().split("\n")
    assert arguments[:4] == ["--homedir", "/nowhere", "--no-options", "--no-encrypt-to"]
    assert arguments[-3:] == ["--sign", "x", ""]
    assert "--disable-dirmngr" in arguments


def test_the_users_home_is_not_named(program):
    gpg = program("print(sys.argv[1:])")
    result = run(gpg, home=None, env=os.environ, timeout_s=20)
    assert b"--homedir" not in result.stdout


# Limits


def test_a_gnupg_that_hangs_is_stopped(program):
    gpg = program("time.sleep(60)")
    before = time.monotonic()
    assert refused(start, gpg, timeout_s=0.3) == "GPG-TIMEOUT"
    assert time.monotonic() - before < 10


def speak(code: str, *, timeout_s: float, grace_s: float = 0.2) -> None:
    """Converse with a Python program that gets more to read than a pipe holds."""
    started = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        converse(started, None, stdin=b"x" * 3_000_000, timeout_s=timeout_s, grace_s=grace_s)
    finally:
        assert started.poll() is not None


def test_a_child_that_will_not_stop_is_killed():
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    assert refused(speak, stubborn, timeout_s=0.5) == "GPG-TIMEOUT"


def test_a_pipe_that_somebody_else_keeps_open_is_a_timeout():
    """Half an answer is no answer."""
    assert refused(speak, "import os, time\nif not os.fork(): time.sleep(2)", timeout_s=0.3) == (
        "GPG-TIMEOUT"
    )


def test_a_flood_is_refused(program):
    gpg = program("while True: sys.stdout.buffer.write(b'x' * 1_000_000)")
    assert refused(start, gpg) == "GPG-OUTPUT-TOO-LARGE"


def test_an_interrupt_stops_gnupg_and_goes_on(program, tmp_path):
    """Ctrl-C is never swallowed, and no GnuPG stays behind."""
    pid_file = tmp_path / "pid"
    gpg = program(
        f"open({str(pid_file)!r}, 'w').write(str(os.getpid()))\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)"
    )

    def interrupt() -> None:
        while not pid_file.exists() or not pid_file.read_text():
            time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        start(gpg)
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_an_interrupt_while_gnupg_is_being_started_ends_it(program, monkeypatch):
    """What runs already is known to the constructor alone until that has returned."""
    gpg = program("time.sleep(60)")
    real, begun = os.read, []

    def read(descriptor, octets):
        if not begun:
            begun.append(True)
            signal.raise_signal(signal.SIGINT)
        return real(descriptor, octets)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patched:
            patched.setattr("subprocess.os.read", read)
            with pytest.raises(KeyboardInterrupt):
                run(gpg, "--sign", home=None, env=os.environ, timeout_s=60)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert begun
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes())
    assert [line for line in lines if gpg.path.encode() in line] == []


def test_the_child_stays_in_our_session(program):
    """A pinentry on the terminal needs it."""
    assert int(start(program("print(os.getsid(0))")).stdout) == os.getsid(0)


def test_no_descriptor_is_left_open(program):
    gpg = program("os.write(status, b'[GNUPG:] X\\n')")
    start(gpg)
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(5):
        start(gpg)
    with pytest.raises(SealError):
        start(Gpg("/nowhere/gpg", (2, 4, 0)))
    # Fewer is fine: an earlier test's may be collected meanwhile.
    assert len(list(Path("/dev/fd").iterdir())) <= before


# Environment


def test_the_environment_holds_what_gnupg_needs_and_no_more():
    env = {
        "PATH": "/bin",
        "HOME": "/home/u",
        "DISPLAY": ":0",
        "LD_PRELOAD": "x.so",
        "LD_LIBRARY_PATH": "x",
        "LANG": "fr_FR.UTF-8",
        "LC_ALL": "fr_FR.UTF-8",
        "GNUPGHOME": "/home/u/keys",
        "CERTMAIL_PASSWORD": "secret",
    }
    assert child_environment(env, home=Path("/tmp/cm-1")) == {
        "PATH": "/bin",
        "HOME": "/home/u",
        "DISPLAY": ":0",
        "LC_ALL": "C.UTF-8",
    }
    assert child_environment(env, home=None)["GNUPGHOME"] == "/home/u/keys"


def test_the_terminal_is_named_for_the_pinentry(program):
    """Gpg's own standard input is our pipe, so it could not find the terminal."""
    script = (
        "import os; from certmail.gnupg.runner import child_environment as e;"
        "print(e({}, home=None).get('GPG_TTY'))"
    )
    controller, terminal = os.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", script],
            stdin=terminal,
            capture_output=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert done.stdout.decode().strip() == os.ttyname(terminal)
    finally:
        os.close(controller)
        os.close(terminal)
    assert child_environment({"GPG_TTY": "/dev/x"}, home=None)["GPG_TTY"] == "/dev/x"


# Status lines


@pytest.mark.parametrize("line_end", ["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\r"])
def test_only_a_newline_ends_a_status_line(line_end):
    """A user ID with U+0085 once made a wrapper report an import that never was."""
    raw = f"[GNUPG:] IMPORTED AA Clever{line_end}[GNUPG:] IMPORT_OK 1 BB\n".encode()
    (line,) = parse_status(raw)
    assert line.keyword == "IMPORTED"


def test_a_status_line_that_was_cut_off_does_not_count():
    raw = b"[GNUPG:] BEGIN_ENCRYPTION 2 9\n[GNUPG:] END_ENCRYPTION"
    assert [line.keyword for line in parse_status(raw)] == ["BEGIN_ENCRYPTION"]


@pytest.mark.parametrize("raw", [b"gpg: hello\n", b"\n", b" [GNUPG:] X\n", b"[GNUPG:]X\n"])
def test_anything_else_on_the_status_pipe_is_refused(raw):
    assert refused(parse_status, b"[GNUPG:] X\n" + raw) == "GPG-STATUS-GARBLED"


def test_octets_that_are_no_text_stay_visible():
    (line,) = parse_status(b"[GNUPG:] IMPORTED \xff\n")
    assert line.args == ("\\xff",)


@given(st.binary(max_size=100))
def test_any_octets_are_status_lines_or_our_refusal(raw):
    for octets in (raw, b"[GNUPG:] " + raw + b"\n"):
        refusal = refusal_of(lambda raw: why_failed(parse_status(raw)), octets)
        assert refusal is None or refusal.code == "GPG-STATUS-GARBLED"


# Why it failed


@pytest.mark.parametrize(
    ("raw", "failure"),
    [
        (b"", None),
        (b"[GNUPG:] SIG_CREATED S 22 8 00 1 AA\n", None),
        (b"[GNUPG:] FAILURE sign 67108949\n", Failure.NO_PINENTRY),
        (b"[GNUPG:] FAILURE sign 83886179\n", Failure.CANCELLED),
        (b"[GNUPG:] FAILURE sign 11\n", Failure.BAD_PASSPHRASE),
        (b"[GNUPG:] FAILURE sign 17\n", Failure.NO_SECRET_KEY),
        (b"[GNUPG:] FAILURE sign 54\n", Failure.UNUSABLE_SECRET_KEY),
        (b"[GNUPG:] FAILURE encrypt 53\n", Failure.UNUSABLE_PUBLIC_KEY),
        (b"[GNUPG:] FAILURE encrypt 9\n", Failure.NO_PUBLIC_KEY),
        (b"[GNUPG:] FAILURE sign 100663406\n", Failure.NO_CARD),
        (b"[GNUPG:] FAILURE sign 62\n", Failure.TIMED_OUT),
        (b"[GNUPG:] FAILURE sign 1\n", Failure.OTHER),
        (b"[GNUPG:] FAILURE sign x\n", Failure.OTHER),
        (b"[GNUPG:] FAILURE sign\n", None),
        (b"[GNUPG:] FAILURE gpg-exit 33554433\n[GNUPG:] FAILURE sign 11\n", Failure.BAD_PASSPHRASE),
        (b"[GNUPG:] SC_OP_FAILURE 2\n[GNUPG:] FAILURE sign 1\n", Failure.BAD_PASSPHRASE),
        (b"[GNUPG:] SC_OP_FAILURE 1\n", Failure.CANCELLED),
        (b"[GNUPG:] SC_OP_FAILURE\n", Failure.CARD_TROUBLE),
        (b"[GNUPG:] INV_SGNR 9 AA\n", Failure.NO_SECRET_KEY),
        (b"[GNUPG:] INV_SGNR 6 AA\n", Failure.UNUSABLE_SECRET_KEY),
        (b"[GNUPG:] INV_RECP 0 AA\n", Failure.UNUSABLE_PUBLIC_KEY),
        (b"[GNUPG:] NO_RECP 0\n", Failure.UNUSABLE_PUBLIC_KEY),
    ],
)
def test_gnupgs_numbers_have_their_reason(raw, failure):
    """The low 16 bits are libgpg-error's code."""
    assert why_failed(parse_status(raw)) is failure


def test_a_real_gnupg_says_that_a_signer_is_missing():
    with throwaway_home() as home:
        result = run(
            find_gpg(),
            *("--no-autostart", "--local-user", "A" * 40, "--sign"),
            home=home,
            stdin=b"x",
            env=os.environ,
            timeout_s=30,
        )
    assert result.returncode != 0
    assert result.failure is Failure.NO_SECRET_KEY


def test_a_gpg_conf_in_the_home_is_not_read():
    with throwaway_home() as home:
        (home / "gpg.conf").write_text("this-is-no-option\n")
        result = run(find_gpg(), "--list-keys", home=home, env=os.environ, timeout_s=30)
    assert result.returncode == 0
