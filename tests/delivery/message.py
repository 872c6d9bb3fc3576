"""Sealed messages for the transport: true to form, of any size, with nothing inside.

The transport must not be able to tell: it sees packets of the right shape, addressed to the pinned
subkey. What stands in them is random.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime

from certmail.key import pin
from certmail.message.letter import OuterHeaders
from certmail.message.seal import SealedMessage, recall
from certmail.recipient import CLEVER_CLOUD
from certmail.values import Address, Fingerprint

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SENDER = Address("ops@example.org")
SUBKEY = Fingerprint("00112233445566778899AABBCCDDEEFF00112233")
SIGNER = Fingerprint("FFEEDDCCBBAA99887766554433221100FFEEDDCC")


def sealed(*, octets: int = 9000, sender: Address = SENDER) -> SealedMessage:
    """Make a message whose packets have about ``octets`` octets."""
    pinned = pin.PinnedKey(
        recipient=CLEVER_CLOUD,
        fingerprint=CLEVER_CLOUD.pin,
        encryption_subkey=SUBKEY,
        user_id="Clever Cloud <ssl@clever-cloud.com>",
        algorithm="RSA",
        bits=4096,
        created=AT,
        expires=None,
        subkey_algorithm="RSA",
        subkey_bits=4096,
        subkey_created=AT,
        subkey_expires=None,
        usability=pin.Usability.TODAY,
        source="a test",
        at=AT,
        packets=b"",
        witness=pin._WITNESS,
    )
    return SealedMessage(
        outer=OuterHeaders(
            sender=sender,
            recipient=CLEVER_CLOUD.address,
            date="Wed, 04 Mar 2026 05:06:07 +0000",
            message_id="<0123456789abcdef0123456789abcdef@example.org>",
        ),
        pinned=pinned,
        signature=recall(signer=SIGNER, key=SIGNER, hash_name="SHA-512", created=AT),
        boundary="=_0123456789abcdef0123456789abcdef",
        packets=_packets(octets),
    )


def _packets(octets: int) -> bytes:
    """Write a session key packet for the subkey and an integrity-protected packet."""
    noise = random.Random(1)
    session_key = b"\x03" + bytes.fromhex(SUBKEY.key_id) + b"\x01\x10\x00" + noise.randbytes(512)
    return _packet(1, session_key) + _packet(18, b"\x01" + noise.randbytes(octets))


def _packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body
