"""Finds keys and certificates in a parsed JSON or YAML document, by the shape of who wrote it.

Comes in: plain values, as a parser gives them. Goes out: lineages. Knows a Kubernetes TLS Secret,
Traefik's ``acme.json``, and what Vault and AWS Certificate Manager print; in any other document,
whatever texts hold PEM. Total on any values; quotes no value. Must not know who parsed it.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Final

from certmail.bundle.assemble.items import Lineage, Source
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_VALUES: Final = 20_000
"""A list of all Secrets of a large cluster; what lies behind it is not looked at."""

MAX_NAME_SHOWN: Final = 100

_PEM: Final = "-----BEGIN "


def lineages(document: object, *, name: str) -> tuple[Lineage, ...]:
    """Give every lineage in a document; empty where it holds none."""
    known = (
        _secrets(document)
        or _traefik(document)
        or _acm(document, name)
        or _vault(document, name)
        or _anything(document, name)
    )
    return tuple(known)


def _secrets(document: object) -> list[Lineage]:
    """Read Kubernetes Secrets, also several in a List or in one stream."""
    found = []
    for one in _objects(document):
        if one.get("kind") != "Secret":
            continue
        fields = {**_decoded(one.get("data")), **_texts(one.get("stringData"))}
        # Where the certificate stands alone, its issuer may be in the field for clients' roots.
        alone = fields.get("tls.crt", b"").count(_PEM.encode()) == 1
        names = ("tls.key", "tls.crt", "ca.crt") if alone else ("tls.key", "tls.crt")
        sources = [Source(field, fields[field]) for field in names if field in fields]
        if sources:
            found.append(Lineage("Kubernetes Secret", _secret_name(one), tuple(sources)))
    return found


def _secret_name(secret: Mapping[str, object]) -> str:
    metadata = secret.get("metadata")
    named = metadata.get("name") if isinstance(metadata, dict) else None
    return _shown(named, "a secret without name")


def _objects(document: object) -> list[dict[str, object]]:
    """Give the objects of a stream of documents, of a List, or the one there is."""
    several = document if isinstance(document, list) else [document]
    found: list[dict[str, object]] = []
    for one in several:
        if not isinstance(one, dict):
            continue
        kind, items = one.get("kind"), one.get("items")
        if kind not in ("List", "SecretList") or not isinstance(items, list):
            found.append(one)
            continue
        # The members of a SecretList do not repeat their kind.
        own = {"kind": "Secret"} if kind == "SecretList" else {}
        found += [{**own, **item} for item in items if isinstance(item, dict)]
    return found


def _traefik(document: object) -> list[Lineage]:
    """Read ``acme.json``: resolvers with Certificates, or in version 1 one store of them."""
    if not isinstance(document, dict):
        return []
    found = []
    for store in (document, *(value for value in document.values() if isinstance(value, dict))):
        entries = store.get("Certificates")
        for entry in entries if isinstance(entries, list) else ():
            lineage = _traefik_entry(entry)
            if lineage is not None:
                found.append(lineage)
    return found


def _traefik_entry(entry: object) -> Lineage | None:
    if not isinstance(entry, dict):
        return None
    folded = {str(field).lower(): value for field, value in entry.items()}
    domain = folded.get("domain")
    domain = {str(k).lower(): v for k, v in domain.items()} if isinstance(domain, dict) else {}
    fields = _decoded({field: folded.get(field) for field in ("key", "certificate")})
    if len(fields) != 2:  # noqa: PLR2004 (a key and a certificate)
        return None
    name = _shown(domain.get("main"), "an entry without domain")
    sources = (Source("key", fields["key"]), Source("certificate", fields["certificate"]))
    return Lineage("Traefik", name, sources)


def _acm(document: object, name: str) -> list[Lineage]:
    """Read what ``aws acm export-certificate`` prints; its key is protected."""
    if not isinstance(document, dict) or "PrivateKey" not in document:
        return []
    return _named(
        document, ("PrivateKey", "Certificate", "CertificateChain"), "AWS Certificate Manager", name
    )


def _vault(document: object, name: str) -> list[Lineage]:
    """Read what ``vault write -format=json pki/issue/…`` prints, or its ``data`` alone."""
    inner = document
    for _ in range(2):
        if isinstance(inner, dict) and "private_key" not in inner and "data" in inner:
            inner = inner["data"]
    if not isinstance(inner, dict) or "private_key" not in inner or "certificate" not in inner:
        return []
    chained = inner.get("ca_chain") or inner.get("issuing_ca")
    rows = chained if isinstance(chained, list) else [chained]
    chain = "\n".join(row for row in rows if isinstance(row, str))
    fields = {**inner, "ca_chain": chain}
    return _named(fields, ("private_key", "certificate", "ca_chain"), "Vault", name)


def _named(
    document: Mapping[str, object], fields: tuple[str, ...], kind: str, name: str
) -> list[Lineage]:
    texts = _texts({field: document.get(field) for field in fields})
    sources = tuple(Source(field, texts[field]) for field in fields if field in texts)
    return [Lineage(kind, name, sources)] if sources else []


def _anything(document: object, name: str) -> list[Lineage]:
    """Take every text that holds PEM, in the order of the document."""
    sources = tuple(
        Source(f"{name}: {where}", value.encode("utf-8", "replace"))
        for where, value in _strings(document)
        if _PEM in value
    )
    return [Lineage("document", name, sources)] if sources else []


def _strings(document: object) -> Iterator[tuple[str, str]]:
    """Walk all texts of a document, each with the name of its field, without recursion."""
    waiting: list[tuple[str, object]] = [("", document)]
    for _ in range(MAX_VALUES):
        if not waiting:
            return
        where, value = waiting.pop()
        if isinstance(value, str):
            yield where or "text", value
        elif isinstance(value, dict):
            inner = [(_shown(field, "a field"), one) for field, one in value.items()]
            waiting += reversed(inner)
        elif isinstance(value, list):
            waiting += [(where, one) for one in reversed(value)]


def _decoded(fields: object) -> dict[str, bytes]:
    """Decode base64 values; one that is no base64 is left out and will be missed."""
    found = {}
    for field, value in _texts(fields).items():
        try:
            found[field] = binascii.a2b_base64(b"".join(value.split()), strict_mode=True)
        except binascii.Error:
            continue
    return found


def _texts(fields: object) -> dict[str, bytes]:
    """Keep the fields that are texts and not empty."""
    if not isinstance(fields, dict):
        return {}
    return {
        str(field): value.encode("utf-8", "replace")
        for field, value in fields.items()
        if isinstance(value, str) and value.strip()
    }


def _shown(value: object, otherwise: str) -> str:
    """Show a name from a document, unless it looks like a piece of PEM."""
    if not isinstance(value, str) or not value or "--" in value or len(value) > MAX_NAME_SHOWN:
        return otherwise
    return printable(value, limit=MAX_NAME_SHOWN)
