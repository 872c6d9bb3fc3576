"""The same tree gives the same octets, whoever builds it, where and when."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from certmail import RELEASED, __version__
from tests.release.conftest import ROOT, build, run

if TYPE_CHECKING:
    from pathlib import Path

GATHERED = (
    ".git",
    ".venv",
    "dist",
    "build",
    "__pycache__",
    "*.egg-info",
    ".*_cache",
    ".hypothesis",
)
TOP = {
    *(".ci", ".gitattributes", ".github", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md"),
    *("LICENSE", "Makefile", "PKG-INFO", "README.md", "SECURITY.md", "benchmarks", "certmail"),
    *("docs", "hatch_build.py", "keys", "pyproject.toml", "release", "requirements", "tests"),
}


def digest(path: Path) -> tuple[str, str]:
    return path.name, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> dict[str, Path]:
    """Built from a copy by somebody else: other folder, umask, zone, file times, hash seed."""
    folder = tmp_path_factory.mktemp("somebody else's")
    tree = folder / "a copy"
    shutil.copytree(ROOT, tree, symlinks=True, ignore=shutil.ignore_patterns(*GATHERED))
    for number, path in enumerate(sorted(tree.rglob("*"), reverse=True)):
        path.chmod(path.stat().st_mode & 0o700)
        os.utime(path, (1_000_000_000 + number, 1_700_000_000 - number))
    for name in ("certmail/__pycache__/x.cpython-311.pyc", "tests/.pytest_cache/README.md"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_bytes(b"gathered")
    other = {"TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "7", "LC_ALL": "C", "USER": "else"}
    return build(tree, folder / "dist", umask=0o077, **other)


def test_two_builds_are_equal(artefacts, elsewhere):
    assert {name: digest(path) for name, path in artefacts.items()} == {
        name: digest(path) for name, path in elsewhere.items()
    }
    assert set(artefacts) == {"whl", "gz"}


def test_the_wheel_from_the_sdist_is_the_wheel_from_the_checkout(artefacts, wheel):
    assert digest(artefacts["whl"]) == digest(wheel)


def test_a_distribution_may_set_another_date(artefacts, tmp_path):
    other = build(ROOT, tmp_path / "dist", "--wheel", SOURCE_DATE_EPOCH="1000000000")
    assert digest(other["whl"]) != digest(artefacts["whl"])
    with zipfile.ZipFile(other["whl"]) as archive:
        assert {entry.date_time[:3] for entry in archive.infolist()} == {(2001, 9, 9)}


def test_every_time_in_an_artefact_is_the_releases(artefacts):
    day = datetime.fromisoformat(RELEASED).replace(tzinfo=UTC)
    with tarfile.open(artefacts["gz"]) as archive:
        assert {entry.mtime for entry in archive} == {int(day.timestamp())}
    with zipfile.ZipFile(artefacts["whl"]) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {day.timetuple()[:6]}


def test_nobody_can_tell_who_built_it(artefacts):
    with tarfile.open(artefacts["gz"]) as archive:
        entries = archive.getmembers()
        assert {(e.uid, e.gid, e.uname, e.gname) for e in entries} == {(0, 0, "", "")}
        assert {e.mode for e in entries} == {0o644, 0o755}
        assert all(e.isreg() for e in entries), "a link may point out of the folder"
        texts = {e.name: archive.extractfile(e).read() for e in entries}
    with zipfile.ZipFile(artefacts["whl"]) as archive:
        texts |= {name: archive.read(name) for name in archive.namelist()}
    here = str(ROOT).encode()
    assert [name for name, text in texts.items() if here in text] == []


def test_the_sdist_holds_the_checkout_and_nothing_else(artefacts):
    with tarfile.open(artefacts["gz"]) as archive:
        names = {e.name.removeprefix(f"certmail-{__version__}/") for e in archive}
    assert {name.partition("/")[0] for name in names} == TOP
    gathered = re.compile(r"(^|/)(__pycache__|\.[a-z]+_cache|\.hypothesis|node_modules)/|\.py[co]$")
    assert [name for name in names if gathered.search(name)] == []
    listed = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    try:
        ended = run(*listed, cwd=ROOT)
    except FileNotFoundError:
        pytest.skip("git is not here to tell what the checkout holds")
    if ended.returncode:
        pytest.skip("this is not a checkout")
    there = {name for name in ended.stdout.split("\0") if name and (ROOT / name).is_file()}
    assert names - {"PKG-INFO"} == there


def test_the_sdist_can_check_itself(artefacts, tmp_path):
    """It brings what its own targets read."""
    with tarfile.open(artefacts["gz"]) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    try:
        ended = run("make", "--dry-run", "check", "test", "audit", "sbom", "dist", cwd=tree)
    except FileNotFoundError:
        pytest.skip("make is not here")
    assert ended.returncode == 0, ended.stderr
    assert "No such file" not in ended.stderr
