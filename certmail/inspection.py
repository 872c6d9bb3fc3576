"""The edge that looks at a server: which certificates it shows at this moment.

Comes in: a host, a port, a timeout. Goes out: the chain as DER in the order shown, and whether a
client with the system's roots would accept it. The handshake is the normal one, with full
verification of chain and name; nothing is turned off. Where it fails, the certificates have been
read already, off the handshake's own messages (RFC 8446 §4.4.2, RFC 5246 §7.4.2), and the
connection ends. Nothing but the handshake is ever sent.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import field
from typing import Final

from certmail.errors import UsageError
from certmail.frozen import frozen
from certmail.values import Hostname, printable

HTTPS: Final = 443
TIMEOUT_S: Final = 15.0

MAX_CERTIFICATES: Final = 32

_CERTIFICATE_MESSAGE: Final = 11
_HEADER: Final = 4
_TLS13: Final = 0x0304


@frozen(kw_only=True)
class Served:
    """What a server showed. ``refusal`` is empty where a client with the system's roots accepts.

    ``version`` is empty where the handshake did not come to its end.
    """

    host: str
    port: int
    chain: tuple[bytes, ...] = field(repr=False)
    version: str
    refusal: str


def inspect(host: Hostname, port: int = HTTPS, *, timeout_s: float = TIMEOUT_S) -> Served:
    """Begin a TLS connection and read the certificates.

    Raises:
        UsageError: ``SERVER-UNREACHABLE``, ``SERVER-NO-TLS``, ``SERVER-UNREADABLE``.
    """
    context = ssl.create_default_context()
    messages: list[bytes] = []
    _listen(context, messages)
    version, refusal = "", ""
    try:
        with socket.create_connection((host.text, port), timeout=timeout_s) as connection:
            # The timeout bounds the whole handshake, not each of its steps.
            connection.settimeout(timeout_s)
            with context.wrap_socket(connection, server_hostname=host.text) as secured:
                version = secured.version() or ""
    except ssl.SSLCertVerificationError as error:
        refusal = printable(error.verify_message or "the certificate is refused", limit=200)
    except ssl.SSLError as error:
        if not messages:
            raise _no_tls(host, port, error.reason) from None
        refusal = "the handshake failed behind the certificate"
    except OSError as error:
        if not messages:
            raise _unreachable(host, port, error) from None
        refusal = "the connection ended behind the certificate"
    return Served(
        host=host.text, port=port, chain=_chain(messages, host), version=version, refusal=refusal
    )


def _listen(context: ssl.SSLContext, messages: list[bytes]) -> None:
    """Keep the first Certificate message that comes in.

    The standard library offers the chain of a refused handshake by this callback alone; it is
    there since Python 3.8, and meant for debugging. Without it, nothing is read and it is said so.
    """

    def hear(
        _connection: object, way: str, version: int, _content: object, kind: int, data: bytes
    ) -> None:
        if way == "read" and int(kind) == _CERTIFICATE_MESSAGE and not messages:
            messages.append(int(version).to_bytes(2) + bytes(data))

    setattr(context, "_msg_callback", hear)  # noqa: B010 - no type information knows it


def _chain(messages: list[bytes], host: Hostname) -> tuple[bytes, ...]:
    """Cut the Certificate message; of a resumed or broken handshake there is none."""
    found = parse(messages[0]) if messages else ()
    if not found:
        raise UsageError(
            "SERVER-UNREADABLE",
            f"the certificates of {host.text} could not be read off the handshake",
            why="the server sent them in a form that is not known here, or none",
            next=f"openssl s_client -connect {host.text}:443 -showcerts",
        )
    return found


def parse(message: bytes) -> tuple[bytes, ...]:
    """Read the certificates of a Certificate message that has its version in front.

    Total: what is malformed gives an empty tuple.
    """
    body = message[2 + _HEADER :]
    with_extensions = int.from_bytes(message[:2]) == _TLS13
    if with_extensions:
        body = body[1 + body[0] :] if body else b""
    size, body = int.from_bytes(body[:3]), body[3:]
    if size != len(body):
        return ()
    found: list[bytes] = []
    while body and len(found) < MAX_CERTIFICATES:
        length = int.from_bytes(body[:3])
        octets, body = body[3 : 3 + length], body[3 + length :]
        if len(octets) != length or not length:
            return ()
        found.append(octets)
        if with_extensions:
            body = body[2 + int.from_bytes(body[:2]) :]
    return tuple(found)


def _unreachable(host: Hostname, port: int, error: OSError) -> UsageError:
    reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror
    return UsageError(
        "SERVER-UNREACHABLE",
        f"{host.text}, port {port}, cannot be reached: {printable(reason or 'no connection')}",
        why="what it serves was to be read there",
        next="give HOST or HOST:PORT of a server that is up, as visitors reach it",
    )


def _no_tls(host: Hostname, port: int, reason: str | None) -> UsageError:
    said = printable((reason or "").lower().replace("_", " ")) or "no reason given"
    return UsageError(
        "SERVER-NO-TLS",
        f"{host.text}, port {port}, did not come to show a certificate: {said}",
        why="another protocol may be spoken there, or the server does not know the name",
        next="give the port where TLS begins at once, usually 443",
    )
