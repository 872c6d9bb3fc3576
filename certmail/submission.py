"""What can be asked of a relay and of the way to it: words that settings and delivery share.

Comes in: nothing. Goes out: enumerations, whose values are what people write. None of them has a
member that would do without TLS to the relay.
"""

from __future__ import annotations

from enum import Enum


class Mode(Enum):
    """When TLS begins (RFC 8314 §3.3). Nothing here means "if the relay happens to offer it"."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"

    @property
    def scheme(self) -> str:
        """How a relay's URL begins; names the keyring entry."""
        return "smtps" if self is Mode.IMPLICIT else "smtp+starttls"

    @property
    def default_port(self) -> int:
        """The port that IANA assigned: 465 for submissions, 587 for submission."""
        return 465 if self is Mode.IMPLICIT else 587


class Login(Enum):
    """How to log in (RFC 4954). None of these is tried outside TLS, and none after another.

    `AUTO` is the strongest that the relay offers and the kind of secret fits: of passwords
    SCRAM-SHA-256, PLAIN, LOGIN; of tokens OAUTHBEARER, XOAUTH2. SCRAM-SHA-256-PLUS is taken only
    where it is named, since a relay does not say which channel binding it means by it.
    """

    AUTO = "auto"
    PLAIN = "plain"
    LOGIN = "login"
    SCRAM_SHA_256 = "scram-sha-256"
    SCRAM_SHA_256_PLUS = "scram-sha-256-plus"
    OAUTHBEARER = "oauthbearer"
    XOAUTH2 = "xoauth2"


class TlsPath(Enum):
    """Whether the servers behind the relay must use verified TLS too (RFC 8689 §4.3).

    What travels is encrypted for the recipient either way; TLS behind the relay hides who writes
    to whom. `NOT_ASKED` is for a recipient whose server does not know REQUIRETLS: a message that
    asks for it would be returned.
    """

    WHEN_OFFERED = "when-offered"
    REQUIRED = "required"
    NOT_ASKED = "not-asked"


class Reports(Enum):
    """What the relay and those behind it should report to the sender (RFC 3461 §4.1)."""

    FAILURE = "failure"
    SUCCESS = "success"
    NOT_ASKED = "not-asked"


class ProxyKind(Enum):
    """How a proxy is asked to connect."""

    SOCKS5 = "socks5"
    HTTP_CONNECT = "http"
