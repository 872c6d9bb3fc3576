"""A throw-away home is private, short, and gone afterwards."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from certmail.gnupg.homes import MAX_SOCKET_PATH, Homes, throwaway_home
from certmail.gnupg.runner import find_gpg, run
from tests.posix import POSIX


def agents_of(home: Path) -> list[str]:
    """List the processes that were started for ``home``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if str(home).encode() in line:
            found.append(line.decode("utf-8", "replace"))
    return found


@POSIX
def test_a_home_is_private_and_short():
    with throwaway_home() as home:
        assert stat.S_IMODE(home.stat().st_mode) == stat.S_IRWXU
        assert len(os.fsencode(home)) + len("/S.gpg-agent.browser") < MAX_SOCKET_PATH
        assert list(home.iterdir()) == []
    assert not home.exists()


def test_a_home_is_removed_when_its_block_fails():
    seen = []

    def interrupted() -> None:
        with throwaway_home() as home:
            seen.append(home)
            (home / "pubring.kbx").write_bytes(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [home.exists() for home in seen] == [False]


def test_homes_are_lent_again_and_two_borrowers_never_share_one():
    with Homes() as homes:
        with homes.lend() as first, homes.lend() as second:
            assert first != second
        with homes.lend() as again:
            assert again in {first, second}
        assert first.is_dir()
        assert second.is_dir()
    assert not first.exists()
    assert not second.exists()


def test_a_home_in_which_something_failed_is_not_lent_again():
    with Homes() as homes:
        with pytest.raises(KeyboardInterrupt), homes.lend() as failed:
            raise KeyboardInterrupt
        with homes.lend() as other:
            assert other != failed
    assert not failed.exists()


def test_an_agent_that_was_started_is_ended(monkeypatch):
    """Callers forbid the agent; should one come all the same, it does not stay."""
    with throwaway_home() as home:
        subprocess.run(
            ["gpg-connect-agent", "--homedir", home, "/bye"], check=True, capture_output=True
        )
        assert agents_of(home) != []
    assert not home.exists()
    assert agents_of(home) == []


def test_public_work_starts_no_agent():
    gpg = find_gpg()
    with throwaway_home() as home:
        run(gpg, "--no-autostart", "--list-keys", home=home, env=os.environ, timeout_s=30)
        assert agents_of(home) == []
        assert [entry.name for entry in home.iterdir() if entry.name.startswith("S.")] == []


@pytest.fixture
def runtime():
    """Give a short private folder, as a session's XDG_RUNTIME_DIR is."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:
        yield Path(folder)


def test_the_sessions_folder_in_memory_is_used(runtime):
    with throwaway_home({**os.environ, "XDG_RUNTIME_DIR": str(runtime)}) as home:
        assert home.parent == runtime


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o500])
def test_a_folder_that_others_enter_is_not_used(runtime, mode):
    runtime.chmod(mode)
    with throwaway_home({**os.environ, "XDG_RUNTIME_DIR": str(runtime)}) as home:
        assert home.parent != runtime


def test_a_link_a_relative_name_and_a_long_one_are_not_used(runtime):
    link = runtime / "link"
    link.symlink_to(runtime)
    long = runtime / ("x" * 80)
    long.mkdir(mode=0o700)
    for folder in (str(link), "relative", str(long), str(runtime / "missing"), ""):
        with throwaway_home({**os.environ, "XDG_RUNTIME_DIR": folder}) as home:
            assert home.parent != Path(folder)


def test_a_long_temporary_folder_is_not_used(monkeypatch, tmp_path):
    """GnuPG cannot even import a public key where its sockets' names are too long."""
    long = tmp_path / ("x" * 80)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with throwaway_home({}) as home:
        assert home.parent == Path("/tmp")
