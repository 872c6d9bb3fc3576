"""A relay and how to log in there, put together from the settings alone: no GnuPG, no key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certmail.delivery.relay import Relay, Timeouts
    from certmail.settings.resolve import Settings
    from certmail.values import Address


def settings_of(common: Mapping[str, Any], flags: Mapping[str, str]) -> Settings:
    """Read the settings."""
    from certmail.settings.resolve import load

    return load(flags=flags, environ=os.environ, config=common["settings_file"])


def relay_of(settings: Settings, sender: Address | None = None) -> Relay:
    """Put the relay together; the login defaults to the sender's address.

    Raises:
        SettingsError: ``SETTINGS-MISSING``: no relay, or no login and no sender.
    """
    from certmail.delivery.relay import Proxy, Relay
    from certmail.settings import keys

    host = settings.require(keys.RELAY_HOST)
    user = settings.get(keys.RELAY_USER)
    if user is None:
        user = (sender or settings.require(keys.SENDER_ADDRESS)).text
    pins = settings.get(keys.RELAY_SPKI_PIN)
    at = settings.get(keys.RELAY_PROXY)
    return Relay(
        host=host,
        port=settings.require(keys.RELAY_PORT),
        mode=settings.require(keys.RELAY_MODE),
        user=user or None,
        ca_file=settings.get(keys.RELAY_CA_FILE),
        spki_pins=pins.sha256 if pins else (),
        client_cert=settings.get(keys.RELAY_CLIENT_CERT),
        client_key=settings.get(keys.RELAY_CLIENT_KEY),
        tls_path=settings.require(keys.RELAY_REQUIRE_TLS_PATH),
        reports=settings.require(keys.RELAY_DSN),
        proxy=Proxy(at.kind, at.host, at.port) if at else None,
        login=settings.require(keys.RELAY_AUTH),
    )


def timeouts_of(settings: Settings) -> Timeouts:
    """Bound a session as a whole by the user's setting."""
    from certmail.delivery.relay import Timeouts
    from certmail.settings.keys import RELAY_TIMEOUT_S

    return Timeouts(total_s=float(settings.require(RELAY_TIMEOUT_S)))
