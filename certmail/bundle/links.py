"""What is said about single certificates of a chain: wrong links, wrong makers, leftovers.

Comes in: certificates whose place in the chain is known. Goes out: findings that name lines and
subjects. Knows RFC 5280 §4.2.1.9 and §6.1; decides nothing about the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.bundle import hints, names, rules
from certmail.bundle.findings import Finding, error, span, warning

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.bundle.x509 import Certificate


def duplicate(certificate: Certificate, first: Certificate) -> Finding:
    """Report a certificate that stands in the file twice."""
    return warning(
        "CHAIN-DUPLICATE",
        certificate.facts.lines,
        f"{span(certificate.facts.lines)}: the same certificate again as {span(first.facts.lines)}",
        why="it would be sent to every visitor twice, unless the proxy drops it",
        next=f"remove {span(certificate.facts.lines)}",
        repair="drop",
    )


def no_leaf(certificates: tuple[Certificate, ...]) -> Finding:
    """Report a file in which every certificate is a CA's."""
    first, last = certificates[0].facts.lines[0], certificates[-1].facts.lines[1]
    return error(
        "LEAF-MISSING",
        (first, last),
        "every certificate in the file is a CA's, and the key belongs to none of them",
        why="the server's own certificate is missing; a CA's chain file alone is no bundle",
        next="put your server's certificate between the key and the intermediates",
    )


def mismatch(leaf: Certificate, count: int) -> Finding:
    """Report a key that belongs to no certificate of the file."""
    what = "the certificate" if count == 1 else f"any of the {count} certificates"
    return error(
        "KEY-MISMATCH",
        leaf.facts.lines,
        f"the private key does not belong to {what} in the file",
        why=rules.MATCHING_KEY.says,
        next=f"find the key that this certificate was requested with, or {hints.REISSUE}",
    )


def other_key(below: Certificate, issuer: Certificate) -> Finding:
    """Report an issuer with the right name and the wrong key."""
    return error(
        "CHAIN-SIGNATURE",
        below.facts.lines,
        f"the certificate of {span(issuer.facts.lines)} has the issuer's name, but did not sign"
        f" that of {span(below.facts.lines)}",
        why="CAs renew their keys under one name; this is the issuer of another generation",
        next=f"get the intermediate that issued {span(below.facts.lines)} from your CA",
    )


def alternate(certificate: Certificate) -> Finding:
    """Report a certificate on another path to the same leaf."""
    return warning(
        "CHAIN-ALTERNATE",
        certificate.facts.lines,
        f"{span(certificate.facts.lines)}: a second way up the chain, {certificate.facts.subject}",
        why="cross-signed CAs have several; clients look for their own way, old ones do not",
        next=f"remove {span(certificate.facts.lines)}, unless your CA told you to send it",
    )


def unrelated(certificate: Certificate, top: Certificate) -> Finding:
    """Report a certificate that signs nothing here."""
    return error(
        "CHAIN-UNRELATED",
        certificate.facts.lines,
        f"the certificate of {span(certificate.facts.lines)}, {certificate.facts.subject}, does not"
        f" connect to the chain, which ends with {span(top.facts.lines)}",
        why=f"the next issuer would be {top.facts.issuer}; {rules.BLOCK_ORDER.says}",
        next=f"remove {span(certificate.facts.lines)}, or add what is missing in between",
    )


def issuer_faults(certificate: Certificate, below: int, at: datetime) -> tuple[Finding, ...]:
    """Check one intermediate that has ``below`` other intermediates under it."""
    found = (
        _not_ca(certificate),
        _path_length(certificate, below),
        _dates(certificate, at),
        _weak_signature(certificate),
        _weak_key(certificate),
        _purpose(certificate),
    )
    return tuple(finding for finding in found if finding is not None)


def _not_ca(certificate: Certificate) -> Finding | None:
    usage = certificate.key_usage
    if certificate.facts.is_ca and (usage is None or "keyCertSign" in usage):
        return None
    return error(
        "CHAIN-NOT-CA",
        certificate.facts.lines,
        f"the certificate of {span(certificate.facts.lines)} signed another, but is no CA's",
        why="RFC 5280 §4.2.1.9 wants CA:TRUE and keyCertSign; clients refuse the whole chain",
        next="get the certificate and its intermediates from the CA again",
    )


def _path_length(certificate: Certificate, below: int) -> Finding | None:
    if certificate.path_length is None or below <= certificate.path_length:
        return None
    return error(
        "CHAIN-PATH-LENGTH",
        certificate.facts.lines,
        f"the certificate of {span(certificate.facts.lines)} allows {certificate.path_length}"
        f" intermediates below it, and {below} stand there",
        why="clients count along (RFC 5280 §6.1) and refuse the whole chain",
        next="get the certificate and its intermediates from the CA again",
    )


def _dates(certificate: Certificate, at: datetime) -> Finding | None:
    facts = certificate.facts
    if at > facts.not_after:
        return error(
            "CHAIN-EXPIRED",
            facts.lines,
            f"the intermediate of {span(facts.lines)}, {facts.subject}, expired on"
            f" {facts.not_after:%Y-%m-%d}",
            why="clients that find no other way up refuse the connection",
            next="get today's intermediates from your CA",
        )
    if at < facts.not_before:
        return error(
            "CHAIN-NOT-YET",
            facts.lines,
            f"the intermediate of {span(facts.lines)}, {facts.subject}, is valid only from"
            f" {facts.not_before:%Y-%m-%d} on",
            why="clients refuse it until then; or this machine's clock is wrong",
            next="date -u",
        )
    return None


def _weak_signature(certificate: Certificate) -> Finding | None:
    if not certificate.broken_signature:
        return None
    return error(
        "CHAIN-WEAK-SIGNATURE",
        certificate.facts.lines,
        f"the intermediate of {span(certificate.facts.lines)} is signed with"
        f" {certificate.facts.signature_algorithm}",
        why="SHA-1 and MD5 can be forged; clients refuse them anywhere but on a root",
        next="get today's intermediates from your CA",
    )


def _weak_key(certificate: Certificate) -> Finding | None:
    facts = certificate.facts
    if facts.key_algorithm != names.RSA or facts.key_bits >= rules.LEAST_CA_BITS.value:
        return None
    return error(
        "CHAIN-WEAK-KEY",
        facts.lines,
        f"the intermediate of {span(facts.lines)} has an RSA key of {facts.key_bits} bits",
        why=rules.LEAST_CA_BITS.says,
        next="get today's intermediates from your CA",
    )


def _purpose(certificate: Certificate) -> Finding | None:
    """Look for serverAuth: clients take the extension of a CA as a limit for all below it."""
    wanted = {"1.3.6.1.5.5.7.3.1", "2.5.29.37.0"}
    if certificate.extended is None or certificate.extended & wanted:
        return None
    return error(
        "CHAIN-PURPOSE",
        certificate.facts.lines,
        f"the intermediate of {span(certificate.facts.lines)} is not for TLS servers",
        why="its extended key usage lacks serverAuth, and clients hold all below it to that",
        next="have the certificate issued by a CA for TLS servers",
    )


def critical(certificate: Certificate) -> Finding | None:
    """Report a critical extension that clients do not know."""
    if not certificate.critical:
        return None
    return error(
        "CERT-CRITICAL",
        certificate.facts.lines,
        f"the certificate of {span(certificate.facts.lines)} has a critical extension,"
        f" {', '.join(sorted(certificate.critical))}",
        why="clients must refuse a critical extension they do not know (RFC 5280 §4.2)",
        next="have it issued again without that extension, or with it marked as not critical",
    )
