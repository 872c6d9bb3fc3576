"""``certmail acme-test`` as people type it, for domains that a test plays on loopback."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.acme.edges import RIGHT, V4, V6, answer, cloudflare, domain
from tests.cli.conftest import ROOT, Ran
from tests.names.responder import Manner, Table, serving

CALLER = """
import json, sys
from certmail.cli.entry import run
from certmail.cli.keys_at_hand import World
from certmail.web.fetch import Reach
from tests.acme.edges import Wire
from certmail.names.ask import Resolver
places, names, *arguments = sys.argv[1:]
places = {address: tuple(place) for address, place in json.loads(places).items()}
reach = Reach(resolve=lambda host, port: tuple(places), wire=Wire(places))
resolver = Resolver(servers=(("127.0.0.1", int(names)),)) if int(names) else None
sys.exit(run(arguments, world=World(reach=reach, resolver=resolver)))
"""
"""A program that calls certmail with a world of its own: the only way to play a domain."""

HTTPS = "https://www.example.org/.well-known/acme-challenge/test"


@pytest.fixture
def acme(user):
    def run(pages: dict[str, object], *arguments: str, names: int = 0) -> Ran:
        with domain(pages) as (_, edges, _):
            places = json.dumps({address: one.place for address, one in edges.items()})
            done = subprocess.run(
                [sys.executable, "-c", CALLER, places, str(names), "acme-test", *arguments],
                env={**user.environment(), "PYTHONPATH": str(ROOT)},
                cwd=user.home,
                capture_output=True,
                timeout=60,
                check=False,
            )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


def test_a_domain_that_answers_right_ends_with_0_and_needs_nothing(acme):
    ran = acme({V4: RIGHT, V6: RIGHT}, "www.example.org")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == (
        "GET http://www.example.org/.well-known/acme-challenge/test\n"
        f"  {V4}  200, the word test\n"
        f"  {V6}  200, the word test\n"
        "\n"
        "good: Let's Encrypt can reach www.example.org\n"
        "Let's Encrypt by Clever Cloud is free and renews itself: nothing has to be\n"
        "uploaded or sent for this domain. It does not make wildcard certificates.\n"
    )


def test_a_redirect_by_cloudflare_reads_like_this(acme):
    ran = acme({V4: cloudflare(status="301 Moved", Location=HTTPS)}, "www.example.org")
    assert (ran.status, ran.err) == (21, "")
    assert ran.out == (
        "GET http://www.example.org/.well-known/acme-challenge/test\n"
        "  104.16.132.229  301 to https://www.example.org/.well-known/acme-challenge/test\n"
        "      (Server: cloudflare, CF-RAY: 8f00-CDG)\n"
        "\n"
        "✗ error[ACME-REDIRECT-CLOUDFLARE] 104.16.132.229: Cloudflare redirects to HTTPS\n"
        "  (301)\n"
        "  why:  Let's Encrypt must read its challenge there over plain HTTP; over HTTPS,\n"
        "        Cloudflare wants the certificate that is still to come\n"
        "  next: add the page rule of the steps below at Cloudflare, and turn off its\n"
        "        redirect to HTTPS\n"
        "Let's Encrypt cannot work for www.example.org as it is; 0 of 1 right\n"
        " 1. At Cloudflare, define a page rule for\n"
        "    http://www.example.org/.well-known/acme-challenge* that bypasses the SSL/TLS\n"
        "    policy for this path.\n"
        " 2. In the same rule, disable the cache (cache level: bypass).\n"
        " 3. Turn off Cloudflare's redirection from HTTP to HTTPS (Always Use HTTPS);\n"
        "    “Force HTTPS” in the information tab of your application at Clever Cloud\n"
        "    does it instead.\n"
        " 4. Run it again: certmail acme-test www.example.org\n"
        " 5. Clever Cloud tries Let's Encrypt only in the first 3 days after a domain is\n"
        "    added; if they are over, ask the support to start it again.\n"
        " 6. If none of this can be changed, bring a certificate of your own: certmail\n"
        "    upload BUNDLE checks it for the form at\n"
        "    https://api.clever-cloud.com/v2/certificates/new.\n"
    )


def test_json_holds_what_each_address_said(acme):
    ran = acme({V4: RIGHT, V6: answer(b"", status="404 Not Found")}, "bücher.example", "--json")
    assert ran.json["schema"] == "certmail.acme-test/1"
    assert (ran.status, ran.json["exit_status"], ran.json["good"]) == (21, 21, False)
    assert (ran.json["domain"], ran.json["domain_read"]) == (
        "xn--bcher-kva.example",
        "bücher.example",
    )
    assert [(one["family"], one["answer"]["status"]) for one in ran.json["addresses"]] == [
        ("IPv4", 200),
        ("IPv6", 404),
    ]
    assert {f["code"] for f in ran.json["findings"]} >= {"ACME-STATUS", "ACME-FAMILIES-DIFFER"}


def test_an_alias_is_told_and_one_of_the_providers_means_that_the_dns_is_right(acme):
    records = {
        ("www.example.org", "CNAME"): ["domain.par.clever-cloud.com."],
        ("domain.par.clever-cloud.com", "A"): ["192.0.2.1"],
    }
    with serving(Table(records)) as table:
        ran = acme({V4: answer(b"no", status="404 Not Found")}, "www.example.org", names=table.port)
        as_json = acme({V4: RIGHT}, "www.example.org", "--json", names=table.port).json
    assert "  www.example.org is an alias of domain.par.clever-cloud.com\n" in ran.out
    assert "point the domain" not in ran.out.lower()
    assert as_json["alias"] == "domain.par.clever-cloud.com"


def test_a_resolver_that_fails_costs_only_the_alias(acme):
    with serving(Table(everywhere=Manner.SERVFAIL)) as table:
        ran = acme({V4: RIGHT}, "www.example.org", "--json", names=table.port)
    assert (ran.status, ran.json["alias"]) == (0, None)


def test_a_wildcard_is_told_another_way(acme):
    ran = acme({}, "*.example.org")
    assert (ran.status, ran.code) == (21, "ACME-WILDCARD")
    assert "certmail upload" in ran.err


@pytest.mark.parametrize(
    "typed",
    ["", "localhost", "intranet", "192.0.2.1", "[::1]", "www.example.org:8080", "a b.example",
     "db.internal", "127.1", "http://", "ops@example.org"],
)  # fmt: skip
def test_what_is_no_public_name_is_refused_unasked(acme, typed):
    ran = acme({V4: RIGHT}, typed)
    assert (ran.status, ran.code) == (2, "ACME-DOMAIN")


def test_a_link_is_read_as_its_domain(acme):
    assert acme({V4: RIGHT}, "http://www.example.org/.well-known/acme-challenge/test").status == 0
