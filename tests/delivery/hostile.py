"""A relay that misbehaves on purpose: raw sockets, real TLS, one thread, on loopback.

It behaves like a submission server except at the points that a test names. What it does there is
octets to send, a `Deed`, or a function that is handed the `Talk`. It writes down every line it
hears and whether the line came inside TLS.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from certmail.submission import Mode

USER = "ops@example.org"
PASSWORD = "canary-Pässword-7f3a"

PATIENCE_S = 15.0


class Deed(Enum):
    DROP = "close the connection"
    RESET = "reset the connection"
    SILENCE = "say nothing until the client leaves"


class Leave(Exception):
    """The conversation is over."""


@dataclass
class Message:
    sender: bytes
    recipient: bytes
    octets: bytes


@dataclass
class Heard:
    line: bytes
    inside: bool

    @property
    def verb(self) -> str:
        return self.line.split(b" ")[0].upper().decode("ascii", "replace")


class Talk:
    """One connection, from the relay's side."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, heard: list[Heard]) -> None:
        self.sock = sock
        self.context = context
        self.heard = heard
        self.buffer = b""

    @property
    def inside(self) -> bool:
        return isinstance(self.sock, ssl.SSLSocket)

    def say(self, *parts: bytes, pause_s: float = 0.05) -> None:
        """Send each part as a segment of its own."""
        for number, part in enumerate(parts):
            if number:
                time.sleep(pause_s)
            self.sock.sendall(part)

    def hear(self) -> bytes:
        """Give the next line without its end."""
        line = self._until(b"\r\n")
        self.heard.append(Heard(line, self.inside))
        return line

    def text(self) -> bytes:
        """Give the text of a message, dots undone, without the final dot."""
        self.buffer = b"\r\n" + self.buffer
        octets = self._until(b"\r\n.\r\n") + b"\r\n"
        return octets[2:].replace(b"\r\n..", b"\r\n.")

    def start_tls(self) -> None:
        # Kept even when the handshake fails, so that the alert can be heard before the end.
        self.sock = self.context.wrap_socket(
            self.sock, server_side=True, do_handshake_on_connect=False
        )
        self.sock.do_handshake()

    def wait(self) -> None:
        """Say nothing until the client leaves."""
        while self.sock.recv(65536):
            pass
        raise Leave

    def leave(self) -> None:
        raise Leave

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        raise Leave

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                raise Leave
            self.buffer += data
        found, _, self.buffer = self.buffer.partition(mark)
        return found


def drain(sock: socket.socket) -> None:
    """Hear the client out: closing on unread octets would reset the last alert away."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(0.5)
        while sock.recv(65536):
            pass


Reaction = bytes | Deed | Callable[[Talk], None]


@dataclass
class HostileRelay:
    """A relay with its points of misbehaviour; a context manager that ends what it started.

    Points: accept, greeting, ehlo, starttls, handshake, ehlo-inside, auth, auth-answer, mail,
    rcpt, data, body, dot, rset, quit.
    """

    mode: Mode
    context: ssl.SSLContext
    acts: Mapping[str, Reaction] = field(default_factory=dict)
    mechanisms: bytes = b"PLAIN LOGIN"
    offers: bytes = b""
    password: str = PASSWORD
    heard: list[Heard] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)
    connections: int = 0
    receive_buffer: int | None = None

    def __enter__(self) -> Self:
        self.listener = socket.socket()
        if self.receive_buffer is not None:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(5)
        self.port = self.listener.getsockname()[1]
        self.ending = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending = True
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            pass
        self.thread.join(PATIENCE_S)
        self.listener.close()
        assert not self.thread.is_alive()

    @property
    def verbs(self) -> list[str]:
        return [heard.verb for heard in self.heard]

    @property
    def in_clear(self) -> list[str]:
        return [heard.verb for heard in self.heard if not heard.inside]

    def _serve(self) -> None:
        while True:
            sock, _ = self.listener.accept()
            if self.ending:
                sock.close()
                return
            self.connections += 1
            sock.settimeout(PATIENCE_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            talk = Talk(sock, self.context, self.heard)
            try:
                self._converse(talk)
            except Leave:
                pass
            except OSError as fault:  # ssl.SSLError too: the client hung up, as it should
                self.faults.append(fault)
                drain(talk.sock)
            finally:
                talk.sock.close()
                sock.close()

    def _converse(self, talk: Talk) -> None:
        self._do(talk, "accept", b"")
        if self.mode is Mode.IMPLICIT:
            self._do(talk, "handshake", Talk.start_tls)
        self._do(talk, "greeting", b"220 relay.test ESMTP\r\n")
        envelope: dict[bytes, bytes] = {}
        while True:
            verb, _, rest = talk.hear().partition(b" ")
            verb = verb.upper()
            if verb in {b"MAIL", b"RCPT"}:
                envelope[verb] = rest
                self._do(talk, verb.decode().lower(), b"250 2.1.0 ok\r\n")
            elif verb == b"DATA":
                self._take(talk, envelope)
            else:
                self._answer(talk, verb, rest)

    def _answer(self, talk: Talk, verb: bytes, rest: bytes) -> None:
        match verb:
            case b"EHLO" if talk.inside:
                lines = (b"relay.test", b"SIZE 50000000", *self.offers.splitlines())
                offered = b"".join(b"250-%s\r\n" % line for line in lines)
                self._do(talk, "ehlo-inside", offered + b"250 AUTH " + self.mechanisms + b"\r\n")
            case b"EHLO":
                self._do(talk, "ehlo", b"250-relay.test\r\n250-SIZE\r\n250 STARTTLS\r\n")
            case b"STARTTLS":
                self._do(talk, "starttls", b"220 go ahead\r\n")
                self._do(talk, "handshake", Talk.start_tls)
            case b"AUTH":
                self._do(talk, "auth", lambda talk: self._log_in(talk, rest))
            case b"RSET":
                self._do(talk, "rset", b"250 2.0.0 forgotten\r\n")
            case b"QUIT":
                self._do(talk, "quit", b"221 2.0.0 bye\r\n")
                talk.leave()
            case _:
                talk.say(b"500 5.5.1 what?\r\n")

    def _take(self, talk: Talk, envelope: Mapping[bytes, bytes]) -> None:
        self._do(talk, "data", b"354 go ahead\r\n")
        if not self._awaits_text():
            return
        self._do(talk, "body", b"")
        self.messages.append(Message(envelope[b"MAIL"], envelope[b"RCPT"], talk.text()))
        self._do(talk, "dot", b"250 2.0.0 queued as 4F2A\r\n")

    def _awaits_text(self) -> bool:
        answer = self.acts.get("data", b"354")
        return not isinstance(answer, bytes) or b"354" in answer

    def _do(self, talk: Talk, point: str, otherwise: Reaction) -> None:
        match self.acts.get(point, otherwise):
            case Deed.DROP:
                talk.leave()
            case Deed.RESET:
                talk.reset()
            case Deed.SILENCE:
                talk.wait()
            case bytes(octets):
                talk.say(octets)
            case function:
                function(talk)

    def _log_in(self, talk: Talk, words: bytes) -> None:
        mechanism, _, response = words.partition(b" ")
        if mechanism.upper() == b"LOGIN":
            # Some clients say the user at once, as an initial response.
            if not response:
                talk.say(b"334 VXNlcm5hbWU6\r\n")
            user = base64.b64decode(response or talk.hear())
            talk.say(b"334 UGFzc3dvcmQ6\r\n")
            self._do(talk, "auth-answer", b"")
            right = (user, base64.b64decode(talk.hear())) == (
                USER.encode(),
                self.password.encode(),
            )
        else:
            if not response:
                talk.say(b"334 \r\n")
                response = talk.hear()
            right = base64.b64decode(response) == f"\0{USER}\0{self.password}".encode()
        talk.say(b"235 2.7.0 welcome\r\n" if right else b"535 5.7.8 no\r\n")
