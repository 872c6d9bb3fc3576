"""Where a key file lies: the copy that comes with certmail, or one the operator names.

Comes in: nothing, or a path. Goes out: its bytes, bounded. The one place of this room that touches
files; what the bytes are worth is judged elsewhere.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, NoReturn

from certmail.errors import KeyRefused
from certmail.key.armor import MAX_KEY_BYTES
from certmail.values import printable

BUNDLED_SOURCE: Final = "the copy that comes with certmail"

_NAME: Final = ("keys", "clever-cloud.asc")
_OPEN_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO without a writer must not stop us
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


def read_bundled() -> bytes:
    """Read the copy of Clever Cloud's key that comes with certmail.

    Raises:
        KeyRefused: ``KEY-FILE-MISSING``.
    """
    package = Path(__file__).parents[1]
    for folder in (package, package.parent):
        file = folder.joinpath(*_NAME)
        if file.is_file():
            return file.read_bytes()
    # The package lies in an archive; what can look into one costs more than reading the file.
    from importlib import resources  # noqa: PLC0415 - see above

    inside = resources.files("certmail").joinpath(*_NAME)
    if inside.is_file():
        return inside.read_bytes()
    raise KeyRefused(
        "KEY-FILE-MISSING",
        "the copy of Clever Cloud's key that comes with certmail is not there",
        why="the installation is not whole, so other parts of it may be missing as well",
        next="install certmail again, or give a copy of the key with --key-file FILE",
    )


def read_key_file(path: str | os.PathLike[str]) -> bytes:
    """Read a key file, at most one octet more than the armor reader accepts.

    Raises:
        KeyRefused: ``KEY-FILE-MISSING``, ``KEY-FILE-UNREADABLE``.
    """
    shown = printable(os.fspath(path))
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except FileNotFoundError:
        raise KeyRefused(
            "KEY-FILE-MISSING",
            f"there is no file {shown}",
            why="it was named as the copy of the recipient's key to use",
            next="look at the path; without --key-file the copy that comes with certmail is used",
        ) from None
    except (OSError, ValueError):
        _refuse_unreadable(shown, "it cannot be opened")
    try:
        # Asked of what was opened, so that nothing can be put in its place in between.
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            _refuse_unreadable(shown, "it is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_KEY_BYTES + 1)
    except OSError:
        _refuse_unreadable(shown, "it cannot be read")
    finally:
        os.close(descriptor)


def _refuse_unreadable(shown: str, what: str) -> NoReturn:
    raise KeyRefused(
        "KEY-FILE-UNREADABLE",
        f"{shown} cannot be used as a key file: {what}",
        why="the key is read once, whole, from a file that does not change meanwhile",
        next=f"ls -l {shown}",
    ) from None
