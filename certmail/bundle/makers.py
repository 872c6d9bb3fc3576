"""Makers of certificates that no browser trusts on purpose: staging services and test CAs.

Comes in: the facts of a path. Goes out: at most one finding. The names are data, each from what
the maker writes into its own certificates; a private CA that is not listed is not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from certmail.bundle.findings import Finding, warning
from certmail.frozen import frozen

if TYPE_CHECKING:
    from certmail.bundle.facts import CertificateFacts


@frozen
class Maker:
    """What is in a subject or issuer, in lower case, who writes it, and how a real one is had."""

    marks: tuple[str, ...]
    who: str
    next: str


_PUBLIC_CA: Final = "have it issued by a public CA"
_ENDS: Final = (",", "\n")

MAKERS: Final = (
    Maker(
        ("(staging)", "fake le intermediate", "fake le root"),
        "the staging service of Let's Encrypt",
        "run the ACME client without --staging, --dry-run or --test",
    ),
    Maker(
        ("cn=pebble intermediate ca", "cn=pebble root ca"),
        "Pebble, a test server for ACME",
        "point the ACME client at the CA's real directory",
    ),
    Maker(("cn=h2ppy h2cker fake ca", "happy hacker fake ca"), "Boulder's test CA", _PUBLIC_CA),
    Maker(("cn=mkcert ", "o=mkcert "), "mkcert, for the developer's own machine", _PUBLIC_CA),
    Maker(("cn=minica root ca",), "minica, for one's own machines", _PUBLIC_CA),
    Maker(("cn=caddy local authority",), "Caddy's local CA", _PUBLIC_CA),
    Maker(("cn=traefik default cert",), "Traefik, as a stopgap", _PUBLIC_CA),
    Maker(
        ("kubernetes ingress controller fake certificate",),
        "the Kubernetes ingress controller, as a stopgap",
        "look at why the controller did not find the real secret",
    ),
    Maker(("o=trustme v",), "trustme, for tests", _PUBLIC_CA),
    Maker(("o=internet widgits pty ltd",), "openssl with its example answers", _PUBLIC_CA),
    Maker(
        ("cn=snakeoil", "o=snakeoil", "snake oil"),
        "an example of a web server's package",
        _PUBLIC_CA,
    ),
    Maker(
        tuple(
            f"cn={name}{end}" for name in ("localhost", "localhost.localdomain") for end in _ENDS
        ),
        "a machine for itself",
        _PUBLIC_CA,
    ),
)


def examine(path: tuple[CertificateFacts, ...]) -> tuple[Finding, ...]:
    """Look for a known maker in every name of the path."""
    names = "".join(f"{facts.subject}\n{facts.issuer}\n" for facts in path).lower()
    for maker in MAKERS:
        if any(mark in names for mark in maker.marks):
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
