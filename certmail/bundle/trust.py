"""Trust: whether a client that holds certain roots would accept the chain for its names.

Comes in: the path, the roots somebody chose, the instant. Goes out: the name of the root, or
findings. The verdict is that of cryptography's verifier, an independent implementation of RFC 5280
§6.1 with the browsers' profile; its words are not stable and are never quoted. It does not look at
the leaf's key, at revocation or at order, which others here do.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509 import verification

from certmail.bundle.findings import Finding, error
from certmail.bundle.hosts import settle
from certmail.bundle.x509 import attempt
from certmail.frozen import frozen
from certmail.values import Hostname, printable

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.bundle.further import Anchors
    from certmail.bundle.x509 import Certificate

_TEXTS: Final = (
    ("2.5.29.35", "a certificate lacks the authorityKeyIdentifier extension that clients want"),
    ("2.5.29.14", "a certificate's subjectKeyIdentifier extension is not as clients want it"),
    ("2.5.29.19", "a certificate's basicConstraints extension is not as clients want it"),
    ("2.5.29.15", "a certificate's keyUsage extension is not as clients want it"),
    ("2.5.29.17", "the subjectAltName extension is not as clients want it"),
    ("2.5.29.37", "an extendedKeyUsage extension is not as clients want it"),
    ("critical", "a critical extension is not one that clients know"),
    ("EKU", "an extendedKeyUsage extension does not allow servers"),
    ("validity", "a certificate, perhaps the root, is not valid at this time"),
    ("valid at", "a certificate, perhaps the root, is not valid at this time"),
    ("serial", "a serial number breaks RFC 5280 §4.1.2.2"),
    ("name constraint", "a CA may not certify these names"),
    ("algorithm", "a key or signature algorithm is not one that clients take"),
    ("subject name", "the certificate does not cover the name"),
    ("depth", "the chain is longer than clients follow"),
)
_UNNAMED: Final = "a client's verifier refuses it, for a reason that has no plainer words here"
_NO_WAY: Final = "candidates exhausted"


@frozen
class Trusted:
    """The subject of the root that the chain ends in, with the store's name; or why not."""

    anchor: str
    findings: tuple[Finding, ...]


def judge(
    path: tuple[Certificate, ...],
    anchors: Anchors | None,
    *,
    at: datetime,
    domains: tuple[str, ...],
) -> Trusted:
    """Verify a path against the roots that were chosen, for each name that was asked for."""
    if anchors is None:
        return Trusted("", ())
    roots = [_root(octets) for octets in anchors.certificates]
    store = attempt(lambda: verification.Store([root for root in roots if root is not None]))
    if store is None:
        return Trusted("", (_refused(path, anchors, "it holds no readable certificate"),))
    root = ""
    for name in domains or path[0].facts.names[:1]:
        answer = _ask(path, store, name, at)
        if isinstance(answer, str):
            return Trusted("", (_refused(path, anchors, answer),))
        root = printable(answer[-1].subject.rfc4514_string(), limit=200)
    return Trusted(f"{root}, of {anchors.name}" if root else "", ())


def _root(octets: bytes) -> x509.Certificate | None:
    return attempt(lambda: x509.load_der_x509_certificate(octets))


def _ask(
    path: tuple[Certificate, ...], store: verification.Store, name: str, at: datetime
) -> list[x509.Certificate] | str:
    """Give the chain to the root, or what is wrong with it."""
    subject = _subject(name)
    if subject is None:
        return f"{printable(name)} is no name that a client could ask for"
    builder = verification.PolicyBuilder().store(store).time(at.replace(tzinfo=None))
    leaf, *others = (certificate.handle for certificate in path)
    try:
        return builder.build_server_verifier(subject).verify(leaf, others)
    except verification.VerificationError as refusal:
        text = str(refusal)
    except ValueError:
        return _UNNAMED
    return _translated(text, path)


def _translated(text: str, path: tuple[Certificate, ...]) -> str:
    """Say in our words what the verifier means; its own may change with every release."""
    for part, ours in _TEXTS:
        if part in text:
            return ours
    if _NO_WAY in text:
        return f"it does not hold the issuer, {path[-1].facts.issuer}"
    return _UNNAMED


def _subject(name: str) -> x509.DNSName | x509.IPAddress | None:
    """Make a name that can be asked for; a wildcard is asked for by one name it covers."""
    settled, malformed = settle((name,))
    if malformed:
        return None
    bare = settled[0].replace("*.", "www.", 1) if settled[0].startswith("*.") else settled[0]
    if Hostname(bare).is_ip:
        return x509.IPAddress(ipaddress.ip_address(bare))
    return x509.DNSName(bare)


def _refused(path: tuple[Certificate, ...], anchors: Anchors, reason: str) -> Finding:
    return error(
        "CHAIN-UNTRUSTED",
        path[-1].facts.lines,
        f"the chain is not trusted with the roots of {printable(anchors.name)}",
        why=reason,
        next="get the certificate with all intermediates from your CA; or name the store of"
        " your own CA: certmail check --trust FILE",
    )
