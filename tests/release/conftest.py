"""Builds of this checkout, each made once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
AUDIT = ROOT / ".venv" / "audit" / ("Scripts" if os.name == "nt" else "bin") / "python"
"""What looks at the locks (`make sbom` and `make audit` set it up)."""


def run(
    *command: str | Path, cwd: Path, umask: int = -1, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **environ},
        umask=umask,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def build(tree: Path, into: Path, *what: str, umask: int = -1, **environ: str) -> dict[str, Path]:
    """Build as a packager does; give the artefacts by their ends, ``whl`` and ``gz``."""
    ended = run(
        *(sys.executable, "-m", "build", "--no-isolation", *what, "--outdir", into, tree),
        cwd=into.parent,
        umask=umask,
        **environ,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return {path.suffix[1:]: path for path in into.iterdir()}


@pytest.fixture(scope="package")
def wheel(tmp_path_factory) -> Path:
    """The wheel, straight from the checkout."""
    return build(ROOT, tmp_path_factory.mktemp("wheel") / "dist", "--wheel")["whl"]


@pytest.fixture(scope="package")
def artefacts(tmp_path_factory) -> dict[str, Path]:
    """The sdist, and the wheel that was built from it."""
    return build(ROOT, tmp_path_factory.mktemp("artefacts") / "dist")
