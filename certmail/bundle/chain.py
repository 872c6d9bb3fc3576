"""The chain: which certificate is the leaf, who issued whom, and whether the file is in order.

Comes in: the decoded certificates in file order, the digest of the key's public half. Goes out:
the leaf, the path upwards from it, and findings that name lines. Follows issuer names and
signatures as in RFC 5280 §6.1, without a trust store: it can tell that a chain hangs together, not
that anybody trusts its end. Terminates on cycles, since no certificate is used twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.bundle import constraints, links, rules
from certmail.bundle.findings import Finding, error, span, warning
from certmail.bundle.x509 import Certificate, Issued, issued
from certmail.frozen import frozen

if TYPE_CHECKING:
    from datetime import datetime


@frozen
class Chain:
    """The path from the leaf upwards; empty where the file holds no leaf."""

    path: tuple[Certificate, ...]
    findings: tuple[Finding, ...]

    @property
    def leaf(self) -> Certificate | None:
        """The certificate the key belongs to, or the one that looks most like it."""
        return self.path[0] if self.path else None


def follow(
    certificates: tuple[Certificate, ...], *, spki_sha256: str | None, at: datetime
) -> Chain:
    """Find the leaf and its path; ``spki_sha256`` is None where no key could be read."""
    distinct, findings = _distinct(certificates)
    leaf, unmatched = _leaf(distinct, spki_sha256)
    if leaf is None:
        return Chain((), (*findings, *unmatched))
    twins = tuple(other for other in distinct if other is not leaf and _same_key(other, leaf))
    path, links = _path(leaf, tuple(c for c in distinct if c not in twins))
    others = tuple(c for c in distinct if c not in path and c not in twins)
    found = (
        *findings,
        *unmatched,
        *_order(distinct, path),
        *_twins(leaf, twins),
        *links,
        *_others(path, others),
        *_ends(path),
        *_issuers(path, at),
        *constraints.examine(path),
    )
    return Chain(path, found)


def _distinct(
    certificates: tuple[Certificate, ...],
) -> tuple[tuple[Certificate, ...], tuple[Finding, ...]]:
    seen: dict[str, Certificate] = {}
    findings = []
    for certificate in certificates:
        first = seen.setdefault(certificate.facts.sha256, certificate)
        if first is not certificate:
            findings.append(links.duplicate(certificate, first))
    return tuple(seen.values()), tuple(findings)


def _leaf(
    certificates: tuple[Certificate, ...], spki_sha256: str | None
) -> tuple[Certificate | None, tuple[Finding, ...]]:
    """Choose the certificate of the key; failing that, the first that is no CA."""
    servers = [c for c in certificates if not c.facts.is_ca]
    if spki_sha256 is None:
        return (servers or list(certificates))[0], ()
    for certificate in certificates:
        if certificate.facts.spki_sha256 == spki_sha256:
            return certificate, ()
    if not servers:
        return None, (links.no_leaf(certificates),)
    return servers[0], (links.mismatch(servers[0], len(certificates)),)


def _same_key(one: Certificate, other: Certificate) -> bool:
    return one.facts.spki_sha256 == other.facts.spki_sha256 != ""


def _path(
    leaf: Certificate, certificates: tuple[Certificate, ...]
) -> tuple[tuple[Certificate, ...], tuple[Finding, ...]]:
    """Climb from the leaf to its issuers, as long as the file has them, the next in line first."""
    path, findings = [leaf], []
    while not path[-1].facts.self_signed:
        below = path[-1]
        place = certificates.index(below)
        from_here = (*certificates[place:], *certificates[:place])
        issuer, how = _issuer(below, tuple(c for c in from_here if c not in path))
        if issuer is None:
            break
        if how is Issued.OTHER_KEY:
            findings.append(links.other_key(below, issuer))
        path.append(issuer)
    return tuple(path), tuple(findings)


def _issuer(
    below: Certificate, candidates: tuple[Certificate, ...]
) -> tuple[Certificate | None, Issued]:
    """Choose the issuer: a proved one first, and among equals the first of the candidates."""
    answers = [(candidate, issued(below, candidate)) for candidate in candidates]
    for wanted in (Issued.YES, Issued.UNTOLD, Issued.OTHER_KEY):
        for candidate, how in answers:
            if how is wanted:
                return candidate, how
    return None, Issued.NO


def _order(
    certificates: tuple[Certificate, ...], path: tuple[Certificate, ...]
) -> tuple[Finding, ...]:
    # RFC 8446 §4.4.2: "The sender's certificate MUST come in the first CertificateEntry".
    as_they_stand = tuple(c for c in certificates if c in path)
    if as_they_stand == path:
        return ()
    right = ", ".join(span(c.facts.lines) for c in path)
    act = f"put the certificates behind the key in this order: {right}"
    if as_they_stand[0] is path[0]:
        return (
            error(
                "CHAIN-ORDER",
                as_they_stand[1].facts.lines,
                "the intermediates do not stand in the order in which they sign each other",
                why=rules.BLOCK_ORDER.says,
                next=act,
                repair="order",
            ),
        )
    number = certificates.index(path[0]) + 1
    return (
        error(
            "LEAF-NOT-FIRST",
            path[0].facts.lines,
            f"the server's certificate is number {number} in the file, {span(path[0].facts.lines)};"
            f" the file starts with {as_they_stand[0].facts.subject}",
            why="the first certificate is taken for the key's own; the pair would not fit",
            next=act,
            repair="order",
        ),
    )


def _twins(leaf: Certificate, twins: tuple[Certificate, ...]) -> tuple[Finding, ...]:
    return tuple(
        error(
            "LEAF-SEVERAL",
            twin.facts.lines,
            f"two certificates for the same key: {span(leaf.facts.lines)} and"
            f" {span(twin.facts.lines)}",
            why="the provider installs one; an old one beside its renewal is a common leftover",
            next=f"keep the one you want: they end on {leaf.facts.not_after:%Y-%m-%d} and"
            f" {twin.facts.not_after:%Y-%m-%d}",
        )
        for twin in twins
    )


def _others(path: tuple[Certificate, ...], others: tuple[Certificate, ...]) -> tuple[Finding, ...]:
    """Tell what lies on another path to the same leaf from what does not connect at all."""
    connected = list(path)
    rest = list(others)
    while found := [c for c in rest if _connects(c, connected)]:
        connected += found
        rest = [c for c in rest if c not in found]
    return tuple(links.unrelated(c, path[-1]) if c in rest else links.alternate(c) for c in others)


def _connects(certificate: Certificate, known: list[Certificate]) -> bool:
    return any(
        _same_key(certificate, other) or issued(other, certificate) is Issued.YES
        for other in known
        if not other.facts.self_signed or _same_key(certificate, other)
    )


def _ends(path: tuple[Certificate, ...]) -> tuple[Finding, ...]:
    top = path[-1]
    if len(path) > 1 and top.facts.self_signed:
        return (
            warning(
                "CHAIN-ROOT",
                top.facts.lines,
                f"{span(top.facts.lines)}: a root is included, {top.facts.subject}",
                why="clients that trust it have it, and the others gain nothing from it",
                next=f"remove {span(top.facts.lines)}",
                repair="drop",
            ),
        )
    if len(path) == 1 and not top.facts.self_signed:
        return (
            warning(
                "CHAIN-INCOMPLETE",
                top.facts.lines,
                f"the file does not hold the certificate's issuer, {top.facts.issuer}",
                why="browsers may know it, but curl, mobile apps and other servers refuse",
                next="append the intermediates, like fullchain.pem instead of cert.pem",
            ),
        )
    return ()


def _issuers(path: tuple[Certificate, ...], at: datetime) -> tuple[Finding, ...]:
    """Check every certificate that issued another one in the path, but for a root."""
    found = [links.critical(certificate) for certificate in path]
    below = 0
    for certificate in path[1:]:
        if certificate.facts.self_signed:
            break
        found += links.issuer_faults(certificate, below, at)
        below += certificate.facts.subject != certificate.facts.issuer
    return tuple(finding for finding in found if finding is not None)
