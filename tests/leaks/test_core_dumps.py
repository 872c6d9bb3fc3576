"""No core dump is written, piped or worth reading: of certmail, nor of what it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.posix import posix

resource = posix("resource")

LINUX = sys.platform == "linux"
CANARY = b"kanari-im-speicher"

IN_REGISTERS = 32 * 64
"""Octets: what was copied last is still in the widest registers, and every core has those."""

PATTERN = Path("/proc/sys/kernel/core_pattern")

LIMITS = """
import os, resource, subprocess, sys
from certmail.cli import entry
entry.run(["--version"])
old = os.umask(0)
print(resource.getrlimit(resource.RLIMIT_CORE), oct(old))
inherited = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
sys.stdout.flush()
subprocess.run([sys.executable, "-c", inherited], check=True)
"""


def python(code: str, *arguments: str, **how) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True, text=True, timeout=60, check=False, **how,
    )  # fmt: skip


def test_no_core_dump_can_be_written_and_new_files_are_the_users_own():
    most = 1 if LINUX else 0
    shown = python(LIMITS).stdout.splitlines()
    assert shown[-2:] == [f"({most}, {most}) 0o77", f"({most}, {most})"]


@pytest.mark.skipif(not LINUX, reason="a limit of Linux's")
def test_a_limit_that_is_none_already_is_not_raised():
    """A unit or a shell may have forbidden more; whoever may raise limits gets the 1."""
    none = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
    shown = python(none + LIMITS).stdout.splitlines()[-1]
    assert shown in {"(0, 0)", "(1, 1)"}


DIES = """
import os, resource, sys
from pathlib import Path
from certmail.cli.hardening import empty_core_dumps, forbid_core_dumps
Path("/proc/self/coredump_filter").write_text("0x33")  # a test before may have emptied ours
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
if "forbidden" in sys.argv:
    forbid_core_dumps()
if "emptied" in sys.argv:
    empty_core_dumps()
secret = "-".join(["kanari", "im", "speicher"]) * 1000  # 18 000 octets
os.abort()
"""


def dumped(folder: Path, how: str) -> bytes | None:
    """Let a process die that holds a secret; give its core, if there is one."""
    done = python(DIES, how, cwd=folder, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    assert done.returncode == -signal.SIGABRT, done.stderr
    cores = [path.read_bytes() for path in folder.glob("core*")]
    return cores[0] if cores else None


@pytest.mark.skipif(
    not LINUX or PATTERN.read_text().strip() not in {"core", "core.%p"},
    reason="cores are to be found only where the system writes them into the current folder",
)
@pytest.mark.parametrize(
    ("how", "least", "most"),
    [("forbidden", None, None), ("emptied", 0, IN_REGISTERS), ("neither", 18_000, None)],
)
def test_a_crash_leaves_no_core_and_a_core_that_is_forced_holds_no_memory(
    tmp_path, how, least, most
):
    """The last line is the control: without the measures the secret is in the file, whole."""
    # A test that ran in this process before may have forbidden them for good.
    if resource.getrlimit(resource.RLIMIT_CORE)[1] in {0, 1}:
        pytest.skip("core dumps are forbidden to this process already")
    core = dumped(tmp_path, how)
    assert (core is None) == (least is None)
    if core is not None:
        assert least <= core.count(CANARY) * len(CANARY) <= (most or len(core))


@pytest.mark.skipif(not LINUX, reason="a filter of Linux's")
def test_gpg_would_dump_no_memory_either():
    """The filter is inherited across fork and exec."""
    shown = python(
        "import subprocess\n"
        "from certmail.cli.hardening import harden\n"
        "harden()\n"
        "subprocess.run(['cat', '/proc/self/coredump_filter'], check=True)"
    ).stdout
    assert int(shown, 16) == 0
