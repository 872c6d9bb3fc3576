"""Homes for GnuPG that hold one public key and are gone afterwards.

Comes in: nothing. Goes out: a folder of mode 0700 with a short path, for as long as the ``with``
block lasts. Callers run gpg in it with ``--no-autostart``; should an agent appear all the same, it
is ended. Nothing secret is ever written into such a home.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, Self

from certmail.errors import SealError
from certmail.gnupg.guarded import absolute_places
from certmail.gnupg.runner import child_environment
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_SOCKET_PATH: Final = 100
"""A socket's path ends at 108 octets on Linux, 104 on macOS (sun_path of sockaddr_un)."""

_LONGEST_SOCKET: Final = "/S.gpg-agent.browser"
_PREFIX: Final = "cm-"
_RANDOM_CHARACTERS: Final = 8
_GPGCONF_TIMEOUT_S: Final = 15.0
_ROOM_OCTETS: Final = 2**18
"""A keyring, its trust database and what GnuPG writes beside them while it works."""

_REMOVE_ATTEMPTS: Final = 20
_REMOVE_PAUSE_S: Final = 0.05
_WINDOWS: Final = sys.platform == "win32"


@contextmanager
def throwaway_home(env: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Give an empty GnuPG home; afterwards neither folder nor agent nor socket is left.

    Raises:
        SealError: ``GPG-HOME``, when no folder can be made.
    """
    environ = os.environ if env is None else env
    home = _make(environ)
    try:
        yield home
    finally:
        _end_agents(home, environ)
        _remove(home)


class Homes:
    """Throw-away homes that are lent again: as many as are out at once, gone after the ``with``.

    Each borrower must lay everything it needs into the home; nothing that was left there may count.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        """Make none yet."""
        self._env = env
        self._made = ExitStack()
        self._making = Lock()
        self._free: list[Path] = []

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove all homes."""
        self._made.close()

    @contextmanager
    def lend(self) -> Iterator[Path]:
        """Lend a home to one borrower, from any thread.

        After an exception it is not lent again: nobody knows how its program ended.

        Raises:
            SealError: ``GPG-HOME``.
        """
        try:
            home = self._free.pop()
        except IndexError:
            with self._making:
                home = self._made.enter_context(throwaway_home(self._env))
        yield home
        self._free.append(home)


def _make(environ: Mapping[str, str]) -> Path:
    for parent in _parents(environ):
        with suppress(OSError):
            # mkdtemp makes the folder with mode 0700 and a name nobody can foresee.
            home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            if _has_room(home):
                return home
            home.rmdir()
    raise SealError(
        "GPG-HOME",
        "no private folder can be made for GnuPG",
        why="encrypting happens apart from your own keyring and settings, in a folder of its own",
        next="free some space in the temporary folder, or set TMPDIR to a short path",
    )


def _has_room(home: Path) -> bool:
    """Tell whether a keyring fits; GnuPG in a full folder says that the key is bad."""
    ballast = home / "room"
    try:
        ballast.write_bytes(bytes(_ROOM_OCTETS))
    except OSError:
        return False
    finally:
        ballast.unlink(missing_ok=True)
    return True


def _parents(environ: Mapping[str, str]) -> Iterator[str]:
    """Give the folders to try, best first: in memory, then the temporary ones."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime and _is_short(runtime) and _is_private(Path(runtime)):
        yield runtime
    temporary = tempfile.gettempdir()
    if _WINDOWS or _is_short(temporary):
        yield temporary
    if not _WINDOWS:
        yield "/tmp"  # noqa: S108 - mkdtemp makes an unforeseeable name of mode 0700 in it


def _is_short(parent: str) -> bool:
    """Tell whether a socket in a home below ``parent`` has a name the kernel takes."""
    octets = len(os.fsencode(parent)) + len("/" + _PREFIX) + _RANDOM_CHARACTERS
    return octets + len(_LONGEST_SOCKET) < MAX_SOCKET_PATH


def _is_private(folder: Path) -> bool:
    """Tell whether ``folder`` is a real folder of ours that nobody else can enter."""
    if sys.platform == "win32" or not folder.is_absolute():
        return False
    try:
        found = folder.lstat()
    except OSError:
        return False
    mode = stat.S_IMODE(found.st_mode)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and mode == stat.S_IRWXU


def _end_agents(home: Path, environ: Mapping[str, str]) -> None:
    """End what gpg may have started for ``home``, and remove its folder of sockets.

    With ``--no-autostart`` there is nothing to end and no program is run, except where the system
    keeps sockets below /run: there GnuPG makes a folder for every home it is shown.
    """
    gpgconf = shutil.which("gpgconf", path=absolute_places(environ.get("PATH")))
    if gpgconf is None or _WINDOWS:
        return
    sockets = home
    if _has_run_folder():
        named = _gpgconf(gpgconf, home, environ, "--list-dirs", "socketdir").strip()
        sockets = Path(os.fsdecode(named)) if named else home
    with suppress(OSError):
        if any(entry.name.startswith("S.") for entry in sockets.iterdir()):
            _gpgconf(gpgconf, home, environ, "--kill", "all")
    if sockets != home:
        _gpgconf(gpgconf, home, environ, "--remove-socketdir")


def _has_run_folder() -> bool:
    """Tell whether GnuPG may keep this user's sockets away from the home."""
    if sys.platform == "win32":
        return False
    bases = ("/run/gnupg", "/run", "/var/run/gnupg", "/var/run")
    return any(Path(base, "user", str(os.getuid())).is_dir() for base in bases)


def _gpgconf(program: str, home: Path, environ: Mapping[str, str], *args: str) -> bytes:
    """Ask gpgconf about ``home``; no answer is an answer too."""
    try:
        return subprocess.run(  # noqa: S603 - an absolute path and fixed arguments
            [program, "--homedir", str(home), *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(environ, home=home),
            timeout=_GPGCONF_TIMEOUT_S,
            check=False,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return b""


def _remove(home: Path) -> None:
    """Remove ``home``; an agent that is just ending may still be removing its sockets."""
    for _ in range(_REMOVE_ATTEMPTS):
        shutil.rmtree(home, ignore_errors=True)
        if not home.exists():
            return
        time.sleep(_REMOVE_PAUSE_S)
    raise SealError(
        "GPG-HOME",
        f"{printable(str(home))} cannot be removed",
        why="it holds public keys only, but nothing of a run should stay behind",
        next="remove the folder by hand",
    )
