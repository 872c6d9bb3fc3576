"""``python -m tests.leaks``: every function a send calls fails once, in a quarter of an hour.

``CERTMAIL_TEST_EVERY=10`` tries each tenth, ``CERTMAIL_TEST_TURN=1`` (to 5) lets each fail in
another way. More words are for pytest.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-s", str(Path(__file__).with_name("full.py")), *sys.argv[1:]]))
