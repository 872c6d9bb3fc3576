"""What is around GnuPG on this machine: the user's home, the agent, the pinentry, the options.

In: a GnuPG and the environment. Out: reports, for whoever diagnoses. Starts no agent, unlocks
nothing, draws nothing, and reads of ``gpg.conf`` the names of options alone. Judges nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from certmail.errors import SealError
from certmail.frozen import frozen
from certmail.gnupg.runner import child_environment
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certmail.gnupg.runner import Gpg

MAX_SOCKET_OCTETS: Final = 103 if sys.platform == "darwin" else 107
"""What fits into sun_path of sockaddr_un (104 octets on macOS, 108 on Linux) with its NUL."""

ASK_S: Final = 5.0
"""An agent that is alive answers within milliseconds."""

_MAX_OPTIONS_OCTETS: Final = 64 * 1024
_OPTION: Final = re.compile(r"\s*(?:--)?([A-Za-z0-9][A-Za-z0-9-]{0,40})(?:\s+(.*))?", re.ASCII)
_WINDOWS: Final = sys.platform == "win32"


class HomeState(Enum):
    """What the path of a home leads to."""

    THERE = "a folder"
    ABSENT = "nothing"
    NO_FOLDER = "no folder"
    CLOSED = "a folder that may not be entered"


@frozen
class Home:
    """The user's GnuPG home. ``mode`` is its permission bits; None where they mean nothing."""

    path: Path
    state: HomeState
    mode: int | None = None
    ours: bool = True

    @property
    def is_open(self) -> bool:
        """Whether others can look into it or write there."""
        return self.mode is not None and bool(self.mode & 0o077)


class AgentState(Enum):
    """What came of asking the agent, without starting one."""

    ANSWERS = "answers"
    ABSENT = "is not running"
    SILENT = "does not answer"
    UNASKED = "cannot be asked"


@frozen
class Agent:
    """The agent of the home; ``socket`` is where it listens, or would."""

    state: AgentState
    socket: str
    version: str = ""

    @property
    def is_too_deep(self) -> bool:
        """Whether the socket's path is longer than the kernel takes."""
        return not _WINDOWS and len(os.fsencode(self.socket)) > MAX_SOCKET_OCTETS


@frozen
class Pinentry:
    """The program that asks for passphrases.

    ``chosen_in`` is the file that names it, if one does. ``flavour`` is what it says of itself,
    like ``gnome3:curses``; empty where it does not run.
    """

    program: str
    chosen_in: Path | None
    flavour: str


def find_home(gpg: Gpg, env: Mapping[str, str]) -> Home:
    """Find the user's home, as GnuPG itself would."""
    named = _dirs(gpg, env).get("homedir") or env.get("GNUPGHOME")
    path = Path(named) if named else Path(env.get("HOME", "~")).expanduser() / ".gnupg"
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Home(path, HomeState.ABSENT)
    except OSError:
        return Home(path, HomeState.CLOSED)
    if not stat.S_ISDIR(found.st_mode):
        return Home(path, HomeState.NO_FOLDER)
    if sys.platform == "win32":  # access there is by lists, and the mode bits say nothing
        return Home(path, HomeState.THERE)
    state = HomeState.THERE if os.access(path, os.R_OK | os.X_OK) else HomeState.CLOSED
    ours = found.st_uid == os.geteuid()
    return Home(path, state, stat.S_IMODE(found.st_mode), ours)


def ask_agent(gpg: Gpg, env: Mapping[str, str], *, timeout_s: float = ASK_S) -> Agent:
    """Ask the agent for its version; one that does not run is not started."""
    socket = agent_socket(gpg, env)
    program = _beside(gpg, "gpg-connect-agent")
    if program is None:
        return Agent(AgentState.UNASKED, socket)
    words = (program, "--no-autostart", "GETINFO version", "/bye")
    try:
        said = _said(words, env, timeout_s=timeout_s)
    except TimeoutError:
        return Agent(AgentState.SILENT, socket)
    match = re.search(rb"^D ([0-9][0-9A-Za-z.-]{0,30})\s*$", said, re.MULTILINE)
    if match is None:
        return Agent(AgentState.ABSENT, socket)
    return Agent(AgentState.ANSWERS, socket, match[1].decode("ascii"))


def require_shallow(socket: str) -> None:
    """Refuse a socket of the agent's whose path the kernel does not take.

    Raises:
        SealError: ``GPG-AGENT-SOCKET``.
    """
    if Agent(AgentState.UNASKED, socket).is_too_deep:
        raise SealError(
            "GPG-AGENT-SOCKET",
            f"the path of its socket is too long for the system: {printable(socket)}",
            why="the agent cannot listen there, so nothing can be signed",
            next="move the GnuPG home to a shorter path, and set GNUPGHOME to it",
        )


def agent_socket(gpg: Gpg, env: Mapping[str, str]) -> str:
    """Tell where the agent of the user's home listens, or would."""
    return _dirs(gpg, env).get("agent-socket", "")


def find_pinentry(
    gpg: Gpg, env: Mapping[str, str], home: Path, *, timeout_s: float = ASK_S
) -> Pinentry:
    """Find the pinentry that the agent would run, and have it say what it is."""
    config = home / "gpg-agent.conf"
    named = [value for name, value in _options(config) if name == "pinentry-program" and value]
    program = named[-1].strip("\"'") if named else _components(gpg, env).get("pinentry", "")
    found = shutil.which(program) if program else None
    flavour = ""
    if found is not None:
        try:
            said = _said((found,), env, stdin=b"GETINFO flavor\nBYE\n", timeout_s=timeout_s)
        except TimeoutError:
            said = b""
        match = re.search(rb"^D ([A-Za-z0-9:+-]{1,40})\s*$", said, re.MULTILINE)
        greeted = said.startswith(b"OK")
        flavour = match[1].decode("ascii") if match else "of an unknown kind" if greeted else ""
    return Pinentry(printable(program, limit=200), config if named else None, flavour)


def ignored_options(home: Path) -> tuple[str, ...]:
    """Name the options in the user's ``gpg.conf``, of which certmail uses none."""
    return tuple(dict.fromkeys(name for name, _ in _options(home / "gpg.conf")))


def _options(path: Path) -> list[tuple[str, str]]:
    """Read a file of options: one a line, ``#`` begins a comment."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return []
            text = file.read(_MAX_OPTIONS_OCTETS).decode("utf-8", "replace")
    except OSError:
        return []
    matches = map(_OPTION.fullmatch, text.splitlines())
    return [(match[1], (match[2] or "").strip()) for match in matches if match]


def _dirs(gpg: Gpg, env: Mapping[str, str]) -> dict[str, str]:
    """Ask gpgconf for GnuPG's places: ``name:path``, percent-escaped."""
    lines = _gpgconf(gpg, env, "--list-dirs").splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name: unquote(value) for name, colon, value in pairs if colon}


def _components(gpg: Gpg, env: Mapping[str, str]) -> dict[str, str]:
    """Ask gpgconf for GnuPG's programs: ``name:description:path``."""
    lines = (line.split(":") for line in _gpgconf(gpg, env, "--list-components").splitlines())
    return {fields[0]: unquote(fields[2]) for fields in lines if len(fields) > 2}  # noqa: PLR2004


def _gpgconf(gpg: Gpg, env: Mapping[str, str], what: str) -> str:
    program = _beside(gpg, "gpgconf")
    if program is None:
        return ""
    try:
        return _said((program, what), env, timeout_s=ASK_S).decode("utf-8", "surrogateescape")
    except TimeoutError:
        return ""


def _beside(gpg: Gpg, name: str) -> str | None:
    """Find a program of the same GnuPG, or of the one on PATH."""
    return shutil.which(name, path=str(Path(gpg.path).parent)) or shutil.which(name)


def _said(
    words: tuple[str, ...], env: Mapping[str, str], *, stdin: bytes = b"", timeout_s: float
) -> bytes:
    """Run a program of GnuPG's and give what it writes; one that fails has said nothing.

    Raises:
        TimeoutError: it did not end; it was killed.
    """
    try:
        return subprocess.run(  # noqa: S603 - programs of GnuPG's, fixed arguments, no shell
            words,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(env, home=None),
            timeout=timeout_s,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    except (OSError, subprocess.SubprocessError):
        return b""
