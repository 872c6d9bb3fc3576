"""What may be shown about a bundle: public facts, safe to print, log and write as JSON.

Comes in: nothing. Goes out: frozen values. No private number and no unescaped foreign text fits
in here; every text has been through ``values.printable``. Knows neither PEM nor cryptography.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from certmail.frozen import frozen

if TYPE_CHECKING:
    from datetime import datetime


_COMMON_NAME: Final = re.compile(r"(?:^|,)CN=((?:[^,\\]|\\.)+)")


@frozen(kw_only=True)
class CertificateFacts:
    """One certificate as its block says; nothing here is believed because it is signed.

    ``names`` are the dNSName and iPAddress entries of the subjectAltName. ``serial`` is lower-case
    hex, the digests are upper-case hex. ``key_bits`` is 0 where the algorithm has no size we know,
    and ``spki_sha256`` is empty where the public key itself could not be read.
    ``self_signed`` means: issuer and subject are equal, and the signature does not contradict it.
    """

    lines: tuple[int, int]
    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    serial: str
    sha256: str
    spki_sha256: str
    key_algorithm: str
    key_bits: int
    signature_algorithm: str
    is_ca: bool
    self_signed: bool


@frozen(kw_only=True)
class KeyFacts:
    """The public half of a readable RSA key. ``spki_sha256`` compares with a certificate's."""

    lines: tuple[int, int]
    label: str
    algorithm: str
    bits: int
    spki_sha256: str


@frozen(kw_only=True)
class BundleFacts:
    """What could be read, also from a bundle that must not be sent.

    ``certificates`` are in file order. ``path`` runs from the leaf upwards as the signatures say,
    which is the order they ought to stand in; it is empty where no leaf could be told. ``anchor``
    names the trusted certificate the chain was verified to end in, if that was asked for.
    """

    key: KeyFacts | None
    certificates: tuple[CertificateFacts, ...]
    path: tuple[CertificateFacts, ...]
    anchor: str = ""


def sha256_hex(octets: bytes) -> str:
    """Give a digest the way the facts carry it."""
    import hashlib  # noqa: PLC0415 - a file that cannot be read has no digest

    return hashlib.sha256(octets).hexdigest().upper()


def common_name(subject: str) -> str:
    """Give the common name of a subject (RFC 4514 §3); without one, all of it."""
    found = _COMMON_NAME.search(subject)
    return found[1] if found else subject or "(no subject)"
