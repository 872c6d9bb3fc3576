"""Judges what needs cryptography: certificates, their chain, and the key beside them.

Comes in: the certificate blocks and the key as far as it was read. Goes out: facts and findings.
Knows the order of the checks and what would only be fallout; each check has its own file. Imported
by ``check`` when there is something to judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.bundle import (
    chain,
    hints,
    leaf,
    makers,
    rules,
    surroundings,
    trust,
    weak,
    x509,
)
from certmail.bundle.findings import Finding, error, forbids_sending
from certmail.bundle.key import KeyReading, inconsistent
from certmail.bundle.names import RSA
from certmail.bundle.x509 import Certificate
from certmail.frozen import frozen

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.bundle.facts import CertificateFacts
    from certmail.bundle.further import Further
    from certmail.bundle.pem import Block


@frozen
class Judgement:
    """The certificates in file order, those of the path from the leaf upwards, and findings.

    ``anchor`` names the trusted certificate the path ends in, if that was asked for and holds.
    """

    certificates: tuple[CertificateFacts, ...]
    path: tuple[CertificateFacts, ...]
    findings: tuple[Finding, ...]
    anchor: str = ""


def judge(
    blocks: tuple[Block, ...],
    *,
    key: KeyReading,
    key_octets: bytes | None,
    at: datetime,
    domains: tuple[str, ...],
    further: Further,
) -> Judgement:
    """Judge the certificates, then the key's inside if nothing cheaper has refused the key.

    ``key_octets`` is None where there is not one key, or its inside was judged before.
    """
    decoded = [x509.decode(block) for block in blocks]
    certificates = tuple(one for one in decoded if isinstance(one, Certificate))
    facts = tuple(certificate.facts for certificate in certificates)
    unreadable = tuple(one for one in decoded if isinstance(one, Finding))
    if unreadable:
        # Without all certificates, what is said about chain and match would be fallout.
        return Judgement(facts, (), (*unreadable, *_inside(key, key_octets, ())))
    spki = key.facts.spki_sha256 if key.facts else None
    found = chain.follow(certificates, spki_sha256=spki, at=at)
    path = tuple(certificate.facts for certificate in found.path)
    findings = [*_shared(key, certificates), *_inside(key, key_octets, found.findings)]
    if found.leaf is not None:
        findings += _leaf_key(found.leaf.facts, key)
        findings += leaf.examine(
            found.leaf, at=at, domains=domains, warn_before=further.warn_before
        )
        findings += makers.examine(path)
        findings += surroundings.replaced(found.leaf.facts, further)
        findings += surroundings.sent(found.leaf.facts, further)
    findings += found.findings
    if further.answers is not None:
        from certmail.bundle import revocation  # noqa: PLC0415 - only who asks about it needs OCSP

        findings += revocation.judge(found.path, further, at=at)
    trusted = trust.Trusted("", ())
    if found.leaf is not None and not forbids_sending(findings):
        # What certmail's own checks refuse, a client's verifier refuses as well: that is fallout.
        trusted = trust.judge(found.path, further.anchors, at=at, domains=domains)
    return Judgement(facts, path, (*findings, *trusted.findings), trusted.anchor)


def _shared(key: KeyReading, certificates: tuple[Certificate, ...]) -> tuple[Finding, ...]:
    """Compare the key with the other keys of the file, unless it was refused already."""
    if key.facts is None or key.findings:
        return ()
    others = tuple(x509.modulus(certificate) for certificate in certificates)
    if not weak.shared(key.modulus, others):
        return ()
    return (weak.shares_a_prime(key.facts),)


def _inside(
    key: KeyReading, octets: bytes | None, about_chain: tuple[Finding, ...]
) -> tuple[Finding, ...]:
    """Validate the key's private numbers, once, if nothing cheaper refuses this key."""
    refusals = {finding.code for finding in key.findings} - {"KEY-LABEL", "KEY-UNBALANCED"}
    refusals |= {finding.code for finding in about_chain} & {"KEY-MISMATCH", "LEAF-MISSING"}
    if key.facts is None or refusals or octets is None:
        return ()
    if x509.consistent_key(octets, key.facts):
        return ()
    return (inconsistent(key.facts.lines),)


def _leaf_key(facts: CertificateFacts, key: KeyReading) -> tuple[Finding, ...]:
    """Say that the leaf's key is of a kind the provider refuses, unless the key's check said so."""
    if facts.key_algorithm == RSA and (key.facts or facts.key_bits in rules.KEY_BITS.value):
        return ()
    told = {finding.code for finding in key.findings} & {"KEY-ALGORITHM", "KEY-PSS"}
    mismatched = key.facts is not None and key.facts.spki_sha256 != facts.spki_sha256
    if told or mismatched:
        return ()
    return (
        error(
            "LEAF-KEY",
            facts.lines,
            f"the certificate is for a key of kind {facts.key_algorithm}, {facts.key_bits} bits",
            why=f"{rules.KEY_ALGORITHM.says}; {rules.KEY_BITS.says}",
            next=hints.REISSUE_RSA,
        ),
    )
