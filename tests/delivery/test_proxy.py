"""A proxy dials; it learns the relay's name and port, and nothing of what is said."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import threading
from typing import Self

import pytest

from certmail.delivery.relay import Proxy, Relay, Timeouts
from certmail.errors import SettingsError
from certmail.submission import Mode, ProxyKind
from certmail.values import Hostname
from tests.delivery.attempt import attempt
from tests.delivery.conftest import server_context
from tests.delivery.front import carry
from tests.delivery.hostile import PASSWORD, HostileRelay
from tests.delivery.message import sealed

WAYS = pytest.mark.parametrize(
    ("kind", "mode"),
    [
        (ProxyKind.SOCKS5, Mode.IMPLICIT),
        (ProxyKind.SOCKS5, Mode.STARTTLS),
        (ProxyKind.HTTP_CONNECT, Mode.IMPLICIT),
    ],
    ids=lambda value: value.name,
)
KINDS = pytest.mark.parametrize("kind", list(ProxyKind), ids=lambda kind: kind.name)
THERE = importlib.util.find_spec("python_socks") is not None
WITH_LIBRARY = pytest.mark.skipif(not THERE, reason="python-socks is not installed")


class Between:
    """A proxy for one connection: it leads wherever it is told to, and writes down what it saw."""

    def __init__(self, kind: ProxyKind, *, leads_to: int | None) -> None:
        self.kind = kind
        self.leads_to = leads_to
        self.asked_for: list[bytes] = []
        self.seen = bytearray()

    def __enter__(self) -> Self:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.at = Proxy(self.kind, Hostname("127.0.0.1"), self.listener.getsockname()[1])
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            client, _ = self.listener.accept()
            client.settimeout(10)
            with client:
                yes = self._greet(client)
                if self.leads_to is None:
                    return
                with socket.create_connection(("127.0.0.1", self.leads_to), 10) as relay:
                    client.sendall(yes)
                    carry(client, relay, seen=self.seen)

    def _greet(self, client: socket.socket) -> bytes:
        if self.kind is ProxyKind.HTTP_CONNECT:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            self.asked_for.append(head.split()[1])
            if self.leads_to is None:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return b"HTTP/1.1 200 OK\r\n\r\n"
        client.recv(64)
        client.sendall(b"\x05\x00")
        request = client.recv(512)
        # RFC 1928 §4: type 3 is a name, with its length before it.
        name, port = request[5 : 5 + request[4]], request[-2:]
        self.asked_for.append(b"%s:%d" % (name, int.from_bytes(port)))
        if self.leads_to is None:
            client.sendall(b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00")
        return b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00"


@pytest.fixture(scope="module")
def named(authority):
    return server_context(authority.issue_cert("relay.test"))


@WITH_LIBRARY
@WAYS
def test_the_proxy_looks_the_name_up_and_sees_no_secret(mode, kind, named, ca_file):
    """The name exists nowhere: whoever looked it up here would find nothing."""
    message = sealed()
    with HostileRelay(mode, named) as relay, Between(kind, leads_to=relay.port) as proxy:
        tried = attempt(relay, ca_file=ca_file, host="relay.test", proxy=proxy.at, message=message)
    assert tried.code is None
    assert proxy.asked_for == [b"relay.test:%d" % relay.port]
    assert tried.receipt.peer == str(proxy.at)
    assert relay.messages[0].octets == message.wire()
    assert PASSWORD.encode() not in proxy.seen
    assert message.wire()[:100] not in proxy.seen


@WITH_LIBRARY
@WAYS
def test_a_proxy_that_leads_elsewhere_gets_no_password(mode, kind, good, ca_file):
    """The certificate is for localhost, and the name that was meant is relay.test."""
    with HostileRelay(mode, good) as relay, Between(kind, leads_to=relay.port) as proxy:
        tried = attempt(relay, ca_file=ca_file, host="relay.test", proxy=proxy.at)
    assert (tried.code, tried.reads) == ("RELAY-TLS-HOSTNAME", 0)
    assert set(relay.verbs) <= {"EHLO", "STARTTLS", "QUIT"}


@WITH_LIBRARY
@KINDS
def test_a_proxy_that_refuses_is_not_gone_round(kind, good, ca_file):
    with HostileRelay(Mode.IMPLICIT, good) as relay, Between(kind, leads_to=None) as proxy:
        tried = attempt(relay, ca_file=ca_file, proxy=proxy.at)
    assert (tried.code, tried.reads) == ("RELAY-UNREACHABLE", 0)
    assert f"the proxy {proxy.at} does not connect" in tried.error.what
    assert relay.connections == 0


@WITH_LIBRARY
@KINDS
def test_a_proxy_that_is_not_there_or_says_nothing_comes_to_an_end(kind, ca_file):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at = Proxy(kind, Hostname("127.0.0.1"), silent.getsockname()[1])
        tried = attempt(465, ca_file=ca_file, proxy=at, timeouts=Timeouts(connect_s=0.4))
        assert (tried.code, tried.reads) == ("RELAY-TIMEOUT", 0)
    tried = attempt(465, ca_file=ca_file, proxy=at)
    assert (tried.code, tried.reads) == ("RELAY-UNREACHABLE", 0)


def test_an_http_proxy_is_not_used_where_the_relay_speaks_first():
    """Its greeting would come in one piece with the proxy's answer, and be lost."""
    at = Proxy(ProxyKind.HTTP_CONNECT, Hostname("127.0.0.1"), 3128)
    with pytest.raises(SettingsError) as caught:
        Relay(Hostname("relay.test"), 587, Mode.STARTTLS, proxy=at)
    assert caught.value.code == "RELAY-PROXY-STARTTLS"


@pytest.mark.skipif(THERE, reason="python-socks is installed")
def test_without_the_library_nothing_goes_round_the_proxy(good, ca_file):
    at = Proxy(ProxyKind.SOCKS5, Hostname("127.0.0.1"), 9050)
    with HostileRelay(Mode.IMPLICIT, good) as relay:
        tried = attempt(relay, ca_file=ca_file, proxy=at)
    assert (tried.code, tried.reads) == ("PROXY-LIBRARY-MISSING", 0)
    assert type(tried.error) is SettingsError
    assert relay.connections == 0
