"""Where copies are looked for, spelled as each protocol spells it."""

from __future__ import annotations

import pytest

from certmail.keysources.addresses import is_public
from certmail.keysources.places import Places, wkd_hash
from certmail.keysources.proxies import proxy_for
from certmail.recipient import CLEVER_CLOUD

PIN = CLEVER_CLOUD.pin.text


def test_the_places_are_told_in_their_order_over_https():
    urls = [source.url for source in Places().sources(CLEVER_CLOUD)]
    assert urls == [
        "https://www.clever-cloud.com/developers/doc/administrate/ssl/",
        (
            "https://raw.githubusercontent.com/CleverCloud/documentation/HEAD"
            "/content/doc/administrate/ssl.md"
        ),
        f"https://keys.openpgp.org/vks/v1/by-fingerprint/{PIN}",
        (
            "https://openpgpkey.clever-cloud.com/.well-known/openpgpkey/clever-cloud.com/hu/"
            f"{wkd_hash('ssl')}?l=ssl"
        ),
        f"https://clever-cloud.com/.well-known/openpgpkey/hu/{wkd_hash('ssl')}?l=ssl",
        f"https://keybase.io/clevercloud/pgp_keys.asc?fingerprint={PIN.lower()}",
        f"https://keyserver.ubuntu.com/pks/lookup?op=get&options=mr&search=0x{PIN}",
    ]


def test_no_known_place_counts_as_typed():
    assert not any(source.typed for source in Places().sources(CLEVER_CLOUD))


def test_the_directory_hash_is_that_of_the_draft():
    """draft-koch-openpgp-webkey-service, its own example."""
    assert wkd_hash("Joe.Doe") == wkd_hash("joe.doe") == "iy9q119eutrkn8s1mk4r39qejnbu3n5q"


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
    ("env", "host", "proxy"),
    [
        ({}, "keys.example.org", None),
        ({"https_proxy": "http://p:3128"}, "keys.example.org", "http://p:3128"),
        ({"HTTPS_PROXY": "p:3128"}, "keys.example.org", "http://p:3128"),
        ({"http_proxy": "http://p:3128"}, "keys.example.org", None),
        ({"https_proxy": "http://a", "ALL_PROXY": "http://b"}, "keys.example.org", "http://a"),
        ({"https_proxy": "http://p", "no_proxy": "*"}, "keys.example.org", None),
        ({"https_proxy": "http://p", "no_proxy": "example.org"}, "keys.example.org", None),
        ({"https_proxy": "http://p", "NO_PROXY": " .example.org "}, "keys.example.org", None),
        ({"https_proxy": "http://p", "no_proxy": "ample.org"}, "keys.example.org", "http://p"),
        (
            {"https_proxy": "http://p", "no_proxy": "keys.example.org:8443"},
            "keys.example.org",
            "http://p",
        ),
        ({"https_proxy": "http://p", "no_proxy": "keys.example.org:443"}, "keys.example.org", None),
        ({"https_proxy": "http://p", "no_proxy": "10.0.0.0/8"}, "10.1.2.3", None),
    ],
)
def test_the_environments_proxy_is_honoured(env, host, proxy):
    assert proxy_for(host, 443, env) == proxy
