"""Completion, asked of the real shells: each answers what a user would see behind TAB."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from certmail.cli.completion_command import SHELLS
from tests.cli.story import ACCEPT
from tests.cli.test_outbox import Here
from tests.peers import need
from tests.posix import posix
from tests.test_house import HEAVY, is_in

BESIDE = Path(sys.executable).parent
"""Where `certmail` lies: a shell finds it by its name."""

ASKED = [
    ("sen", ["send"]),
    ("outbox re", ["retry"]),
    ("explain KEY-STAL", ["KEY-STALE"]),
    ("send --relay-mode ", ["implicit", "starttls"]),
    ("completion f", ["fish"]),
    ("send --accept-exp", ["--accept-expired-key"]),
]


def shell_environment(user) -> dict[str, str]:
    return {
        **user.environment(),
        "PATH": f"{BESIDE}:{os.environ['PATH']}",
        "TERM": "dumb",
        "ZDOTDIR": str(user.home),
    }


def run(user, *command: str) -> str:
    ended = subprocess.run(
        command,
        env=shell_environment(user),
        cwd=user.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_good_in_the_eyes_of_its_shell(user, shell):
    script = user.home / "script"
    script.write_text(user("completion", shell).out)
    run(user, need(shell), "-n", str(script))


@pytest.mark.peer
@pytest.mark.parametrize(("typed", "offered"), ASKED, ids=str)
def test_bash_offers(user, typed, offered):
    words = ["certmail", *typed.split(" ")]
    listed = " ".join(f"'{word}'" for word in words)
    shown = run(
        user,
        need("bash"),
        "--norc",
        "-c",
        f'eval "$(certmail completion bash)"; COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1};'
        ' _certmail_completion certmail; printf "%s\\n" "${COMPREPLY[@]}"',
    )
    assert shown.split() == offered


@pytest.mark.peer
@pytest.mark.parametrize(("typed", "offered"), ASKED, ids=str)
def test_fish_offers(user, typed, offered):
    shown = run(
        user,
        need("fish"),
        "--no-config",
        "-c",
        f"certmail completion fish | source; complete -C 'certmail {typed}'",
    )
    assert [line.partition("\t")[0] for line in shown.splitlines()] == offered


class Zsh:
    """Zsh completes in its line editor alone, so that it needs a terminal."""

    def __init__(self, user):
        self.leader, follower = posix("pty").openpty()
        self.process = subprocess.Popen(
            [need("zsh"), "-f", "-i"],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=shell_environment(user),
            cwd=user.home,
            start_new_session=True,
        )
        os.close(follower)

    def type(self, text: str, *, until: str) -> str:
        """Type, and read until a pattern is seen."""
        os.write(self.leader, text.encode())
        seen, end = "", time.monotonic() + 30
        while not re.search(until, seen) and time.monotonic() < end:
            if select.select([self.leader], [], [], 0.2)[0]:
                seen += os.read(self.leader, 65536).decode(errors="replace")
        assert re.search(until, seen), seen
        return seen

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.leader)


@pytest.mark.peer
def test_zsh_offers(user):
    zsh = Zsh(user)
    try:
        zsh.type(
            "PS1=; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -D -u;"
            ' eval "$(certmail completion zsh)"; print re""ady\n',
            until="ready",
        )
        # One fit is put into the line; of several, all are listed.
        zsh.type("certmail sen\t", until=r"certmail sen\x08*.*d")
        zsh.type("\x15certmail explain KEY-STAL\t", until="STALE")
        zsh.type("\x15certmail send --relay-mode \t", until=r"(?s)implicit.*starttls")
        # With descriptions, where there are some.
        zsh.type("\x15certmail outbox \t", until=r"retry.*-- Offer what waits once more")
    finally:
        zsh.end()


def complete(user, *words: str) -> list[tuple[str, str]]:
    """Ask the program as the script for fish does: it tells types and values."""
    extra = {
        "_CERTMAIL_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("certmail", *words)),
        "COMP_CWORD": str(len(words)),
    }
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", BESIDE / "certmail"],
        env={**user.environment(), **extra},
        cwd=user.home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-1000:]
    loaded = [
        line.rpartition("|")[2].strip()
        for line in ended.stderr.splitlines()
        if line.startswith("import time:")
    ]
    # A shell waits for this at every TAB.
    assert [name for name in loaded if is_in(name, HEAVY)] == []
    return [tuple(line.split(",", 1)) for line in ended.stdout.splitlines() if line]


@pytest.mark.parametrize(
    "words",
    [
        ("check", ""),
        ("send", ""),
        ("verify-key", ""),
        ("bundle", "--lineage", ""),
        ("preview", "--html", ""),
        ("send", "--sealed", ""),
        ("key", "export", "--output", ""),
        ("outbox", "export", "3f9a2c81", ""),
        ("send", "--relay-ca-file", ""),
        ("check", "--blocklist", ""),
    ],
    ids=" ".join,
)
def test_where_the_help_says_file_a_shell_completes_files(user, words):
    assert ("file", "") in complete(user, *words)


def test_a_store_is_a_word_or_a_file(user):
    assert complete(user, "check", "--trust", "") == [
        ("file", ""),
        ("plain", "system"),
        ("plain", "certifi"),
    ]


def test_messages_of_the_outbox_are_offered_by_name(user, bundle, relay, tmp_path):
    person = Here(tmp_path, user.gnupg, {})
    sent = person("send", bundle, "--yes", "--json", ACCEPT, *relay.flags)
    name = sent.json["outbox"]
    for words in (("show",), ("retry",), ("drop",), ("export",)):
        assert complete(person, "outbox", *words, "") == [("plain", name)]
    assert complete(person, "outbox", "show", name[:4]) == [("plain", name)]
    assert complete(person, "outbox", "show", "zzzz") == []


def test_an_outbox_that_cannot_be_read_offers_nothing(user, tmp_path):
    person = Here(tmp_path, user.gnupg, {})
    assert complete(person, "outbox", "show", "") == []
    state = tmp_path / ".local" / "state" / "certmail" / "outbox"
    state.mkdir(parents=True)
    (state / "outbox.sqlite3").write_bytes(b"no database")
    assert complete(person, "outbox", "show", "") == []


def test_asking_for_another_shell_is_a_usage_error(user):
    ran = user("completion", "tcsh")
    assert (ran.status, ran.out) == (2, "")
