"""Reads one source in any of its forms: PEM well or badly laid out, DER, PKCS#7, PKCS#12.

Comes in: octets and, where something is sealed, somebody who knows the passphrase. Goes out: the
keys and certificates in it, and every change of layout that reading them took. Whatever would have
to be guessed is refused with findings that name lines. Must not know files, nor judge what it read.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from certmail.bundle import der, labels, pem, text
from certmail.bundle.assemble import changes, encode
from certmail.bundle.assemble.changes import Change
from certmail.bundle.assemble.items import Item, Kind, Passphrase, Unrepairable
from certmail.bundle.assemble.wide import narrowed
from certmail.bundle.der import Shape
from certmail.bundle.findings import Finding, Severity
from certmail.bundle.layout import Tally
from certmail.errors import BundleError
from certmail.frozen import frozen
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from certmail.bundle.pem import Block

T = TypeVar("T")

TRIES: Final = 3
"""A passphrase may be mistyped; what a command prints does not get better by asking again."""

_KEYS: Final = frozenset({Shape.PKCS8, Shape.PKCS1, Shape.SEC1, Shape.DSA, Shape.ENCRYPTED})
_PKCS7: Final = re.compile(
    rb"-----BEGIN (PKCS7|PKCS #7 SIGNED DATA|CMS)-----([A-Za-z0-9+/=\s]+)-----END \1-----\s?"
)
_ESCAPED_END: Final = re.compile(r"(?:\\r)?\\n")
_HEADER: Final = re.compile(r"(?:Proc-Type|DEK-Info):.*")
_BODY: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")

_IGNORED: Final = frozenset({"CHAR-NON-ASCII"})
"""In a file whose blocks could all be read, such characters stand outside them and are left out."""


@frozen
class Gathered:
    """What a source holds, in the order in which it stands there."""

    items: tuple[Item, ...]
    changes: tuple[Change, ...]


def gather(data: bytes, *, name: str, passphrase: Passphrase | None = None) -> Gathered:
    """Read one source; without a ``passphrase``, protected keys come out as they are.

    Raises:
        Unrepairable: the source cannot be read without guessing.
        BundleError: ``PKCS12-SEALED``, ``PKCS7-UNREADABLE``, ``PASSPHRASE-WRONG``.
        SecretError: as ``passphrase`` raises it.
    """
    narrow, encoding = narrowed(data)
    found = _binary(narrow, name, passphrase) or _text(narrow, name)
    items = tuple(_opened(item, passphrase) for item in found.items)
    noted = [*found.changes]
    if encoding is not None:
        noted.insert(0, Change("characters", f"turned {encoding} into ASCII", None, name))
    for before, after in zip(found.items, items, strict=True):
        if after is not before:
            noted.append(Change("decrypt", "decrypted the private key", before.lines, name))
    return Gathered(items, tuple(noted))


def _binary(data: bytes, name: str, passphrase: Passphrase | None) -> Gathered | None:
    """Take DER apart by its shape; None where the octets are something else."""
    if data.isascii() or der.claimed_size(data) is None:
        return None
    shape = der.shape(data)
    if shape is Shape.PKCS12:
        return _pkcs12(data, name, passphrase)
    if shape is Shape.PKCS7:
        return Gathered(_pkcs7(data, name), (_unpacked("PKCS#7", name),))
    if shape is Shape.CERTIFICATE:
        item = Item(Kind.CERTIFICATE, data, "", name)
        return Gathered((item,), (Change("encode", "wrote DER as PEM", None, name),))
    if shape in _KEYS:
        item = Item(Kind.KEY, data, "", name)
        return Gathered((item,), (Change("encode", "wrote DER as PEM", None, name),))
    return None


def _text(data: bytes, name: str) -> Gathered:
    """Read PEM; every block must be attributable, and none may be of a kind that is not ours."""
    data, packed = _without_pkcs7(data, name)
    scan = pem.scan(data)
    findings = scan.findings
    if packed and not scan.blocks:
        # The whole file was one package, or only its description is left.
        findings = tuple(f for f in findings if f.code not in {"FILE-EMPTY", "FILE-NO-PEM"})
    refusals = [f for f in findings if _refused(f)]
    if refusals or not (scan.legible or packed):
        raise Unrepairable(refusals or findings, file=name)
    noted = [changes.of_finding(f, source=name) for f in findings if not _refused(f)]
    if packed:
        noted.append(_unpacked("PKCS#7", name))
    return Gathered((*(_item(b, data, name) for b in scan.blocks), *packed), tuple(noted))


def _refused(finding: Finding) -> bool:
    cured = finding.repair is not None or finding.code in _IGNORED
    return finding.severity is Severity.ERROR and not cured


def _item(block: Block, data: bytes, name: str) -> Item:
    kind = Kind.CERTIFICATE if block.label in labels.CERTIFICATES else Kind.KEY
    armored = _armored(block, data) if block.encrypted and not block.der else b""
    return Item(kind, block.der, block.label, name, block.lines, armored)


def _armored(block: Block, data: bytes) -> bytes:
    """Write again the block of a key that its headers encrypt, in the form of RFC 1421 §4.6.1.1."""
    rows = [line.text for line in text.lines(data, Tally()) if _within(line.number, block)]
    pieces = [piece.strip("\"'`>,; \t") for row in rows for piece in _ESCAPED_END.split(row)]
    # Where line ends were written as two letters, the neighbours stand on the same line.
    start = next((at for at, one in enumerate(pieces) if _begins(one, block)), 0)
    end = next((at for at, one in enumerate(pieces) if at > start and "-END " in one), len(pieces))
    pieces = pieces[start:end]
    headers = [piece for piece in pieces if _HEADER.fullmatch(piece)]
    body = "".join(piece for piece in pieces if _BODY.fullmatch(piece))
    wrapped = [body[at : at + encode.COLUMNS] for at in range(0, len(body), encode.COLUMNS)]
    boundaries = f"-----BEGIN {block.label}-----", f"-----END {block.label}-----"
    lines = (boundaries[0], *headers, "", *wrapped, boundaries[1], "")
    return "\n".join(lines).encode("ascii", "replace")


def _begins(piece: str, block: Block) -> bool:
    return f"BEGIN {block.label}" in " ".join(piece.upper().split())


def _within(line: int, block: Block) -> bool:
    return block.first_line <= line <= block.last_line


def _without_pkcs7(data: bytes, name: str) -> tuple[bytes, tuple[Item, ...]]:
    """Take PKCS#7 blocks out of a text, leaving as many line ends, and unpack them."""
    found: list[Item] = []
    for match in _PKCS7.finditer(data):
        try:
            octets = binascii.a2b_base64(b"".join(match[2].split()), strict_mode=True)
        except binascii.Error:
            return data, ()  # the scanner will say what it is
        found += _pkcs7(octets, name)
    return _PKCS7.sub(lambda match: b"\n" * match[0].count(b"\n"), data), tuple(found)


def _pkcs7(octets: bytes, name: str) -> tuple[Item, ...]:
    from certmail.bundle.assemble import packages  # noqa: PLC0415 (brings cryptography)

    certificates = packages.open_pkcs7(octets)
    if not certificates:
        raise BundleError(
            "PKCS7-UNREADABLE",
            f"no certificate can be taken out of the PKCS#7 package in {printable(name)}",
            why="it is damaged, or it holds a signature and no certificates",
            next="openssl pkcs7 -inform DER -in bundle.p7b -print_certs -noout",
            file=printable(name, limit=400),
        )
    return tuple(Item(Kind.CERTIFICATE, octets, "", name) for octets in certificates)


def _pkcs12(data: bytes, name: str, passphrase: Passphrase | None) -> Gathered:
    from certmail.bundle.assemble import packages  # noqa: PLC0415 (brings cryptography)

    opened = packages.open_pkcs12(data, None)
    if opened is None and passphrase is None:
        raise BundleError(
            "PKCS12-SEALED",
            f"{printable(name)} is a PKCS#12 package with a passphrase",
            why="the key and certificates in it cannot be read without the passphrase",
            next=f"certmail bundle {printable(name)} asks for it",
            file=printable(name, limit=400),
        )
    if opened is None and passphrase is not None:
        opened = _try(name, passphrase, lambda secret: packages.open_pkcs12(data, secret))
    if opened is None:
        _refuse_passphrase(name)
    certificates = [Item(Kind.CERTIFICATE, octets, "", name) for octets in opened.certificates]
    keys = [Item(Kind.KEY, opened.key, "", name)] if opened.key else []
    return Gathered((*keys, *certificates), (_unpacked("PKCS#12", name),))


def _opened(item: Item, passphrase: Passphrase | None) -> Item:
    """Decrypt a protected key, if somebody knows the passphrase."""
    if item.kind is not Kind.KEY or passphrase is None:
        return item
    if not item.armored and der.shape(item.der) is not Shape.ENCRYPTED:
        return item
    from certmail.bundle.assemble import packages  # noqa: PLC0415 (brings cryptography)

    def attempt(secret: bytes) -> bytes | None:
        if item.armored:
            return packages.decrypt_armored(item.armored, secret)
        return packages.decrypt(item.der, secret)

    octets = _try(f"the key of {item.place}", passphrase, attempt)
    if octets is None:
        _refuse_passphrase(item.source)
    return Item(Kind.KEY, octets, "PRIVATE KEY", item.source, item.lines)


def _try(what: str, passphrase: Passphrase, attempt: Callable[[bytes], T | None]) -> T | None:
    for _ in range(TRIES):
        opened = attempt(passphrase(what).reveal().encode())
        if opened is not None:
            return opened
    return None


def _unpacked(kind: str, name: str) -> Change:
    return Change("unpack", f"took the parts out of a {kind} package", None, name)


def _refuse_passphrase(name: str) -> NoReturn:
    raise BundleError(
        "PASSPHRASE-WRONG",
        f"{printable(name)} does not open with that passphrase",
        why="the passphrase is another one, or the encryption is of a kind too old to be known",
        next="openssl pkcs12 -in FILE -noout, or openssl pkey -in FILE -noout, to try it by hand",
        file=printable(name, limit=400),
    )
