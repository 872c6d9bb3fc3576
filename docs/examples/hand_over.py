"""Check, pin, seal, deliver: a bundle in memory goes to Clever Cloud, or an error says why not.

Nothing here reads settings, the environment or the clock on its own; the program that calls it
hands everything in. The bundle is in memory and in pipes to GnuPG, and nowhere else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import certmail

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, with which keys, and through which relay: made once, shared by all threads."""

    address: certmail.Address
    gnupg: certmail.GnuPG
    relay: certmail.Relay
    secret: certmail.Secret
    key_copies: tuple[bytes, ...]
    now: Callable[[], datetime]


async def hand_over(pem: bytes, *, domains: tuple[str, ...], sender: Sender) -> certmail.Receipt:
    """Hand ``pem`` over and give the relay's receipt.

    Raises:
        certmail.BundleRefused: the bundle has errors; ``findings`` lists all of them.
        certmail.DeliveryUnknown: the relay has the message and did not answer: do not try again.
        certmail.CertmailError: anything else; ``code``, ``why`` and ``next`` say what to do.
    """
    sealing = await asyncio.to_thread(prepare, pem, domains=domains, sender=sender)
    return await certmail.deliver(
        sealing.sealed, relay=sender.relay, secret=sender.secret, now=sender.now
    )


def prepare(pem: bytes, *, domains: tuple[str, ...], sender: Sender) -> certmail.Sealing:
    """Do all of it but the last step; runs GnuPG, and so blocks for a second or two."""
    at = sender.now()
    checked = certmail.require_checked(certmail.check(pem, at=at, domains=domains))
    key = certmail.pin(*sender.key_copies, gnupg=sender.gnupg, at=at)
    signer = certmail.find_signer(sender.gnupg, address=sender.address)
    return certmail.seal(checked, key=key, signer=signer, gnupg=sender.gnupg)
