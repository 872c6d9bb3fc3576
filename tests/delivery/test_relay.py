from __future__ import annotations

import math

import pytest

from certmail.delivery.relay import Relay, Timeouts
from certmail.errors import SettingsError
from certmail.submission import Mode
from certmail.values import Hostname

HOST = Hostname("smtp.example.org")


def test_there_are_two_modes_and_no_third():
    """RFC 8314 §3.3: TLS from the first byte, or STARTTLS that is not optional."""
    assert [mode.name for mode in Mode] == ["IMPLICIT", "STARTTLS"]
    assert [mode.default_port for mode in Mode] == [465, 587]


@pytest.mark.parametrize("port", [0, -1, 65536, True, 465.0, "465"])
def test_a_port_out_of_bounds_is_refused(port):
    with pytest.raises(SettingsError) as caught:
        Relay(HOST, port, Mode.IMPLICIT)
    assert caught.value.code == "RELAY-PORT"


@pytest.mark.parametrize("user", ["", "a\nb", "a\0b", "\u202eops", "x" * 256, "\udc80"])
def test_a_login_that_auth_cannot_carry_is_refused(user):
    with pytest.raises(SettingsError) as caught:
        Relay(HOST, 465, Mode.IMPLICIT, user=user)
    assert caught.value.code == "RELAY-USER-MALFORMED"
    assert caught.value.what.isprintable()


@pytest.mark.parametrize(
    ("relay", "url"),
    [
        (Relay(HOST, 465, Mode.IMPLICIT), "smtps://smtp.example.org:465"),
        (Relay(HOST, 587, Mode.STARTTLS), "smtp+starttls://smtp.example.org:587"),
        (Relay(Hostname("::1"), 465, Mode.IMPLICIT), "smtps://[::1]:465"),
    ],
)
def test_the_url_binds_protocol_host_and_port(relay, url):
    assert relay.url == url
    assert f"{relay.mode.scheme}://{relay}" == url


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("127.0.0.1", "[127.0.0.1]"),
        ("::1", "[IPv6:::1]"),
        ("client.example.org", "client.example.org"),
    ],
)
def test_an_ehlo_address_is_a_literal(name, argument):
    """RFC 5321 §4.1.3."""
    relay = Relay(HOST, 465, Mode.IMPLICIT, ehlo_name=Hostname(name))
    assert relay.ehlo_argument == argument


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan, 90_000])
@pytest.mark.parametrize("name", ["connect_s", "command_s", "data_block_s", "final_s", "total_s"])
def test_every_wait_ends(name, seconds):
    """RFC 5321 §4.5.3.2."""
    with pytest.raises(SettingsError) as caught:
        Timeouts(**{name: seconds})
    assert caught.value.code == "RELAY-TIMEOUT-BOUNDS"


def test_the_verdict_is_waited_for_as_long_as_the_standard_asks():
    """RFC 5321 §4.5.3.2.6: ten minutes."""
    assert Timeouts().final_s == 600
