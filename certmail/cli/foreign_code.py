"""Variables that bring code of others into certmail's own process.

In: the environment. Out: a notice that names them. Whoever sets such a variable on purpose has won
before the first line here runs; what can be noticed is one that was left over or that came along.
GnuPG is started without them.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from certmail.key.renew.life import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping

CODE: Final = "ENVIRONMENT-CODE"

LOADED: Final = (
    *("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH"),
    *("DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH"),
    *("OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES"),
)
"""Read by the system's loader and by OpenSSL, whatever Python thinks of it."""

IMPORTED: Final = ("PYTHONPATH", "PYTHONHOME", "PYTHONINSPECT")
"""Read by Python, unless it was told to ignore its variables (``-I``, ``-E``)."""


def foreign_code(environ: Mapping[str, str] = os.environ) -> tuple[Notice, ...]:
    """Give a notice that names the variables which are set; none, if none is."""
    names = LOADED if sys.flags.ignore_environment else (*LOADED, *IMPORTED)
    found = [name for name in names if environ.get(name)]
    if not found:
        return ()
    are, they, them = ("is", "it names", "it") if len(found) == 1 else ("are", "they name", "them")
    without = " ".join(f"-u {name}" for name in found)
    return (
        Notice(
            CODE,
            f"{', '.join(found)} {are} set: what {they} runs inside certmail, where the bundle and"
            " the password are",
            next=f"env {without} certmail send BUNDLE, unless you set {them} for this",
        ),
    )
