from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import AuthorityInformationAccessOID

from certmail.bundle.assemble.complete import Issuers
from certmail.bundle.assemble.gather import gather
from certmail.bundle.repair import repair
from certmail.errors import BundleError
from certmail.lineage.issuers import MAX_OCTETS, IssuerSource
from certmail.web.fetch import Reach
from tests.bundle import make
from tests.bundle.make import AT, pem_of
from tests.keysources.serving import answer, moved
from tests.web.wires import Asked, Wire

URL = "http://ca.example/lower.der"
PUBLIC = "93.184.215.14"


def leaf_that_says(*urls: str) -> bytes:
    """Issue a leaf that names the places of its issuer."""
    places = [
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(url)
        )
        for url in urls
    ]
    key = make.rsa_key("leaf")
    builder = make._build(
        make.name(make.HOST),
        key.public_key(),
        make.lower().certificate.subject,
        [
            x509.SubjectAlternativeName([x509.DNSName(make.HOST)]),
            x509.AuthorityInformationAccess(places),
        ],
        start=AT - make.DAY,
        end=AT + 60 * make.DAY,
    )
    return pem_of(builder.sign(make.lower().key, hashes.SHA256()))


def candidates(data: bytes) -> Issuers:
    return Issuers(gather(data, name="candidates").items)


def source(answers, *, addresses=(PUBLIC,)) -> tuple[IssuerSource, list[Asked]]:
    """Serve answers by path from a wire of the test's own."""
    wire = Wire(answers)
    return IssuerSource(Reach(resolve=lambda host, port: addresses, wire=wire)), wire.asked


def fetched(answers, data: bytes, **how):
    fetch, seen = source(answers, **how)
    return repair(data, at=AT, issuers=Issuers(fetch=fetch)), seen


def refused(answers, data: bytes, **how) -> tuple[str, int]:
    fetch, seen = source(answers, **how)
    with pytest.raises(BundleError) as refusal:
        repair(data, at=AT, issuers=Issuers(fetch=fetch))
    return refusal.value.code, len(seen)


def test_missing_intermediates_come_from_candidates_and_roots_do_not():
    store = make.chain_pem() + pem_of(make.root().certificate)
    repaired = repair(make.key_pem() + make.leaf_pem(), at=AT, issuers=candidates(store))
    assert make.bundle() == repaired.pem
    assert [change.repair for change in repaired.changes] == ["complete", "complete"]


def test_a_gap_in_the_middle_is_closed():
    data = make.key_pem() + make.leaf_pem() + pem_of(make.lower().certificate)
    assert make.bundle() == repair(data, at=AT, issuers=candidates(make.chain_pem())).pem


def test_a_candidate_of_the_right_name_and_another_key_is_not_taken():
    """The name is a claim; the signature is the proof."""
    impostor = make.make_ca("Test Lower", make.upper(), key=make.rsa_key("impostor"))
    data = make.key_pem() + make.leaf_pem()
    repaired = repair(data, at=AT, issuers=candidates(pem_of(impostor.certificate)))
    assert data == repaired.pem
    assert "CHAIN-INCOMPLETE" in {finding.code for finding in repaired.findings}


def test_of_two_proved_candidates_the_valid_one_is_taken():
    old = make.make_ca("Test Lower", make.upper(), end=AT - make.DAY)
    store = pem_of(old.certificate) + make.chain_pem()
    data = make.key_pem() + make.leaf_pem()
    assert make.bundle() == repair(data, at=AT, issuers=candidates(store)).pem


def test_a_complete_bundle_fetches_nothing_it_keeps():
    repaired, seen = fetched({}, make.bundle())
    assert (make.bundle(), ()) == (repaired.pem, repaired.changes)
    assert seen == []


@pytest.mark.parametrize(
    "form",
    [
        make.der_of,
        pem_of,
        lambda one: pkcs7.serialize_certificates([one], Encoding.DER),
    ],
    ids=["der", "pem", "pkcs7"],
)
def test_the_issuer_is_fetched_from_where_the_certificate_says(form):
    """RFC 5280 §4.2.2.1: DER of a certificate, or a "certs-only" package."""
    pages = {"/lower.der": answer(form(make.lower().certificate))}
    leaf = leaf_that_says(URL)
    repaired, [asked] = fetched(pages, make.key_pem() + leaf)
    assert make.key_pem() + leaf + pem_of(make.lower().certificate) == repaired.pem
    assert (asked.address, asked.port) == (PUBLIC, 80)
    assert b"\r\nHost: ca.example\r\n" in asked.head
    assert b"cookie" not in asked.head.lower()


class Elsewhere(httpcore.SyncBackend):
    """The real network, with the public address standing for a server on loopback."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect_tcp(self, host, port, *bounds):
        return super().connect_tcp("127.0.0.1", self.port, *bounds)


def test_it_is_fetched_over_a_real_connection():
    """By chunks, as servers send them; the request names the host and nothing else of ours."""
    seen = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, dict(self.headers)))
            body = make.der_of(make.lower().certificate)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for at in range(0, len(body), 100):
                self.wfile.write(body[at : at + 100])

        def log_message(self, *_) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        reach = Reach(resolve=lambda host, port: [PUBLIC], wire=Elsewhere(server.server_port))
        fetch = IssuerSource(reach)
        data = make.key_pem() + leaf_that_says(URL)
        repaired = repair(data, at=AT, issuers=Issuers(fetch=fetch))
        server.shutdown()
        thread.join()
    assert data + pem_of(make.lower().certificate) == repaired.pem
    [(path, headers)] = seen
    assert (path, headers["Host"]) == ("/lower.der", "ca.example")


def test_an_answer_whose_signature_does_not_verify_is_refused():
    impostor = make.make_ca("Test Lower", make.upper(), key=make.rsa_key("impostor"))
    pages = {"/lower.der": answer(make.der_of(impostor.certificate))}
    assert refused(pages, make.key_pem() + leaf_that_says(URL)) == (
        "AIA-UNPROVED",
        1,
    )


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "::1", "fd00::1",
     "fe80::1%eth0", "::ffff:127.0.0.1", "100.64.0.1", "224.0.0.1", "2002:7f00:1::", "nonsense"],
)  # fmt: skip
def test_an_address_that_is_not_public_is_not_dialled(address):
    data = make.key_pem() + leaf_that_says(URL)
    assert refused({}, data, addresses=(PUBLIC, address)) == ("AIA-ADDRESS", 0)


@pytest.mark.parametrize(
    "url",
    ["ftp://ca.example/x", "file:///etc/passwd", "http://ca.example:22/x", "ldap://ca.example/x",
     "http://user@ca.example/x", "http:///x", "http://[::1/x", "x", "http://ca.example:x/"],
)  # fmt: skip
def test_an_address_of_another_kind_is_not_dialled(url):
    code, dialled = refused({}, make.key_pem() + leaf_that_says(url))
    assert (code, dialled) == ("AIA-ADDRESS", 0)


def test_a_redirection_is_vetted_like_the_first_address():
    hop = moved("http://ca.example:8080/x")
    data = make.key_pem() + leaf_that_says(URL)
    assert refused({"/lower.der": hop}, data) == ("AIA-ADDRESS", 1)


def test_redirections_end():
    hop = moved("/lower.der")
    data = make.key_pem() + leaf_that_says(URL)
    assert refused({"/lower.der": hop}, data) == ("AIA-UNREACHABLE", 4)


def test_an_answer_without_end_is_cut():
    endless = [b"HTTP/1.1 200 OK\r\n\r\n", *[b"A" * 4096] * (MAX_OCTETS // 4096 + 2)]
    data = make.key_pem() + leaf_that_says(URL)
    assert refused({"/lower.der": endless}, data) == ("AIA-TOO-LARGE", 1)


def test_the_second_place_is_asked_when_the_first_fails():
    pages = {"/lower.der": answer(make.der_of(make.lower().certificate))}
    leaf = leaf_that_says("http://ca.example/gone", URL)
    repaired, seen = fetched(pages, make.key_pem() + leaf)
    assert len(seen) == 2
    assert pem_of(make.lower().certificate) in repaired.pem


def test_a_leaf_that_names_no_place_cannot_be_completed():
    assert refused({}, make.key_pem() + make.leaf_pem()) == ("AIA-NOWHERE", 0)
