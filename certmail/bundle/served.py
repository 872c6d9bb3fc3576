"""Certificates without a bundle around them: those a server shows, or a file of certificates.

Comes in: octets. Goes out: facts; nothing is judged. For comparing with a bundle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.bundle import chain, labels, parts, pem
from certmail.bundle.pem import Block
from certmail.bundle.x509 import Certificate, decode

if TYPE_CHECKING:
    from certmail.bundle.facts import CertificateFacts


def read(chain_as_shown: tuple[bytes, ...]) -> tuple[CertificateFacts, ...]:
    """Read DER certificates in their order; one that cannot be decoded is left out.

    The facts' ``lines`` are the places in the chain, counted from 1.
    """
    decoded = (
        decode(Block(labels.CERTIFICATE, place, place, octets, encrypted=False))
        for place, octets in enumerate(chain_as_shown, start=1)
    )
    return tuple(one.facts for one in decoded if isinstance(one, Certificate))


def leaf_of(data: bytes) -> CertificateFacts | None:
    """Find the server's certificate in a PEM file, with or without a key in it."""
    scan = pem.scan(data)
    decoded = (decode(block) for block in parts.certificates(scan.blocks))
    certificates = tuple(one for one in decoded if isinstance(one, Certificate))
    if not certificates:
        return None
    leaf = chain.follow(certificates, spki_sha256=None, at=certificates[0].facts.not_before).leaf
    return None if leaf is None else leaf.facts
