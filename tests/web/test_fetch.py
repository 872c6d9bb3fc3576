"""Who fetches for a stranger goes nowhere private, waits and reads no longer than it may."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certmail.web.failure import NotFetched, Reason
from certmail.web.fetch import HTTPS, SIGNED, Given, Limits, Ports, Reach, fetch
from tests.keysources.serving import answer, dripping, moved, web
from tests.web.wires import Wire

PUBLIC = "93.184.215.14"
HEADERS = {"User-Agent": "tests"}


def limits(**other) -> Limits:
    return Limits(**{"schemes": SIGNED, "seconds": 5.0, "octets": 9000, "redirects": 2, **other})


def reach(wire: Wire, *addresses: str, **other) -> Reach:
    return Reach(resolve=lambda host, port: addresses or (PUBLIC,), wire=wire, **other)


def refused(url: str, world: Reach, *, given=Given.BY_A_STRANGER, **bounds) -> NotFetched:
    with pytest.raises(NotFetched) as caught:
        fetch(url, limits=limits(**bounds), reach=world, headers=HEADERS, given=given)
    return caught.value


def test_the_body_is_given_and_nothing_of_ours_is_told():
    wire = Wire({"/x?a=b": answer(b"body")})
    got = fetch("http://ca.example/x?a=b", limits=limits(), reach=reach(wire), headers=HEADERS)
    assert got == b"body"
    [asked] = wire.asked
    assert (asked.address, asked.port) == (PUBLIC, 80)
    assert asked.head == (
        b"GET /x?a=b HTTP/1.1\r\nHost: ca.example\r\nAccept-Encoding: identity\r\n"
        b"User-Agent: tests\r\n\r\n"
    )


def test_a_body_is_posted():
    wire = Wire({"/": answer(b"yes")})
    got = fetch(
        "http://ca.example:8080",
        limits=limits(),
        reach=reach(wire),
        headers=HEADERS,
        body=b"question",
    )
    assert got == b"yes"
    [asked] = wire.asked
    assert asked.port == 8080
    assert asked.head.startswith(b"POST / HTTP/1.1\r\nHost: ca.example:8080\r\n")
    assert asked.head.endswith(b"Content-Length: 8\r\n\r\nquestion")


@pytest.mark.parametrize(
    ("url", "bounds"),
    [
        ("http://ca.example/", {"schemes": HTTPS}),
        ("ftp://ca.example/", {}),
        ("ca.example", {}),
        ("http://", {}),
        ("http://user@ca.example/", {}),
        ("http://ca.example:x/", {}),
        ("http://[::1", {}),
        ("http://a\nb/", {}),
        ("http://ca.example:8080/", {"ports": Ports.OF_THE_SCHEME}),
        ("http://ca.example:443/", {"ports": Ports.OF_THE_SCHEME}),
    ],
)
def test_each_caller_says_what_addresses_it_asks(url, bounds):
    wire = Wire()
    failure = refused(url, reach(wire), **bounds)
    assert (failure.reason, failure.url, wire.dialled) == (Reason.ADDRESS, url, [])


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "fe80::1%eth0", "224.0.0.1", "::"]
)
def test_a_name_that_leads_inside_is_not_dialled_at_any_of_its_addresses(address):
    wire = Wire()
    failure = refused("http://ca.example/", reach(wire, PUBLIC, address))
    assert (failure.reason, failure.detail, wire.dialled) == (Reason.PRIVATE, "ca.example", [])


def test_what_was_looked_at_is_what_is_connected_to():
    """A resolver that changes its mind between the look and the connection gains nothing."""
    answers = iter([(PUBLIC,), ("127.0.0.1",)])
    wire = Wire({"/": answer(b"x")})
    world = Reach(resolve=lambda host, port: next(answers), wire=wire)
    assert fetch("http://ca.example/", limits=limits(), reach=world, headers={}) == b"x"
    assert refused("http://ca.example/", world).reason is Reason.PRIVATE
    assert wire.dialled == [PUBLIC]


def test_the_next_address_is_tried_when_one_is_closed():
    wire = Wire({"/": answer(b"x")}, closed=frozenset({"2606:4700::1"}))
    world = reach(wire, "2606:4700::1", PUBLIC)
    assert fetch("http://ca.example/", limits=limits(), reach=world, headers={}) == b"x"
    assert wire.dialled == ["2606:4700::1", PUBLIC]


def test_what_the_user_typed_may_be_private_and_nothing_that_it_leads_to():
    wire = Wire({"/": answer(b"x"), "/away": moved("http://10.0.0.1:81/")})
    world = reach(wire, "10.0.0.1")
    typed = Given.BY_THE_USER
    assert fetch("http://10.0.0.1/", limits=limits(), reach=world, headers={}, given=typed) == b"x"
    failure = refused("http://10.0.0.1/away", world, given=typed)
    assert (failure.reason, failure.url) == (Reason.PRIVATE, "http://10.0.0.1:81/")
    assert len(wire.dialled) == 2


def test_redirects_are_counted_and_each_is_looked_at():
    pages = {"/a": moved("/b"), "/b": moved("http://ca.example/c"), "/c": answer(b"c")}
    wire = Wire({**pages, "/round": moved("/round"), "/away": moved("http://localhost/")})
    world = reach(wire)
    assert fetch("http://ca.example/a", limits=limits(), reach=world, headers={}) == b"c"
    assert refused("http://ca.example/round", world).reason is Reason.REDIRECTS
    assert len(wire.asked) == 6
    assert refused("http://ca.example/away", world).reason is Reason.PRIVATE


@pytest.mark.parametrize("there", ["http://ca.example/", "ftp://x/", "https://u@x.example/", ""])
def test_a_redirect_astray_is_told_with_where_it_leads(there, trust):
    with web(trust.server(), {"/x": moved(there)}) as served:
        world = Reach(context=trust.client(), private=frozenset({served.place}))
        failure = refused(f"{served.base}/x", world, schemes=HTTPS)
    assert (failure.reason, failure.detail) == (Reason.ASTRAY, there)
    assert (failure.status, failure.place) == (302, served.place)


def test_without_redirects_one_is_a_status_like_any_other():
    failure = refused("http://ca.example/x", reach(Wire({"/x": moved("/")})), redirects=0)
    assert (failure.reason, failure.status) == (Reason.STATUS, 302)


def test_time_and_octets_are_for_the_headers_too():
    endless = (b"HTTP/1.1 200 OK\r\n" if n == 0 else b"X: %d\r\n" % n for n in range(9000))
    failure = refused("http://ca.example/x", reach(Wire({"/x": endless})))
    assert failure.reason is Reason.TOO_LARGE
    with web(None, {"*": dripping}) as served:
        start = time.monotonic()
        world = Reach(private=frozenset({served.place}))
        failure = refused(f"http://{served.place}/", world, seconds=0.4)
    assert failure.reason is Reason.TIMEOUT
    assert time.monotonic() - start < 3


def test_octets_are_for_all_redirects_together():
    long = answer(b"x" * 5000)
    hop = answer(b"", status="302 Found", more=f"Location: /x\r\nX: {'y' * 5000}\r\n")
    wire = Wire({"/x": long, "/hop": hop})
    assert len(fetch("http://ca.example/x", limits=limits(), reach=reach(wire), headers={})) == 5000
    assert refused("http://ca.example/hop", reach(wire)).reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", Reason.UNREACHABLE),
        (b"no HTTP\r\n\r\n", Reason.UNREACHABLE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", Reason.UNREACHABLE),
        (answer(b"", status="204 Nothing"), Reason.STATUS),
        (answer(b"x", more="Content-Encoding: gzip\r\n"), Reason.STATUS),
    ],
)
def test_whatever_else_is_said_is_a_reason(said, reason):
    assert refused("http://ca.example/x", reach(Wire({"/x": said}))).reason is reason


def test_names_without_addresses_and_closed_doors_are_reasons():
    def nowhere(host, port):
        raise OSError("no such name")

    url = "http://ca.example/"
    assert refused(url, Reach(resolve=nowhere, wire=Wire())).reason is Reason.UNRESOLVED
    closed = refused(url, reach(Wire(closed=frozenset({PUBLIC}))))
    assert (closed.reason, closed.detail) == (Reason.UNREACHABLE, "Connection refused")


def test_a_certificate_that_does_not_verify_is_a_reason(trust):
    with web(trust.server("other.example.org")) as served:
        world = Reach(context=trust.client(), private=frozenset({served.place}))
        assert refused(f"{served.base}/", world).reason is Reason.TLS
        assert served.asked == []


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://", "http://[::1"])
def test_a_proxy_of_an_unknown_kind_is_not_gone_around(proxy):
    wire = Wire()
    assert refused("http://ca.example/", reach(wire, env={"all_proxy": proxy})).reason is (
        Reason.PROXY
    )
    assert wire.dialled == []


def test_a_proxy_is_told_its_password_in_any_script():
    with web(None, {"*": answer(b"x")}) as proxy:
        world = Reach(env={"http_proxy": f"http://me:wörd@{proxy.place}"})
        assert fetch("http://ca.example/", limits=limits(), reach=world, headers={}) == b"x"
        told = base64.b64encode("me:wörd".encode())
        assert b"Proxy-Authorization: Basic " + told in proxy.headers[0]


@settings(max_examples=60, deadline=None)
@given(there=st.text() | st.text("htps:/@.[]%1a?#").map("http://".__add__))
def test_any_address_and_any_redirect_is_a_body_or_a_reason(there):
    wire = Wire({"/x": [b"HTTP/1.1 302 Found\r\nLocation: ", there.encode(), b"\r\n\r\n"]})
    for url in (there, "http://ca.example/x"):
        assert isinstance(refused(url, reach(wire)).reason, Reason)


def test_behind_a_proxy_nothing_private_is_asked_either():
    """The proxy would resolve the name, so the name itself must not be inside."""
    with web(None, {"*": answer(b"x")}) as proxy:
        world = Reach(env={"http_proxy": f"http://{proxy.place}"})
        for host in ("10.0.0.1", "localhost", "db.internal", "127.1"):
            assert refused(f"http://{host}/", world).reason is Reason.PRIVATE
        assert proxy.asked == []
        assert fetch("http://ca.example/", limits=limits(), reach=world, headers={}) == b"x"
        assert proxy.asked == ["http://ca.example/"]
