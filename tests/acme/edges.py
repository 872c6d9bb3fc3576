"""Servers on loopback that play what stands at a domain's addresses, and a wire that leads there.

The name resolves to public addresses; the wire takes each to a real socket of this machine, over
127.0.0.0/8 or ::1, and to nothing else. What is said is ours to the octet.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpcore

from certmail.web.fetch import Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Page = bytes | None
"""What is said, to the octet; None closes without a word."""

V4, V4_OTHER = "104.16.132.229", "91.208.207.214"
V6 = "2606:4700::6810:84e5"


def answer(body: bytes = b"test", *, status: str = "200 OK", **headers: str) -> bytes:
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    return head.encode() + body


def cloudflare(body: bytes = b"", *, status: str = "200 OK", **headers: str) -> bytes:
    return answer(body, status=status, Server="cloudflare", CF_RAY="8f00-CDG", **headers)


RIGHT = answer()


def _has_ipv6() -> bool:
    """Whether this machine has ::1; containers may not. Then IPv4 plays it."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


HAS_IPV6 = _has_ipv6()


@dataclass
class Edge:
    """One server: what it says to each request line, and what it was asked."""

    say: Callable[[str], Page | Iterable[bytes]]
    asked: list[bytes] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)
    place: tuple[str, int] = ("", 0)

    def serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.settimeout(5)
            request = b""
            while b"\r\n\r\n" not in request:
                got = client.recv(4096)
                if not got:
                    return
                request += got
            self.asked.append(request)
            said = self.say(request.split(b" ", 2)[1].decode())
            for part in [said] if isinstance(said, bytes) else said or ():
                client.sendall(part)


def dripping(edge_ending: threading.Event) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"
    while not edge_ending.wait(0.1):
        yield b"t"


def pouring() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n\r\ntest"
    while True:
        yield b"x" * 65536


@contextmanager
def edge(say: Callable[[str], Page | Iterable[bytes]] | Page, *, host: str) -> Iterator[Edge]:
    """Serve until the end of the block."""
    running = Edge(say if callable(say) else lambda _path: say)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)
    listener.settimeout(0.05)
    running.place = (host, listener.getsockname()[1])
    threads: list[threading.Thread] = []

    def accept() -> None:
        while not running.ending.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = listener.accept()
                threads.append(threading.Thread(target=running.serve, args=(client,), daemon=True))
                threads[-1].start()

    loop = threading.Thread(target=accept, daemon=True)
    loop.start()
    try:
        yield running
    finally:
        running.ending.set()
        loop.join()
        listener.close()
        for thread in threads:
            thread.join(6)


def _no_network() -> None:
    raise OSError(errno.ENETUNREACH, "Network is unreachable")


@dataclass
class Wire(httpcore.NetworkBackend):
    """Takes public addresses to the sockets that play them; every other is not there."""

    places: dict[str, tuple[str, int]]
    no_route: frozenset[str] = frozenset()
    dialled: list[tuple[str, int]] = field(default_factory=list)

    def connect_tcp(
        self, host, port, timeout=None, local_address=None, socket_options=None
    ) -> httpcore.NetworkStream:
        self.dialled.append((host, port))
        if host in self.no_route:
            try:
                _no_network()
            except OSError as fault:
                raise httpcore.ConnectError(str(fault)) from fault
        if host not in self.places:
            raise httpcore.ConnectError("[Errno 111] Connection refused")
        there, real_port = self.places[host]
        return httpcore.SyncBackend().connect_tcp(there, real_port, timeout)


@contextmanager
def domain(
    pages: dict[str, object], *, also: tuple[str, ...] = (), **other
) -> Iterator[tuple[Reach, dict[str, Edge], Wire]]:
    """Play a domain: each address has its page; those of ``also`` are in the DNS alone."""
    with contextlib.ExitStack() as stack:
        edges = {}
        for number, (address, say) in enumerate(pages.items(), 2):
            host = "::1" if ":" in address and HAS_IPV6 else f"127.0.0.{number}"
            edges[address] = stack.enter_context(edge(say, host=host))
        wire = Wire({address: one.place for address, one in edges.items()}, **other)
        addresses = (*pages, *also)
        yield Reach(resolve=lambda _host, _port: addresses, wire=wire), edges, wire
