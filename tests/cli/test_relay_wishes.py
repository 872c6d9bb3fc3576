"""What the settings ask of the path to the relay arrives there, spelled in whichever way."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from certmail.cli.wiring import Workbench
from certmail.delivery.relay import Proxy
from certmail.errors import SettingsError
from certmail.gnupg.runner import Gpg
from certmail.settings.resolve import resolve
from certmail.submission import ProxyKind, Reports, TlsPath
from certmail.values import Address, Hostname

AT = datetime(2026, 3, 4, tzinfo=UTC)
HEX = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
BASE64 = base64.b64encode(bytes.fromhex(HEX)).decode()


def relay(**flags: str):
    given = {f"relay.{name}": value for name, value in flags.items()}
    settings = resolve(
        flags={"relay.host": "smtp.example.org", **given},
        environ={},
        entries={},
        path=Path("/etc/certmail.toml"),
    )
    bench = Workbench(settings=settings, gpg=Gpg("/usr/bin/gpg", (2, 2, 40)), at=AT)
    return bench.relay(Address("ops@example.org"))


def test_the_defaults_ask_for_what_protects_and_demand_nothing():
    made = relay()
    assert made.tls_path is TlsPath.WHEN_OFFERED
    assert made.reports is Reports.FAILURE
    assert (made.spki_pins, made.client_cert, made.client_key, made.proxy) == ((), None, None, None)


@pytest.mark.parametrize(
    "spelled", [HEX, HEX.upper(), BASE64, f"sha256//{BASE64}", f" {HEX} "], ids=range(5)
)
def test_a_pin_may_be_spelled_as_openssl_and_curl_show_it(spelled):
    assert relay(spki_pin=spelled).spki_pins == (HEX,)


def test_two_pins_let_a_relay_change_its_key():
    assert relay(spki_pin=f"{BASE64},{'0' * 64}").spki_pins == (HEX, "0" * 64)


@pytest.mark.parametrize(
    "spelled", ["", ",", HEX[:-1], f"{HEX}\n", "AAAA", f"{HEX},", ",".join([HEX] * 3), "é" * 64]
)
def test_what_is_no_pin_is_refused(spelled):
    with pytest.raises(SettingsError) as caught:
        relay(spki_pin=spelled)
    assert caught.value.code == "SETTINGS-VALUE"


@pytest.mark.parametrize("wish", list(TlsPath), ids=lambda wish: wish.name)
def test_the_wish_for_tls_behind_the_relay_arrives(wish):
    assert relay(require_tls_path=wish.value).tls_path is wish


@pytest.mark.parametrize("wish", list(Reports), ids=lambda wish: wish.name)
def test_the_wish_for_reports_arrives(wish):
    assert relay(dsn=wish.value).reports is wish


def test_the_client_certificate_arrives():
    made = relay(client_cert="/c.pem", client_key="/k.pem")
    assert (made.client_cert, made.client_key) == (Path("/c.pem"), Path("/k.pem"))


@pytest.mark.parametrize(
    ("spelled", "proxy"),
    [
        ("socks5://127.0.0.1:9050", Proxy(ProxyKind.SOCKS5, Hostname("127.0.0.1"), 9050)),
        (
            "http://proxy.example:3128",
            Proxy(ProxyKind.HTTP_CONNECT, Hostname("proxy.example"), 3128),
        ),
        ("socks5://[::1]:1080", Proxy(ProxyKind.SOCKS5, Hostname("::1"), 1080)),
    ],
)
def test_the_proxy_arrives(spelled, proxy):
    assert relay(proxy=spelled).proxy == proxy
    assert str(proxy) == spelled


@pytest.mark.parametrize(
    "spelled",
    [
        "socks5://user:password@127.0.0.1:9050",
        "https://proxy.example:443",
        "socks4://127.0.0.1:1080",
        "proxy.example:3128",
        "http://proxy.example",
        "http://proxy.example:0",
        "http://proxy.example:3128/",
        "http://proxy.example:3128\n",
    ],
)
def test_a_proxy_with_a_login_or_of_another_kind_is_refused(spelled):
    with pytest.raises(SettingsError) as caught:
        relay(proxy=spelled)
    assert "password" not in caught.value.what
