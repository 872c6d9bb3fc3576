"""Many addresses, and the first that answers; the name is looked up within the same clock."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from certmail.delivery.dial import dial
from certmail.delivery.relay import Timeouts
from certmail.submission import Mode
from tests.delivery.attempt import attempt
from tests.delivery.conftest import server_context
from tests.delivery.hostile import HostileRelay

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.name)

SLOW_S = 2.0


@contextlib.contextmanager
def black_hole(host: str, port: int) -> Iterator[None]:
    """Listen and accept nothing: once its queue is full, what knocks gets no answer at all."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as open_sockets:
        listener = open_sockets.enter_context(socket.socket(family))
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(3):
            knocker = open_sockets.enter_context(socket.socket(family))
            knocker.setblocking(False)
            knocker.connect_ex((host, port))
        time.sleep(0.05)
        yield


def answer(monkeypatch, name: str, *hosts: str) -> None:
    """Have the resolver give these addresses, in this order."""
    real = socket.getaddrinfo

    def resolve(host, port, *rest, **more):
        if host != name:
            return real(host, port, *rest, **more)
        return [entry for each in hosts for entry in real(each, port, *rest, **more)][: len(hosts)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture
def named(authority):
    return server_context(authority.issue_cert("relay.test"))


@BOTH
def test_a_black_hole_does_not_keep_the_next_address_waiting(mode, named, ca_file, monkeypatch):
    """RFC 8305 §5: a quarter of a second, and the next one is tried beside it."""
    answer(monkeypatch, "relay.test", "127.0.0.2", "127.0.0.1")
    with HostileRelay(mode, named) as relay, black_hole("127.0.0.2", relay.port):
        began = time.monotonic()
        tried = attempt(relay, ca_file=ca_file, host="relay.test")
        took_s = time.monotonic() - began
    assert tried.code is None
    assert tried.receipt.peer == "127.0.0.1"
    assert 0.2 < took_s < SLOW_S


@BOTH
def test_a_black_hole_over_ipv6_does_not_keep_ipv4_waiting(mode, named, ca_file, monkeypatch):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    answer(monkeypatch, "relay.test", "::1", "127.0.0.1")
    with HostileRelay(mode, named) as relay, black_hole("::1", relay.port):
        began = time.monotonic()
        tried = attempt(relay, ca_file=ca_file, host="relay.test")
        took_s = time.monotonic() - began
    assert tried.code is None
    assert tried.receipt.peer == "127.0.0.1"
    assert took_s < SLOW_S


def test_an_address_where_nobody_listens_costs_nothing(named, ca_file, monkeypatch):
    answer(monkeypatch, "relay.test", "127.0.0.3", "127.0.0.2", "127.0.0.1")
    with HostileRelay(Mode.IMPLICIT, named) as relay:
        began = time.monotonic()
        assert attempt(relay, ca_file=ca_file, host="relay.test").code is None
        assert time.monotonic() - began < SLOW_S
    assert relay.connections == 1


def test_nothing_but_black_holes_comes_to_an_end(ca_file, monkeypatch):
    answer(monkeypatch, "relay.test", "127.0.0.2", "127.0.0.3")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with black_hole("127.0.0.2", port), black_hole("127.0.0.3", port):
        began = time.monotonic()
        tried = attempt(port, ca_file=ca_file, host="relay.test", timeouts=Timeouts(connect_s=0.7))
    assert (tried.code, tried.reads) == ("RELAY-TIMEOUT", 0)
    assert time.monotonic() - began < SLOW_S


def test_a_resolver_that_does_not_answer_is_not_waited_for(ca_file, monkeypatch):
    def silent(*_, **__):
        time.sleep(SLOW_S)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    began = time.monotonic()
    tried = attempt(465, ca_file=ca_file, host="relay.test", timeouts=Timeouts(connect_s=0.4))
    assert (tried.code, tried.reads) == ("RELAY-TIMEOUT", 0)
    assert time.monotonic() - began < SLOW_S / 2


@pytest.mark.skipif(os.name != "posix", reason="elsewhere Python has no words for the number")
def test_a_closed_port_is_told_in_the_systems_words(ca_file):
    """The text that asyncio makes has the address alone, which stands in front already."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        tried = attempt(taken.getsockname()[1], ca_file=ca_file)
    assert tried.error.what.endswith(f": {os.strerror(errno.ECONNREFUSED)}")


@pytest.mark.parametrize(
    "fault", [OSError("canary-5d1e"), OSError(28, "canary-5d1e"), OSError(28, "-", "canary-5d1e")]
)
def test_what_a_foreign_fault_says_is_not_repeated(fault, ca_file, monkeypatch):
    """A resolver's plug-in, or a library below, may quote anything."""

    def broken(*_, **__):
        raise fault

    monkeypatch.setattr(socket, "getaddrinfo", broken)
    tried = attempt(465, ca_file=ca_file, host="relay.test")
    assert (tried.code, tried.reads) == ("RELAY-UNREACHABLE", 0)
    assert "canary" not in f"{tried.error.what} {tried.error.why} {tried.error.next}"


def test_why_a_name_has_no_address_is_told_as_the_resolver_says_it(ca_file, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    tried = attempt(465, ca_file=ca_file, host="relay.test")
    assert tried.error.what.endswith(": Name or service not known")


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux has it")
def test_what_comes_in_is_acknowledged_at_once_each_time():
    """RFC 9293 §3.8.6.3: an acknowledgement that waits keeps a server's second segment waiting."""

    async def talk(port: int) -> list[int]:
        loop = asyncio.get_running_loop()
        seen = []
        with await dial("127.0.0.1", port) as sock:
            for _ in range(3):
                await loop.sock_sendall(sock, b"x" * 64)
                seen.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK))
                await loop.sock_recv(sock, 1)
                await loop.sock_recv_into(sock, bytearray(63))
                seen.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK))
        return seen

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def echo() -> None:
            connection, _ = listener.accept()
            with connection:
                while octets := connection.recv(64):
                    connection.sendall(octets)

        thread = threading.Thread(target=echo, daemon=True)
        thread.start()
        assert asyncio.run(talk(listener.getsockname()[1])) == [1] * 6
        thread.join(5)


def test_little_pieces_travel_at_once():
    """The dot goes behind the text in a segment of its own, and must not wait for an answer."""

    async def asked(port: int) -> int:
        with await dial("127.0.0.1", port) as sock:
            return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert asyncio.run(asked(listener.getsockname()[1])) != 0
