"""What a packager gets: the wheel is whole, and it works in an empty environment."""

from __future__ import annotations

import email
import json
import os
import re
import sys
import sysconfig
import venv
import zipfile

import pytest

import certmail
from certmail.cli.entry import certmail as program
from certmail.cli.manual import man_pages
from certmail.errors import KeyRefused
from certmail.recipient import CLEVER_CLOUD
from release import lock
from tests.release.conftest import ROOT, run

LOCKS = sorted(path.name for path in (ROOT / "requirements").iterdir())


def test_the_wheel_holds_the_package_the_key_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        key = archive.read("certmail/keys/clever-cloud.asc")
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        about = email.message_from_bytes(archive.read(metadata))
    info = metadata.rpartition("/")[0]
    manuals = f"{info.removesuffix('.dist-info')}.data/data/share/man/"
    assert key == (ROOT / "keys" / "clever-cloud.asc").read_bytes()
    assert {name for name in names if not name.startswith((f"{info}/", manuals))} == {
        "certmail/keys/clever-cloud.asc",
        "certmail/docs/errors.md",
        "certmail/docs/exit-status.md",
        *(f"certmail/docs/schemas/{path.name}" for path in (ROOT / "docs/schemas").iterdir()),
        *(
            str(path.relative_to(ROOT))
            for path in (ROOT / "certmail").rglob("*")
            if path.suffix in {".py", ".typed", ".css"}
        ),
    }
    assert f"{info}/licenses/LICENSE" in names
    assert (about["Name"], about["Version"]) == ("certmail", certmail.__version__)
    assert about["Requires-Python"] == ">=3.11"


def test_the_wheel_brings_the_man_pages_of_its_own_commands(wheel):
    written = man_pages(program)
    with zipfile.ZipFile(wheel) as archive:
        found = {
            name.partition(".data/data/share/man/")[2]: archive.read(name).decode()
            for name in archive.namelist()
            if "/share/man/" in name
        }
    assert found == {f"man{name[-1]}/{name}": text for name, text in written.items()}


def test_every_requirement_of_the_wheel_is_locked_with_hashes(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        about = email.message_from_bytes(archive.read(metadata))
    locked = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    for requirement in about.get_all("Requires-Dist", []):
        if "extra ==" in requirement:
            continue  # what somebody asks for on top is not in the plain installation
        name = re.match(r"[A-Za-z0-9._-]+", requirement)[0]
        assert f"\n{name}==" in f"\n{locked}"
    pins = [line for line in locked.splitlines() if "==" in line]
    assert all(line.endswith("\\") for line in pins)


@pytest.mark.parametrize("name", LOCKS)
def test_each_release_of_each_lock_has_its_hashes(name):
    """``pip install --require-hashes`` takes nothing else."""
    pins = lock.read((ROOT / "requirements" / name).read_text(encoding="utf-8"))
    assert pins
    assert all(pin.hashes and pin.wanted_by for pin in pins)


def test_the_dev_lock_agrees_with_the_runtime_lock():
    """What is tested is what is installed."""

    def pins(name: str) -> set[str]:
        lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
        # Without its marker: a tool may need everywhere what the product needs on some systems.
        return {line.partition(";")[0].rstrip(" \\") for line in lines if "==" in line}

    assert pins("runtime.txt") <= pins("dev.txt")


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_place(name):
    """A lock holds names, versions and hashes; where they come from is the user's choice."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    assert not any(word in text for word in ("://", "--index-url", "--find-links", "file:", " @ "))


def test_the_wheel_works_in_an_empty_environment(wheel, tmp_path):
    """From another folder, with the locked releases, without this checkout."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    pip = (programs / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    lock = ROOT / "requirements" / "runtime.txt"
    ended = run(*pip, "--require-hashes", "-r", lock, cwd=tmp_path)
    if "CI" not in os.environ and "connection" in ended.stderr.lower():
        pytest.skip("no package index can be reached")
    assert ended.returncode == 0, ended.stderr
    ended = run(*pip, "--no-deps", "--no-index", wheel, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr

    manual = tmp_path / "venv" / "share" / "man" / "man1" / "certmail-send.1"
    assert manual.read_text(encoding="ascii") == man_pages(program)["certmail-send.1"]

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    home = {"HOME": str(elsewhere), "XDG_CONFIG_HOME": str(elsewhere)}
    ended = run(programs / "certmail", "--version", cwd=elsewhere, **home)
    assert (ended.stdout.strip(), ended.stderr) == (f"certmail {certmail.__version__}", "")
    # The copy that comes along may have expired since: that is the key's fault, not the wheel's.
    ended = run(programs / "certmail", "verify-key", "--json", cwd=elsewhere, **home)
    assert ended.returncode in {0, KeyRefused.exit_status}, ended.stderr
    assert CLEVER_CLOUD.pin.text in json.dumps(json.loads(ended.stdout))
    assert list(elsewhere.iterdir()) == []


def test_the_wheel_works_without_a_network(wheel, tmp_path):
    """In a fresh environment, with the releases that are tested here, without this checkout."""
    venv.create(tmp_path / "venv", with_pip=False)
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    ended = run(
        *(sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet"),
        *("--no-deps", "--no-index", "--no-cache-dir", wheel),
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # A path file of this checkout's own installation counts for nothing in there.
    known = {"PYTHONPATH": sysconfig.get_path("purelib"), "HOME": str(elsewhere)}
    where = "import certmail, sys; print(certmail.__file__)"
    ended = run(programs / "python", "-c", where, cwd=elsewhere, **known)
    assert ended.stdout.startswith(str(tmp_path)), ended.stderr
    ended = run(programs / "certmail", "--version", cwd=elsewhere, **known)
    assert (ended.stdout.strip(), ended.stderr) == (f"certmail {certmail.__version__}", "")
    ended = run(programs / "certmail", "explain", "PIN-MISMATCH", cwd=elsewhere, **known)
    assert (ended.returncode, "PIN-MISMATCH" in ended.stdout) == (0, True), ended.stderr
    ended = run(programs / "certmail", "verify-key", cwd=elsewhere, **known)
    assert ended.returncode in {0, KeyRefused.exit_status}, ended.stderr
    assert CLEVER_CLOUD.pin.text in (ended.stdout + ended.stderr).replace(" ", "")
