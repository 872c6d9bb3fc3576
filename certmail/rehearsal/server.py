"""A mail server that lives for one rehearsal: loopback only, real TLS, real authentication.

In: a certificate and the one login it accepts. Out: the messages it was given, in memory. The
protocol is aiosmtpd's; the socket is bound to 127.0.0.1 and to a port the system chooses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from certmail.frozen import frozen, slotted

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterator, Mapping

LOOPBACK: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 10.0
MAX_MESSAGE_OCTETS: Final = 16 * 2**20

# It logs whole sessions, and remarks of its own that the operator can do nothing about.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)


@frozen
class Delivered:
    """One message as it arrived, with the envelope it came in."""

    mail_from: str
    rcpt_to: tuple[str, ...]
    content: bytes = field(repr=False)


@slotted
class Mailbox:
    """What the server was given, and how often somebody logged in."""

    port: int = 0
    logins: int = 0
    sessions: int = 0
    delivered: list[Delivered] = field(default_factory=list)


class _Handler:
    """Accepts mail from whoever has logged in, keeps it, and passes nothing on."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    async def handle_MAIL(  # noqa: N802 - aiosmtpd names its hooks for the commands
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        del server, options
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        del server, session
        content = envelope.content
        if not isinstance(content, bytes) or envelope.mail_from is None:
            return "554 5.6.0 No message"
        self.mailbox.delivered.append(
            Delivered(envelope.mail_from, tuple(envelope.rcpt_tos), content)
        )
        return "250 2.0.0 Kept in memory for the rehearsal"


@contextmanager
def mail_server(*, context: ssl.SSLContext | None, user: str, password: str) -> Iterator[Mailbox]:
    """Serve until the block ends: TLS from the first byte with ``context``, or plain text.

    The plain server exists to be refused.
    """
    mailbox = Mailbox()

    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: Any
    ) -> AuthResult:
        del server, session, envelope, mechanism
        mailbox.logins += 1
        good = isinstance(login, LoginPassword) and (login.login, login.password) == (
            user.encode(),
            password.encode(),
        )
        # handled=False: the library writes the reply.
        return AuthResult(success=good, handled=False)

    def protocol() -> SMTP:
        mailbox.sessions += 1
        return SMTP(
            _Handler(mailbox),
            hostname=LOOPBACK,
            ident="certmail rehearsal",
            data_size_limit=MAX_MESSAGE_OCTETS,
            authenticator=authenticate,
            # The whole connection is TLS already where there is a certificate.
            auth_require_tls=False,
            loop=loop,
        )

    loop = asyncio.new_event_loop()
    with _serving(loop, lambda: loop.create_server(protocol, LOOPBACK, 0, ssl=context)) as port:
        mailbox.port = port
        yield mailbox


@contextmanager
def scripted_server(replies: Mapping[bytes, bytes]) -> Iterator[int]:
    """Serve plain text by a script until the block ends; give the port.

    ``replies`` maps a command's verb to the octets that answer it, be they well-formed or not.
    """

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 rehearsal\r\n")
        try:
            while line := await reader.readline():
                verb = line.split(None, 1)[0].upper() if line.split() else b""
                writer.write(replies.get(verb, b"502 5.5.1 Not in the script\r\n"))
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the client has left, as it should
        finally:
            writer.close()

    loop = asyncio.new_event_loop()
    with _serving(loop, lambda: asyncio.start_server(converse, LOOPBACK, 0)) as port:
        yield port


@contextmanager
def handshake_server(context: ssl.SSLContext) -> Iterator[int]:
    """Answer one connection with a TLS handshake and nothing more; give the port.

    A plain socket, since asyncio closes before its alert is out, and the alert is the point.
    """
    with socket.create_server((LOOPBACK, 0)) as listener:
        listener.settimeout(START_TIMEOUT_S)

        def answer() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(START_TIMEOUT_S)
                    context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=answer, name="rehearsal-handshake", daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(START_TIMEOUT_S)


@contextmanager
def _serving(
    loop: asyncio.AbstractEventLoop, start: Callable[[], Awaitable[asyncio.Server]]
) -> Iterator[int]:
    """Run a server in a thread of its own until the block ends; give its port."""
    started = threading.Event()
    ports: list[int] = []

    def serve() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(start())
        ports.append(server.sockets[0].getsockname()[1])
        loop.call_soon(started.set)
        loop.run_forever()
        server.close()
        for task in (tasks := asyncio.all_tasks(loop)):
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    thread = threading.Thread(target=serve, name="rehearsal-relay", daemon=True)
    thread.start()
    try:
        if not started.wait(START_TIMEOUT_S):
            raise TimeoutError("the rehearsal's mail server did not start")
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_TIMEOUT_S)
