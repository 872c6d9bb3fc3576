"""Commands of the documents that no test may run, each with the reason and with what is checked.

A command that begins with one of these words is not run; what can be known about it without
running it is looked at instead. Anything else runs, or its page fails.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from certmail.cli import entry

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent.parent
UNITS = ROOT / "docs" / "units"


def make_knows(command: str) -> None:
    """The target is there, and what it would do can be worked out."""
    ended = subprocess.run(
        [
            "make",
            "--dry-run",
            f"PYTHON={sys.executable}",
            *command.split("#", maxsplit=1)[0].split()[1:],
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def units_are_there(command: str) -> None:
    """Each unit that is named is a file of ours, whose command line parses."""
    # What stands between "@" and the kind is the instance of a template.
    named = [
        re.sub(r"@[^@]*(\.\w+)$", r"@\1", name)
        for name in re.findall(r"[\w.@-]+\.(?:timer|service)", command)
    ]
    assert all((UNITS / name).is_file() for name in named), command
    for name in named:
        service = UNITS / name.replace(".timer", ".service")
        assert "ExecStart=" in service.read_text(encoding="utf-8")


def packages_are_known(command: str) -> None:
    """What people are told to install is what CI installs, or Debian's own tooling."""
    peers = {line.split()[0] for line in (ROOT / ".ci" / "peers").read_text().splitlines() if line}
    named = command.split("#", maxsplit=1)[0].split("install")[1].split()
    missing = {name for name in named if not name.startswith("-")} - peers - OTHER_PACKAGES
    assert missing == set()


def names_our_project(command: str) -> None:
    """The name on the package index is the project's."""
    words = re.findall(r"[\w./*\[\]-]+", command.split("#", maxsplit=1)[0])
    assert any(re.fullmatch(r"certmail(\[\w+\])?|.*certmail.*\.whl", word) for word in words)


def certmail_knows(command: str) -> None:
    """The command is there, and every option on it."""
    words = shlex.split(command.rpartition("| ")[2], comments=True)
    assert words[0] == "certmail", command
    assert unknown_in(words[1:]) is None, unknown_in(words[1:])


def unknown_in(words: list[str]) -> str | None:
    """Name the first command or option of a command line that certmail does not have."""
    group: click.Command = entry.certmail
    options = {name for option in group.params for name in (*option.opts, *option.secondary_opts)}
    for word in words:
        if isinstance(group, click.Group) and not word.startswith("-"):
            inner = group.get_command(click.Context(group), word)
            if inner is None:
                return word
            group = inner
            options |= {n for o in group.params for n in (*o.opts, *o.secondary_opts)}
        elif word.startswith("--") and word != "--" and word.partition("=")[0] not in options:
            return word if word not in {"--help", "--version"} else None
    return None


def parses(command: str) -> None:
    """It is a line that a shell can read."""
    ended = subprocess.run(
        ["bash", "-n", "-c", command], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


OTHER_PACKAGES = {"scdaemon", "pcscd", "pipx", "pinentry-curses", "pinentry-gnome3"}

EXCEPTIONS: dict[str, tuple[str, Callable[[str], None]]] = {
    "make": ("builds and tests this very checkout; CI runs check and test", make_knows),
    "sudo apt install": ("installs on the machine", packages_are_known),
    "pipx install": ("takes a release from the package index", names_our_project),
    "systemctl": ("talks to the machine's service manager", units_are_there),
    "certmail setup": ("asks at a terminal; tests/cli/setup holds conversations", certmail_knows),
    "sudo systemctl": ("talks to the machine's service manager", units_are_there),
    "loginctl": ("talks to the machine's login manager", parses),
    "sudo": ("acts as root", parses),
    "gpg --quick-generate-key": ("asks for a passphrase in a window of its own", parses),
    "gpg --card-status": ("needs a smartcard in a reader", parses),
    "acme.sh": ("talks to a certificate authority", parses),
    "lego": ("talks to a certificate authority", parses),
    "certmail secret": ("speaks to the desktop's keyring; tests/secrets has one", certmail_knows),
}


def exception_for(command: str) -> tuple[str, Callable[[str], None]] | None:
    """Find the longest beginning that is excepted, of the command or of the end of its pipe."""
    typed = {command, command.rpartition("| ")[2]}
    fits = [
        words
        for words in EXCEPTIONS
        if any(one == words or one.startswith(words + " ") for one in typed)
    ]
    return EXCEPTIONS[max(fits, key=len)] if fits else None
