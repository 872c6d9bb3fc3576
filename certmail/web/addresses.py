"""Which network addresses a stranger may send us to: those of the public Internet.

Comes in: a host and what its name resolves to. Goes out: nothing, or a refusal. A name that leads
into the user's own network would make certmail ask there on a stranger's behalf; so an address is
looked at once, and what was looked at is what is connected to.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final

from certmail.web.failure import NotFetched, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Resolve = Callable[[str, int], Sequence[str]]

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_INNER_NAMES: Final = ("localhost", "local", "internal", "intranet", "lan", "home.arpa", "onion")


def resolve(host: str, port: int) -> tuple[str, ...]:
    """Ask the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def require_public_name(host: str) -> None:
    """Refuse a host that is inside by its very name, before anybody is asked about it.

    Raises:
        NotFetched: ``PRIVATE``.
    """
    bare = host.lower().strip("[]").removesuffix(".")
    try:
        inside = not is_public(bare)
    except ValueError:
        last = bare.rpartition(".")[2]
        inside = last in _INNER_NAMES or bare.endswith(".home.arpa") or "." not in bare
        # Resolvers read 127.1 and 0x7f.1 as addresses, and no top-level domain begins so.
        inside = inside or last[:1].isdigit()
    if inside:
        raise NotFetched(Reason.PRIVATE, detail=host)


def require_public(host: str, addresses: Sequence[str]) -> None:
    """Refuse a host of which any address is not public: a mixture is how rebinding looks.

    Raises:
        NotFetched: ``PRIVATE``.
    """
    try:
        public = all(is_public(address) for address in addresses)
    except ValueError:
        public = False
    if not public:
        raise NotFetched(Reason.PRIVATE, detail=host)


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
