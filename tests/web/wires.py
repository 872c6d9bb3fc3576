"""A network of the tests' own: it notes who is dialled and asked what, and answers by path."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import httpcore

from tests.keysources.serving import answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Asked(NamedTuple):
    """One request, and the address to which it went."""

    address: str
    port: int
    head: bytes


@dataclass
class Wire(httpcore.NetworkBackend):
    """Answers what is under the path; octets at once, or piece by piece."""

    pages: Mapping[str, bytes | Iterable[bytes]] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    dialled: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def connect_tcp(self, host, port, *_) -> httpcore.NetworkStream:
        self.dialled.append(host)
        if host in self.closed:
            raise httpcore.ConnectError("[Errno 111] Connection refused")
        return _Line(self, host, port)


@dataclass
class _Line(httpcore.NetworkStream):
    wire: Wire
    address: str
    port: int
    said: bytes = b""
    reply: Iterator[bytes] | None = None

    def write(self, buffer, timeout=None) -> None:
        self.said += buffer

    def read(self, max_bytes, timeout=None) -> bytes:
        if self.reply is None:
            self.wire.asked.append(Asked(self.address, self.port, self.said))
            path = self.said.split(b" ", 2)[1].decode()
            page = self.wire.pages.get(path, answer(b"", status="404 Not Found"))
            self.reply = iter([page] if isinstance(page, bytes) else page)
        return next(self.reply, b"")

    def close(self) -> None:
        """Nothing is open."""

    def get_extra_info(self, info) -> None:
        return None
