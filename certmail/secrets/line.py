"""Read the first line of what a file, a pipe or a command gives: that line is the secret.

In: octets, or a path. Out: the line's text, or `Unusable`, whose words never quote what was read.
Knows neither whose secret it is nor what it opens.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from certmail.secrets.bounded import MAX_OCTETS
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Unusable(Exception):  # internal, becomes a SecretError
    """What was read holds no secret; the text completes "it …"."""


def first_line(octets: bytes) -> str:
    """Give the first line without its end; spaces are part of a secret."""
    line, _, _ = octets.partition(b"\n")
    if len(line) >= MAX_OCTETS:
        raise Unusable("has no end of line where a secret would have ended")
    try:
        text = line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise Unusable("holds something that is not text") from None
    if not text:
        raise Unusable("has an empty first line")
    return text


def first_line_of(path: Path, *, judge: Callable[[os.stat_result], None]) -> str:
    """Read a regular file's first line, once ``judge`` has let the open file pass.

    What is judged is what is read: nothing can be exchanged between the two. A symbolic link is
    refused, and a named pipe is not waited for.

    Raises:
        Unusable: it is no such file. OSError: it cannot be opened; FileNotFoundError among them.
    """
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"):
        flags |= getattr(os, name, 0)
    if path.is_symlink():  # O_NOFOLLOW has the last word, where there is one
        raise Unusable("is a symbolic link, which can be made to lead elsewhere")
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Unusable("is not a regular file")
        judge(status)
        return first_line(file.read(MAX_OCTETS))


def reason(fault: OSError | ValueError) -> str:
    """Say why something could not be opened, in the system's words."""
    return printable((getattr(fault, "strerror", None) or "there is no such place").lower())
