from __future__ import annotations

import pytest

from certmail.bundle import hosts

NAMES = ("www.example.org", "*.example.net", "192.0.2.1", "2001:db8::1", "xn--mller-kva.example")


@pytest.mark.parametrize(
    "domain",
    ["www.example.org", "a.example.net", "*.example.net", "192.0.2.1", "2001:db8::1",
     "xn--mller-kva.example"],
)  # fmt: skip
def test_a_name_is_covered_by_itself_or_by_a_wildcard(domain):
    """RFC 9525 §6.3."""
    assert hosts.covers(NAMES, domain)


@pytest.mark.parametrize(
    "domain",
    ["example.org", "a.b.example.net", "example.net", "*.example.org", "192.0.2.2", "net",
     "www.example.org.evil.example"],
)  # fmt: skip
def test_a_wildcard_is_one_whole_label_and_nothing_else_matches(domain):
    """RFC 9525 §6.3."""
    assert not hosts.covers(NAMES, domain)


def test_an_address_is_no_name_under_a_wildcard():
    assert not hosts.covers(("*.0.2.1",), "192.0.2.1")


def test_a_partial_wildcard_covers_nothing():
    """RFC 9525 §6.3: w*.example.org is no wildcard at all."""
    assert not hosts.covers(("w*.example.org", "*"), "www.example.org")


@pytest.mark.parametrize(
    ("asked", "settled"),
    [
        ("WWW.Example.ORG.", "www.example.org"),
        ("*.Example.org", "*.example.org"),
        ("[2001:DB8::1]", "2001:db8::1"),
    ],
)
def test_names_are_settled_in_one_spelling(asked, settled):
    assert hosts.settle((asked,)) == ((settled,), ())


@pytest.mark.parametrize(
    "asked", ["", "*", "*.", "*.*.example.org", "a b", "müll er.example", "a/b"]
)
def test_what_is_no_host_name_is_refused(asked):
    settled, (finding,) = hosts.settle((asked,))
    assert settled == ()
    assert finding.code == "DOMAIN-MALFORMED"
