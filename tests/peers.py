"""Programs from the system's packages: a laptop may lack them, the CI may not."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def need(program: str, *, package: str | None = None) -> str:
    """Give the program's path; without it skip the test, or fail where CI is set."""
    # Debian keeps servers out of a user's PATH.
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        unmet(f"{program} is not installed (package {package or program})")
    return found


def unmet(reason: str) -> NoReturn:
    """Skip the test for what is missing here, or fail where CI is set."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
