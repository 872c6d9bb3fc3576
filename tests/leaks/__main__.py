"""``python -m tests.leaks``: every function that a send calls fails once, in twenty minutes.

``CERTMAIL_TEST_EVERY=10`` tries each tenth. More words are for pytest.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-s", str(Path(__file__).with_name("full.py")), *sys.argv[1:]]))
