from __future__ import annotations

import pytest

from certmail.web.addresses import is_public, require_public, require_public_name
from certmail.web.failure import NotFetched, Reason


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fc00::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2001:0:a00:1::", False),
        ("ff02::1", False),
    ],
)
def test_only_addresses_of_the_internet_are_public(address, public):
    assert is_public(address) is public


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "router",
        "printer.local",
        "DB.Internal.",
        "nas.home.arpa",
        "x.onion",
        "127.0.0.1",
        "[::1]",
        "127.1",
        "0x7f.1",
        "2130706433",
        "",
    ],
)
def test_a_name_that_is_inside_is_refused_before_anybody_is_asked(host):
    with pytest.raises(NotFetched) as caught:
        require_public_name(host)
    assert (caught.value.reason, caught.value.detail) == (Reason.PRIVATE, host)


@pytest.mark.parametrize("host", ["ca.example", "93.184.216.34", "localhost.example.org", "a_b.eu"])
def test_any_other_name_may_be_asked_about(host):
    require_public_name(host)


@pytest.mark.parametrize("found", [("10.0.0.1",), ("93.184.216.34", "::1"), ("nonsense",)])
def test_one_address_that_is_not_public_is_enough(found):
    with pytest.raises(NotFetched) as caught:
        require_public("ca.example", found)
    assert caught.value.reason is Reason.PRIVATE
