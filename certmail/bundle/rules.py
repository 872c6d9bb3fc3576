"""What the provider takes, as data: each rule with the words it stands on and where they stand.

Comes in: nothing. Goes out: rules. A rule's ``says`` goes into the ``why`` of a finding, so that a
refusal names its authority. When the provider changes its mind, this file changes and no other.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar

from certmail.frozen import frozen

T = TypeVar("T")

PROVIDER_PAGE: Final = "CleverCloud/documentation, content/doc/administrate/ssl.md, 2026-04-29"
PROXY_SOURCE: Final = "sozu-proxy/sozu lib/src/tls.rs, with ring 0.17 src/rsa/keypair.rs"


@frozen
class Rule(Generic[T]):
    """A value the provider demands, its reason in a clause, and where that can be read."""

    value: T
    says: str
    source: str


KEY_ALGORITHM: Final = Rule(
    "RSA",
    "the provider takes RSA keys only; ECDSA and the others are not handled",
    PROVIDER_PAGE,
)

KEY_BITS: Final = Rule(
    (2048, 4096),
    "the provider takes RSA keys of 2048 or 4096 bits and no other size",
    PROVIDER_PAGE,
)

KEY_LABELS: Final = Rule(
    ("PRIVATE KEY", "RSA PRIVATE KEY"),
    "the provider shows both labels; its proxy picks the key's encoding by the label",
    PROVIDER_PAGE,
)

BLOCK_ORDER: Final = Rule(
    ("private key", "certificate", "intermediates"),
    "the provider takes the private key, then the certificate, then the intermediates that"
    " signed it, in that order",
    PROVIDER_PAGE,
)

LINE_ENDING: Final = Rule(
    "\n",
    "the provider asks for Unix line ends, a single line feed",
    PROVIDER_PAGE,
)

EXPONENT: Final = Rule(
    (65537, 33),
    "the provider's proxy refuses a public exponent below 65537, even, or of more than 33 bits",
    PROXY_SOURCE,
)
"""The least public exponent, and the most bits it may have."""

MATCHING_KEY: Final = Rule(
    "equal public keys",
    "the provider's proxy does not compare them: it would install the pair and then fail every"
    " handshake",
    PROXY_SOURCE,
)

EXPIRES_SOON: Final = timedelta(days=14)
"""A certificate handled by people needs that long to be replaced. Ours, not the provider's."""

BALANCED_PRIMES: Final = Rule(
    "half of the modulus each",
    "the provider's proxy takes RSA keys whose two primes have half the bits each",
    PROXY_SOURCE,
)

LONGEST_LIVED: Final = Rule(
    "the latest end",
    "of two certificates for one name the provider's proxy serves the one that ends later",
    "sozu-proxy/sozu lib/src/tls.rs, name_fingerprint_idx",
)

LIFETIMES: Final = Rule(
    (
        (datetime(2029, 3, 15, tzinfo=UTC), 47),
        (datetime(2027, 3, 15, tzinfo=UTC), 100),
        (datetime(2026, 3, 15, tzinfo=UTC), 200),
        (datetime(2020, 9, 1, tzinfo=UTC), 398),
        (datetime(2018, 3, 1, tzinfo=UTC), 825),
    ),
    "public CAs may not issue certificates of a longer life, and browsers refuse them",
    "CA/Browser Forum Baseline Requirements for TLS server certificates §6.3.2,"
    " ballots 193, SC-31 and SC-081v3",
)
"""The most days a certificate may live that was issued at that date or later, newest first."""

LEAST_CA_BITS: Final = Rule(
    2048,
    "public CAs sign with RSA keys of 2048 bits or more, and clients refuse less",
    "CA/Browser Forum Baseline Requirements for TLS server certificates §6.1.5",
)

MAX_KEY_DER_BYTES: Final = 3 * 1024
"""An RSA 4096 key is at most 2380 octets in PKCS#8. The costly validation sees nothing larger."""
