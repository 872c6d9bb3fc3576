"""What must not compile does not compile."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
REFUSED = Path(__file__).with_name("refused.py")


def test_mypy_refuses_plaintext_strangers_and_weaker_modes():
    """The types alone keep a letter, bytes or a plain mode away from the transport."""
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", REFUSED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    reported = re.findall(r"refused\.py:(\d+): error: .*\[([a-z-]+)\]$", ended.stdout, re.MULTILINE)
    expected = [
        (str(number), code)
        for number, line in enumerate(REFUSED.read_text(encoding="utf-8").splitlines(), start=1)
        for code in re.split(r", ", line.partition("# mypy: ")[2])
        if code
    ]
    assert sorted(reported) == sorted(expected), ended.stdout + ended.stderr
