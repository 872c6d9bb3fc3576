"""TLS in front of a relay that has none: the tests' own end of it, then octets both ways.

In STARTTLS mode the front says the greeting, answers EHLO and STARTTLS, and throws away the
greeting of the relay behind; all that is said inside TLS is the relay's own.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Self

from certmail.submission import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE_S = 20.0


class Front:
    """A context manager with one port for each mode."""

    def __init__(self, context: ssl.SSLContext, behind: int) -> None:
        self.context = context
        self.behind = behind

    def __enter__(self) -> Self:
        self.listeners = {mode: socket.create_server(("127.0.0.1", 0)) for mode in Mode}
        for mode, listener in self.listeners.items():
            threading.Thread(target=self._serve, args=(mode, listener), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self.listeners.values():
            # Wakes accept(), which close() alone does not.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    @property
    def ports(self) -> Mapping[Mode, int]:
        return {mode: listener.getsockname()[1] for mode, listener in self.listeners.items()}

    def _serve(self, mode: Mode, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(mode, client), daemon=True).start()

    def _join(self, mode: Mode, client: socket.socket) -> None:
        client.settimeout(PATIENCE_S)
        with contextlib.suppress(OSError), client:
            if mode is Mode.STARTTLS:
                client.sendall(b"220 front.test ESMTP\r\n")
                client.recv(1024)
                client.sendall(b"250-front.test\r\n250 STARTTLS\r\n")
                client.recv(1024)
                client.sendall(b"220 go ahead\r\n")
            inside = self.context.wrap_socket(client, server_side=True)
            relay = socket.create_connection(("127.0.0.1", self.behind), PATIENCE_S)
            with inside, relay:
                if mode is Mode.STARTTLS:
                    relay.recv(1024)
                carry(inside, relay)


def carry(client: socket.socket, relay: socket.socket, *, seen: bytearray | None = None) -> None:
    """Pass octets on in both directions until one side ends; note them in ``seen``."""
    other = {client: relay, relay: client}
    with selectors.DefaultSelector() as waiting:
        for end in other:
            waiting.register(end, selectors.EVENT_READ)
        while ready := waiting.select(PATIENCE_S):
            for key, _ in ready:
                end = key.fileobj
                octets = end.recv(65536)
                while isinstance(end, ssl.SSLSocket) and end.pending():
                    octets += end.recv(65536)
                if not octets:
                    return
                if seen is not None:
                    seen += octets
                other[end].sendall(octets)
