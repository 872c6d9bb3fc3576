"""Name constraints: whether every CA in the path may certify the names below it.

Comes in: the path from the leaf upwards. Goes out: findings. Knows RFC 5280 §4.2.1.10 for dNSName,
iPAddress and directoryName, the forms that the names of a server's certificate take; constraints
on other forms do not concern them. A root in the file is a trust anchor, and not asked.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from cryptography import x509

from certmail.bundle.findings import Finding, error, span
from certmail.bundle.x509 import attempt, extension
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from certmail.bundle.x509 import Certificate


def examine(path: tuple[Certificate, ...]) -> tuple[Finding, ...]:
    """Hold each CA's constraints against the names of all certificates below it."""
    found = []
    for place, issuer in enumerate(path):
        limits = extension(issuer.handle.extensions, x509.NameConstraints)
        if limits is None or place == 0 or issuer.facts.self_signed:
            continue
        for below in reversed(path[:place]):
            # RFC 5280 §6.1.3 (b): a self-issued certificate in between is not held to them.
            if below.facts.subject == below.facts.issuer and below is not path[0]:
                continue
            outside = next((n for n in _names(below) if not _allowed(n, limits)), None)
            if outside is not None:
                found.append(_outside(issuer, below, outside))
                break
    return tuple(found)


def _names(certificate: Certificate) -> Iterable[x509.GeneralName]:
    alternative = extension(certificate.handle.extensions, x509.SubjectAlternativeName)
    yield from alternative or ()
    subject = certificate.handle.subject
    if subject.rdns:
        yield x509.DirectoryName(subject)


def _allowed(name: x509.GeneralName, limits: x509.NameConstraints) -> bool:
    """Within a permitted subtree of its form, where there is one, and in no excluded one."""
    excluded = [c for c in limits.excluded_subtrees or () if type(c) is type(name)]
    permitted = [c for c in limits.permitted_subtrees or () if type(c) is type(name)]
    if any(_within(name, c) or _may_reach(name, c) for c in excluded):
        return False
    return not permitted or any(_within(name, c) for c in permitted)


def _within(name: x509.GeneralName, limit: x509.GeneralName) -> bool:
    """Tell whether a name lies in a subtree; a form that is not known lies in none and in all."""
    match name, limit:
        case x509.DNSName(), x509.DNSName():
            # "Any DNS name that can be constructed by simply adding zero or more labels".
            own, base = name.value.lower().rstrip("."), limit.value.lower().lstrip(".").rstrip(".")
            return not base or own == base or own.endswith("." + base)
        case x509.IPAddress(), x509.IPAddress():
            network, address = limit.value, name.value
            if not isinstance(network, ipaddress.IPv4Network | ipaddress.IPv6Network):
                return False
            if not isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address):
                return False
            return address.version == network.version and address in network
        case x509.DirectoryName(), x509.DirectoryName():
            above = limit.value.rdns
            return name.value.rdns[: len(above)] == above
        case _:
            return False


def _may_reach(name: x509.GeneralName, limit: x509.GeneralName) -> bool:
    """Tell whether a wildcard can stand for a name in an excluded subtree."""
    if not isinstance(name, x509.DNSName) or not isinstance(limit, x509.DNSName):
        return False
    star, _, rest = name.value.lower().partition(".")
    _, _, parent = limit.value.lower().lstrip(".").partition(".")
    return star == "*" and bool(rest) and parent == rest


def _outside(issuer: Certificate, below: Certificate, name: x509.GeneralName) -> Finding:
    if isinstance(name, x509.DirectoryName):
        subject = name.value
        shown = attempt(subject.rfc4514_string) or "its subject"
    else:
        shown = str(name.value)
    return error(
        "CHAIN-NAME-CONSTRAINTS",
        below.facts.lines,
        f"the CA of {span(issuer.facts.lines)} may not certify {printable(shown)}",
        why="its name constraints exclude it (RFC 5280 §4.2.1.10); clients refuse the chain",
        next="have the certificate issued by a CA that may certify this name",
    )
