"""What only POSIX has: where it is missing, the test that needs it skips, with one reason."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import pytest

REASON = "modes, owners, pipes and terminals as POSIX has them"

POSIX = pytest.mark.skipif(sys.platform == "win32", reason=REASON)
"""For a test of them."""

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
"""Root may enter everything and give files away; on Windows nobody is root."""

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""What no process can catch; Windows ends one like that by any signal."""


def posix(module: str) -> Any:
    """Give a module of POSIX's, or skip the test that asks for it."""
    return pytest.importorskip(module, reason=REASON)
