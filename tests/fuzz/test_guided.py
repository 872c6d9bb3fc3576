"""Fuzzing led by coverage, some seconds for each target; ``make fuzz`` takes longer."""

from __future__ import annotations

import importlib.util
import platform
import sys

import pytest

from tests.fuzz.__main__ import run
from tests.fuzz.guided import PLANTED
from tests.fuzz.targets import TARGETS
from tests.peers import unmet

SECONDS = 3

HAS_WHEEL = (
    sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 14)
)

pytestmark = [
    pytest.mark.guided,
    pytest.mark.skipif(
        not HAS_WHEEL, reason="atheris has wheels for Linux on x86-64 and Python below 3.14 alone"
    ),
]


def test_some_seconds_of_fuzzing_find_the_planted_fault_and_no_other(tmp_path):
    """One test, since the readers are loaded and instrumented once.

    The fault stands behind three octets, one after the other: only coverage leads there so soon.
    """
    if importlib.util.find_spec("atheris") is None:
        unmet("atheris is not installed (make check installs what the lock names)")
    ends = run([PLANTED.name, *TARGETS], tmp_path, seconds=SECONDS)
    ended, told = ends.pop(PLANTED.name)
    assert ended != 0, told[-3000:]
    [crash] = tmp_path.glob("planted-crash-*")
    assert crash.read_bytes().startswith(b"pem")
    for name, (ended, told) in ends.items():
        assert ended == 0, f"{name}\n{told[-6000:]}"
        assert "number_of_executed_units" in told
