"""Where a user's own files of certmail lie: settings, state, stored copies of keys.

Comes in: the environment. Goes out: folders, of which none is opened or made. Linux has them where
the XDG Base Directory Specification says. ``platformdirs`` knows the other systems, and what to do
without a home; importing it takes as long as a dozen rooms of ours, so that Linux does without.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

_NAME: Final = "certmail"


def settings_folder() -> Path:
    """Tell where the settings file lies when nothing names another."""
    return _folder("XDG_CONFIG_HOME", ".config", elsewhere="user_config_dir")


def state_folder() -> Path:
    """Tell where certmail remembers things for this user."""
    return _folder("XDG_STATE_HOME", ".local/state", elsewhere="user_state_dir")


def data_folder() -> Path:
    """Tell where what was fetched is kept."""
    return _folder("XDG_DATA_HOME", ".local/share", elsewhere="user_data_dir")


def _folder(variable: str, otherwise: str, *, elsewhere: str) -> Path:
    """Give the specification's folder, or what a function of ``platformdirs`` tells."""
    found = _on_linux(variable, otherwise=otherwise)
    if found is None:
        import platformdirs  # noqa: PLC0415 - see above

        found = Path(getattr(platformdirs, elsewhere)(_NAME, appauthor=False))
    return found


def _on_linux(variable: str, *, otherwise: str) -> Path | None:
    """Read the specification's variable, or take its default; None on other systems."""
    if sys.platform != "linux":
        return None
    # "All paths set in these environment variables must be absolute"; others are ignored.
    named, home = os.environ.get(variable, ""), os.environ.get("HOME", "")
    if os.path.isabs(named):  # noqa: PTH117 - Path("") would be the working directory
        return Path(named, _NAME)
    return Path(home, otherwise, _NAME) if os.path.isabs(home) else None  # noqa: PTH117
