"""Every address of a domain is asked as Let's Encrypt would ask, and each cause has its name."""

from __future__ import annotations

import socket
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certmail.acme.answers import HEADERS, Answer, Asked, Heard, Resolved, Silence
from certmail.acme.judge import judge
from certmail.acme.known import ADDRESSES, CNAMES
from certmail.acme.steps import OWN, THREE_DAYS
from certmail.acme.trouble import Trouble
from certmail.acme.words import Whose, finding
from certmail.challenge import MAX_ADDRESSES, MAX_BODY_OCTETS, ask
from certmail.errors import UsageError
from certmail.values import Hostname
from certmail.web.fetch import Reach
from tests.acme.edges import (
    RIGHT,
    V4,
    V4_OTHER,
    V6,
    answer,
    cloudflare,
    domain,
    dripping,
    pouring,
)

NAME = Hostname("www.example.org")
PATH = "/.well-known/acme-challenge/test"


def told(reach: Reach, *, timeout_s: float = 5.0):
    asked = ask(NAME, timeout_s=timeout_s, reach=reach)
    return asked, judge(asked)


def codes(verdict) -> list[str]:
    return [f"{one.severity.value}:{one.code}" for one in verdict.findings]


def test_each_address_is_asked_by_itself_for_the_domain_and_nothing_is_told():
    with domain({V4: RIGHT, V4_OTHER: answer(b"test\n"), V6: RIGHT}) as (reach, edges, wire):
        asked, verdict = told(reach)
    assert (verdict.good, codes(verdict)) == (True, [])
    assert sorted(wire.dialled) == sorted((address, 80) for address in (V4, V4_OTHER, V6))
    for one in edges.values():
        [request] = one.asked
        head = request.decode()
        assert head.startswith(f"GET {PATH} HTTP/1.1\r\nHost: www.example.org\r\n")
        assert {line.split(":")[0] for line in head.splitlines()[1:] if line} == {
            "Host",
            "Accept-Encoding",
            "User-Agent",
        }
    assert [heard.family for heard in asked.heard] == ["IPv4", "IPv4", "IPv6"]
    assert "free" in verdict.steps[0]


HTTPS = "https://www.example.org" + PATH

WRONG = {
    "redirect by cloudflare": (
        cloudflare(status="301 Moved", Location=HTTPS),
        "ACME-REDIRECT-CLOUDFLARE",
    ),
    "redirect by cloudflare, said so": (
        cloudflare(status="301 Moved", Location=HTTPS, CF_Cache_Status="NONE"),
        "ACME-REDIRECT-CLOUDFLARE",
    ),
    "redirect behind cloudflare": (
        cloudflare(status="301 Moved", Location=HTTPS, CF_Cache_Status="DYNAMIC"),
        "ACME-REDIRECT-HTTPS",
    ),
    "redirect by the application": (
        answer(b"", status="308 Permanent", Server="nginx", Location=HTTPS),
        "ACME-REDIRECT-HTTPS",
    ),
    "redirect by a registrar": (
        answer(b"", status="302 Found", Location="http://parking.example.net/"),
        "ACME-REDIRECT-ELSEWHERE",
    ),
    "redirect to nowhere": (answer(b"", status="302 Found"), "ACME-REDIRECT-ELSEWHERE"),
    "redirect to what is no address": (
        answer(b"", status="302 Found", Location="https://[::1"),
        "ACME-REDIRECT-ELSEWHERE",
    ),
    "502 in strict mode": (cloudflare(status="502 Bad Gateway"), "ACME-CLOUDFLARE-STRICT"),
    "520": (cloudflare(status="520 Web server is odd"), "ACME-CLOUDFLARE-STRICT"),
    "525 no handshake": (cloudflare(status="525 Handshake"), "ACME-CLOUDFLARE-STRICT"),
    "526 no certificate": (cloudflare(status="526 Invalid"), "ACME-CLOUDFLARE-STRICT"),
    "522 no server behind": (cloudflare(status="522 Timed out"), "ACME-CLOUDFLARE-ORIGIN"),
    "530 no name behind": (cloudflare(status="530 Origin DNS"), "ACME-CLOUDFLARE-ORIGIN"),
    "a challenge for browsers": (
        cloudflare(b"<html>", status="403 Forbidden", cf_mitigated="challenge"),
        "ACME-CLOUDFLARE-CHALLENGE",
    ),
    "502 of another server": (answer(b"", status="502 Bad Gateway"), "ACME-STATUS"),
    "404": (answer(b"no", status="404 Not Found", Server="nginx"), "ACME-STATUS"),
    "204": (b"HTTP/1.1 204 Nothing\r\n\r\n", "ACME-STATUS"),
    "another page": (answer(b"<html>welcome</html>", Server="Apache"), "ACME-BODY"),
    "an empty body": (answer(b""), "ACME-BODY"),
    "testing": (answer(b"testing"), "ACME-BODY"),
    "a packed body": (answer(b"test", Content_Encoding="gzip"), "ACME-BODY"),
    "a body without end": (lambda _path: pouring(), "ACME-BODY"),
    "closed without a word": (None, "ACME-SILENT"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "ACME-SILENT"),
    "headers without end": (
        lambda _path: (b"X: " + b"y" * 9000 + b"\r\n" for _ in range(40)),
        "ACME-SILENT",
    ),
}


@pytest.mark.parametrize(("said", "code"), WRONG.values(), ids=WRONG)
def test_each_wrong_answer_has_its_cause(said, code):
    with domain({V4: said}) as (reach, _, _):
        _, verdict = told(reach)
    assert not verdict.good
    assert codes(verdict)[0] == f"error:{code}"
    assert verdict.steps[-1] == OWN
    assert THREE_DAYS in verdict.steps


def test_cloudflare_gets_the_steps_of_the_document_in_their_order():
    with domain({V4: cloudflare(status="301 Moved", Location=HTTPS)}) as (reach, _, _):
        _, verdict = told(reach)
    rule, cache, redirect, again, *_ = verdict.steps
    assert "page rule for http://www.example.org/.well-known/acme-challenge*" in rule
    assert "disable the cache" in cache
    assert "Force HTTPS" in redirect
    assert again.endswith("certmail acme-test www.example.org")


def test_another_server_gets_no_steps_at_cloudflare_and_the_address_is_a_note():
    with domain({"93.184.215.14": answer(b"hello", Server="Apache")}) as (reach, _, _):
        _, verdict = told(reach)
    assert codes(verdict) == ["error:ACME-BODY", "note:ACME-ADDRESS-UNKNOWN"]
    assert not any("Cloudflare" in step for step in verdict.steps)
    assert "domain.par.clever-cloud.com" in verdict.steps[0]


def test_a_documented_address_is_not_called_unknown():
    with domain({V4_OTHER: answer(b"", status="404 Not Found")}) as (reach, _, _):
        _, verdict = told(reach)
    assert codes(verdict) == ["error:ACME-STATUS"]


@pytest.mark.parametrize(
    "said",
    [
        answer(b"no", status="404 Not Found"),
        answer(b"hello"),
        answer(b"", status="301 Moved", Location=HTTPS),
        None,
    ],
)
def test_who_points_to_the_provider_already_is_not_told_to(said):
    """By an address that is documented, or by an alias that leads to a name of the provider's."""
    for address, alias in ((V4_OTHER, ""), ("93.184.215.14", CNAMES[0])):
        with domain({address: said}) as (reach, _, _):
            asked = replace(ask(NAME, reach=reach), alias=alias)
        verdict = judge(asked)
        assert len(verdict.findings) == 1
        assert not any("CNAME" in step for step in verdict.steps)


def test_a_stale_cache_at_cloudflare_needs_no_page_rule():
    old = cloudflare(b"old", CF_Cache_Status="HIT")
    with domain({V4: cached(cloudflare(b"test"), old)}) as (reach, _, _):
        _, verdict = told(reach)
    assert not any("page rule" in step for step in verdict.steps)


def test_an_unknown_address_that_answers_right_is_no_matter():
    with domain({"93.184.215.14": RIGHT}) as (reach, _, _):
        _, verdict = told(reach)
    assert (verdict.good, codes(verdict)) == (True, [])


def cached(past: bytes, first: bytes):
    return lambda path: past if "?certmail=" in path else first


def test_a_stale_answer_of_a_cache_is_told_from_what_is_answered_now():
    old = cloudflare(b"no", status="404 Not Found", CF_Cache_Status="HIT", Age="120")
    with domain({V4: cached(cloudflare(b"test"), old)}) as (reach, edges, _):
        asked, verdict = told(reach)
    assert codes(verdict) == ["error:ACME-CACHED-WRONG"]
    assert len(edges[V4].asked) == 2
    assert asked.heard[0].again is not None


def test_a_right_answer_of_a_cache_hides_no_wrong_one():
    old = cloudflare(b"test", CF_Cache_Status="HIT")
    with domain({V4: cached(cloudflare(status="526 Invalid"), old)}) as (reach, _, _):
        _, verdict = told(reach)
    assert codes(verdict) == ["error:ACME-CACHED-RIGHT"]


def test_a_right_answer_that_is_right_past_the_cache_too_is_good():
    old = answer(b"test", Age="3", Via="1.1 varnish")
    with domain({V4: cached(RIGHT, old)}) as (reach, edges, _):
        _, verdict = told(reach)
    assert (verdict.good, len(edges[V4].asked)) == (True, 2)


def test_the_cause_past_the_cache_is_the_one_that_counts():
    old = cloudflare(b"old", CF_Cache_Status="HIT")
    with domain({V4: cached(cloudflare(status="525 Handshake"), old)}) as (reach, _, _):
        _, verdict = told(reach)
    assert codes(verdict) == ["error:ACME-CLOUDFLARE-STRICT"]


def test_ipv6_that_answers_otherwise_is_an_error_though_ipv4_is_right():
    with domain({V4: RIGHT, V6: answer(b"hello", Server="old")}) as (reach, _, _):
        _, verdict = told(reach)
    assert codes(verdict) == [
        "error:ACME-BODY",
        "error:ACME-FAMILIES-DIFFER",
        "note:ACME-ADDRESS-UNKNOWN",
    ]
    assert "IPv6 is wrong" in verdict.findings[1].what


def test_ipv6_that_is_silent_is_a_warning_beside_a_right_ipv4():
    with domain({V4: RIGHT}, also=(V6,)) as (reach, _, _):
        _, verdict = told(reach)
    assert (verdict.good, codes(verdict)) == (True, ["warning:ACME-SILENT"])


def test_ipv4_that_is_silent_is_an_error():
    with domain({V6: RIGHT}, also=(V4,)) as (reach, _, _):
        _, verdict = told(reach)
    assert (verdict.good, codes(verdict)) == (False, ["error:ACME-SILENT"])


def test_a_machine_without_ipv6_does_not_blame_the_domain():
    with domain({V4: RIGHT}, also=(V6,), no_route=frozenset({V6})) as (reach, _, _):
        _, verdict = told(reach)
    assert (verdict.good, codes(verdict)) == (True, ["note:ACME-NO-ROUTE"])


def test_addresses_of_one_family_that_differ_are_told():
    with domain({V4: RIGHT, V4_OTHER: answer(b"", status="404 Not Found")}) as (reach, _, _):
        _, verdict = told(reach)
    assert codes(verdict) == ["error:ACME-STATUS", "error:ACME-ADDRESSES-DIFFER"]


def test_the_same_cause_at_several_addresses_is_said_once():
    wrong = answer(b"", status="404 Not Found")
    with domain({V4_OTHER: wrong, "91.208.207.215": wrong}) as (reach, _, _):
        _, verdict = told(reach)
    assert [one.code for one in verdict.findings].count("ACME-STATUS") == 1
    assert "and 1 more" in verdict.findings[0].what


@pytest.mark.parametrize("address", ["10.0.0.7", "127.0.0.1", "fe80::1%eth0", "192.168.1.1"])
def test_a_private_address_is_named_and_not_asked(address):
    with domain({}, also=(address,)) as (reach, _, wire):
        _, verdict = told(reach)
    assert codes(verdict) == ["error:ACME-PRIVATE"]
    assert address in verdict.findings[0].what
    assert wire.dialled == []


def test_a_server_that_drips_holds_nobody():
    start = time.monotonic()
    with domain({V4: None}) as (reach, edges, _):
        edges[V4].say = lambda _path: dripping(edges[V4].ending)
        asked, verdict = told(reach, timeout_s=0.5)
        assert time.monotonic() - start < 3
    assert asked.heard[0].first.silence is Silence.TIMEOUT
    assert codes(verdict) == ["error:ACME-SILENT"]


def test_of_a_body_only_the_beginning_is_kept():
    with domain({V4: lambda _path: pouring()}) as (reach, _, _):
        asked, _ = told(reach)
    first = asked.heard[0].first
    assert (len(first.body), first.cut) == (MAX_BODY_OCTETS, True)


def resolver(error: OSError) -> Reach:
    def resolve(_host, _port):
        raise error

    return Reach(resolve=resolve)


def test_a_name_without_addresses_is_an_error_and_an_absent_resolver_is_not():
    _, verdict = told(resolver(socket.gaierror(socket.EAI_NONAME, "unknown")))
    assert codes(verdict) == ["error:ACME-NO-ADDRESS"]
    for fault in (socket.gaierror(socket.EAI_AGAIN, "later"), OSError("no")):
        with pytest.raises(UsageError) as refused:
            told(resolver(fault))
        assert refused.value.code == "ACME-RESOLVER"


def test_no_more_addresses_are_asked_than_the_limit():
    many = tuple(f"93.184.215.{n}" for n in range(1, 20))
    with domain({}, also=many) as (reach, _, wire):
        asked, verdict = told(reach)
    assert len(wire.dialled) == len(asked.heard) == MAX_ADDRESSES
    assert "note:ACME-MANY-ADDRESSES" in codes(verdict)


def test_a_proxy_is_not_used_and_is_told_where_nobody_answers():
    with domain({}, also=(V4,)) as (reach, _, _):
        through = Reach(
            resolve=reach.resolve, wire=reach.wire, env={"http_proxy": "http://me:pw@127.0.0.1:9"}
        )
        _, verdict = told(through)
    assert codes(verdict) == ["error:ACME-SILENT", "warning:ACME-PROXY"]
    assert "pw" not in str(verdict)


def test_foreign_text_is_shown_without_its_controls():
    odd = answer(b"\x1b[2Jgone", Server="a\x1b]0;x")
    with domain({V4: odd}) as (reach, _, _):
        _, verdict = told(reach)
    assert "\x1b" not in str([(f.what, f.why, f.next) for f in verdict.findings])


def test_every_trouble_has_its_words_and_no_braces_are_left():
    for trouble in Trouble:
        for whose in Whose:
            one = finding(
                trouble, Answer(status=404), where=V4, domain="www.example.org", whose=whose
            )
            assert "{" not in one.what + one.why + one.next


def test_the_known_load_balancers_are_public_and_their_names_the_providers():
    assert all(name.endswith(".clever-cloud.com") for name in CNAMES)
    assert all(address.count(".") == 3 for address in ADDRESSES)


texts = st.text(max_size=40)
answers = st.builds(
    Answer,
    status=st.integers(0, 999),
    headers=st.dictionaries(st.sampled_from(HEADERS), texts | st.just("cloudflare")),
    body=st.binary(max_size=40) | st.just(b"test"),
    cut=st.booleans(),
    silence=st.none() | st.sampled_from(Silence),
    detail=texts,
)
heard = st.builds(
    Heard, st.sampled_from([V4, V4_OTHER, V6, "10.0.0.1"]), answers, st.none() | answers
)


@settings(max_examples=200, deadline=None)
@given(st.lists(heard, max_size=6))
def test_any_answers_are_judged_and_good_needs_a_right_one(these):
    verdict = judge(Asked(domain="x.example", resolved=Resolved.FOUND, heard=tuple(these)))
    assert not verdict.good or any(one.is_right for one in these)
    assert verdict.steps
