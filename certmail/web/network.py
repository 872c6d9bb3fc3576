"""One connection to a checked address, bounded in time and size from its first octet to its last.

Comes in: host names and the bounds. Goes out: the streams that httpcore reads from. Every octet
passes here: the handshake, the headers and the body are under one deadline and one limit, so that
a server which drips or pours cannot hold the user.
"""

from __future__ import annotations

import time
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

import httpcore

from certmail.frozen import slotted
from certmail.web import addresses
from certmail.web.failure import NotFetched, Reason

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from certmail.web.addresses import Resolve

MAX_ADDRESSES: Final = 4
_MAX_READ: Final = 65536


@slotted
class Budget:
    """What is left of the time and the octets that one address may take, redirects included."""

    deadline: float
    octets: int

    @staticmethod
    def of(*, seconds: float, octets: int) -> Budget:
        """Start the clock."""
        return Budget(time.monotonic() + seconds, octets)

    def left_s(self) -> float:
        """Give the seconds left.

        Raises:
            NotFetched: ``TIMEOUT`` when there are none.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise NotFetched(Reason.TIMEOUT)
        return left

    def take(self, octets: int) -> None:
        """Count what arrived.

        Raises:
            NotFetched: ``TOO_LARGE``.
        """
        self.octets -= octets
        if self.octets < 0:
            raise NotFetched(Reason.TOO_LARGE)


@slotted
class GuardedBackend(httpcore.NetworkBackend):
    """Resolves a name once, looks at the addresses, and connects to those and no others.

    ``inside`` names the ``host:port`` pairs that may be private: what the user typed, and their
    own proxy.
    """

    budget: Budget
    inside: frozenset[str]
    resolve: Resolve = field(default=addresses.resolve)
    wire: httpcore.NetworkBackend = field(default_factory=httpcore.SyncBackend)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to a checked address of ``host``; TLS still asks for the name."""
        del timeout
        allowed = f"{host}:{port}" in self.inside
        if not allowed:
            addresses.require_public_name(host)
        try:
            found = self.resolve(host, port)
        except (OSError, UnicodeError):
            raise NotFetched(Reason.UNRESOLVED, detail="the name does not resolve") from None
        if not allowed:
            addresses.require_public(host, found)
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in found[:MAX_ADDRESSES]:
            try:
                stream = self.wire.connect_tcp(
                    address, port, self.budget.left_s(), local_address, socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
            else:
                return _BoundedStream(stream, self.budget)
        raise failure

    def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        """Refuse: nothing on the web is a socket of this machine."""
        raise httpcore.ConnectError("a server is a host")


@slotted
class _BoundedStream(httpcore.NetworkStream):
    """A stream whose every step is under the budget."""

    stream: httpcore.NetworkStream
    budget: Budget

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        got = self.stream.read(min(max_bytes, _MAX_READ), self.budget.left_s())
        self.budget.take(len(got))
        return got

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        self.stream.write(buffer, self.budget.left_s())

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        del timeout
        secured = self.stream.start_tls(ssl_context, server_hostname, self.budget.left_s())
        return _BoundedStream(secured, self.budget)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)
