"""How far it is: a bar on a terminal, a line now and then elsewhere, nothing for scripts."""

from __future__ import annotations

import os
import shutil
import signal
import socket

import click
import pytest

from certmail.cli import loudness
from certmail.cli.command import Command
from certmail.cli.progress import EVERY_S, Awaited, Counted
from tests.cli.test_outbox import Here
from tests.cli.test_screens import AtTerminal, terminal
from tests.cli.test_terminal import Terminal

HIDDEN, SHOWN = b"\x1b[?25l", b"\x1b[?25h"


@pytest.fixture
def several(user, bundle, bundle_pem):
    """A folder with a good bundle and one that is refused."""
    folder = user.home / "all"
    folder.mkdir()
    shutil.copy(bundle, folder / "good.pem")
    (folder / "bad.pem").write_bytes(bundle_pem[:1000])
    return folder


def told(*arguments: str, seconds: float) -> list[str]:
    """Count to 50 with so many seconds in between, within a command that got ``arguments``."""
    now = [1000.0]

    @click.command(cls=Command)
    @click.option("--json", "as_json", is_flag=True)
    def count(*, as_json):
        with Counted("settled", total=50, clock=lambda: now[0]) as counted:
            for _ in range(50):
                now[0] += seconds
                counted.one_more()

    from click.testing import CliRunner

    ran = CliRunner().invoke(count, arguments)
    assert (ran.exit_code, ran.stdout) == (0, "")
    return ran.stderr.splitlines()


def test_lines_come_at_a_bounded_rate():
    lines = told(seconds=1.0)
    assert lines == [f"  … settled {n} of 50" for n in (10, 20, 30, 40)]
    assert len(told(seconds=100.0)) == 49
    assert told(seconds=EVERY_S / 100) == []


@pytest.mark.parametrize("hush", ["-q", "--json"])
def test_scripts_are_told_nothing(hush):
    assert told(hush, seconds=100.0) == []


def test_a_batch_shows_a_bar_on_a_terminal_and_puts_the_cursor_back(user, several, renewed):
    person = AtTerminal(
        user.home, user.gnupg, {"TERM": "xterm", "CERTMAIL_RELAY_HOST": "127.0.0.1"}
    )
    ran = person("send", several, "--yes", "--key-file", renewed)
    assert (ran.status, "checked" in ran.out, "2/2" in ran.out) == (10, True, True)
    assert ran.out.encode().rindex(SHOWN) > ran.out.encode().rindex(HIDDEN)
    piped = Here(user.home, user.gnupg, person.extra)(
        "send", several, "--yes", "--key-file", renewed
    )
    assert "checked" not in piped.err


def test_ctrl_c_leaves_the_terminal_as_it_was(user, several, renewed):
    """The relay takes the connection and says nothing, so that there is time to press the keys."""
    (several / "bad.pem").unlink()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shown = Terminal(
            user, "send", several, several / "good.pem", "--yes", "--key-file", renewed,
            "--relay-host", "127.0.0.1", "--relay-port", silent.getsockname()[1],
            "--relay-user", "",
        )  # fmt: skip
        assert b"settled" in shown.until(b"settled"), shown.seen
        os.killpg(shown.process.pid, signal.SIGINT)
        ended = shown.end()
    assert ended == 130, shown.seen.decode()[-3000:]
    assert shown.seen.rindex(SHOWN) > shown.seen.rindex(HIDDEN)
    assert b"Traceback" not in shown.seen


def test_who_is_awaited_stands_on_a_terminal_until_the_answer_comes(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with terminal() as (stream, end), monkeypatch.context() as patched:
        patched.setattr("sys.stderr", stream)
        with Awaited(["Keybase", "keys.example"]) as awaited:
            awaited.came("Keybase")
            loudness.aside("  ok Keybase: nothing new")
        seen = end()
    assert "waiting for keys.example" in seen
    assert "ok Keybase: nothing new" in seen
    assert seen.encode().rindex(SHOWN) > seen.encode().rindex(HIDDEN)
