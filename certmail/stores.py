"""The edge that reads what lies on this machine for a check: stores of roots, a list of bad keys.

Comes in: a choice. Goes out: public octets with the name of where they are from. There is no
fallback from one store to another: a store that cannot be read is an error.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NoReturn

from certmail.bundle.further import Anchors
from certmail.errors import BundleError
from certmail.values import printable

SYSTEM: Final = "system"
CERTIFI: Final = "certifi"

MAX_LIST_OCTETS: Final = 64 * 2**20
_BLOCKLISTS: Final = Path("/usr/share/openssl-blacklist")


def anchors(choice: str) -> Anchors:
    """Read the roots of ``system``, of ``certifi``, or of a PEM file.

    Raises:
        BundleError: ``TRUST-UNREADABLE``.
    """
    import ssl  # noqa: PLC0415 - a check without anchors does without it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    name = choice
    try:
        if choice == SYSTEM:
            context.load_default_certs()
            paths = ssl.get_default_verify_paths()
            name = f"this system ({os.environ.get(paths.openssl_cafile_env) or paths.cafile})"
        elif choice == CERTIFI:
            # Only where it is asked for.
            from importlib import metadata  # noqa: PLC0415

            import certifi  # noqa: PLC0415

            context.load_verify_locations(certifi.where())
            name = f"certifi {metadata.version('certifi')}"
        else:
            context.load_verify_locations(choice)
    except (OSError, ValueError):
        _refuse(choice)
    found = tuple(context.get_ca_certs(binary_form=True))
    if not found:
        _refuse(choice)
    return Anchors(printable(name, limit=200), found)


def blocklist(bits: int, path: str | None = None) -> bytes:
    """Read the list of Debian's broken keys for a size; empty where no package installed it.

    Raises:
        BundleError: ``BLOCKLIST-UNREADABLE``, where a path was named.
    """
    place = Path(path) if path else _BLOCKLISTS / f"blacklist.RSA-{bits}"
    try:
        with place.open("rb") as stream:
            return stream.read(MAX_LIST_OCTETS)
    except (OSError, ValueError):
        if path is None:
            return b""
    raise BundleError(
        "BLOCKLIST-UNREADABLE",
        f"{printable(path, limit=400)} cannot be read",
        why="the key was to be looked up in that list",
        next="give a file of the package openssl-blacklist, like blacklist.RSA-2048",
    )


def _refuse(choice: str) -> NoReturn:
    raise BundleError(
        "TRUST-UNREADABLE",
        f"the store of roots {printable(choice, limit=200)} cannot be read, or holds no CA",
        why="no other store is taken in its place: the answer would be about something else",
        next="certmail check --trust system, --trust certifi, or --trust FILE with PEM roots",
    ) from None
