"""What each command draws: at most 80 columns, and colour only where it is wanted."""

from __future__ import annotations

import io
import os
import re
import struct
import sys
import threading
from contextlib import contextmanager

import pytest

from certmail.cli.draw import is_coloured
from tests.cli.story import day
from tests.cli.test_outbox import Here
from tests.posix import posix

SETTINGS = {
    "CERTMAIL_SENDER_NAME": "The operators of a service with a rather long name, and others",
    "CERTMAIL_REQUEST_CONTACT": "somebody at the department of long names, telephone 0123456789",
}
"""Long values, that something is to be broken."""

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@contextmanager
def terminal():
    """Give a stream that is a terminal of 80 columns, and a function that ends it and reads it."""
    leader, follower = posix("pty").openpty()
    posix("fcntl").ioctl(follower, posix("termios").TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    seen = bytearray()

    def read() -> None:
        while True:
            try:
                chunk = os.read(leader, 65536)
            except OSError:  # the other side has been closed
                return
            seen.extend(chunk)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    stream = io.TextIOWrapper(os.fdopen(follower, "wb", buffering=0), "utf-8", write_through=True)

    def end() -> str:
        stream.close()
        reader.join(10)
        return seen.decode().replace("\r\n", "\n")

    try:
        yield stream, end
    finally:
        stream.close()
        reader.join(10)
        os.close(leader)


class AtTerminal(Here):
    """Runs certmail in this process, with its output on a terminal."""

    @contextmanager
    def streams(self):
        with terminal() as (stream, end):
            yield stream, stream, lambda: (end(), "")


def too_long(text: str) -> list[str]:
    """Lines over 80 columns that could have been broken: at a space, before the 80th column."""
    lines = [ESCAPE.sub("", line).rstrip() for line in re.split("[\r\n]+", text)]
    return [
        line
        for line in lines
        if len(line) > 80 and len(max(line.split(), key=len)) + _indent(line) <= 80
    ]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


NOT_DRAWN = ("log --export", "completion bash")
"""Lines for programs, each one as long as it is."""


def drawn(did):
    return {words: ran for words, ran in did.items() if words not in NOT_DRAWN}


def test_a_pipe_gets_80_columns_and_no_escape_codes(user, bundle, relay):
    did = drawn(day(Here(user.home, user.gnupg, SETTINGS), user=user, bundle=bundle, relay=relay))
    assert [line for ran in did.values() for line in too_long(ran.out + ran.err)] == []
    assert [words for words, ran in did.items() if "\x1b" in ran.out + ran.err] == []


def test_a_terminal_gets_80_columns_and_colour(user, bundle, relay):
    person = AtTerminal(user.home, user.gnupg, {"TERM": "xterm-256color", **SETTINGS})
    did = drawn(day(person, user=user, bundle=bundle, relay=relay))
    assert [line for ran in did.values() for line in too_long(ran.out)] == []
    assert "\x1b[31merror\x1b[0m[BUNDLE-UNREADABLE]" in did["check nowhere.pem"].out
    assert "\x1b[1mnext:\x1b[0m" in did["check nowhere.pem"].out


@pytest.mark.parametrize("wish", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CLICOLOR": "0"}], ids=str)
def test_who_wants_no_colour_gets_no_escape_code_at_all(user, bundle, relay, wish):
    person = AtTerminal(user.home, user.gnupg, {"TERM": "xterm-256color", **wish})
    did = day(person, user=user, bundle=bundle, relay=relay)
    assert [words for words, ran in did.items() if "\x1b" in ran.out] == []


def test_the_words_of_an_error_are_the_same_with_colour_and_without(user):
    coloured = AtTerminal(user.home, user.gnupg, {"TERM": "xterm"})("check", "nowhere.pem").out
    plain = Here(user.home, user.gnupg, {})("check", "nowhere.pem").err
    assert coloured != plain
    assert ESCAPE.sub("", coloured) == plain


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"CLICOLOR_FORCE": "0"}, False),
        ({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False),
        ({"CLICOLOR_FORCE": "1", "NO_COLOR": ""}, True),
        ({"CLICOLOR_FORCE": "1", "TERM": "dumb"}, True),
    ],
    ids=str,
)
def test_a_pipe_is_coloured_only_by_force(monkeypatch, environment, wanted):
    for name in ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_coloured(io.StringIO()) is wanted
    assert sys.stdout is not None
