"""Sources on loopback with real TLS, honest and hostile: what is sent is ours to the octet."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certmail.rehearsal.authority import throwaway_authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

LOOPBACK = "127.0.0.1"


@dataclass
class Web:
    """What is served under which path, and what was asked."""

    pages: dict[str, object] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[bytes] = field(default_factory=list)
    port: int = 0
    ending: threading.Event = field(default_factory=threading.Event)

    @property
    def base(self) -> str:
        return f"https://{LOOPBACK}:{self.port}"

    @property
    def place(self) -> str:
        return f"{LOOPBACK}:{self.port}"


def answer(body: bytes, *, status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
    return head.encode() + body


def moved(where: str) -> bytes:
    return answer(b"", status="302 Found", more=f"Location: {where}\r\n")


def dripping(web: Web, *, every_s: float = 0.1) -> Iterator[bytes]:
    """Send a header that never ends, an octet at a time."""
    yield b"HTTP/1.1 200 OK\r\nX-Slow: "
    while not web.ending.wait(every_s):
        yield b"a"


def pouring() -> Iterator[bytes]:
    """Send for ever."""
    yield b"HTTP/1.1 200 OK\r\n\r\n"
    while True:
        yield b"x" * 65536


@dataclass(frozen=True)
class Trust:
    """A CA of the tests' own."""

    folder: Path
    certificates: dict[str, Path]
    ca_file: Path

    def server(self, name: str = LOOPBACK) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificates[name])
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))


def make_trust(folder: Path, at: datetime, *names: str) -> Trust:
    authority = throwaway_authority(at)
    certificates = {}
    for number, name in enumerate((LOOPBACK, *names)):
        issued = authority.issue(name)
        certificates[name] = folder / f"{number}.pem"
        certificates[name].write_bytes(issued.private_key + issued.certificate)
    (folder / "ca.pem").write_bytes(authority.pem)
    return Trust(folder, certificates, folder / "ca.pem")


@contextmanager
def web(context: ssl.SSLContext | None, pages: dict[str, object] | None = None) -> Iterator[Web]:
    """Serve ``pages`` until the end of the block; without a context, in clear."""
    served = Web(dict(pages or {}))

    def one(client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client.settimeout(5)
            stream = context.wrap_socket(client, server_side=True) if context else client
            with stream:
                request = b""
                while b"\r\n\r\n" not in request:
                    got = stream.recv(4096)
                    if not got:
                        return
                    request += got
                    if context is None and got[:1] != b"G":
                        stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                        return
                path = request.split(b" ", 2)[1].decode()
                served.asked.append(path)
                served.headers.append(request)
                page = served.pages.get(path, served.pages.get("*"))
                said = page(served) if callable(page) else page
                if said is None:
                    said = answer(b"no", status="404 Not Found")
                for part in [said] if isinstance(said, bytes) else said:
                    stream.sendall(part)

    with listening(one) as port:
        served.port = port
        try:
            yield served
        finally:
            served.ending.set()


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Give each connection to ``serve`` in a thread; all of them end with the block."""
    threads: list[threading.Thread] = []
    listener = socket.create_server((LOOPBACK, 0))
    listener.settimeout(0.05)
    ending = threading.Event()

    def guarded(client: socket.socket) -> None:
        with client:
            serve(client)

    def accept() -> None:
        while not ending.is_set():
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            threads.append(threading.Thread(target=guarded, args=(client,), daemon=True))
            threads[-1].start()

    loop = threading.Thread(target=accept, daemon=True)
    loop.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ending.set()
        loop.join()
        listener.close()
        for thread in threads:
            thread.join(6)


@contextmanager
def proxy(routes: dict[str, int]) -> Iterator[tuple[int, list[bytes]]]:
    """Serve an HTTP proxy that knows where a few names lead; give its port and what it was told."""
    told: list[bytes] = []

    def one(client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client.settimeout(5)
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(4096)
            told.append(request)
            port = routes.get(request.split(b" ")[1].decode())
            if port is None:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                return
            with socket.create_connection((LOOPBACK, port)) as there:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pump, args=(there, client), daemon=True)
                back.start()
                _pump(client, there)
                back.join(5)

    with listening(one) as port:
        yield port, told


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while got := source.recv(65536):
            sink.sendall(got)
        sink.shutdown(socket.SHUT_WR)
