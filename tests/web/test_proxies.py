from __future__ import annotations

import pytest

from certmail.web.proxies import proxy_for


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
    assert proxy_for("https", host, 443, env) == proxy


@pytest.mark.parametrize(
    ("env", "proxy"),
    [
        ({"http_proxy": "http://p:3128"}, "http://p:3128"),
        ({"HTTP_PROXY": "p:3128"}, "http://p:3128"),
        ({"https_proxy": "http://p:3128"}, None),
        ({"all_proxy": "http://p", "no_proxy": "ca.example:80"}, None),
    ],
)
def test_plain_http_has_a_proxy_of_its_own(env, proxy):
    assert proxy_for("http", "ca.example", 80, env) == proxy
