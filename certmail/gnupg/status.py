r"""Status lines: GnuPG's words for programs (doc/DETAILS, "Format of the --status-fd output").

Comes in: the octets of the status pipe. Goes out: `Status` values. The octets are split at ``\n``
only: GnuPG copies user IDs into status lines, and a reader that also splits at U+0085 or U+2028
takes orders from whoever made the key.
"""

from __future__ import annotations

import sys
from typing import Final

from certmail.errors import SealError
from certmail.frozen import frozen

_PREFIX: Final = b"[GNUPG:] "
_WINDOWS: Final = sys.platform == "win32"


@frozen
class Status:
    """One status line: the keyword and its arguments, split on single spaces, still escaped."""

    keyword: str
    args: tuple[str, ...]


def parse_status(raw: bytes) -> tuple[Status, ...]:
    """Read status lines from bytes; a last line that was cut off does not count.

    Raises:
        SealError: ``GPG-STATUS-GARBLED``.
    """
    lines = []
    for line in raw.split(b"\n")[:-1]:
        if not line.startswith(_PREFIX):
            if _WINDOWS:  # there the pipe is standard error, where a library may speak up
                continue
            raise SealError(
                "GPG-STATUS-GARBLED",
                "GnuPG's status lines are not what it documents",
                why="without them nobody knows what was signed or encrypted",
                next="gpg --version  (is it the GnuPG of your system?)",
            )
        text = line[len(_PREFIX) :].decode("utf-8", "backslashreplace")
        keyword, *args = (text.removesuffix("\r") if _WINDOWS else text).split(" ")
        lines.append(Status(keyword, tuple(args)))
    return tuple(lines)
