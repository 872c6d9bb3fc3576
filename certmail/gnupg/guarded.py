"""Whether somebody else could have put another program in GnuPG's place.

Comes in: the path at which it was found. Goes out: nothing, or a refusal: what can be replaced by
everybody on this machine would be handed the private key. Groups and other owners are left to the
machine's administrator: package managers have such.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from certmail.errors import SealError
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterator


def require_guarded(program: str) -> None:
    """Refuse a program that any user could replace, by itself or by a folder on the way to it.

    In a folder like /tmp, where everybody may add and only the owner may replace, the entry must be
    root's or ours. The way is followed through links.

    Raises:
        SealError: ``GPG-UNSAFE``.
    """
    if sys.platform == "win32":
        return
    ours = {0, os.geteuid()}
    for way in dict.fromkeys((program, os.path.realpath(program))):
        shared = False
        for place, found in _steps(Path(way)):
            if shared and found.st_uid not in ours:
                _refuse(program, place, "belongs to another user, in a folder of everybody's")
            shared = bool(found.st_mode & stat.S_IWOTH) and not stat.S_ISLNK(found.st_mode)
            if shared and not (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX):
                _refuse(program, place, "can be written to by every user of this machine")


def absolute_places(path: str | None) -> str | None:
    """Leave out of a PATH what depends on the current folder: a program there is anybody's."""
    if path is None:
        return None
    return os.pathsep.join(place for place in path.split(os.pathsep) if Path(place).is_absolute())


def _steps(program: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Look at each folder from the root on, then at the program; what is gone is not judged."""
    for place in (*reversed(program.parents), program):
        try:
            yield place, place.lstat()
        except OSError:
            return


def _refuse(program: str, place: Path, how: str) -> NoReturn:
    raise SealError(
        "GPG-UNSAFE",
        f"{printable(str(place), limit=200)} {how}",
        why=f"whoever replaces {printable(program, limit=200)} is handed the private key",
        next="ls -ld of that place; chmod o-w it, or name another GnuPG: gnupg.program",
    )
