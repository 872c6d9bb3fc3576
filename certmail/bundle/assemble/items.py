"""What a bundle is put together from: keys and certificates as DER, each with where it came from.

Comes in: nothing. Goes out: frozen values, none of which shows its octets, and the one refusal of
this room. Knows neither files nor cryptography.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from certmail.bundle.findings import Finding, Severity
from certmail.errors import BundleError
from certmail.frozen import frozen
from certmail.values import Secret, printable

if TYPE_CHECKING:
    from collections.abc import Iterable


class Kind(Enum):
    """What an item is."""

    KEY = "key"
    CERTIFICATE = "certificate"


class KeyFormat(Enum):
    """How the private key is written: the two forms of RFC 5958 §2 and RFC 8017 §A.1.2."""

    PKCS8 = "pkcs8"
    PKCS1 = "pkcs1"


class Passphrase(Protocol):
    """Whoever can tell the passphrase of a protected key or package."""

    def __call__(self, what: str, /) -> Secret:
        """Give the passphrase of what is named, or raise a SecretError."""


@frozen
class Item:
    """One key or certificate.

    ``label`` is what the source called it, empty where the source had no label. ``armored`` is the
    whole block of a key that only its headers tell to be encrypted; ``der`` is empty then.
    """

    kind: Kind
    der: bytes = field(repr=False)
    label: str
    source: str
    lines: tuple[int, int] | None = None
    armored: bytes = field(default=b"", repr=False)

    @property
    def place(self) -> str:
        """Where it came from, as people say it."""
        if self.lines is None:
            return self.source
        first, last = self.lines
        return f"{self.source}, lines {first}-{last}"


@frozen
class Source:
    """One file or field that holds keys or certificates in any of the known forms."""

    name: str
    data: bytes = field(repr=False)


@frozen
class Lineage:
    """What one program keeps for one certificate: its key, itself and its chain."""

    kind: str
    name: str
    sources: tuple[Source, ...]


class Unrepairable(BundleError):
    """A source from which no bundle can be made without guessing; the findings travel along."""

    def __init__(self, findings: Iterable[Finding], *, file: str | None = None) -> None:
        """Speak with the words of the first error: causes come before consequences."""
        self.findings = tuple(findings)
        errors = [finding for finding in self.findings if finding.severity is Severity.ERROR]
        first = (errors or list(self.findings))[0]
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        super().__init__(
            first.code,
            f"no bundle can be made of it: {first.what}{more}",
            why=first.why,
            next=first.next,
            file=printable(file, limit=400) if file else None,
            lines=first.lines,
        )
