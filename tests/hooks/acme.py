"""A small ACME server on loopback (RFC 8555): real programs get real certificates of it, offline.

It knows one account at a time, the http-01 challenge and what certbot and lego ask for. Signatures
and nonces are checked, and a challenge is fetched from a port of this machine, whatever the name.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding

from certmail.rehearsal.authority import throwaway_authority

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"


def unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def packed(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _number(text: str) -> int:
    return int.from_bytes(unpacked(text))


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638 §3: the digest of a key's required members, in order."""
    wanted = ("e", "kty", "n") if jwk["kty"] == "RSA" else ("crv", "kty", "x", "y")
    text = json.dumps({name: jwk[name] for name in wanted}, separators=(",", ":"))
    return packed(hashlib.sha256(text.encode()).digest())


def verify(jwk: dict[str, str], signed: bytes, signature: bytes) -> None:
    """RFC 7518 §3: RS256 for certbot, ES256 for lego."""
    if jwk["kty"] == "RSA":
        key = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        return
    numbers = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), ec.SECP256R1())
    half = len(signature) // 2
    pair = (int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
    numbers.public_key().verify(
        utils.encode_dss_signature(*pair), signed, ec.ECDSA(hashes.SHA256())
    )


@dataclass
class Order:
    """One order: its names, the token of each challenge, and what came of it."""

    names: list[str]
    tokens: list[str]
    proved: set[int] = field(default_factory=set)
    chain: bytes = b""


class Issuer:
    """A CA with an intermediate, as the public ones have."""

    def __init__(self) -> None:
        root = throwaway_authority(datetime.now(UTC))
        self.lower = root.intermediate("certmail tests intermediate")

    def sign(self, csr: x509.CertificateSigningRequest) -> bytes:
        """Give the chain, leaf first, as an ACME server does (RFC 8555 §7.4.2)."""
        now, key = datetime.now(UTC), csr.public_key()
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        leaf = (
            x509.CertificateBuilder()
            .subject_name(csr.subject)
            .issuer_name(self.lower.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=90))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(names, critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.lower.key.public_key()),
                critical=False,
            )
            .sign(self.lower.key, hashes.SHA256())
        )
        return leaf.public_bytes(Encoding.PEM) + self.lower.pem


@dataclass
class Acme:
    """What is remembered between requests."""

    challenge_port: int
    base: str = ""
    issuer: Issuer = field(default_factory=Issuer)
    nonces: set[str] = field(default_factory=set)
    jwk: dict[str, str] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)

    def nonce(self) -> str:
        fresh = secrets.token_urlsafe(16)
        self.nonces.add(fresh)
        return fresh

    def opened(self, body: bytes, url: str) -> Any:
        """Check a signed request (RFC 8555 §6.2) and give its payload."""
        jws = json.loads(body)
        head = json.loads(unpacked(jws["protected"]))
        assert head["url"] == url, head
        self.nonces.remove(head["nonce"])
        if "jwk" in head:
            self.jwk = head["jwk"]
        signed = f"{jws['protected']}.{jws['payload']}".encode()
        verify(self.jwk, signed, unpacked(jws["signature"]))
        return json.loads(unpacked(jws["payload"])) if jws["payload"] else None

    def order_as_json(self, number: int) -> dict[str, Any]:
        order = self.orders[number]
        ready = len(order.proved) == len(order.names)
        status = "valid" if order.chain else "ready" if ready else "pending"
        value = {
            "status": status,
            "expires": "2099-01-01T00:00:00Z",
            "identifiers": [{"type": "dns", "value": name} for name in order.names],
            "authorizations": [
                f"{self.base}/authz/{number}/{index}" for index in range(len(order.names))
            ],
            "finalize": f"{self.base}/finalize/{number}",
        }
        return value | ({"certificate": f"{self.base}/cert/{number}"} if order.chain else {})

    def challenge_as_json(self, number: int, index: int) -> dict[str, Any]:
        order = self.orders[number]
        return {
            "type": "http-01",
            "url": f"{self.base}/challenge/{number}/{index}",
            "token": order.tokens[index],
            "status": "valid" if index in order.proved else "pending",
        }

    def fetch_challenge(self, number: int, index: int) -> None:
        """Ask as RFC 8555 §8.3 says, though on a port of this machine."""
        order = self.orders[number]
        token = order.tokens[index]
        line = http.client.HTTPConnection(LOOPBACK, self.challenge_port, timeout=10)
        try:
            line.request(
                "GET", f"/.well-known/acme-challenge/{token}", headers={"Host": order.names[index]}
            )
            said = line.getresponse().read().decode().strip()
        finally:
            line.close()
        assert said == f"{token}.{thumbprint(self.jwk)}", said
        order.proved.add(index)

    def post(self, path: str, payload: Any) -> tuple[int, Any, dict[str, str]]:
        """Answer one request: status, JSON or octets, further headers."""
        where, *rest = path.strip("/").split("/")
        acts = {
            "account": self.on_account,
            "new-order": self.on_new_order,
            "order": self.on_order,
            "authz": self.on_authz,
            "challenge": self.on_challenge,
            "finalize": self.on_finalize,
            "cert": self.on_cert,
        }
        return acts[where](payload, *(int(word) for word in rest))

    def on_account(self, _payload: Any) -> tuple[int, Any, dict[str, str]]:
        return 201, {"status": "valid"}, {"Location": f"{self.base}/acct/1"}

    def on_new_order(self, payload: Any) -> tuple[int, Any, dict[str, str]]:
        names = [one["value"] for one in payload["identifiers"]]
        self.orders.append(Order(names, [secrets.token_urlsafe(32) for _ in names]))
        number = len(self.orders) - 1
        return 201, self.order_as_json(number), {"Location": f"{self.base}/order/{number}"}

    def on_order(self, _payload: Any, number: int) -> tuple[int, Any, dict[str, str]]:
        return 200, self.order_as_json(number), {}

    def on_authz(self, _payload: Any, number: int, index: int) -> tuple[int, Any, dict[str, str]]:
        one = self.challenge_as_json(number, index)
        name = {"type": "dns", "value": self.orders[number].names[index]}
        return 200, {"status": one["status"], "identifier": name, "challenges": [one]}, {}

    def on_challenge(
        self, _payload: Any, number: int, index: int
    ) -> tuple[int, Any, dict[str, str]]:
        self.fetch_challenge(number, index)
        up = f'<{self.base}/authz/{number}/{index}>;rel="up"'
        return 200, self.challenge_as_json(number, index), {"Link": up}

    def on_finalize(self, payload: Any, number: int) -> tuple[int, Any, dict[str, str]]:
        csr = x509.load_der_x509_csr(unpacked(payload["csr"]))
        assert csr.is_signature_valid
        self.orders[number].chain = self.issuer.sign(csr)
        return 200, self.order_as_json(number), {"Location": f"{self.base}/order/{number}"}

    def on_cert(self, _payload: Any, number: int) -> tuple[int, Any, dict[str, str]]:
        return 200, self.orders[number].chain, {}


@contextmanager
def acme_server(context: ssl.SSLContext, *, challenge_port: int) -> Iterator[Acme]:
    """Serve until the end of the block; challenges are fetched from ``challenge_port``."""
    served = Acme(challenge_port)

    class Desk(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

        def answer(self, status: int, value: Any, more: dict[str, str]) -> None:
            octets = value if isinstance(value, bytes) else json.dumps(value).encode()
            pem = octets.startswith(b"-----BEGIN")
            self.send_response(status)
            kind = "application/pem-certificate-chain" if pem else "application/json"
            for name, said in {
                "Content-Type": kind,
                "Content-Length": str(len(octets)),
                "Replay-Nonce": served.nonce(),
                "Cache-Control": "no-store",
                **more,
            }.items():
                self.send_header(name, said)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(octets)

        def do_HEAD(self) -> None:
            self.answer(200, {}, {})

        def do_GET(self) -> None:
            base = served.base
            words = {"newNonce": "nonce", "newAccount": "account", "newOrder": "new-order"}
            self.answer(200, {name: f"{base}/{word}" for name, word in words.items()}, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            payload = served.opened(body, served.base + self.path)
            self.answer(*served.post(self.path, payload))

    server = ThreadingHTTPServer((LOOPBACK, 0), Desk)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    served.base = f"https://{LOOPBACK}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
