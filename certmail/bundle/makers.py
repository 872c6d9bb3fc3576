"""Makers of certificates that no browser trusts on purpose: staging services and test CAs.

Comes in: the facts of a path. Goes out: at most one finding. The names are data, each from what
the maker writes into its own certificates; a private CA that is not listed is not told.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from certmail.bundle.findings import Finding, warning
from certmail.frozen import frozen

if TYPE_CHECKING:
    from certmail.bundle.facts import CertificateFacts


@frozen
class Maker:
    """A pattern in a subject or issuer, who writes it, and how a real certificate is had."""

    pattern: re.Pattern[str]
    who: str
    next: str


def _maker(pattern: str, who: str, next: str) -> Maker:
    return Maker(re.compile(pattern, re.IGNORECASE), who, next)


_PUBLIC_CA: Final = "have it issued by a public CA"

MAKERS: Final = (
    _maker(
        r"\(STAGING\)|Fake LE (?:Intermediate|Root)",
        "the staging service of Let's Encrypt",
        "run the ACME client without --staging, --dry-run or --test",
    ),
    _maker(
        r"CN=Pebble (?:Intermediate|Root) CA",
        "Pebble, a test server for ACME",
        "point the ACME client at the CA's real directory",
    ),
    _maker(r"CN=h2ppy h2cker fake CA|happy hacker fake CA", "Boulder's test CA", _PUBLIC_CA),
    _maker(r"(?:CN|O)=mkcert ", "mkcert, for the developer's own machine", _PUBLIC_CA),
    _maker(r"CN=minica root ca", "minica, for one's own machines", _PUBLIC_CA),
    _maker(r"CN=Caddy Local Authority", "Caddy's local CA", _PUBLIC_CA),
    _maker(r"CN=TRAEFIK DEFAULT CERT", "Traefik, as a stopgap", _PUBLIC_CA),
    _maker(
        r"Kubernetes Ingress Controller Fake Certificate",
        "the Kubernetes ingress controller, as a stopgap",
        "look at why the controller did not find the real secret",
    ),
    _maker(r"O=trustme v", "trustme, for tests", _PUBLIC_CA),
    _maker(r"O=Internet Widgits Pty Ltd", "openssl with its example answers", _PUBLIC_CA),
    _maker(r"(?:CN|O)=snakeoil|Snake Oil", "an example of a web server's package", _PUBLIC_CA),
    _maker(r"CN=localhost(?:\.localdomain)?(?:,|$)", "a machine for itself", _PUBLIC_CA),
)


def examine(path: tuple[CertificateFacts, ...]) -> tuple[Finding, ...]:
    """Look for a known maker in every name of the path."""
    names = "\n".join(f"{facts.subject}\n{facts.issuer}" for facts in path)
    for maker in MAKERS:
        if maker.pattern.search(names):
            return (
                warning(
                    "LEAF-STAGING",
                    path[0].lines,
                    f"the certificate is from {maker.who}",
                    why="the provider would serve it, but no browser trusts it",
                    next=maker.next,
                ),
            )
    return ()
