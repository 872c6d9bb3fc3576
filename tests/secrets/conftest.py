from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

FOREIGN = """
import os
from pathlib import Path
from keyring.backend import KeyringBackend
Path(os.environ["HOME"], "loaded").touch()

class PlainFile(KeyringBackend):
    priority = 99
    def get_password(self, service, username):
        return "from-a-plain-file"
    def set_password(self, service, username, password):
        Path(os.environ["HOME"], "loaded").write_text(password)
"""


@pytest.fixture
def foreign(tmp_path):
    """A plug-in that outranks everything and keeps passwords in a plain file."""
    packages = tmp_path / "packages"
    info = packages / "plainfile-1.0.dist-info"
    info.mkdir(parents=True)
    (packages / "plainfile.py").write_text(FOREIGN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plainfile\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[keyring.backends]\nplain = plainfile:PlainFile\n")
    return packages


@pytest.fixture
def short_home(tmp_path_factory) -> Path:
    """A folder that only we may enter, as the daemons demand."""
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    return home
