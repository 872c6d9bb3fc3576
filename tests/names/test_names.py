"""What the names of a mail domain say, asked of servers on loopback."""

from __future__ import annotations

import time
from types import SimpleNamespace

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.names.ask import Dnssec, Inquiry, NoAnswer, Resolver, Trouble
from certmail.names.mail import route_of
from certmail.names.services import Services, discover
from certmail.names.sts import Policy, StsMode, read_policy, sts_of
from certmail.submission import Mode
from certmail.values import Hostname
from certmail.web.fetch import Reach
from tests.keysources.serving import answer, make_trust, moved, web
from tests.names.responder import Manner, Table, serving, signed_zone, validating

DOMAIN = Hostname("example.org")
HASTY_S = 0.6


@pytest.fixture
def table():
    with serving(Table()) as running:
        yield running


def resolver(*servers: tuple[str, int]) -> Resolver:
    return Resolver(servers=servers, query_s=HASTY_S)


def inquiry(table: Table, total_s: float = 5) -> Inquiry:
    return Inquiry(resolver(table.server), total_s)


# Submission


def services(table: Table, **records: list[str]) -> Services:
    for name, lines in records.items():
        table.records[f"_{name}._tcp.example.org", "SRV"] = lines
    return discover(DOMAIN, resolver=resolver(table.server))


def test_tls_from_the_first_byte_comes_before_starttls(table):
    """RFC 8314 §5.1, RFC 6186 §3.1."""
    found = services(
        table,
        submissions=["20 0 465 b.example.org.", "10 1 4650 light.example.org.",
                     "10 9 465 heavy.example.org."],
        submission=["0 0 587 smtp.example.org."],
    )  # fmt: skip
    assert [(each.host.text, each.port, each.mode) for each in found.entries] == [
        ("heavy.example.org", 465, Mode.IMPLICIT),
        ("light.example.org", 4650, Mode.IMPLICIT),
        ("b.example.org", 465, Mode.IMPLICIT),
        ("smtp.example.org", 587, Mode.STARTTLS),
    ]
    assert all(each.inside and each.dnssec is Dnssec.NONE for each in found.entries)
    assert (found.refused, found.trouble) == ((), None)


def test_a_dot_says_that_a_service_is_not_offered(table):
    """RFC 6186 §3.4."""
    found = services(table, submissions=["0 0 0 ."], submission=["0 0 587 smtp.example.org."])
    assert found.refused == (Mode.IMPLICIT,)
    assert [each.mode for each in found.entries] == [Mode.STARTTLS]


@pytest.mark.parametrize(
    ("target", "inside"),
    [
        ("example.org.", True),
        ("smtp.example.org.", True),
        ("a.b.example.org.", True),
        ("smtp.example.net.", False),
        ("badexample.org.", False),
        ("example.org.evil.test.", False),
    ],
)
def test_a_host_outside_the_mail_domain_is_told(target, inside, table):
    """RFC 6186 §4: it could be anybody's who can answer for the domain."""
    [entry] = services(table, submissions=[f"0 0 465 {target}"]).entries
    assert entry.inside is inside


@pytest.mark.parametrize(
    "line", ["0 0 0 smtp.example.org.", r"0 0 465 sm\032tp.example.org.", r"0 0 465 \000.test.",
             "0 0 465 192.0.2.1.", "0 0 465 _smtp.example.org."]
)  # fmt: skip
def test_what_is_no_host_and_port_is_no_entry(line, table):
    found = services(table, submissions=[line, "9 0 465 smtp.example.org."])
    assert [each.host.text for each in found.entries] == ["smtp.example.org"]


def test_a_domain_may_say_nothing(table):
    assert services(table) == Services("example.org", ())


def test_an_alias_is_followed(table):
    table.records["_submissions._tcp.example.org", "CNAME"] = ["_submissions._tcp.hoster.test."]
    table.records["_submissions._tcp.hoster.test", "SRV"] = ["0 0 465 smtp.hoster.test."]
    [entry] = discover(DOMAIN, resolver=resolver(table.server)).entries
    assert (entry.host.text, entry.inside) == ("smtp.hoster.test", False)


def test_one_answer_is_kept_though_the_other_question_fails(table):
    table.manners["_submissions._tcp.example.org"] = Manner.SILENT
    found = services(table, submission=["0 0 587 smtp.example.org."])
    assert found.trouble is Trouble.TIMEOUT
    assert [each.mode for each in found.entries] == [Mode.STARTTLS]


# Bounds, and what an answer is worth


@pytest.mark.parametrize(
    ("manner", "trouble"),
    [
        (Manner.SILENT, Trouble.TIMEOUT),
        (Manner.SERVFAIL, Trouble.FAILED),
        (Manner.BOGUS, Trouble.BOGUS),
        (Manner.GARBLED, Trouble.TIMEOUT),  # a forged answer must not win over a late one
    ],
)
def test_why_there_is_no_answer_is_told_apart(manner, trouble, table):
    table.everywhere = manner
    table.records["example.org", "MX"] = ["5 mx.example.org."]
    with pytest.raises(NoAnswer) as failure:
        inquiry(table).ask("example.org", "MX")
    assert failure.value.trouble is trouble


def test_a_dead_resolver_costs_no_more_than_its_bound(table):
    table.everywhere = Manner.SILENT
    began = time.monotonic()
    found = discover(DOMAIN, resolver=Resolver(servers=(table.server,), query_s=5), seconds=0.8)
    assert found.trouble is Trouble.TIMEOUT
    assert time.monotonic() - began < 2.5


def test_the_second_server_is_asked_where_the_first_fails(table):
    table.records["example.org", "MX"] = ["5 mx.example.org."]
    with serving(Table(everywhere=Manner.SERVFAIL)) as broken:
        asking = Inquiry(resolver(broken.server, table.server), 5)
        assert len(asking.ask("example.org", "MX").records) == 1


def test_a_long_answer_comes_by_tcp(table):
    table.manners["example.org"] = Manner.TRUNCATED
    table.records["example.org", "MX"] = ["5 mx.example.org."]
    assert len(inquiry(table).ask("example.org", "MX").records) == 1


@pytest.mark.parametrize("name", ["a" * 64, "x." * 130, "a..b", ""])
def test_a_name_that_is_none_is_not_asked(name, table):
    with pytest.raises(NoAnswer) as failure:
        inquiry(table).ask(name, "MX")
    assert failure.value.trouble is Trouble.MALFORMED
    assert table.asked == []


def test_the_bit_counts_only_from_this_machine(table):
    """Anybody on the way can set it in the name of a resolver elsewhere (RFC 6840 §5.8)."""
    from certmail.names.ask import _worth

    table.validated = True
    table.records["example.org", "MX"] = ["5 mx.example.org."]
    assert inquiry(table).ask("example.org", "MX").dnssec is Dnssec.VALIDATED
    flags = 0x0020
    elsewhere = SimpleNamespace(response=SimpleNamespace(flags=flags), nameserver="192.0.2.53")
    assert _worth(elsewhere) is Dnssec.CLAIMED
    assert _worth(SimpleNamespace(**{**vars(elsewhere), "nameserver": "fe80::1%eth0"})) is (
        Dnssec.CLAIMED
    )


# The way of mail

KEY = "ab" * 32


def test_the_way_of_mail_is_told_with_dane(table):
    table.validated = True
    table.records |= {
        ("example.org", "MX"): ["20 backup.example.org.", "10 mx.example.org."],
        ("mx.example.org", "A"): ["192.0.2.1"],
        ("backup.example.org", "AAAA"): ["2001:db8::1"],
        ("_25._tcp.mx.example.org", "TLSA"): [f"3 1 1 {KEY}", f"1 1 1 {KEY}", f"3 2 1 {KEY}"],
    }
    route = route_of(DOMAIN, inquiry(table))
    assert route.hosts == ("mx.example.org", "backup.example.org")
    first, second = route.exchangers
    assert (first.tlsa, first.unusable, first.dnssec) == (1, 2, Dnssec.VALIDATED)
    assert (second.tlsa, second.dnssec) == (0, Dnssec.NONE)


def test_tlsa_records_lie_where_an_alias_leads(table):
    """RFC 7672 §2.2.2."""
    table.records |= {
        ("example.org", "MX"): ["10 mx.example.org."],
        ("mx.example.org", "CNAME"): ["in.hoster.test."],
        ("in.hoster.test", "A"): ["192.0.2.1"],
        ("_25._tcp.in.hoster.test", "TLSA"): [f"2 0 1 {KEY}"],
    }
    [only] = route_of(DOMAIN, inquiry(table)).exchangers
    assert (only.tlsa, only.dnssec) == (1, Dnssec.NONE)


def test_a_domain_may_take_no_mail(table):
    """RFC 7505 §3."""
    table.records["example.org", "MX"] = ["0 ."]
    route = route_of(DOMAIN, inquiry(table))
    assert (route.closed, route.exchangers) == (True, ())


def test_a_domain_without_mx_is_its_own_host(table):
    """RFC 5321 §5.1."""
    table.records["example.org", "A"] = ["192.0.2.1"]
    route = route_of(DOMAIN, inquiry(table))
    assert (route.implicit, route.hosts) == (True, ("example.org",))


def test_many_hosts_cost_no_more_than_a_few(table):
    table.records["example.org", "MX"] = [f"{n} mx{n}.example.org." for n in range(40)]
    route = route_of(DOMAIN, inquiry(table))
    assert (route.total, len(route.exchangers)) == (40, 4)


# MTA-STS

POLICY = b"""\
version: STSv1
mode: enforce
mx: mx.example.org
mx: *.hoster.test
max_age: 86400
""".replace(b"\n", b"\r\n")
PATH = "/.well-known/mta-sts.txt"


class Elsewhere(httpcore.SyncBackend):
    """Connects to a port of loopback, whatever public address it is told."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    def connect_tcp(self, host, port, *more, **named) -> httpcore.NetworkStream:
        assert (host, port) == ("93.184.215.14", 443)
        return super().connect_tcp("127.0.0.1", self.port, *more, **named)


@pytest.fixture(scope="module")
def trust(tmp_path_factory, at):
    return make_trust(tmp_path_factory.mktemp("sts"), at, "mta-sts.example.org", "other.test")


def sts(table, trust, page, *, record="v=STSv1; id=20261128;", name="mta-sts.example.org"):
    if record:
        table.records["_mta-sts.example.org", "TXT"] = [f'"{record}"']
    with web(trust.server(name), {PATH: page}) as served:
        reach = Reach(
            context=trust.client(),
            resolve=lambda _host, _port: ("93.184.215.14",),
            wire=Elsewhere(served.port),
        )
        return sts_of(DOMAIN, inquiry(table), reach=reach, seconds=2)


def test_a_policy_is_fetched_and_read(table, trust):
    found = sts(table, trust, answer(POLICY))
    assert (found.announced, found.trouble) == ("20261128", None)
    assert found.policy == Policy(StsMode.ENFORCE, ("mx.example.org", "*.hoster.test"), 86400)


def test_no_record_means_that_nothing_is_fetched(table, trust):
    found = sts(table, trust, answer(POLICY), record="")
    assert (found.announced, found.policy, found.trouble) == (None, None, None)


@pytest.mark.parametrize(
    ("page", "name", "words"),
    [
        (answer(b"", status="404 Not Found"), "mta-sts.example.org", "status 404"),
        (moved("https://mta-sts.example.org/other"), "mta-sts.example.org", "status 302"),
        (answer(POLICY), "other.test", "does not verify"),
        (answer(POLICY * 9000), "mta-sts.example.org", "too large"),
        (answer(b"<html>"), "mta-sts.example.org", "malformed"),
    ],
)
def test_why_there_is_no_policy_is_told(page, name, words, table, trust):
    """RFC 8461 §3.3: no redirect is followed, and the certificate must verify."""
    found = sts(table, trust, page, name=name)
    assert (found.announced, found.policy) == ("20261128", None)
    assert words in found.trouble


@pytest.mark.parametrize("record", ["v=STSv1; id=;", "v=STSv1", "v=STSv1; id=a-b;"])
def test_a_malformed_record_is_as_good_as_none(record, table, trust):
    found = sts(table, trust, answer(POLICY), record=record)
    assert (found.announced, found.policy) == (None, None)
    assert "malformed" in found.trouble


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("mx.example.org", True),
        ("a.hoster.test", True),
        ("hoster.test", False),
        ("a.b.hoster.test", False),
        ("example.org", False),
    ],
)
def test_a_star_stands_for_one_label(host, covered):
    """RFC 8461 §4.1."""
    assert read_policy(POLICY).covers(host) is covered


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"mode: enforce\nmx: a.test\nmax_age: 1\n",
        b"version: STSv2\nmode: enforce\nmx: a.test\nmax_age: 1\n",
        b"version: STSv1\nmode: strict\nmx: a.test\nmax_age: 1\n",
        b"version: STSv1\nmode: enforce\nmax_age: 1\n",
        b"version: STSv1\nmode: enforce\nmx: a.test\n",
        b"version: STSv1\nmode: enforce\nmx: a.test\nmax_age: 31557601\n",
        b"version: STSv1\nmode: enforce\nmx: a b\nmax_age: 1\n",
        b"version: STSv1\nmode: enforce\nmx: *.*.test\nmax_age: 1\n",
    ],
)
def test_a_malformed_policy_is_none(octets):
    with pytest.raises(ValueError, match=r"^(it|a) "):
        read_policy(octets)


def test_the_first_of_two_fields_counts():
    """RFC 8461 §3.2."""
    twice = POLICY + b"mode: none\r\n"
    assert read_policy(twice).mode is StsMode.ENFORCE


@given(st.binary(max_size=300) | st.lists(st.sampled_from(POLICY.splitlines())).map(b"\n".join))
def test_any_octets_are_a_policy_or_none(octets):
    try:
        policy = read_policy(octets)
    except ValueError:
        return
    assert isinstance(policy.mode, StsMode)
    assert policy.covers("x.test") in {True, False}


# A resolver that really validates

ZONE = f"""\
test. 300 IN SOA ns.test. root.test. 1 7200 3600 1209600 300
test. 300 IN NS ns.test.
ns.test. 300 IN A 127.0.0.1
mail.test. 300 IN MX 10 mx.test.
forged.test. 300 IN MX 10 mx.test.
mx.test. 300 IN A 192.0.2.1
_25._tcp.mx.test. 300 IN TLSA 3 1 1 {KEY}
_submissions._tcp.mail.test. 300 IN SRV 0 0 465 smtp.mail.test.
"""


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    zone = signed_zone(ZONE, origin="test.", forged=frozenset({"forged.test"}))
    with validating(zone, tmp_path_factory.mktemp("unbound")) as address:
        yield Resolver(servers=(address,))


@pytest.mark.peer
@pytest.mark.xdist_group("unbound")
def test_unbound_vouches_for_a_signed_answer(validated):
    [entry] = discover(Hostname("mail.test"), resolver=validated).entries
    assert (entry.host.text, entry.dnssec) == ("smtp.mail.test", Dnssec.VALIDATED)
    route = route_of(Hostname("mail.test"), Inquiry(validated, 5))
    [mx] = route.exchangers
    assert (route.dnssec, mx.tlsa, mx.dnssec) == (Dnssec.VALIDATED, 1, Dnssec.VALIDATED)


@pytest.mark.peer
@pytest.mark.xdist_group("unbound")
def test_unbound_keeps_back_an_answer_that_was_changed(validated):
    with pytest.raises(NoAnswer) as failure:
        route_of(Hostname("forged.test"), Inquiry(validated, 5))
    assert failure.value.trouble is Trouble.BOGUS
