"""Have a proxy connect to the relay (RFC 1928, RFC 9110 §9.3.6); TLS begins behind it.

In: a `Proxy`, a host and a port. Out: a connected socket. The proxy is given the relay's *name*:
nothing is looked up here, and the certificate is checked against the same name as without a proxy.
What the proxy can do is what any network can: see where the connection goes, and cut it.

The handshake with the proxy is python-socks', which comes with ``certmail[proxy]`` only. There is
no login at a proxy: a password in its URL would stand in a file or in the environment.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from certmail.delivery.dial import NoConnection, send_at_once
from certmail.errors import SettingsError
from certmail.submission import ProxyKind
from certmail.values import printable

if TYPE_CHECKING:
    import socket
    from types import ModuleType

    from certmail.delivery.relay import Proxy


async def dial_through(proxy: Proxy, host: str, port: int) -> socket.socket:
    """Have ``proxy`` connect to ``host``; the caller sets the clock.

    Raises:
        OSError: the proxy cannot be reached, or does not connect.
        SettingsError: ``PROXY-LIBRARY-MISSING``.
    """
    library = _library()
    types: dict[ProxyKind, Any] = {
        ProxyKind.SOCKS5: library.ProxyType.SOCKS5,
        ProxyKind.HTTP_CONNECT: library.ProxyType.HTTP,
    }
    agent = importlib.import_module("python_socks.async_.asyncio").Proxy(
        types[proxy.kind], proxy.host.text, proxy.port, rdns=True
    )
    try:
        connected: socket.socket = await agent.connect(host, port)
    except (library.ProxyError, library.ProxyTimeoutError, OSError) as error:
        raise NoConnection(f"the proxy {proxy} does not connect: {printable(str(error))}") from None
    send_at_once(connected)
    return connected


def _library() -> ModuleType:
    try:
        return importlib.import_module("python_socks")
    except ModuleNotFoundError:
        raise SettingsError(
            "PROXY-LIBRARY-MISSING",
            "the settings name a proxy, and python-socks is not installed",
            why="certmail does not go round the proxy, and speaks to none by itself",
            next="pip install 'certmail[proxy]', or remove relay.proxy",
        ) from None
