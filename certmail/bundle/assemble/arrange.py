"""Puts keys and certificates into the one canonical order and form, and proves the result.

Comes in: items in any order, the instant, possibly somewhere to find missing issuers. Goes out: a
bundle and every change that was made. Total: what cannot be put in order is written as it stands,
for the check to judge. Must not judge itself. Knows the order of RFC 8446 §4.4.2.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final, NoReturn

from certmail.bundle import broken, chain, der, key, pem, x509
from certmail.bundle.assemble import encode
from certmail.bundle.assemble.changes import Change
from certmail.bundle.assemble.complete import Issuers, climb
from certmail.bundle.assemble.items import Item, KeyFormat, Kind, Unrepairable
from certmail.bundle.der import Shape
from certmail.bundle.pem import Block
from certmail.bundle.x509 import Certificate, Issued
from certmail.errors import BundleError
from certmail.frozen import frozen, slotted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_ENCODINGS: Final = {Shape.PKCS8: "PKCS#8", Shape.PKCS1: "PKCS#1"}


@frozen
class Arranged:
    """A bundle in canonical form, and what was changed to get there."""

    pem: bytes = field(repr=False)
    changes: tuple[Change, ...]


@slotted
class _Ordered:
    """Certificates in their final order, and what that took."""

    items: list[Item]
    changes: list[Change] = field(default_factory=list)


def arrange(
    items: Sequence[Item],
    *,
    at: datetime,
    key_format: KeyFormat = KeyFormat.PKCS8,
    issuers: Issuers | None = None,
) -> Arranged:
    """Write key, leaf and chain in this order, each once, without roots.

    Raises:
        Unrepairable: ``FILE-BLOCKS``.
        BundleError: as `complete.climb`; ``BUNDLE-UNPROVED`` if something was lost on the way.
    """
    if len(items) > pem.MAX_BLOCKS:
        raise Unrepairable((broken.too_many(pem.MAX_BLOCKS),))
    keys, about_keys = _keys([item for item in items if item.kind is Kind.KEY], key_format)
    given = [item for item in items if item.kind is Kind.CERTIFICATE]
    spki = _spki(keys)
    ordered = _certificates(given, spki_sha256=spki, at=at, issuers=issuers)
    moved = _moved(items, keys)
    written = b"".join(encode.block(item) for item in (*keys, *ordered.items))
    _prove(written, keys, ordered.items)
    return Arranged(written, (*moved, *about_keys, *ordered.changes))


def _keys(given: list[Item], key_format: KeyFormat) -> tuple[list[Item], list[Change]]:
    """Bring every key into the asked encoding, and leave out the same key again."""
    kept: list[Item] = []
    noted: list[Change] = []
    for item in given:
        octets = item.der if item.armored else encode.in_format(item.der, key_format)
        if not item.armored and any(_same_key(octets, other.der) for other in kept):
            noted.append(Change("drop", "left out the same key again", item.lines, item.source))
            continue
        kept.append(Item(item.kind, octets, item.label, item.source, item.lines, item.armored))
        if not item.armored:
            noted += _encoding(item, octets)
            _prove_key(item.der, octets)
    return kept, noted


def _same_key(one: bytes, other: bytes) -> bool:
    inner = encode.rsa_octets(one)
    return one == other or (inner is not None and inner == encode.rsa_octets(other))


def _encoding(item: Item, octets: bytes) -> list[Change]:
    """Say what became of the key's encoding and label."""
    was, now = der.shape(item.der), der.shape(octets)
    label = encode.canonical_label(Item(Kind.KEY, octets, item.label, item.source))
    mislabelled = item.label not in {"", encode.canonical_label(item)}
    if was is not now:
        what = f"wrote the key as {_ENCODINGS[now]}, {label}, instead of {_ENCODINGS[was]}"
        under = f" under the wrong label {item.label}" if mislabelled else ""
        repair = "label" if mislabelled else "key-format"
        return [_about(repair, f"{what}{under}; all its numbers are equal", item)]
    if mislabelled:
        return [
            _about("label", f"labelled the key {label}, as its body is, not {item.label}", item)
        ]
    return []


def _spki(keys: list[Item]) -> str | None:
    """Give the digest of the one key's public half; None where it cannot be read."""
    if len(keys) != 1 or keys[0].armored:
        return None
    reading = key.read(Block(encode.canonical_label(keys[0]), 0, 0, keys[0].der, encrypted=False))
    return reading.facts.spki_sha256 if reading.facts else None


def _moved(items: Sequence[Item], keys: list[Item]) -> list[Change]:
    """Say that the key went to the top, where it stood behind a certificate of the same source."""
    before = [item for item in items if keys and item.source == keys[0].source]
    if not before or before[0].kind is Kind.KEY or before[0].lines is None:
        return []
    return [Change("order", "put the private key first", keys[0].lines, keys[0].source)]


def _certificates(
    given: list[Item], *, spki_sha256: str | None, at: datetime, issuers: Issuers | None
) -> _Ordered:
    """Order by the signatures; certificates that cannot all be decoded stay as they stand."""
    ordered = _Ordered([])
    distinct: dict[bytes, Item] = {}
    for item in given:
        if distinct.setdefault(item.der, item) is not item:
            ordered.changes.append(
                Change("drop", "left out the same certificate again", item.lines, item.source)
            )
    ordered.items = list(distinct.values())
    certificates = []
    for number, item in enumerate(ordered.items):
        one = x509.decode(Block("CERTIFICATE", number, number, item.der, encrypted=False))
        if not isinstance(one, Certificate):
            return ordered
        certificates.append(one)
    if certificates:
        _order(ordered, certificates, spki_sha256=spki_sha256, at=at, issuers=issuers)
    return ordered


def _order(
    ordered: _Ordered,
    certificates: list[Certificate],
    *,
    spki_sha256: str | None,
    at: datetime,
    issuers: Issuers | None,
) -> None:
    item_of = {one.facts.sha256: ordered.items[one.facts.lines[0]] for one in certificates}
    kept, path, roots = _without_roots(certificates, spki_sha256, at)
    for one in roots:
        what = f"left out the root {one.facts.subject}, which clients have"
        ordered.changes.append(_about("drop", what, item_of[one.facts.sha256]))
    final = [*path, *(one for one in kept if one not in path)]
    if final != kept:
        names = ", then ".join(one.facts.subject or "(no subject)" for one in path)
        what = f"put the certificates in the order in which they sign each other: {names}"
        ordered.changes.append(_about("order", what, item_of[path[0].facts.sha256]))
    ordered.items = [item_of[one.facts.sha256] for one in final]
    if issuers is None or not path or (roots and _issued_by_any(path[-1], roots)):
        return
    known = frozenset(one.facts.sha256 for one in final)
    for number, item in enumerate(climb(path[-1], issuers=issuers, known=known, at=at)):
        ordered.items.insert(len(path) + number, item)
        ordered.changes.append(
            _about("complete", "added a missing intermediate, proved by its signature", item)
        )


def _issued_by_any(below: Certificate, above: Sequence[Certificate]) -> bool:
    """Tell whether any of the certificates is the proved issuer."""
    return any(x509.issued(below, one) is Issued.YES for one in above)


def _without_roots(
    certificates: list[Certificate], spki_sha256: str | None, at: datetime
) -> tuple[list[Certificate], list[Certificate], list[Certificate]]:
    """Take roots away until none is left above the leaf: with one gone, another way may open."""
    kept, roots = certificates, list[Certificate]()
    while True:
        path = list(chain.follow(tuple(kept), spki_sha256=spki_sha256, at=at).path)
        found = [one for one in kept if path and one is not path[0] and _is_root(one, kept)]
        if not found:
            return kept, path, roots
        roots += found
        kept = [one for one in kept if one not in found]


def _is_root(one: Certificate, others: list[Certificate]) -> bool:
    """Tell a root that signed something here from a self-signed certificate that has no place."""
    return one.facts.self_signed and any(
        x509.issued(other, one) in {Issued.YES, Issued.UNTOLD}
        for other in others
        if other is not one
    )


def _about(repair: str, what: str, item: Item) -> Change:
    return Change(repair, what, item.lines, item.source)


def _prove_key(before: bytes, after: bytes) -> None:
    """Compare the octets of the key's numbers before and after its encoding was turned."""
    inner = encode.rsa_octets(before)
    if before != after and (inner is None or inner != encode.rsa_octets(after)):
        _refuse_unproved()


def _prove(written: bytes, keys: list[Item], certificates: list[Item]) -> None:
    """Read the bundle back: the same octets in the same order, and a key of the same numbers."""
    wanted = [(item.der, bool(item.armored)) for item in (*keys, *certificates)]
    scan = pem.scan(written)
    read = [(block.der, block.encrypted) for block in scan.blocks]
    if not wanted or (scan.legible and read == wanted):
        return
    _refuse_unproved()


def _refuse_unproved() -> NoReturn:
    raise BundleError(
        "BUNDLE-UNPROVED",
        "the bundle that was put together does not read back as its parts",
        why="a key or certificate would be lost or changed; this should not happen",
        next="report this with the kind of files you gave, and without the files",
    )
