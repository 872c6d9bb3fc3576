"""The leaf: whether a client accepts this certificate for the asked names at this time.

Comes in: a decoded certificate, the instant, the names that must be covered. Goes out: findings.
Knows RFC 5280 §4.1.2.5 and the extensions of §4.2.1. Does not know who issued it, and does not
look at its key, which the key's own check has judged.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from certmail.bundle import hints, hosts, idn, names, rules, spelling
from certmail.bundle.findings import Finding, error, span, warning

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.bundle.facts import CertificateFacts
    from certmail.bundle.x509 import Certificate

SERVER_AUTH: Final = "1.3.6.1.5.5.7.3.1"
MAX_NAMES_SHOWN: Final = 5


def examine(
    leaf: Certificate, *, at: datetime, domains: tuple[str, ...], warn_before: timedelta
) -> tuple[Finding, ...]:
    """Collect everything that is wrong with the leaf."""
    facts = leaf.facts
    found = (
        *_dates(facts, at, warn_before),
        _lifetime(facts),
        *_names(facts, domains),
        *spelling.examine(facts),
        _precertificate(leaf),
        _authority(facts),
        _extended(leaf),
        _usage(leaf),
        _signature(leaf),
        _self_signed(facts),
    )
    return tuple(finding for finding in found if finding is not None)


def _dates(facts: CertificateFacts, at: datetime, warn_before: timedelta) -> tuple[Finding, ...]:
    # RFC 5280 §4.1.2.5: the period "from notBefore through notAfter, inclusive".
    if at > facts.not_after:
        return (
            error(
                "LEAF-EXPIRED",
                facts.lines,
                f"the certificate expired on {facts.not_after:%Y-%m-%d %H:%M} UTC",
                why=f"clients refuse it from then on; this machine's clock says {at:%Y-%m-%d}",
                next=hints.RENEW,
            ),
        )
    if at < facts.not_before:
        return (
            error(
                "LEAF-NOT-YET",
                facts.lines,
                f"the certificate is valid only from {facts.not_before:%Y-%m-%d %H:%M} UTC on",
                why="clients refuse it until then; or this machine's clock is wrong",
                next="date -u",
            ),
        )
    if facts.not_after - at < warn_before:
        return (
            warning(
                "LEAF-EXPIRES-SOON",
                facts.lines,
                f"the certificate expires on {facts.not_after:%Y-%m-%d %H:%M} UTC,"
                f" in {(facts.not_after - at).days} days",
                why="mail is handled by people, and it may be over before it is installed",
                next=hints.RENEW,
            ),
        )
    return ()


def _lifetime(facts: CertificateFacts) -> Finding | None:
    """Compare the life with what was allowed on the day of issue; both ends count."""
    life = facts.not_after - facts.not_before + timedelta(seconds=1)
    limits = (days for since, days in rules.LIFETIMES.value if facts.not_before >= since)
    limit = next(limits, None)
    if limit is None or facts.self_signed or life <= timedelta(days=limit):
        return None
    days = -(-life // timedelta(days=1))
    return warning(
        "LEAF-LIFETIME",
        facts.lines,
        f"the certificate lives {days} days; one issued on {facts.not_before:%Y-%m-%d} may live"
        f" {limit}",
        why=rules.LIFETIMES.says,
        next="have it issued for a shorter time, unless it is from a CA of your own",
    )


def _precertificate(leaf: Certificate) -> Finding | None:
    if names.POISON not in leaf.critical:
        return None
    return error(
        "LEAF-PRECERTIFICATE",
        leaf.facts.lines,
        f"the certificate of {span(leaf.facts.lines)} is a precertificate",
        why="CAs make it for the logs of RFC 6962 only; every client refuses it",
        next="download the certificate itself from your CA; a log's copy is not the one",
    )


def _names(facts: CertificateFacts, domains: tuple[str, ...]) -> tuple[Finding, ...]:
    if not facts.names:
        return (
            error(
                "LEAF-NO-SAN",
                facts.lines,
                "the certificate has no subjectAltName with a host name",
                why="clients do not look at the common name any more and refuse it",
                next="have it issued again with the host names as subject alternative names",
            ),
        )
    missing = [idn.both(domain) for domain in domains if not hosts.covers(facts.names, domain)]
    if not missing:
        return ()
    return (
        error(
            "LEAF-NAME",
            facts.lines,
            f"the certificate does not cover {', '.join(missing[:MAX_NAMES_SHOWN])}",
            why=f"it covers {_some(facts.names)}; clients would refuse it for other names",
            next="give the certificate of that name, or have one issued for it",
        ),
    )


def _some(covered: tuple[str, ...]) -> str:
    shown = ", ".join(idn.both(name) for name in covered[:MAX_NAMES_SHOWN])
    rest = len(covered) - MAX_NAMES_SHOWN
    return shown if rest <= 0 else f"{shown} and {rest} more"


def _authority(facts: CertificateFacts) -> Finding | None:
    if not facts.is_ca:
        return None
    return error(
        "LEAF-CA",
        facts.lines,
        f"the certificate of {span(facts.lines)} is a CA's own (CA:TRUE)",
        why="clients refuse a CA as a server, and no CA's key belongs on one (RFC 5280 §4.2.1.9)",
        next="have a certificate issued that is no CA: basicConstraints=CA:FALSE",
    )


def _extended(leaf: Certificate) -> Finding | None:
    if leaf.extended is None or SERVER_AUTH in leaf.extended:
        return None
    return error(
        "LEAF-PURPOSE",
        leaf.facts.lines,
        "the certificate's extended key usage does not allow to be a TLS server",
        why="clients want serverAuth there (RFC 5280 §4.2.1.12); it may be made for mail",
        next="have it issued again for servers, with extendedKeyUsage=serverAuth",
    )


def _usage(leaf: Certificate) -> Finding | None:
    wanted = {"digitalSignature", "keyEncipherment"}
    if leaf.key_usage is None or leaf.key_usage & wanted:
        return None
    return warning(
        "LEAF-KEY-USAGE",
        leaf.facts.lines,
        "the certificate's key usage allows neither signatures nor key encipherment",
        why="TLS servers sign with the key (RFC 5280 §4.2.1.3); clients may refuse it",
        next="have it issued again with keyUsage=digitalSignature",
    )


def _signature(leaf: Certificate) -> Finding | None:
    if not leaf.broken_signature:
        return None
    return error(
        "LEAF-WEAK-SIGNATURE",
        leaf.facts.lines,
        f"the certificate is signed with {leaf.facts.signature_algorithm}",
        why="SHA-1 and MD5 can be forged; every client refuses them",
        next="have it issued again with SHA-256",
    )


def _self_signed(facts: CertificateFacts) -> Finding | None:
    if not facts.self_signed:
        return None
    return warning(
        "LEAF-SELF-SIGNED",
        facts.lines,
        "the certificate is signed by itself, not by a CA",
        why="the provider would serve it, but no browser trusts it",
        next="have it issued by a CA that clients know, unless only your own clients connect",
    )
