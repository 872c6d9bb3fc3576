"""Recognises by file names who laid a folder out, and reads what belongs to each certificate.

In: a path. Out: lineages as core values. Knows certbot's ``live``, acme.sh, lego, Caddy, Traefik
and a mounted Kubernetes Secret. Nothing is judged here but whether files fit each other.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from certmail.bundle.assemble import documents
from certmail.bundle.assemble.items import Lineage, Source
from certmail.errors import BundleError
from certmail.lineage import files, parsers
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH: Final = 3
"""Caddy: data folder, certificates, authority, domain."""

MAX_ENTRIES: Final = 4000

CERTIFICATE_FILES: Final = frozenset({".pem", ".crt", ".cer", ".der", ".p7b", ".p7c"})

_VERSION: Final = re.compile(r"(?:privkey|fullchain|cert|chain)(\d+)\.pem")
_NOT_LOOKED_INTO: Final = frozenset({"archive", "archives"})
"""Where certbot and lego keep what came before."""


def find(path: Path) -> tuple[Lineage, ...]:
    """Read the lineages at a path: a folder, a folder of folders, or a document.

    Raises:
        BundleError: ``LINEAGE-UNREADABLE``, ``LINEAGE-MIXED``, ``DOCUMENT-MALFORMED``.
    """
    if not path.is_dir():
        return documents.lineages(_document(path), name=str(path))
    found: list[Lineage] = []
    for folder, names in _folders(path):
        found += _in_folder(folder, names)
    return tuple(found)


def certificates(path: Path) -> tuple[Source, ...]:
    """Read a file, or every certificate file of a folder, as candidates for issuers."""
    if not path.is_dir():
        return (Source(str(path), files.read(path)),)
    names = [name for name in _list(path) if Path(name).suffix.lower() in CERTIFICATE_FILES]
    return tuple(Source(str(path / name), files.read(path / name)) for name in names)


def _document(path: Path) -> object:
    return parsers.parse(files.read(path), name=str(path))


def _folders(top: Path) -> Iterator[tuple[Path, list[str]]]:
    """Walk down within bounds; a linked folder is not entered, the one that was named is."""
    waiting, seen = [(top, 0)], 0
    while waiting:
        folder, depth = waiting.pop()
        names = _list(folder)
        seen += len(names)
        if seen > MAX_ENTRIES:
            raise files.unreadable(top, f"it holds more than {MAX_ENTRIES} files")
        yield folder, names
        if depth < MAX_DEPTH:
            below = [folder / name for name in names if name not in _NOT_LOOKED_INTO]
            inner = [one for one in below if one.is_dir() and not one.is_symlink()]
            waiting += [(one, depth + 1) for one in reversed(inner)]


def _list(folder: Path) -> list[str]:
    try:
        return sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))
    except OSError as fault:
        raise files.unreadable(folder, fault.strerror or "it cannot be listed") from None


def _in_folder(folder: Path, names: list[str]) -> list[Lineage]:
    if "privkey.pem" in names and {"fullchain.pem", "cert.pem"} & set(names):
        return [_certbot(folder, names)]
    if "fullchain.cer" in names or "ca.cer" in names:
        return _acme_sh(folder, names)
    found = [pair for name in names if (pair := _pair(folder, name, names)) is not None]
    if "acme.json" in names:
        stored = documents.lineages(_document(folder / "acme.json"), name=str(folder))
        found += [one for one in stored if one.kind == "Traefik"]
    return found


def _certbot(folder: Path, names: list[str]) -> Lineage:
    """Read ``live/NAME``, whose links lead to numbered files; the numbers must be the same."""
    wanted = ["privkey.pem", "fullchain.pem"]
    if "fullchain.pem" not in names:
        wanted = [name for name in ("privkey.pem", "cert.pem", "chain.pem") if name in names]
    versions = {_version(folder / name) for name in wanted}
    lineage = _lineage("certbot", folder.name, [folder / name for name in wanted])
    if len(versions) > 1 or versions != {_version(folder / name) for name in wanted}:
        raise BundleError(
            "LINEAGE-MIXED",
            f"the files of {printable(str(folder), limit=400)} lead to different renewals",
            why="a renewal is going on or was broken off; key and certificate may not belong"
            " together",
            next="wait for certbot to end, or certbot update_symlinks; then run this again",
            file=printable(str(folder), limit=400),
        )
    return lineage


def _version(path: Path) -> str | None:
    """Read the number that ``live`` leads to, one link far.

    With --reuse-key the numbered key is itself a link to the one of an earlier renewal.
    """
    try:
        match = _VERSION.fullmatch(path.readlink().name)
    except OSError:
        return None  # no link: copied from somewhere, without numbers
    return match[1] if match else None


def _acme_sh(folder: Path, names: list[str]) -> list[Lineage]:
    """Read ``DOMAIN`` or ``DOMAIN_ecc``: DOMAIN.key beside fullchain.cer, or DOMAIN.cer, ca.cer."""
    found = []
    for name in names:
        stem = name.removesuffix(".key")
        if stem == name or f"{stem}.cer" not in names:
            continue
        whole = ["fullchain.cer"] if "fullchain.cer" in names else [f"{stem}.cer", "ca.cer"]
        found.append(_lineage("acme.sh", folder.name, [folder / one for one in (name, *whole)]))
    return found


def _pair(folder: Path, name: str, names: list[str]) -> Lineage | None:
    """Read NAME.key beside NAME.crt: lego, Caddy, and a mounted Kubernetes Secret."""
    stem = name.removesuffix(".key")
    if stem == name or f"{stem}.crt" not in names:
        return None
    kind, above = "lego", f"{stem}.issuer.crt"
    if stem == "tls":
        kind, above, stem = "Kubernetes Secret", "ca.crt", folder.name
    elif above not in names:
        kind = "Caddy" if folder.name == stem else "pair"
    lineage = _lineage(kind, stem, [folder / name, folder / f"{name.removesuffix('.key')}.crt"])
    if lineage.sources[1].data.count(b"-----BEGIN ") != 1 or above not in names:
        return lineage
    issuer = Source(above, files.read(folder / above))
    return Lineage(kind, stem, (*lineage.sources, issuer))


def _lineage(kind: str, name: str, paths: list[Path]) -> Lineage:
    return Lineage(kind, name, tuple(Source(path.name, files.read(path)) for path in paths))
