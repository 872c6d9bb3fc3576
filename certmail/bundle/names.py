"""What algorithms are called: from object identifiers to the names people know.

Comes in: dotted identifiers. Goes out: names; an unknown identifier is its own name. Data only.
"""

from __future__ import annotations

from typing import Final

RSA: Final = "RSA"
PSS: Final = "RSASSA-PSS"

_KEYS: Final[dict[str, str]] = {
    "1.2.840.113549.1.1.1": RSA,
    "1.2.840.113549.1.1.10": PSS,
    "1.2.840.10045.2.1": "EC",
    "1.2.840.10040.4.1": "DSA",
    "1.2.840.113549.1.3.1": "DH",
    "1.3.101.110": "X25519",
    "1.3.101.111": "X448",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}

_SIGNATURES: Final[dict[str, str]] = {
    "1.2.840.113549.1.1.2": "md2WithRSAEncryption",
    "1.2.840.113549.1.1.4": "md5WithRSAEncryption",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.3.14.3.2.29": "sha1WithRSASignature",
    "1.2.840.113549.1.1.10": PSS,
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.113549.1.1.14": "sha224WithRSAEncryption",
    "1.2.840.10045.4.1": "ecdsa-with-SHA1",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.2.840.10040.4.3": "dsa-with-sha1",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
}

_BROKEN: Final = frozenset(
    {
        "1.2.840.113549.1.1.2",
        "1.2.840.113549.1.1.4",
        "1.2.840.113549.1.1.5",
        "1.3.14.3.2.29",
        "1.2.840.10045.4.1",
        "1.2.840.10040.4.3",
    }
)


PROCESSED: Final = frozenset(
    {
        "2.5.29.15",  # keyUsage
        "2.5.29.17",  # subjectAltName
        "2.5.29.18",  # issuerAltName
        "2.5.29.19",  # basicConstraints
        "2.5.29.30",  # nameConstraints
        "2.5.29.31",  # cRLDistributionPoints
        "2.5.29.32",  # certificatePolicies
        "2.5.29.33",  # policyMappings
        "2.5.29.36",  # policyConstraints
        "2.5.29.37",  # extKeyUsage
        "2.5.29.54",  # inhibitAnyPolicy
    }
)
"""Extensions that clients process; RFC 5280 §4.2 makes them refuse any other critical one."""

POISON: Final = "1.3.6.1.4.1.11129.2.4.3"
"""The extension of RFC 6962 §3.1 that makes a precertificate useless as a certificate."""


def key_algorithm(identifier: str) -> str:
    """Name the algorithm of a key."""
    return _KEYS.get(identifier, identifier)


def signature_algorithm(identifier: str) -> str:
    """Name the algorithm of a signature."""
    return _SIGNATURES.get(identifier, identifier)


def broken_signature(identifier: str) -> bool:
    """Tell whether a signature algorithm rests on MD2, MD5 or SHA-1, which collide at will."""
    return identifier in _BROKEN
