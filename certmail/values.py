"""Spelling rules: text goes in, a value that is spelled right comes out, or our error.

Each type here is self-evident: its truth is readable in the value, so the public constructor
proves it, always. Knows RFC 5321 §4.1.2 (mailbox), RFC 1123 §2.1 (host names), RFC 9580 §5.5.4
(fingerprints). Knows neither files nor time.
"""

from __future__ import annotations

import re
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from certmail.errors import SettingsError
from certmail.frozen import frozen

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

MAX_ADDRESS_OCTETS: Final = 254
"""RFC 5321 §4.5.3.1.3 allows a path of 256 octets, the angle brackets included."""

MAX_LOCAL_PART_OCTETS: Final = 64
"""RFC 5321 §4.5.3.1.1."""

MAX_HOSTNAME_OCTETS: Final = 253
"""RFC 1035 §2.3.4, without the root label."""

_ATEXT: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_DOT_ATOM: Final = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*", re.ASCII)
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_FINGERPRINT: Final = re.compile(r"[0-9A-F]{40}", re.ASCII)


@frozen
class Address:
    """An ASCII addr-spec ``local@domain``: a Dot-string and a Domain (RFC 5321 §4.1.2).

    Quoted local parts, address literals and internationalised addresses are refused: they are the
    forms by which a second address or an ESMTP parameter is smuggled into an envelope.

    Raises:
        SettingsError: ``ADDRESS-MALFORMED``.
    """

    text: str

    def __post_init__(self) -> None:
        """Prove the spelling."""
        local, at, domain = self.text.rpartition("@")
        if (
            not at
            or len(self.text) > MAX_ADDRESS_OCTETS
            or len(local) > MAX_LOCAL_PART_OCTETS
            or not _DOT_ATOM.fullmatch(local)
            or not _DOMAIN.fullmatch(domain)
        ):
            raise SettingsError(
                "ADDRESS-MALFORMED",
                f"{printable(self.text)} is not a plain address like name@example.org",
                why="an address with anything more in it can add a recipient or a parameter",
                next="give the bare address, without a name, quotes or angle brackets",
            )

    @property
    def domain(self) -> str:
        """The part behind the last ``@``."""
        return self.text.rpartition("@")[2]

    def same_mailbox(self, other: str) -> bool:
        """Tell whether ``other`` names this mailbox; the domain's case does not matter."""
        local, at, domain = other.rpartition("@")
        mine, _, my_domain = self.text.rpartition("@")
        return bool(at) and local == mine and domain.lower() == my_domain.lower()

    def __str__(self) -> str:
        """Give the bare address."""
        return self.text


@frozen
class Hostname:
    """A host name in letters, digits and hyphens (RFC 1123 §2.1), or an IP address.

    An IP address is matched against the certificate's iPAddress names (RFC 9525 §6.4). The text
    is kept in lower case, without a trailing dot and without brackets.

    Raises:
        SettingsError: ``HOSTNAME-MALFORMED``.
    """

    text: str

    def __post_init__(self) -> None:
        """Prove the spelling and settle on one form."""
        # lower() folds some foreign letters to ASCII ones, and the zone of an IPv6 address may
        # hold any character: both are refused by what was written, not by what became of it.
        if not self.text.isascii() or "%" in self.text:
            _refuse_hostname(self.text)
        text = self.text.lower().removesuffix(".")
        bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        address = _ip_address(bare)
        if address is not None:
            text = address.compressed
        elif len(text) > MAX_HOSTNAME_OCTETS or not _DOMAIN.fullmatch(text) or _numeric(text):
            _refuse_hostname(self.text)
        object.__setattr__(self, "text", text)

    @property
    def is_ip(self) -> bool:
        """Whether this is an address rather than a name."""
        return _ip_address(self.text) is not None

    @property
    def is_loopback(self) -> bool:
        """Whether this names this very machine, whatever the resolver says."""
        address = _ip_address(self.text)
        return self.text == "localhost" if address is None else address.is_loopback

    def __str__(self) -> str:
        """Give the bare name."""
        return self.text


@frozen
class Fingerprint:
    """A whole version 4 OpenPGP fingerprint: 40 upper-case hex digits (RFC 9580 §5.5.4.2).

    Raises:
        SettingsError: ``FINGERPRINT-MALFORMED``.
    """

    text: str

    def __post_init__(self) -> None:
        """Prove the spelling; spaces and lower case are accepted from people."""
        text = self.text.replace(" ", "").upper().removeprefix("0X")
        # isascii: upper() makes two ASCII letters of one ligature.
        if not self.text.isascii() or not _FINGERPRINT.fullmatch(text):
            raise SettingsError(
                "FINGERPRINT-MALFORMED",
                f"{printable(self.text)} is not a fingerprint of 40 hex digits",
                why="a shorter key ID can be forged; only the whole fingerprint names a key",
                next="gpg --list-secret-keys --with-subkey-fingerprint",
            )
        object.__setattr__(self, "text", text)

    @property
    def key_id(self) -> str:
        """The low 64 bits as 16 hex digits: what a packet carries, never an identity."""
        return self.text[-16:]

    def grouped(self) -> str:
        """Give ten groups of four digits, as people read them aloud."""
        return " ".join(self.text[i : i + 4] for i in range(0, 40, 4))

    def __str__(self) -> str:
        """Give the 40 digits."""
        return self.text


class SecretKind(Enum):
    """What a secret is; a login that takes the one is never given the other."""

    PASSWORD = "password"  # noqa: S105  # a kind, not a password
    TOKEN = "token"  # noqa: S105  # a kind, not a token


@frozen(eq=False)
class Secret:
    """A password or token that no formatting, comparison or copy gives away.

    ``reveal()`` is the only way to the text, so that its uses can be found by searching for it.
    """

    _text: str = field(repr=False)
    kind: SecretKind = SecretKind.PASSWORD

    def reveal(self) -> str:
        """Give the text, to the one place that must have it."""
        return self._text

    def __repr__(self) -> str:
        """Hide the text."""
        return "<secret>"

    def __str__(self) -> str:
        """Hide the text."""
        return "<secret>"

    def __format__(self, spec: str) -> str:
        """Hide the text."""
        return "<secret>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or deep-copied."""
        raise TypeError("a Secret is not copied")


class SecretSource(Protocol):
    """Where the relay's password or token comes from. Read once, once TLS is proved, or never."""

    @property
    def kind(self) -> SecretKind:
        """What it gives, known before it is read."""

    def read(self) -> Secret:
        """Give the secret, or raise a SecretError."""


def printable(text: str, *, limit: int = 80) -> str:
    """Make foreign text safe to show: one line, no control, escape or direction characters.

    Anything unprintable becomes ``?``; more than ``limit`` characters are cut with an ellipsis.
    """
    clean = text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _ip_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an IP address; None where it is none."""
    import ipaddress  # noqa: PLC0415 - what meets no host name does without

    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _numeric(text: str) -> bool:
    """Tell a would-be IPv4 address from a name: RFC 1123 §2.1 wants an alphabetic last label.

    Resolvers also read ``0x7f000001`` as an address.
    """
    return re.fullmatch(r"[0-9]+|0x[0-9a-f]*", text.rpartition(".")[2]) is not None


def _refuse_hostname(text: str) -> NoReturn:
    raise SettingsError(
        "HOSTNAME-MALFORMED",
        f"{printable(text)} is not a host name",
        why="the relay's certificate is checked against this name, so it must be exact",
        next="give the name your mail provider documents, like smtp.example.org",
    ) from None
