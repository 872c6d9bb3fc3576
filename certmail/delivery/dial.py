"""Find a relay's addresses and connect to the first that answers.

In: a host name and a port. Out: a connected socket, or the OSError that says why there is none.
Knows RFC 8305 §4 and §5 (IPv6 and IPv4 raced). Sets no clock: the caller's ends every step.

asyncio's own race is not used: its look-up runs in a thread that is waited for when the loop ends,
however long the resolver stays silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections import deque
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from certmail.events import Teller

if TYPE_CHECKING:
    from collections.abc import Sequence

_tell: Final = Teller(__name__)

NEXT_ADDRESS_S: Final = 0.25
"""RFC 8305 §5: how long one address may stay silent before the next one is tried beside it."""

MAX_ADDRESSES: Final = 16
"""More than any relay has; a resolver that lies with thousands does not keep us busy."""

_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)
"""Linux alone has it; elsewhere nothing is asked for."""


Address: TypeAlias = tuple[socket.AddressFamily, tuple[Any, ...]]


class NoConnection(OSError):
    """No connection came about; the text is in words of our own."""


def reason(fault: BaseException) -> str:
    """Say why nothing answered: in our words, the resolver's, or the system's for the number.

    What another exception says is its maker's word, and may quote anything.
    """
    if not isinstance(fault, OSError):
        return "given up"
    # On Windows the number is the system's own, and Python has no words for it.
    if isinstance(fault, NoConnection | socket.gaierror) or hasattr(fault, "winerror"):
        return fault.strerror or str(fault)
    return os.strerror(fault.errno) if fault.errno else "no reason given"


class PromptSocket(socket.socket):
    """A socket that acknowledges what it gets at once, where the system lets it.

    A system that waits for something to send along with an acknowledgement (RFC 9293 §3.8.6.3)
    keeps a server that fills no whole segment (RFC 9293 §3.7.4) waiting: forty milliseconds in a
    TLS handshake, on Linux. The wish is forgotten with each packet, so it is renewed each time.
    """

    def send(self, *arguments: Any) -> int:
        """Send, then be ready to acknowledge the answer."""
        sent = super().send(*arguments)
        self._acknowledge_at_once()
        return sent

    def recv(self, *arguments: Any) -> bytes:
        """Receive, then be ready to acknowledge what follows."""
        got = super().recv(*arguments)
        self._acknowledge_at_once()
        return got

    def recv_into(self, *arguments: Any) -> int:
        """Receive, then be ready to acknowledge what follows."""
        got = super().recv_into(*arguments)
        self._acknowledge_at_once()
        return got

    def _acknowledge_at_once(self) -> None:
        if _QUICKACK is not None:
            # A courtesy between systems: where it is refused, everything is only slower.
            with contextlib.suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


def send_at_once(sock: socket.socket) -> None:
    """Have little pieces travel at once, like the final dot behind the text.

    Otherwise the second one waits for the acknowledgement of the first (RFC 9293 §3.7.4), which a
    relay that waits for more keeps back: forty milliseconds a message. The event loop asks for
    this on the sockets that it opens itself.
    """
    with contextlib.suppress(OSError):  # a courtesy as well
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def dial(host: str, port: int) -> socket.socket:
    """Connect to the first address of ``host`` that answers; the socket does not block.

    Raises:
        OSError: no address was found, or none of them answered.
    """
    waiting = deque(_alternate(await _look_up(host, port)))
    _tell("name looked up", host=host, addresses=len(waiting))
    trying: set[asyncio.Task[socket.socket]] = set()
    won: socket.socket | None = None
    fault: OSError = NoConnection("the name has no address")
    try:
        while won is None and (waiting or trying):
            if waiting:
                trying.add(asyncio.create_task(_connect(*waiting.popleft())))
            done, _ = await asyncio.wait(
                trying,
                timeout=NEXT_ADDRESS_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                error = task.exception()
                if error is None and won is None:
                    won = task.result()
                    trying.discard(task)
                elif error is not None:
                    trying.discard(task)
                    fault = error if isinstance(error, OSError) else fault
        await _give_up(trying)
    except BaseException:
        await _give_up(trying)
        if won is not None:
            won.close()
        raise
    if won is None:
        raise fault
    return won


async def _look_up(host: str, port: int) -> list[Address]:
    """Ask the resolver in a thread that nobody waits for: it cannot be told to stop."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[Address]] = loop.create_future()

    def settle(answer: list[Address] | OSError) -> None:
        if found.done():  # nobody waits any more
            return
        if isinstance(answer, OSError):
            found.set_exception(answer)
        else:
            found.set_result(answer)

    def ask() -> None:
        answer: list[Address] | OSError
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer = [(family, address) for family, _, _, _, address in entries]
        except OSError as error:
            answer = error
        except UnicodeError:  # a label that the encoding for names refuses
            answer = NoConnection("the name cannot be looked up")
        try:
            loop.call_soon_threadsafe(settle, answer)
        except RuntimeError:  # the loop has ended meanwhile
            return

    threading.Thread(target=ask, name="certmail-look-up", daemon=True).start()
    return await found


def _alternate(addresses: Sequence[Address]) -> list[Address]:
    """Take the families in turn, beginning with the resolver's favourite (RFC 8305 §4)."""
    favourite = addresses[0][0] if addresses else None
    first = [each for each in addresses if each[0] == favourite]
    others = [each for each in addresses if each[0] != favourite]
    turns = chain.from_iterable(zip_longest(first, others))
    return [each for each in turns if each is not None][:MAX_ADDRESSES]


async def _connect(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    sock = PromptSocket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        _tell("address tried", address=str(address[0]), port=int(address[1]))
        await asyncio.get_running_loop().sock_connect(sock, address)
        send_at_once(sock)
    except BaseException as fault:
        sock.close()
        _tell("address failed", address=str(address[0]), reason=reason(fault))
        raise
    return sock


async def _give_up(tasks: set[asyncio.Task[socket.socket]]) -> None:
    """End the attempts that lost, and close what one of them may have got at the same moment."""
    for task in tasks:
        task.cancel()
    for got in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(got, socket.socket):
            got.close()
