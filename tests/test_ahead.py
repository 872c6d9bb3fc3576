"""What was begun ahead gives its result, or its exception, to whoever asks."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from certmail.ahead import Ahead, load


def test_the_result_is_there_when_it_is_asked_for():
    assert Ahead(lambda: 7).result() == 7


def test_an_exception_is_raised_where_the_result_is_asked_for():
    def fail() -> None:
        raise LookupError("gone")

    ahead = Ahead(fail)
    for _ in range(2):
        with pytest.raises(LookupError, match="gone"):
            ahead.result()


def test_the_caller_goes_on_meanwhile():
    go_on = threading.Event()
    ahead = Ahead(go_on.wait)
    go_on.set()
    assert ahead.result() is True


def test_a_run_that_ends_does_not_wait_for_it():
    program = "import threading\nfrom certmail.ahead import Ahead\nAhead(threading.Event().wait)\n"
    assert subprocess.run([sys.executable, "-c", program], timeout=20, check=False).returncode == 0


def test_modules_are_loaded():
    load("colorsys").result()
    assert "colorsys" in sys.modules
