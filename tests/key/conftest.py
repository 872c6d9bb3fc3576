"""Keys made once per session with the real GnuPG, and how to have them judged."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from certmail.gnupg.report import report
from certmail.gnupg.runner import find_gpg
from certmail.key import pin
from certmail.key.packets import read_key_block
from certmail.key.selfsig import verify
from certmail.recipient import CLEVER_CLOUD
from certmail.values import Address, Fingerprint
from tests.key.smith import LATER, Smith

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from certmail.gnupg.runner import Gpg
    from certmail.recipient import Recipient

REAL_ADDRESS = CLEVER_CLOUD.address


@pytest.fixture(scope="session")
def gpg() -> Gpg:
    return find_gpg()


@pytest.fixture(scope="session")
def smith() -> Iterator[Smith]:
    with Smith() as at_work:
        yield at_work


def recipient_of(fingerprint: str, address: str = "to@example.org") -> Recipient:
    return replace(
        CLEVER_CLOUD, name="Example", address=Address(address), pin=Fingerprint(fingerprint)
    )


@pytest.fixture(scope="session")
def judged(gpg: Gpg) -> Callable[..., pin.KeyReport]:
    """Read, verify, ask GnuPG, judge: the whole way of a key block."""

    def judge(
        packets: bytes,
        *,
        at: datetime = LATER,
        recipient: Recipient | None = None,
        source: str = "a test",
    ) -> pin.KeyReport:
        block = read_key_block(packets)
        return pin.judge(
            block,
            verify(block),
            report(gpg, packets, env=os.environ, at=at),
            recipient=recipient or recipient_of(block.fingerprint.text),
            at=at,
            source=source,
        )

    return judge


@pytest.fixture(scope="session")
def good(smith: Smith) -> bytes:
    """Make an Ed25519 key with one Curve25519 subkey that never expire."""
    return smith.export(smith.pair())


@pytest.fixture(scope="session")
def rsa(smith: Smith) -> bytes:
    """Make an RSA key like the recipient's, but shorter."""
    primary = smith.primary(algorithm="rsa2048", expire="2y")
    smith.subkey(primary, algorithm="rsa2048", expire="2y")
    return smith.export(primary)


@pytest.fixture(scope="session")
def today() -> datetime:
    return datetime.now(UTC)
