"""The protocol alone, on a connection of its own: what it hands on, and what ends it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from functools import wraps

import pytest
from aiosmtplib import SMTPServerDisconnected

from certmail.delivery.replies import Fault, Reply, ReplyFault, VettedProtocol

PATIENCE_S = 0.8
MUCH = b"x" * 4_000_000
"""More than a connection takes before anybody reads."""


def in_a_loop(test):
    @wraps(test)
    def run(**given):
        asyncio.run(test(**given))

    return run


@asynccontextmanager
async def connected():
    """Give the protocol and the socket of the relay's side, and end both."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    transport, protocol = await loop.create_connection(lambda: VettedProtocol(loop), sock=ours)
    try:
        async with asyncio.timeout(PATIENCE_S * 3):
            yield protocol, theirs
    finally:
        transport.abort()
        theirs.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def greeted():
    """Give a connection on which the relay has greeted and owes nothing."""
    async with connected() as (protocol, theirs):
        theirs.send(b"220 relay.example.org\r\n")
        await protocol.read_response()
        yield protocol, theirs


def heard(theirs: socket.socket):
    return asyncio.get_running_loop().sock_recv(theirs, 65536)


@in_a_loop
async def test_a_greeting_and_one_reply_to_each_command_are_handed_on():
    async with connected() as (protocol, theirs):
        theirs.send(b"220 relay.example.org\r\n")
        assert (await protocol.read_response()).code == 220
        assert protocol.reply == Reply(220, ("relay.example.org",))
        for _ in range(2):
            asked = asyncio.create_task(protocol.execute_command(b"NOOP"))
            assert await heard(theirs) == b"NOOP\r\n"
            assert protocol.reply is None
            theirs.send(b"250-2.0.0 a\r\n250")
            theirs.send(b" b\r\n")
            assert (await asked).code == 250
            assert protocol.reply == Reply(250, ("2.0.0 a", "b"))
        assert protocol.fault is None


@pytest.mark.parametrize(
    ("said", "reply"),
    [(b"421 4.3.2 bye\r\n", Reply(421, ("4.3.2 bye",))), (b"25", None)],
    ids=["whole", "half"],
)
@in_a_loop
async def test_what_was_not_asked_for_ends_the_connection(said, reply):
    async with greeted() as (protocol, theirs):
        theirs.send(said)
        assert await heard(theirs) == b""
        fault = protocol.fault
        assert (fault.fault, fault.reply) == (Fault.UNASKED, reply)
        # From here on nothing is believed, and nothing is said.
        protocol.data_received(b"250 ok\r\n")
        assert protocol.fault is fault
        assert protocol.reply.code == 220
        with pytest.raises(ReplyFault) as caught:
            protocol.write(b"NOOP\r\n")
        assert caught.value is fault
        with pytest.raises(ReplyFault) as caught:
            await protocol.write_body(b"text")
        assert caught.value is fault


@in_a_loop
async def test_a_malformed_reply_ends_the_connection_and_answers_nothing():
    async with connected() as (protocol, theirs):
        theirs.send(b"hello\r\n")
        assert await heard(theirs) == b""
        assert protocol.fault.fault is Fault.MALFORMED
        assert protocol.reply is None
        with pytest.raises(SMTPServerDisconnected):
            await protocol.read_response()
        assert protocol.transport is None


@in_a_loop
async def test_an_answer_during_the_text_is_seen_before_the_next_piece():
    async with greeted() as (protocol, theirs):
        async with asyncio.timeout(PATIENCE_S):
            await protocol.write_body(b"one")
        assert await heard(theirs) == b"one"
        theirs.send(b"552 5.3.4 too big\r\n")
        await protocol.write_body(b"two")
        assert protocol.fault.reply == Reply(552, ("5.3.4 too big",))


@in_a_loop
async def test_the_text_waits_for_a_relay_that_does_not_read():
    async with greeted() as (protocol, theirs):
        protocol.begin_body(unsent_octets=1000)
        writing = asyncio.create_task(protocol.write_body(MUCH))
        taken = len(await heard(theirs))
        assert not writing.done()
        while taken < len(MUCH):
            taken += len(await heard(theirs))
        await writing


@in_a_loop
async def test_as_much_as_was_allowed_may_wait_unsent():
    async with greeted() as (protocol, _):
        protocol.begin_body(unsent_octets=2 * len(MUCH))
        async with asyncio.timeout(PATIENCE_S):
            await protocol.write_body(MUCH)


@in_a_loop
async def test_a_lost_connection_wakes_the_writer_and_is_remembered():
    async with greeted() as (protocol, theirs):
        protocol.begin_body(unsent_octets=1000)
        writing = asyncio.create_task(protocol.write_body(MUCH))
        await heard(theirs)
        theirs.close()
        await writing
        assert isinstance(protocol.lost, OSError)
