"""Systems that cannot be run here: what of them can be known by reading and by taking away.

mypy reads the package as Windows and macOS would (`make check`). Here the package is imported, and
answers, in a Python from which all that only POSIX has was taken away.
"""

from __future__ import annotations

import sys
import textwrap

import pytest

from tests.release.conftest import ROOT, run

ONLY_POSIX = "fcntl resource pwd grp termios tty pty syslog"
NAMES = (
    "geteuid getuid getegid getgid getgroups fork forkpty openpty ttyname chown fchown lchown"
    " mkfifo killpg getpgid setsid posix_spawn O_NOFOLLOW O_NONBLOCK O_CLOEXEC O_NOCTTY"
)

WITHOUT_POSIX = f"""
    import importlib, os, pkgutil, sys, types

    def every():
        import certmail
        for found in pkgutil.walk_packages(certmail.__path__, "certmail."):
            of_others = (".polling",) if sys.platform == "win32" else ()
            if not found.name.endswith(("__main__", ".worker", *of_others)):
                importlib.import_module(found.name)

    every()  # so that the libraries, which know Windows themselves, are here already
    for name in [name for name in sys.modules if name.partition(".")[0] == "certmail"]:
        del sys.modules[name]
    sys.modules.update(dict.fromkeys({ONLY_POSIX!r}.split()))  # None: cannot be imported
    sys.modules["msvcrt"] = types.ModuleType("msvcrt")
    for name in {NAMES!r}.split():
        if hasattr(os, name):
            delattr(os, name)
    sys.platform = "win32"
    every()
    assert "certmail.cli.entry" in sys.modules and "certmail.durable" in sys.modules
    from certmail.cli.hardening import harden
    harden()
    from certmail.cli.entry import certmail
    certmail.main(sys.argv[1:], prog_name="certmail")
"""


@pytest.mark.parametrize("words", [["--version"], ["explain", "PIN-MISMATCH"]], ids=" ".join)
def test_the_package_works_where_there_is_no_posix(words, tmp_path):
    code = textwrap.dedent(WITHOUT_POSIX)
    ended = run(sys.executable, "-c", code, *words, cwd=ROOT, HOME=str(tmp_path))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout


def test_the_taking_away_is_seen(tmp_path):
    """A check that cannot fail would be none."""
    code = textwrap.dedent(WITHOUT_POSIX).replace("harden()", "os.geteuid()")
    ended = run(sys.executable, "-c", code, "--version", cwd=ROOT, HOME=str(tmp_path))
    assert (ended.returncode, "geteuid" in ended.stderr) == (1, True)


def test_both_systems_are_read_by_the_type_checker():
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    for system in ("win32", "darwin"):
        assert f"$(BIN)/mypy --platform {system} " in make
