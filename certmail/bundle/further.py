"""What a check may be asked beyond the file: facts that edges found, and how they are to be used.

Comes in: nothing. Goes out: frozen values. All of it is public. The edges have looked (at a file's
mode, a store of roots, a list of broken keys, a server, a CA's answer); judging is for the check.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Final

from certmail.bundle import rules
from certmail.frozen import frozen

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from certmail.bundle.facts import CertificateFacts


@frozen
class Anchors:
    """The certificates to trust, and whose choice they are, like ``certifi 2026.10.18``."""

    name: str
    certificates: tuple[bytes, ...] = field(repr=False)


@frozen
class Replaced:
    """The certificate that the new one is to replace, and where it was seen."""

    where: str
    facts: CertificateFacts


@frozen(kw_only=True)
class Sent:
    """A certificate that was handed to the provider before, as the log has it."""

    at: str
    names: tuple[str, ...]
    ends: datetime
    serial: str
    sha256: str


class Kind(Enum):
    """How a CA tells what it has revoked."""

    OCSP = "OCSP"
    CRL = "CRL"


@frozen
class Question:
    """What to ask whom: ``body`` is posted for OCSP, and empty where a list is fetched.

    ``subject`` is the SHA-256 of the certificate it is about.
    """

    kind: Kind
    url: str
    body: bytes
    subject: str


@frozen
class Answer:
    """What came back, unread; None with the reason where nothing did."""

    question: Question
    octets: bytes | None = field(repr=False)
    reason: str = ""


@frozen(kw_only=True)
class Further:
    """What else is known and wanted; by default nothing.

    ``moduli`` are those of other keys seen in the same run. ``blocklist`` is a list of broken keys
    in the form of Debian's openssl-blacklist. ``answers`` is None where revocation is not asked
    for. ``sound`` is the SHA-256 of a bundle whose key's numbers were found to fit before, in this
    very run: they are not looked at again in the same octets, and in others they are.
    """

    warn_before: timedelta = rules.EXPIRES_SOON
    file_mode: int | None = None
    moduli: tuple[int, ...] = field(default=(), repr=False)
    blocklist: bytes = field(default=b"", repr=False)
    replaces: Replaced | None = None
    sent: tuple[Sent, ...] = ()
    anchors: Anchors | None = None
    answers: tuple[Answer, ...] | None = None
    sound: str | None = None


NOTHING: Final = Further()
