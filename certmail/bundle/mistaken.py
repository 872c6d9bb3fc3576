"""Names a whole file that is something else than a PEM bundle, and how to get a bundle from it.

Comes in: the file. Goes out: one finding, or None if it may be PEM. Recognises by first octets,
by DER shape and by the words of JSON, YAML and HTML; decodes nothing, and quotes nothing.
"""

from __future__ import annotations

import re
from typing import Final

from certmail.bundle import der
from certmail.bundle.der import Shape
from certmail.bundle.findings import Finding, error

_BOUNDARY: Final = re.compile(rb"BEGIN|-END[ \t]", re.IGNORECASE)
_YAML: Final = re.compile(
    rb"^(?:apiVersion|kind|stringData|data):|^[ \t]*[\w.-]{1,80}:[ \t]*[|>][+-]?[ \t]*$",
    re.MULTILINE,
)
_BASE64: Final = re.compile(rb"\s*+[A-Za-z0-9+/]{40}[A-Za-z0-9+/\s]*+={0,2}\s*+")
_ONLY_TEXT: Final = re.compile(rb"[^\x00-\x08\x0e-\x1f\x7f]*")

_DER_NEXT: Final[dict[Shape, tuple[str, str]]] = {
    Shape.CERTIFICATE: ("FILE-DER", "openssl x509 -inform DER -in bundle.der -out leaf.pem"),
    Shape.REQUEST: ("FILE-DER", "put the certificate your CA sent you in its place"),
    Shape.PUBLIC_KEY: ("FILE-DER", "give the private key and the certificates instead"),
    Shape.PKCS7: (
        "FILE-PKCS7",
        "openssl pkcs7 -inform DER -in bundle.p7b -print_certs -out certificates.pem",
    ),
    Shape.PKCS12: (
        "FILE-PKCS12",
        "umask 077 && openssl pkcs12 -nodes -in bundle.p12 -out parts.pem",
    ),
}

_JSON_NEXT: Final[tuple[tuple[bytes, str, str], ...]] = (
    (
        b'"tls.key"',
        "a Kubernetes secret",
        'jq -r \'.data | ."tls.key", ."tls.crt" | @base64d\' bundle.json',
    ),
    (
        b'"CertificateChain"',
        "an answer of AWS Certificate Manager",
        "jq -r '.PrivateKey, .Certificate, .CertificateChain' bundle.json, then decrypt the key",
    ),
    (
        b'"ca_chain"',
        "an answer of Vault",
        "jq -r '.data | .private_key, .certificate, .ca_chain[]' bundle.json",
    ),
)

_MAGIC: Final[tuple[tuple[bytes, str, str, str], ...]] = (
    (
        b"\xfe\xed\xfe\xed",
        "FILE-JKS",
        "a Java key store",
        "keytool -importkeystore -srckeystore bundle.jks -destkeystore new.p12",
    ),
    (
        b"\xce\xce\xce\xce",
        "FILE-JKS",
        "a Java key store (JCEKS)",
        "keytool -importkeystore -srcstoretype JCEKS -srckeystore x.jks -destkeystore x.p12",
    ),
    (b"PK\x03\x04", "FILE-ARCHIVE", "a ZIP archive", "unzip -l bundle.zip"),
    (b"\x1f\x8b", "FILE-ARCHIVE", "a gzip archive", "tar -tzf bundle.tar.gz"),
    (
        b"PuTTY-User-Key-File",
        "FILE-PUTTY",
        "a PuTTY key",
        "give the key the certificate was requested with, not a login key",
    ),
    (
        b"ssh-",
        "FILE-SSH",
        "an SSH public key",
        "give the key the certificate was requested with, not a login key",
    ),
)


def recognise(data: bytes) -> Finding | None:
    """Say what the file is if it is no PEM; None if there is a boundary to look at."""
    return _binary(data) or _markup(data) or _without_boundary(data)


def _mistaken(code: str, kind: str, next: str) -> Finding:
    return error(
        code,
        None,
        f"the file is {kind}, not a PEM bundle",
        why="the provider takes PEM: a private key, the certificate and its intermediates",
        next=next,
    )


def _binary(data: bytes) -> Finding | None:
    for magic, code, kind, hint in _MAGIC:
        if data.startswith(magic):
            return _mistaken(code, kind, hint)
    if der.claimed_size(data) is None or data.isascii():
        return None
    shape = der.shape(data)
    if shape is Shape.UNKNOWN:
        return None
    key = ("FILE-DER", "openssl pkey -inform DER -in bundle.der -out key.pem")
    code, hint = _DER_NEXT.get(shape, key)
    return _mistaken(code, f"{shape.value} in DER", hint)


def _markup(data: bytes) -> Finding | None:
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] in {b"{", b"["} and b'"' in start:
        for word, kind, hint in _JSON_NEXT:
            if word in start:
                return _mistaken("FILE-JSON", f"JSON, {kind}", hint)
        hint = "take the key and the certificates out with jq -r, in that order"
        return _mistaken("FILE-JSON", "JSON", hint)
    if start[:1] == b"<" and re.match(rb"<(?:!doctype|html|\?xml)", start, re.IGNORECASE):
        return _mistaken("FILE-HTML", "a web page", "download the file itself, not the page")
    if _YAML.search(data):
        hint = (
            'kubectl get secret NAME -o json | jq -r \'.data | ."tls.key", ."tls.crt" | @base64d\''
        )
        return _mistaken("FILE-YAML", "YAML, like a Kubernetes manifest", hint)
    return None


def _without_boundary(data: bytes) -> Finding | None:
    if _BOUNDARY.search(data):
        return None
    if _BASE64.fullmatch(data):
        kind = "bare base64 without BEGIN and END lines"
        return _mistaken("FILE-BASE64", kind, "umask 077 && base64 -d bundle.txt >decoded")
    if _ONLY_TEXT.fullmatch(data):
        kind = "text without any BEGIN line"
        return _mistaken("FILE-NO-PEM", kind, "give the file that holds the key and certificates")
    return _mistaken("FILE-BINARY", "binary data of an unknown kind", "file bundle.pem")
