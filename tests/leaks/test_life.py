"""How long plaintext is held: not while somebody is asked, nor while a relay takes its time."""

from __future__ import annotations

import gc
from enum import Enum

import pytest
from aiosmtpd.smtp import SMTP

from tests.cli.story import ACCEPT
from tests.cli.test_outbox import Here

HOLDERS = {"Given", "Order", "CheckedBundle", "Letter", "Sealing"}


def holders() -> list[str]:
    """Name the values of certmail's that hold a bundle or a letter and are reachable now."""
    gc.collect()
    found = (type(thing) for thing in gc.get_objects() if not isinstance(thing, Enum))
    return [
        kind.__name__
        for kind in found
        if kind.__name__ in HOLDERS and kind.__module__.startswith("certmail.")
    ]


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["plain", "json"])
def test_when_the_relay_is_spoken_to_no_bundle_and_no_letter_is_held(
    user, bundle, relay, monkeypatch, form
):
    before = holders()
    during: list[list[str]] = []

    async def look(self, arg):
        during.append(holders())
        await plain(self, arg)

    plain = SMTP.smtp_RCPT
    monkeypatch.setattr(SMTP, "smtp_RCPT", look)
    here = Here(user.home, user.gnupg, {})
    ran = here("send", bundle, "--yes", *form, ACCEPT, *relay.flags)
    assert ran.status == 0, ran.err
    assert during == [before]


def test_a_holder_would_be_seen(letter):
    assert "Letter" in holders()
    assert letter
