"""A source can lie, stall, pour and lead astray; it gets bytes or a refusal, and nothing else."""

from __future__ import annotations

import gzip
import time

import pytest

from certmail.errors import KeyRefused
from certmail.keysources.ask import ask
from certmail.keysources.fetch import Network, fetch
from certmail.keysources.places import Source
from tests.keysources.serving import (
    LOOPBACK,
    answer,
    dripping,
    moved,
    pouring,
    proxy,
    web,
)


@pytest.fixture
def network(trust, served):
    """A network in which the served host may be private; nothing else may."""

    def make(**options) -> Network:
        given = {"env": {}, "context": trust.client(), "private": frozenset({served.place})}
        return Network(**{**given, **options})

    return make


def refused(url: str, network: Network, *, typed: bool = False) -> KeyRefused:
    with pytest.raises(KeyRefused) as caught:
        fetch(Source("a source", url, typed=typed), network=network)
    assert caught.value.what.isprintable()
    return caught.value


def test_a_source_gives_its_bytes(served, network):
    served.pages["/key"] = answer(b"\x99key")
    assert fetch(Source("a source", f"{served.base}/key"), network=network()) == b"\x99key"
    assert b"Accept-Encoding: identity" in served.headers[0]
    assert b"Cookie" not in served.headers[0]


@pytest.mark.parametrize(
    "url",
    [
        "http://keys.example.org/key",
        "ftp://keys.example.org/key",
        "file:///etc/passwd",
        "https://",
        "https://user:secret@keys.example.org/key",
        "https://[::1",
        "keys.example.org",
        "https://a\nb/",
    ],
)
def test_only_a_plain_https_address_is_asked(network, url):
    refusal = refused(url, network())
    assert refusal.code == "KEY-SOURCE-NOT-HTTPS"


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://10.1.2.3/",
        "https://192.168.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/",
        "https://[fe80::1]/",
        "https://[64:ff9b::a00:1]/",
        "https://0.0.0.0/",
        "https://printer.local/",
        "https://db.internal/",
        "https://router/",
    ],
)
def test_nothing_private_is_asked_unless_somebody_typed_it(network, url):
    assert refused(url, network()).code == "KEY-SOURCE-PRIVATE"


@pytest.mark.parametrize(
    "found", [("127.0.0.1",), ("93.184.216.34", "10.0.0.1"), ("::ffff:192.168.1.1",)]
)
def test_a_name_that_leads_inside_is_not_followed(network, found):
    """One private address among public ones is how rebinding looks."""
    world = network(resolve=lambda host, port: found)
    assert refused("https://keys.example.org/", world).code == "KEY-SOURCE-PRIVATE"


def test_a_typed_address_may_be_private_and_only_that_one(trust, served, network):
    served.pages["/key"] = answer(b"key")
    with web(trust.server()) as inner:
        served.pages["/away"] = moved(f"{inner.base}/secret")
        world = network(private=frozenset())
        assert fetch(Source("x", f"{served.base}/key", typed=True), network=world) == b"key"
        refusal = refused(f"{served.base}/away", world, typed=True)
        assert refusal.code == "KEY-SOURCE-PRIVATE"
        assert inner.asked == []


def test_a_redirect_is_followed_over_https_and_counted(served, network):
    served.pages["/a"] = moved("/b")
    served.pages["/b"] = moved(f"{served.base}/key")
    served.pages["/key"] = answer(b"key")
    assert fetch(Source("x", f"{served.base}/a"), network=network()) == b"key"
    served.pages["/round"] = moved("/round")
    assert refused(f"{served.base}/round", network()).code == "KEY-SOURCE-REDIRECT"
    assert served.asked.count("/round") == 4


def test_a_redirect_to_plain_http_is_never_followed(served, network):
    with web(None, {"*": answer(b"key")}) as clear:
        for there in (
            f"http://{clear.place}/key",
            "ftp://x/",
            "https://u:p@x.example/",
            "",
        ):
            served.pages["/away"] = answer(b"", status="301 Moved", more=f"Location: {there}\r\n")
            code = refused(f"{served.base}/away", network()).code
            assert code == "KEY-SOURCE-REDIRECT"
        assert clear.asked == []


@pytest.mark.parametrize(
    "where", ["https://127.0.0.1:1/", "https://localhost/", "https://10.0.0.1/"]
)
def test_a_redirect_inside_is_never_followed(served, network, where):
    served.pages["/away"] = moved(where)
    assert refused(f"{served.base}/away", network()).code == "KEY-SOURCE-PRIVATE"


def test_a_certificate_that_does_not_verify_is_refused(trust, network):
    with web(trust.server("other.example.org")) as wrong_name:
        world = network(private=frozenset({wrong_name.place}))
        assert refused(f"{wrong_name.base}/", world).code == "KEY-SOURCE-TLS"
        assert wrong_name.asked == []


def test_a_certificate_of_nobodys_authority_is_refused(served, network):
    refusal = refused(f"{served.base}/", network(context=None))
    assert refusal.code == "KEY-SOURCE-TLS"
    assert served.asked == []


def test_a_server_in_clear_is_refused(network):
    with web(None, {"*": answer(b"key")}) as clear:
        world = network(private=frozenset({clear.place}))
        code = refused(f"https://{clear.place}/", world).code
        assert code in {"KEY-SOURCE-TLS", "KEY-SOURCE-UNREACHABLE"}


def test_more_than_the_limit_is_refused_while_it_comes(served, network):
    served.pages["/pour"] = lambda _: pouring()
    served.pages["/big"] = answer(b"x" * 300_000)
    for path in ("/pour", "/big"):
        assert refused(served.base + path, network(max_octets=200_000)).code == "KEY-TOO-LARGE"


def test_a_packed_answer_is_not_unpacked(served, network):
    """A few octets can unpack to gigabytes."""
    bomb = gzip.compress(b"\0" * 5_000_000)
    served.pages["/bomb"] = answer(bomb, more="Content-Encoding: gzip\r\n")
    assert refused(f"{served.base}/bomb", network()).code == "KEY-SOURCE-STATUS"


@pytest.mark.parametrize("pace", ["silent", "dripping"])
def test_a_source_that_stalls_ends_with_its_time(served, network, pace):
    served.pages["/slow"] = (
        dripping if pace == "dripping" else lambda web_: iter([b""] * (not web_.ending.wait(3)))
    )
    start = time.monotonic()
    assert refused(f"{served.base}/slow", network(timeout_s=0.6)).code == "KEY-SOURCE-TIMEOUT"
    assert time.monotonic() - start < 2.5


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (answer(b"no", status="404 Not Found"), "KEY-SOURCE-ABSENT"),
        (answer(b"no", status="410 Gone"), "KEY-SOURCE-ABSENT"),
        (answer(b"no", status="500 Broken"), "KEY-SOURCE-STATUS"),
        (answer(b"", status="204 Nothing"), "KEY-SOURCE-STATUS"),
        (b"this is not HTTP\r\n\r\n", "KEY-SOURCE-UNREACHABLE"),
        (b"", "KEY-SOURCE-UNREACHABLE"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", "KEY-SOURCE-UNREACHABLE"),
    ],
)
def test_whatever_else_a_source_says_is_a_refusal(served, network, said, code):
    served.pages["/x"] = said
    assert refused(f"{served.base}/x", network()).code == code


def test_a_name_that_does_not_resolve_and_a_closed_port_are_unreachable(network):
    def nowhere(host, port):
        raise OSError("no such name")

    assert refused("https://keys.example.org/", network(resolve=nowhere)).code == (
        "KEY-SOURCE-UNREACHABLE"
    )
    assert refused(f"https://{LOOPBACK}:1/", network(), typed=True).code == "KEY-SOURCE-UNREACHABLE"


# Proxies


def test_the_operators_proxy_is_used_and_sees_no_answer(trust):
    """TLS runs through it from end to end; the name of the source is all it learns."""
    pages = {"/key": answer(b"the key")}
    with (
        web(trust.server("keys.example.org"), pages) as far,
        proxy({"keys.example.org:443": far.port}) as (port, told),
    ):
        for env in (
            {"https_proxy": f"http://{LOOPBACK}:{port}"},
            {"HTTPS_PROXY": f"{LOOPBACK}:{port}"},
            {"ALL_PROXY": f"http://me:word@{LOOPBACK}:{port}"},
        ):
            world = Network(env=env, context=trust.client())
            got = fetch(Source("x", "https://keys.example.org/key"), network=world)
            assert got == b"the key"
        assert all(line.startswith(b"CONNECT keys.example.org:443 ") for line in told)
        assert b"Proxy-Authorization: Basic" in told[2]


def test_behind_a_proxy_nothing_private_is_asked_either(trust):
    with proxy({}) as (port, told):
        world = Network(env={"https_proxy": f"http://{LOOPBACK}:{port}"}, context=trust.client())
        for host in ("10.0.0.1", "localhost", "db.internal"):
            assert refused(f"https://{host}/", world).code == "KEY-SOURCE-PRIVATE"
        assert refused("https://keys.example.org/", world).code == "KEY-SOURCE-UNREACHABLE"
        assert len(told) == 1


def test_a_proxy_of_an_unknown_kind_is_not_gone_around(network):
    world = network(env={"all_proxy": "socks5://127.0.0.1:1"})
    refusal = refused("https://keys.example.org/", world)
    assert refusal.code == "KEY-SOURCE-PROXY"


# All at once


def test_no_source_holds_up_another_and_the_order_is_the_lists(served, network):
    served.pages["/slow"] = dripping
    served.pages["/key"] = answer(b"key")
    sources = [Source(n, served.base + n) for n in ("/slow", "/key", "/none")]
    heard = []
    start = time.monotonic()
    answers = ask(sources, network=network(timeout_s=1.0), progress=heard.append)
    assert time.monotonic() - start < 3
    assert [a.source.name for a in answers] == ["/slow", "/key", "/none"]
    assert [a.failure.code if a.failure else a.body for a in answers] == [
        "KEY-SOURCE-TIMEOUT",
        b"key",
        "KEY-SOURCE-ABSENT",
    ]
    assert len(heard) == 3


def test_a_resolver_that_does_not_return_is_left_behind(network):
    def for_ever(host, port):
        time.sleep(4)
        return ()

    start = time.monotonic()
    [found] = ask(
        [Source("stuck", "https://keys.example.org/")],
        network=network(timeout_s=0.2, resolve=for_ever),
    )
    assert time.monotonic() - start < 3
    assert found.failure.code == "KEY-SOURCE-TIMEOUT"
