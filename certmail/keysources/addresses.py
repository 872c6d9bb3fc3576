"""Which network addresses a source may have: those of the public Internet.

Comes in: a host and what its name resolves to. Goes out: the addresses to connect to, or a refusal.
A name that leads into the operator's own network would make certmail ask there on a stranger's
behalf; so an address is looked at once, and what was looked at is what is connected to.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final

from certmail.errors import KeyRefused
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    Resolve = Callable[[str, int], tuple[str, ...]]

MAX_ADDRESSES: Final = 4

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_INNER_NAMES: Final = ("localhost", "local", "internal", "intranet", "lan", "home.arpa", "onion")


def resolve(host: str, port: int) -> tuple[str, ...]:
    """Ask the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def require_public_name(host: str) -> None:
    """Refuse a host that is inside by its very name, before anybody is asked about it.

    Raises:
        KeyRefused: ``KEY-SOURCE-PRIVATE``.
    """
    bare = host.lower().strip("[]").removesuffix(".")
    try:
        inside = not is_public(bare)
    except ValueError:
        inside = bare.rpartition(".")[2] in _INNER_NAMES or bare.endswith(".home.arpa")
        inside = inside or "." not in bare
    if inside:
        raise private(host)


def require_public(host: str, addresses: tuple[str, ...]) -> None:
    """Refuse a host of which any address is not public: a mixture is how rebinding looks.

    Raises:
        KeyRefused: ``KEY-SOURCE-PRIVATE``.
    """
    if not all(is_public(address) for address in addresses):
        raise private(host)


def is_public(address: str) -> bool:
    """Tell whether an address is of the public Internet, whatever it is wrapped in.

    Raises:
        ValueError: where it is no address.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found.teredo is not None:
            return False
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            found = inner
    return found.is_global and not found.is_multicast


def private(host: str) -> KeyRefused:
    """Refuse a host in a private network."""
    return KeyRefused(
        "KEY-SOURCE-PRIVATE",
        f"{printable(host)} is a host of a private network or of this machine",
        why="a source that leads there would make certmail ask inside your network for a stranger",
        next="certmail key refresh --from https://HOST/…, if you know the place and mean it",
    )
