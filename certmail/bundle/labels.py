"""What a block's label says it is: the ones a bundle is made of, and the ones given by mistake.

Comes in: a label. Goes out: whether it belongs, or what it is, with the command that helps. Knows
the labels of RFC 7468, of OpenSSL, OpenSSH and OpenPGP. Does not look into the body.
"""

from __future__ import annotations

import re
from typing import Final

from certmail.frozen import frozen

CERTIFICATE: Final = "CERTIFICATE"

OLD_CERTIFICATE: Final = "X509 CERTIFICATE"
"""RFC 7468 §5.1 forbids to write this label; the provider's proxy does not know it."""

CERTIFICATES: Final = frozenset({CERTIFICATE, OLD_CERTIFICATE})

ENCRYPTED_KEY: Final = "ENCRYPTED PRIVATE KEY"

PRIVATE_KEYS: Final = frozenset(
    {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", ENCRYPTED_KEY}
)

BELONGS: Final = CERTIFICATES | PRIVATE_KEYS
"""Blocks that a bundle can be made of, though not all of them pass the later checks."""

MAX_SHOWN: Final = 40
"""A label longer than this is not shown: what follows it by accident may be the key itself."""

_WELL_FORMED: Final = re.compile(r"[A-Z0-9#.]{1,15}(?: [A-Z0-9#.]{1,15})*", re.ASCII)


@frozen
class Foreign:
    """A kind of block that does not belong, and what to do with it."""

    code: str
    kind: str
    why: str
    next: str
    repair: str | None = None


_CSR: Final = Foreign(
    "BLOCK-CSR",
    "a certificate request",
    "the CA turns a request into a certificate; servers need the certificate",
    "put the certificate your CA sent you in its place",
)
_PUBLIC: Final = Foreign(
    "BLOCK-PUBLIC-KEY",
    "a public key",
    "the certificate holds the public key already; the server needs the private one",
    "put the private key there, or remove the block if the private key is in the file",
)
_PKCS7: Final = Foreign(
    "BLOCK-PKCS7",
    "a PKCS#7 package of certificates",
    "servers read the certificates only one by one",
    "openssl pkcs7 -in bundle.p7b -print_certs -out certificates.pem",
)
_DH: Final = Foreign(
    "BLOCK-DH-PARAMETERS",
    "a set of Diffie-Hellman parameters",
    "they are a server setting, and the provider has its own",
    "remove the block",
    "drop",
)
_CRL: Final = Foreign(
    "BLOCK-CRL",
    "a revocation list",
    "clients fetch revocation lists from the CA, not from the server",
    "remove the block",
    "drop",
)
_SSH: Final = Foreign(
    "BLOCK-OPENSSH",
    "an SSH key",
    "TLS servers do not read OpenSSH's own format, and a login key is no server key",
    "if it really is the certificate's key: ssh-keygen -p -m PKCS8 -f copy-of-the-key",
)
_PGP: Final = Foreign(
    "BLOCK-PGP",
    "an OpenPGP block",
    "OpenPGP keys and messages have no place in a TLS bundle",
    "remove the block; give TLS keys and certificates only",
)

FOREIGN: Final[dict[str, Foreign]] = {
    "CERTIFICATE REQUEST": _CSR,
    "NEW CERTIFICATE REQUEST": _CSR,
    "PUBLIC KEY": _PUBLIC,
    "RSA PUBLIC KEY": _PUBLIC,
    "SSH2 PUBLIC KEY": _SSH,
    "OPENSSH PRIVATE KEY": _SSH,
    "PKCS7": _PKCS7,
    "PKCS #7 SIGNED DATA": _PKCS7,
    "CMS": _PKCS7,
    "DH PARAMETERS": _DH,
    "X9.42 DH PARAMETERS": _DH,
    "X509 CRL": _CRL,
    "EC PARAMETERS": Foreign(
        "BLOCK-EC-PARAMETERS",
        "a set of elliptic curve parameters",
        "openssl writes them in front of EC keys; no server needs them",
        "remove the block",
        "drop",
    ),
    "TRUSTED CERTIFICATE": Foreign(
        "BLOCK-TRUSTED",
        "a certificate with OpenSSL's own trust settings",
        "only OpenSSL reads what -trustout wrote",
        "openssl x509 -in trusted.pem -out certificate.pem",
    ),
}


def well_formed(label: str) -> bool:
    """Tell whether a label is short words in capitals, so that it can be shown."""
    return len(label) <= MAX_SHOWN and _WELL_FORMED.fullmatch(label) is not None


def foreign(label: str) -> Foreign:
    """Say what a block with a label that does not belong is."""
    if label.startswith("PGP "):
        return _PGP
    unknown = Foreign(
        "BLOCK-UNKNOWN",
        f"a block named {label}",
        "a bundle holds one private key and certificates, and nothing else",
        "remove the block, or put the private key or certificate in its place",
    )
    return FOREIGN.get(label, unknown)
