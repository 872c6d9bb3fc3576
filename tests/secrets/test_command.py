"""A command's first line, and nothing else of it anywhere."""

from __future__ import annotations

import time

import pytest

from certmail import secrets
from certmail.errors import SecretError
from certmail.secrets.bounded import MAX_OCTETS, run_within
from certmail.secrets.command import CommandOutput
from tests.secrets.support import CANARY, alone, python


def command(*words: str, deadline_s: float = 20) -> CommandOutput:
    return CommandOutput(words, deadline_s)


def test_the_first_line_of_a_command_is_the_password():
    code = f"import sys; sys.stdout.buffer.write({CANARY!r}.encode() + b'\\nuser: ops\\n')"
    assert secrets.from_command(python(code)).read().reveal() == CANARY


@pytest.mark.parametrize("end", ["", "\\n", "\\r\\n"])
def test_the_end_of_the_line_is_not_part_of_the_password(end):
    code = f"import sys; sys.stdout.write('word{end}')"
    assert command(*python(code)).read().reveal() == "word"


def test_spaces_are_part_of_the_password():
    assert command(*python("print('  two words ')")).read().reveal() == "  two words "


def test_no_shell_sees_the_words(tmp_path):
    trace = tmp_path / "trace"
    said = command("/bin/echo", f"$(touch {trace});`touch {trace}`").read().reveal()
    assert said == f"$(touch {trace});`touch {trace}`"
    assert not trace.exists()


@pytest.mark.parametrize(
    "words",
    [
        python(f"import sys; print({CANARY!r}); sys.exit(3)"),
        python("pass"),
        python("print()"),
        python("import sys; sys.stdout.buffer.write(b'\\xff\\xfe\\n')"),
        python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        ("/nonexistent/command", CANARY),
        ("/tmp", CANARY),
        ("a\0b", CANARY),
        (),
        ("",),
    ],
    ids=[
        "status",
        "nothing",
        "empty-line",
        "no-text",
        "killed",
        "missing",
        "folder",
        "nul",
        "no-words",
        "no-name",
    ],
)
def test_a_command_that_fails_gives_no_password_and_is_not_quoted(words):
    with pytest.raises(SecretError) as caught:
        command(*words).read()
    assert caught.value.code == "SECRET-COMMAND-FAILED"
    assert CANARY not in repr(vars(caught.value))
    assert caught.value.__cause__ is None


def test_a_command_that_hangs_is_ended():
    began = time.monotonic()
    with pytest.raises(SecretError) as caught:
        command(*python("import time; time.sleep(60)"), deadline_s=0.3).read()
    assert caught.value.code == "SECRET-COMMAND-TIMEOUT"
    assert time.monotonic() - began < 5


def test_a_command_that_never_stops_writing_is_ended():
    endless = "while True: print('x' * 1000)"
    began = time.monotonic()
    with pytest.raises(SecretError) as caught:
        command(*python(endless)).read()
    assert caught.value.code == "SECRET-COMMAND-FAILED"
    assert time.monotonic() - began < 10


def test_output_has_a_bound():
    ended = run_within(20, python("import os; os.write(1, b'x' * 300000)"))
    assert len(ended.output) <= MAX_OCTETS + 4096


def test_a_grandchild_that_keeps_the_pipe_open_is_not_waited_for():
    """Such is an agent that the command starts in passing."""
    began = time.monotonic()
    assert command("/bin/sh", "-c", "echo word; sleep 3 &").read().reveal() == "word"
    assert time.monotonic() - began < 2.5


def test_what_is_typed_at_certmail_is_not_the_commands():
    code = "import sys; print(repr(sys.stdin.read()))"
    assert command(*python(code)).read().reveal() == "''"


def test_a_source_shows_nothing_of_what_it_may_hold():
    assert CANARY not in repr(CommandOutput(("echo", CANARY)))


def test_an_interrupted_wait_ends_the_program(tmp_path):
    """The child would otherwise go on waiting for a prompt that nobody answers."""
    code = f"""
import os, signal, sys, time
from pathlib import Path
from certmail.secrets.bounded import run_within
note = Path({str(tmp_path / "pid")!r})
child = "import os, signal, sys, time; from pathlib import Path;" \
        "Path(sys.argv[1]).write_text(str(os.getpid()));" \
        "os.kill(os.getppid(), signal.SIGINT); time.sleep(30)"
try:
    run_within(30, [sys.executable, "-c", child, str(note)], apart=True)
except KeyboardInterrupt:
    try:
        os.kill(int(note.read_text()), 0)
    except ProcessLookupError:
        print("ended")
"""
    assert alone(code) == "ended"
