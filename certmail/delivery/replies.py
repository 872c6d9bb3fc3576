"""Read what the relay answers, strictly, before anything believes it.

In: bytes from the connection. Out: `Reply` values, one for each command, or a `ReplyFault`. Knows
RFC 5321 §4.2 (replies) and RFC 2034 §4 (enhanced status codes). Must not know what a reply means
for the message: that is the stage's business.

aiosmtplib reads leniently: the last line's code wins, and what is left over from one segment
answers the next command. So `VettedProtocol` stands between the socket and aiosmtplib and hands it
whole replies only, each awaited and each in a form that can be read in one way.
"""

from __future__ import annotations

import asyncio
import re
from enum import Enum
from typing import TYPE_CHECKING, Final

from aiosmtplib.protocol import SMTPProtocol

from certmail.frozen import frozen
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LINE_OCTETS: Final = 2048
"""RFC 5321 §4.5.3.1.5 allows 512; extensions allow themselves more."""

MAX_REPLY_OCTETS: Final = 16384
"""All lines of one reply; a large EHLO has about two thousand."""

MAX_TEXT: Final = 200
"""Characters of a reply that are shown to people."""

_LINE: Final = re.compile(rb"([2-5][0-5][0-9])(?:([ -])([^\r\n\x00]*))?", re.ASCII)
_ENHANCED: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?=\s|$)", re.ASCII)


class Fault(Enum):
    """How a reply breaks the protocol."""

    MALFORMED = "a reply line is malformed"
    MIXED = "the lines of one reply carry different codes"
    TOO_LONG = "a reply is longer than any honest reply"
    UNASKED = "the relay spoke without being asked"


class ReplyFault(Exception):  # internal, becomes a RelayError
    """The relay broke the protocol; ``reply`` is what it said unasked, if that much was whole."""

    def __init__(self, fault: Fault, *, reply: Reply | None = None) -> None:
        """Keep what broke."""
        super().__init__(fault.value)
        self.fault = fault
        self.reply = reply


@frozen
class Reply:
    """One reply: its code, and its lines as the relay wrote them, hostile until cleaned."""

    code: int
    lines: tuple[str, ...]

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code (RFC 2034 §4), where one begins the first line."""
        match = _ENHANCED.match(self.lines[0])
        return match[1] if match else None

    @property
    def is_temporary(self) -> bool:
        """Whether the same thing may succeed later (RFC 5321 §4.2.1: 4yz)."""
        return 400 <= self.code <= 499  # noqa: PLR2004

    @property
    def is_refusal(self) -> bool:
        """Whether the relay says no, for now or for good (4yz, 5yz)."""
        return self.code >= 400  # noqa: PLR2004

    def text(self, redact: Callable[[str], str] = str) -> str:
        """Give the reply in one clean line: code and text, redacted first and cut after."""
        return printable(redact(" ".join((str(self.code), *self.lines))), limit=MAX_TEXT)


class ReplyReader:
    """Collect bytes until they are exactly one reply."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> tuple[Reply, bytes] | None:
        """Take ``data``; give the reply and its octets once it is whole.

        Nothing may follow the last line: certmail never pipelines, so what comes after an answer
        was not asked for.

        Raises:
            ReplyFault: the first rule broken.
        """
        self._buffer += data
        if len(self._buffer) > MAX_REPLY_OCTETS:
            raise ReplyFault(Fault.TOO_LONG)
        reply, length = _read(self._buffer)
        if reply is None:
            return None
        if length != len(self._buffer):
            raise ReplyFault(Fault.UNASKED, reply=reply)
        octets = bytes(self._buffer)
        self._buffer.clear()
        return reply, octets


class VettedProtocol(SMTPProtocol):
    """aiosmtplib's protocol behind a reader that gives it nothing but awaited, whole replies.

    ``write`` is a command and arms the reader for one reply; `write_body` is text and does not.
    ``fault`` holds what the relay broke, once it did; from then on the connection is dead. ``lost``
    holds what ended the connection from below, if anything did.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait for the greeting, the one thing a relay says first."""
        super().__init__(loop=loop)
        self.reply: Reply | None = None
        self.fault: ReplyFault | None = None
        self.lost: Exception | None = None
        self._reader = ReplyReader()
        self._writable = asyncio.Event()
        self._writable.set()
        self._armed = True

    def data_received(self, data: bytes) -> None:
        """Vet ``data``; pass on a whole reply, or end the connection."""
        if self.fault is not None:
            return
        try:
            if not self._armed:
                # Read all the same: an early 421 or 552 says why the connection ends.
                whole = ReplyReader().feed(data)
                raise ReplyFault(Fault.UNASKED, reply=whole[0] if whole else None)  # noqa: TRY301
            read = self._reader.feed(data)
        except ReplyFault as fault:
            self._break(fault)
            return
        if read is not None:
            self.reply, octets = read
            self._armed = False
            super().data_received(octets)

    def write(self, data: bytes) -> None:
        """Write a command, to which exactly one reply must follow.

        Raises:
            ReplyFault: something was said before the command.
        """
        if self.fault is not None:
            raise self.fault
        self.reply = None
        self._armed = True
        super().write(data)

    def begin_body(self, *, unsent_octets: int) -> None:
        """Have `write_body` wait while more than ``unsent_octets`` have not left this process."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.set_write_buffer_limits(high=unsent_octets)

    async def write_body(self, chunk: bytes) -> None:
        """Write a piece of the message, and wait until the connection takes more.

        Raises:
            ReplyFault: the relay answered before the message was complete.
        """
        if self.fault is not None:
            raise self.fault
        super().write(chunk)
        await self._writable.wait()
        # Let the loop look at the socket, so that what has arrived is seen before what follows:
        # one turn to find it, one for whom it wakes.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def pause_writing(self) -> None:
        """Hold the body back."""
        super().pause_writing()
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let the body go on."""
        super().resume_writing()
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember why, and wake whoever waits."""
        self.lost = exc
        super().connection_lost(exc)
        self._writable.set()

    def _break(self, fault: ReplyFault) -> None:
        """Remember the fault and drop the connection without another word."""
        self.fault = fault
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()


def _read(buffer: bytearray) -> tuple[Reply | None, int]:
    """Read one reply from the start of ``buffer``; give it and how many octets it took.

    RFC 5321 §4.2.1: in a multiline reply, "the reply code on each of the lines MUST be the same".
    """
    lines: list[str] = []
    first = b""
    start = 0
    while (end := buffer.find(b"\n", start)) != -1:
        line = bytes(buffer[start : end + 1])
        if len(line) > MAX_LINE_OCTETS:
            raise ReplyFault(Fault.TOO_LONG)
        match = _LINE.fullmatch(line[:-2]) if line.endswith(b"\r\n") else None
        if match is None:
            raise ReplyFault(Fault.MALFORMED)
        code, separator, text = match.groups(default=b"")
        first = first or code
        if code != first:
            raise ReplyFault(Fault.MIXED)
        lines.append(text.decode("utf-8", "replace"))
        start = end + 1
        if separator != b"-":
            return Reply(int(code), tuple(lines)), start
    if len(buffer) - start > MAX_LINE_OCTETS:
        raise ReplyFault(Fault.TOO_LONG)
    return None, start
