"""A bug of certmail's own is no traceback, and gives no secret away."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.schemas import conforms

BROKEN = """
import sys, click
from certmail.cli import entry
from certmail.cli.command import Command

@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True)
def boom(as_json):
    try:
        raise ValueError("canary-7f3a in the inner text")
    except ValueError as inner:
        raise RuntimeError("canary-7f3a in the outer text") from inner

entry.certmail.add_command(boom)
sys.exit(entry.run(sys.argv[1:]))
"""


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-c", BROKEN, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", [("boom",), ("--debug", "boom")])
def test_an_unexpected_exception_is_named_without_its_text(arguments):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert "error[BUG]" in done.stderr
    assert "canary" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bug_is_told_to_scripts_without_its_text():
    done = run("boom", "--json")
    told = conforms(json.loads(done.stdout))
    assert (done.returncode, told["code"], told["exit_status"]) == (1, "BUG", 1)
    assert told["what"] == "certmail itself has failed (RuntimeError)"
    assert "canary" not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [("--debug", "boom"), ("boom", "--debug")])
def test_debug_shows_where_it_happened(arguments):
    shown = run(*arguments).stderr
    assert "RuntimeError, text withheld" in shown
    assert "ValueError, text withheld" in shown
    assert "boom" in shown
