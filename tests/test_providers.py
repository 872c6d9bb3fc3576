"""Presets are data that can be used as they stand, and none does without TLS."""

from __future__ import annotations

import textwrap

import pytest

from certmail import providers
from certmail.delivery.relay import Relay
from certmail.providers import PROVIDERS, Authority, Wanted
from certmail.submission import Mode
from certmail.values import Hostname


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_every_preset_makes_a_relay_with_tls(provider):
    host = Hostname(provider.host or "mail.example.org")
    relay = Relay(host=host, port=provider.port, mode=provider.mode, user="ops@example.org")
    assert relay.url.startswith(("smtps://", "smtp+starttls://"))
    # 465 begins with TLS, whatever else a port means (RFC 8314 §3.3).
    assert provider.port != 465 or provider.mode is Mode.IMPLICIT


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_what_is_shown_of_a_preset_fits_a_screen(provider):
    assert max(map(len, (provider.title, provider.takes, provider.get, provider.user))) <= 76
    assert sum(len(textwrap.wrap(note, 74)) for note in provider.notes) <= 5
    assert all(note.endswith(".") for note in provider.notes)
    assert provider.wanted


def test_names_are_words_for_a_flag_and_each_stands_once():
    names = [provider.name for provider in PROVIDERS] + [providers.OTHER]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalnum() and name == name.lower() for name in names)


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("gmail.com", "gmail"),
        ("GMail.Com.", "gmail"),
        ("contoso.onmicrosoft.com", "microsoft365"),
        ("hotmail.com", "outlook"),
        ("fastmail.fm", "fastmail"),
        ("pm.me", "proton-bridge"),
        ("notgmail.com", None),
        ("gmail.com.example.org", None),
        ("example.org", None),
    ],
)
def test_only_a_providers_own_domain_tells_the_provider(domain, name):
    found = providers.of_domain(domain)
    assert (found.name if found else None) == name


def test_those_that_take_no_password_say_so():
    by_name = {provider.name: provider.wanted for provider in PROVIDERS}
    assert by_name["outlook"] == (Wanted.TOKEN,)
    # Switched off unless an administrator allows it; so a token is named first.
    assert by_name["microsoft365"][0] is Wanted.TOKEN
    assert Wanted.PASSWORD not in by_name["gmail"] + by_name["fastmail"]


def test_a_server_with_its_own_certificate_asks_for_the_authority():
    own = {provider.name for provider in PROVIDERS if provider.authority is Authority.OWN}
    assert own == {"proton-bridge", "postfix"}


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [
        ("smtp.gmail.com", 587, "gmail"),
        ("127.0.0.1", 1025, "proton-bridge"),
        ("127.0.0.1", 587, None),
        ("smtp.example.org", 465, None),
    ],
)
def test_a_relay_that_is_set_is_recognised_and_a_loopback_one_by_its_port(host, port, name):
    found = providers.of_relay(host, port)
    assert (found.name if found else None) == name
