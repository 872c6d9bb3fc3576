"""Finds missing issuers: among candidates at hand, or where a certificate says they are kept.

Comes in: the top of a chain, candidates, and possibly somebody who fetches. Goes out: the issuers
above it, each proved by its signature; a root is recognised and not added. Knows RFC 5280 §4.2.2.1.
Must not know how anything is fetched, and believes nothing of what was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from cryptography import x509 as library
from cryptography.x509.oid import AuthorityInformationAccessOID

from certmail.bundle import x509
from certmail.bundle.assemble.gather import gather
from certmail.bundle.assemble.items import Item, Kind
from certmail.bundle.pem import Block
from certmail.bundle.x509 import Certificate, Issued
from certmail.errors import BundleError
from certmail.frozen import frozen
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

MAX_CLIMB: Final = 6
"""Real chains have at most four; more would be a loop or a joke."""

MAX_PLACES: Final = 2
"""How many places a certificate may name are asked."""


class Fetch(Protocol):
    """Whoever gets the octets that stand under an address; bounded in time and size."""

    def __call__(self, url: str, /) -> bytes:
        """Give the octets, or raise a BundleError."""


@frozen
class Issuers:
    """Where issuers that the sources lack may come from."""

    candidates: tuple[Item, ...] = ()
    fetch: Fetch | None = None


def decoded(items: Iterable[Item]) -> tuple[tuple[Item, Certificate], ...]:
    """Decode certificates, leaving out what cannot be; an item's number stands for its lines."""
    found: list[tuple[Item, Certificate]] = []
    for at, item in enumerate(items):
        certificate = x509.decode(Block("CERTIFICATE", at, at, item.der, encrypted=False))
        if isinstance(certificate, Certificate):
            found.append((item, certificate))
    return tuple(found)


def climb(
    top: Certificate, *, issuers: Issuers, known: frozenset[str], at: datetime
) -> tuple[Item, ...]:
    """Give the issuers above ``top``, lowest first, that are no roots; ``known`` are digests.

    Raises:
        BundleError: ``AIA-NOWHERE``, ``AIA-UNPROVED``, or as ``fetch`` raises it.
    """
    candidates = decoded(i for i in issuers.candidates if i.kind is Kind.CERTIFICATE)
    seen = set(known)
    found: list[Item] = []
    while not top.facts.self_signed and len(found) < MAX_CLIMB:
        above = _best(top, candidates, at) or _fetched(
            top, issuers.fetch, at, needed=len(known) + len(found) <= 1
        )
        if above is None or above[1].facts.self_signed or above[1].facts.sha256 in seen:
            break
        seen.add(above[1].facts.sha256)
        found.append(above[0])
        top = above[1]
    return tuple(found)


def _best(
    below: Certificate, candidates: tuple[tuple[Item, Certificate], ...], at: datetime
) -> tuple[Item, Certificate] | None:
    """Choose among those whose signature verifies: a root, else one valid now and for longest."""
    proved = [pair for pair in candidates if x509.issued(below, pair[1]) is Issued.YES]
    return max(
        proved,
        key=lambda pair: (
            pair[1].facts.self_signed,
            pair[1].facts.not_before <= at <= pair[1].facts.not_after,
            pair[1].facts.not_after,
        ),
        default=None,
    )


def _fetched(
    below: Certificate, fetch: Fetch | None, at: datetime, *, needed: bool
) -> tuple[Item, Certificate] | None:
    """Fetch the issuer from where the certificate says, if it is really missing."""
    if fetch is None:
        return None
    places = issuer_urls(below)
    if not places:
        if needed:
            _refuse_nowhere(below)
        return None
    failed: BundleError | None = None
    for url in places[:MAX_PLACES]:
        try:
            gathered = gather(fetch(url), name=url)
        except BundleError as error:
            failed = error
            continue
        best = _best(below, decoded(gathered.items), at)
        if best is not None:
            return best
    if failed is not None:
        raise failed
    raise BundleError(
        "AIA-UNPROVED",
        f"{printable(places[0])} does not hold the issuer of {below.facts.subject}",
        why="no certificate there made the signature, so it is not the one that is missing",
        next="get the intermediates from your CA, and give them with --chain-from FILE",
    )


def issuer_urls(certificate: Certificate) -> tuple[str, ...]:
    """Read where a certificate says that its issuer's is kept: RFC 5280 §4.2.2.1, caIssuers."""

    def read() -> tuple[str, ...]:
        found = certificate.handle.extensions.get_extension_for_class(
            library.AuthorityInformationAccess
        )
        return tuple(
            place.access_location.value
            for place in found.value
            if place.access_method == AuthorityInformationAccessOID.CA_ISSUERS
            and isinstance(place.access_location, library.UniformResourceIdentifier)
        )

    try:
        return x509.attempt(read) or ()
    except library.ExtensionNotFound:
        return ()


def _refuse_nowhere(certificate: Certificate) -> None:
    raise BundleError(
        "AIA-NOWHERE",
        f"the certificate {certificate.facts.subject} does not say where its issuer's is kept",
        why="without caIssuers (RFC 5280 §4.2.2.1) there is no address to ask",
        next="get the intermediates from your CA, and give them with --chain-from FILE",
    )
