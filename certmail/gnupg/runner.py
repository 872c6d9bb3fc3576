"""Run GnuPG once and bring back what it said, byte for byte.

Comes in: arguments, the bytes for its standard input, a home, a time limit. Goes out: a `Result`
with the exit status, standard output and the status lines. What any of it means is judged
elsewhere; in particular, nothing here reads GnuPG's sentences.

The status lines come on a pipe of their own. gpg.conf is never read, and the child gets an
environment from a list of names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import field
from typing import IO, TYPE_CHECKING, Final, NoReturn

from certmail.errors import SealError
from certmail.events import Teller
from certmail.frozen import frozen
from certmail.gnupg.child import converse
from certmail.gnupg.failure import Failure, why_failed
from certmail.gnupg.guarded import absolute_places, require_guarded
from certmail.gnupg.status import Status, parse_status
from certmail.held import Held
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Failure", "Gpg", "Result", "Status", "child_environment", "find_gpg", "run"]

OLDEST_GPG: Final = (2, 2, 17)
"""2.2.17 (2019) is the first to drop foreign signatures when importing from key servers."""


_tell: Final = Teller(__name__)

VERSION_TIMEOUT_S: Final = 20.0

_VERSION: Final = re.compile(rb"gpg \([^)\n]{1,80}\) (\d{1,3})\.(\d{1,3})\.(\d{1,4})")
_WINDOWS: Final = sys.platform == "win32"

_COMMON: Final = (
    "--no-options",  # the user's gpg.conf may add or replace recipients
    "--no-encrypt-to",  # and so may the system's, which --no-options does not cover
    "--batch",
    "--no-tty",
    "--no-greeting",
    "--no-verbose",  # CVE-2018-12020: verbose sentences once posed as status lines
    "--no-auto-check-trustdb",
    "--no-auto-key-locate",
    "--no-auto-key-retrieve",
    "--disable-dirmngr",  # nothing here may touch the network
    "--display-charset",
    "utf-8",
    "--exit-on-status-write-error",
)

_OPERATIONS: Final = frozenset(
    {
        *("--sign", "--encrypt", "--verify", "--import", "--export", "--check-sigs"),
        *("--list-keys", "--list-secret-keys", "--generate-key"),
    }
)
"""What may be told of the arguments of a run: which of these it is, and nothing else."""

_KEPT_NAMES: Final = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "TERM", "GPG_TTY", "PINENTRY_USER_DATA"),
        *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR"),
        *("DBUS_SESSION_BUS_ADDRESS", "XDG_SESSION_TYPE", "XDG_CURRENT_DESKTOP"),
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA"),
        *("USERPROFILE", "HOMEDRIVE", "HOMEPATH", "TEMP", "TMP", "PATHEXT"),
    }
)
"""What GnuPG and its pinentry need; LD_PRELOAD and its kin are not among them."""


@frozen
class Gpg:
    """A GnuPG found on this machine: absolute path and version."""

    path: str
    version: tuple[int, ...]


@frozen
class Result:
    """What one run of GnuPG brought back.

    ``stderr`` is for ``--debug`` only: it never becomes part of an error and is never parsed.
    """

    returncode: int
    stdout: bytes = field(repr=False)
    status: tuple[Status, ...]
    stderr: str = field(repr=False)

    def first(self, keyword: str) -> Status | None:
        """Give the first status line with this keyword."""
        return next((line for line in self.status if line.keyword == keyword), None)

    def all(self, keyword: str) -> tuple[Status, ...]:
        """Give every status line with this keyword, in order."""
        return tuple(line for line in self.status if line.keyword == keyword)

    @property
    def failure(self) -> Failure | None:
        """The most telling reason among the status lines, or None where none is reported."""
        return why_failed(self.status)


def find_gpg(
    path: str | None = None,
    *,
    env: Mapping[str, str] = os.environ,
    timeout_s: float = VERSION_TIMEOUT_S,
) -> Gpg:
    """Find GnuPG, by ``path`` or on the PATH of ``env``, and ask its version.

    Raises:
        SealError: ``GPG-MISSING``, ``GPG-TOO-OLD``, ``GPG-UNSAFE``.
    """
    named = path or "gpg"
    found = shutil.which(named, path=absolute_places(env.get("PATH")))
    if found is None:
        _refuse_missing(f"there is no program {printable(named)}")
    absolute = os.path.abspath(found)  # noqa: PTH100 - resolving links would hide the chosen name
    require_guarded(absolute)
    try:
        answer = subprocess.run(  # noqa: S603 - an absolute path and fixed arguments
            [absolute, "--no-options", "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=child_environment(env, home=None),
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        _refuse_missing(f"{printable(absolute)} does not run")
    match = _VERSION.match(answer.stdout)
    if answer.returncode != 0 or match is None:
        _refuse_missing(f"{printable(absolute)} does not answer like GnuPG")
    version = tuple(int(number) for number in match.groups())
    if version < OLDEST_GPG:
        raise SealError(
            "GPG-TOO-OLD",
            f"{printable(absolute)} is GnuPG {_dotted(version)}",
            why=f"certmail is tested with GnuPG {_dotted(OLDEST_GPG)} and newer",
            next=_how_to_install(),
        )
    _tell("gpg found", program=absolute, version=_dotted(version))
    return Gpg(absolute, version)


def run(
    gpg: Gpg,
    *args: str,
    home: Path | None,
    stdin: bytes = b"",
    env: Mapping[str, str],
    timeout_s: float,
) -> Result:
    """Run ``gpg`` with ``args`` after the common options and wait for it.

    ``home`` None means the user's own. ``env`` is filtered here. The child stays in our session,
    so that a pinentry on the terminal works; it is stopped on time-out and on any exception,
    Ctrl-C included. A non-zero exit status is returned, not raised.

    Raises:
        SealError: ``GPG-MISSING``, ``GPG-TIMEOUT``, ``GPG-OUTPUT-TOO-LARGE``,
            ``GPG-STATUS-GARBLED``.
    """
    place = () if home is None else ("--homedir", str(home))
    status_read, status_write, status_options = _status_channel()
    argv = [gpg.path, *place, *_COMMON, *status_options, *args]
    began = time.monotonic()
    held = Held()
    try:
        child = subprocess.Popen(  # noqa: S603 - an absolute path, no shell
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(env, home=home),
            pass_fds=() if status_write is None else (status_write,),
        )
    except BaseException as fault:
        held.let_go()
        if status_read is not None:
            status_read.close()
        if isinstance(fault, OSError):
            _refuse_missing(f"{printable(gpg.path)} does not run")
        raise
    finally:
        if status_write is not None:
            os.close(status_write)
    stdout, stderr, status = converse(
        child, status_read, stdin=stdin, timeout_s=timeout_s, held=held
    )
    _tell(
        "gpg has ended",
        program=gpg.path,
        operation=next((word[2:] for word in args if word in _OPERATIONS), "other"),
        home="the user's" if home is None else "another",
        seconds=time.monotonic() - began,
        status=child.returncode,
    )
    lines = stderr if status is None else status
    words = "" if status is None else stderr.decode("utf-8", "backslashreplace")
    return Result(child.returncode, stdout, parse_status(lines), words)


def child_environment(env: Mapping[str, str], *, home: Path | None) -> dict[str, str]:
    """Build GnuPG's environment: the names it needs, English, and GNUPGHOME if it is the user's."""
    kept = {name: value for name, value in env.items() if name.upper() in _KEPT_NAMES}
    kept["LC_ALL"] = "C.UTF-8"
    if home is None:
        if "GNUPGHOME" in env:
            kept["GNUPGHOME"] = env["GNUPGHOME"]
        terminal = _terminal()
        if terminal is not None:
            # gpg asks its standard input for the terminal's name, and that is our pipe.
            kept.setdefault("GPG_TTY", terminal)
    return kept


def _status_channel() -> tuple[IO[bytes] | None, int | None, tuple[str, ...]]:
    """Open the pipe for status lines; on Windows, where none can be passed, use stderr."""
    if _WINDOWS:
        return None, None, ("--status-fd", "2", "--log-file", "NUL")
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb", buffering=0), writing, ("--status-fd", str(writing))


def _terminal() -> str | None:
    """Give the name of the terminal we speak to, if any."""
    if sys.platform == "win32":
        return None
    for descriptor in (0, 1, 2):
        with suppress(OSError):
            return os.ttyname(descriptor)
    return None


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)


def _how_to_install() -> str:
    if sys.platform == "darwin":
        return "brew install gnupg"
    if sys.platform == "win32":
        return "winget install GnuPG.Gpg4win"
    return "sudo apt install gnupg  (or your system's package of GnuPG 2.2 or newer)"


def _refuse_missing(what: str) -> NoReturn:
    raise SealError(
        "GPG-MISSING",
        what,
        why="GnuPG signs with your key and encrypts; nothing else here does",
        next=_how_to_install(),
    ) from None
