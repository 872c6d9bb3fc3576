"""Host names that a certificate must cover, and whether it does.

Comes in: names as the user or a certificate spells them. Goes out: one spelling, and yes or no.
Knows RFC 9525 §6.3 and nothing else of a certificate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.bundle import idn
from certmail.bundle.findings import Finding, error
from certmail.errors import SettingsError
from certmail.values import Hostname, printable

if TYPE_CHECKING:
    from collections.abc import Iterable


def settle(domains: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Bring the asked names into the one form certificates carry; a wildcard may be asked.

    A name in other letters becomes its A-label form, which is what certificates carry.
    """
    settled: list[str] = []
    findings: list[Finding] = []
    for domain in domains:
        star = "*." if domain.startswith("*.") else ""
        try:
            bare = domain.removeprefix(star)
            host = Hostname(idn.to_ascii(bare) or bare)
        except SettingsError:
            findings.append(_malformed(domain))
        else:
            settled.append(star + host.text)
    return tuple(settled), tuple(findings)


def covers(names: Iterable[str], domain: str) -> bool:
    """Tell whether a certificate's names cover a settled host name, address or wildcard."""
    return covered(spelled(names), domain)


def spelled(names: Iterable[str]) -> frozenset[str]:
    """Bring a certificate's names into the form that `covered` compares; once for many names."""
    return frozenset(name.lower().removesuffix(".") for name in names)


def covered(known: frozenset[str], domain: str) -> bool:
    """Tell whether spelled names cover a settled host name, address or wildcard."""
    if domain in known:
        return True
    if domain.startswith("*.") or Hostname(domain).is_ip:
        return False
    # RFC 9525 §6.3: the wildcard is "the complete left-most label", and matches one label only.
    _, dot, parent = domain.partition(".")
    return bool(dot) and f"*.{parent}" in known


def _malformed(domain: str) -> Finding:
    return error(
        "DOMAIN-MALFORMED",
        None,
        f"{printable(domain)} is not a host name",
        why="only a host name can be looked for in a certificate, in its own letters or as xn--…",
        next="give a name like www.example.org, *.example.org or xn--mller-kva.example",
    )
