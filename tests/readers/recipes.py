"""What is read: which key signs, how large the bundle is, which names, for whom, with a copy.

Every value of every dimension stands in at least one recipe, and the rare ones meet each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from certmail.message.seal import Copy


class Signing(Enum):
    """The algorithm of the sender's key, as GnuPG names it."""

    RSA2048 = "rsa2048"
    RSA3072 = "rsa3072"
    RSA4096 = "rsa4096"
    ED25519 = "ed25519"
    P256 = "nistp256"
    P384 = "nistp384"
    P521 = "nistp521"


class Size(Enum):
    TINY = "an RSA 2048 leaf alone"
    LARGE = "an RSA 4096 leaf with many names, and four CAs of RSA 4096"


class Names(Enum):
    PLAIN = "ASCII"
    ACCENTED = "accents and IDNs"


class To(Enum):
    """The recipient's key."""

    RSA4096 = "RSA 4096, as the real one"
    CV25519 = "Curve25519"
    OCB = "Curve25519, advertising AEAD"


class Form(Enum):
    COMBINED = "RFC 3156 §6.2"
    ENCAPSULATED = "RFC 3156 §6.1"


@dataclass(frozen=True)
class Recipe:
    signing: Signing
    size: Size
    names: Names
    to: To
    copy: Copy = Copy.NONE

    @property
    def name(self) -> str:
        parts = [self.signing.value, self.size.name.lower(), self.names.name.lower()]
        parts.append(f"to-{self.to.name.lower()}")
        return "-".join(parts) + ("-copy" if self.copy is Copy.FOR_SENDER else "")


RECIPES = (
    Recipe(Signing.RSA2048, Size.TINY, Names.PLAIN, To.RSA4096),
    Recipe(Signing.RSA3072, Size.TINY, Names.ACCENTED, To.CV25519),
    Recipe(Signing.RSA4096, Size.LARGE, Names.ACCENTED, To.RSA4096),
    Recipe(Signing.RSA4096, Size.TINY, Names.PLAIN, To.RSA4096, Copy.FOR_SENDER),
    Recipe(Signing.ED25519, Size.TINY, Names.ACCENTED, To.RSA4096),
    Recipe(Signing.ED25519, Size.LARGE, Names.PLAIN, To.OCB),
    Recipe(Signing.ED25519, Size.LARGE, Names.ACCENTED, To.OCB, Copy.FOR_SENDER),
    Recipe(Signing.P256, Size.TINY, Names.ACCENTED, To.OCB),
    Recipe(Signing.P384, Size.LARGE, Names.PLAIN, To.CV25519),
    Recipe(Signing.P521, Size.TINY, Names.ACCENTED, To.CV25519, Copy.FOR_SENDER),
)
