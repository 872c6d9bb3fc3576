"""Targets: the PEM parser, the check, and what a bundle is put together from."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from certmail.bundle import judge, pem
from certmail.bundle.assemble.arrange import arrange
from certmail.bundle.assemble.documents import lineages
from certmail.bundle.assemble.gather import gather
from certmail.bundle.check import check
from certmail.bundle.findings import Severity
from certmail.errors import CertmailError
from certmail.lineage.parsers import parse
from certmail.values import Secret
from tests.bundle import corpus, make
from tests.fuzz.target import Target, fit_to_show, quotes_no_body, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certmail.bundle.assemble.items import Item

__all__ = ["TARGETS", "judge"]  # judge: so that it is there before coverage is counted

WORDS = (
    b"-----BEGIN PRIVATE KEY-----\n",
    b"-----END PRIVATE KEY-----\n",
    b"-----BEGIN RSA PRIVATE KEY-----\n",
    b"-----BEGIN CERTIFICATE-----\n",
    b"-----END CERTIFICATE-----\n",
    b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
    b"-----BEGIN PKCS7-----\n",
    b"Proc-Type: 4,ENCRYPTED\n",
    b"DEK-Info: AES-256-CBC,",
    b"Bag Attributes\n",
    b"\\n",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"--",
    b"> ",
    b"MII",
)


def _pem(data: bytes) -> None:
    """A scan and a verdict always come; what passes is what was given, to the last octet."""
    verdict = check(data, at=make.AT, domains=("example.org",))
    errors = [f for f in verdict.findings if f.severity is Severity.ERROR]
    assert (verdict.checked is None) == bool(errors)
    for found in verdict.findings:
        fit_to_show(found.code, found.what, found.why, found.next)
    quotes_no_body(data, [*(f"{f.what} {f.why} {f.next}" for f in verdict.findings), repr(verdict)])
    if verdict.checked is not None:
        assert verdict.checked.pem == data
        # The form of RFC 7468 is one: whoever writes the blocks again writes the same octets.
        again = arrange(gather(data, name="a.pem").items, at=make.AT)
        assert pem.scan(again.pem).findings == ()


def _gather(data: bytes) -> None:
    """A source gives items or a refusal; items are arranged into a bundle in canonical form."""
    items: list[Item] = []

    def read() -> None:
        items.extend(gather(data, name="a.pem", passphrase=lambda what: Secret("x")).items)

    refusal = refused(read)
    if refusal is not None:
        quotes_no_body(data, [refusal.what, refusal.why, refusal.next])
        return
    arranged = []
    refusal = refused(lambda: arranged.append(arrange(items, at=make.AT)))
    for one in arranged:
        for change in one.changes:
            fit_to_show(str(change))
        again = arrange(gather(one.pem, name="b.pem").items, at=make.AT) if one.pem else one
        assert again.pem == one.pem, "arranging what was arranged changes it"


def _document(data: bytes) -> None:
    """Any JSON or YAML gives values or a refusal that quotes nothing, and lineages of them."""
    parsed: list[object] = []
    refusal = refused(lambda: parsed.append(parse(data, name="secret.yaml")))
    if refusal is not None:
        quotes_no_body(data, [refusal.what, refusal.why, refusal.next])
        return
    for lineage in lineages(parsed[0], name="secret.yaml"):
        fit_to_show(lineage.kind, lineage.name, *(source.name for source in lineage.sources))
        for source in lineage.sources[:4]:
            try:
                gather(source.data, name=source.name)
            except CertmailError as unread:
                fit_to_show(unread.what, unread.why, unread.next)


def _bundles() -> Iterator[bytes]:
    """Give the vectors of the bundle's own tests: one defect each, keys made for that."""
    yield make.bundle()
    yield from (case.data for case in corpus.cases())


def _packages() -> Iterator[bytes]:
    leaf, key = make.leaf(), make.rsa_key("leaf")
    yield from (make.der_of(leaf), make.pkcs8_der(key), make.traditional_der(key))
    yield make.encrypted_pkcs8(key)
    yield make.bundle().decode().encode("utf-16")
    yield from _bundles()


def _documents() -> Iterator[bytes]:
    crt, key = make.leaf_pem(), make.key_pem()
    encoded = {
        "tls.crt": base64.b64encode(crt).decode(),
        "tls.key": base64.b64encode(key).decode(),
    }
    secret = {"kind": "Secret", "metadata": {"name": "shop"}, "data": encoded}
    entry = {
        "domain": {"main": "shop.example"},
        "certificate": encoded["tls.crt"],
        "key": encoded["tls.key"],
    }
    acm = {"PrivateKey": "x", "Certificate": crt.decode(), "CertificateChain": "y"}
    vault = {"data": {"private_key": key.decode(), "certificate": "c", "ca_chain": ["a", "b"]}}
    for document in (
        secret,
        {"kind": "List", "items": [secret]},
        {"kind": "SecretList", "items": [{"data": encoded}]},
        {"le": {"Certificates": [entry]}},
        acm,
        vault,
        {"a": [{"b": crt.decode()}]},
    ):
        yield json.dumps(document).encode()
    yield b"kind: Secret\nmetadata:\n  name: shop\nstringData:\n  tls.key: |\n    x\n---\nkind: b\n"


TARGETS = (
    Target("pem", _pem, _bundles, WORDS),
    Target("gather", _gather, _packages, WORDS),
    Target(
        "document",
        _document,
        _documents,
        (
            b'"kind":"Secret"',
            b'"kind":"List"',
            b'"items":[',
            b'"data":{',
            b'"stringData"',
            b'"tls.key"',
            b'"tls.crt"',
            b'"ca.crt"',
            b'"Certificates":[',
            b'"domain":{"main":"a"}',
            b'"private_key"',
            b'"certificate"',
            b'"ca_chain"',
            b'"PrivateKey"',
            b"---\n",
            b"!!binary ",
            b"&a ",
            b"*a",
            b"? ",
            b": |\n",
            b"-----BEGIN ",
        ),
    ),
)
