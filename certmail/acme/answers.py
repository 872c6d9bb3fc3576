"""What each address of a domain said when it was asked for the challenge.

Comes in: what the edge saw. Goes out: the same as values, with what their headers mean. Headers and
bodies are foreign text: shown only after `printable`.
"""

from __future__ import annotations

import ipaddress
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from certmail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH: Final = "/.well-known/acme-challenge/test"
"""The provider's load balancers answer here, for a person who wants to know whether it works."""

EXPECTED: Final = b"test"
OK: Final = 200

HEADERS: Final = (
    "server",
    "cf-ray",
    "cf-cache-status",
    "cf-mitigated",
    "age",
    "location",
    "via",
    "sozu-id",
    "content-encoding",
)
"""What tells who answered; no other header is kept."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FROM_CACHE: Final = frozenset({"hit", "stale", "updating", "revalidated"})
_MADE_BY_CLOUDFLARE: Final = frozenset({"", "none", "unknown"})
"""Cloudflare leaves the cache status out, or says so, where it answered before its cache."""


class Silence(Enum):
    """Why an address gave no answer."""

    UNREACHABLE = "no connection"
    TIMEOUT = "no answer in time"
    BROKEN = "an answer that is no HTTP"
    TOO_LARGE = "headers without end"
    NO_ROUTE = "this machine has no way there"
    PRIVATE = "a private address, not asked"


@frozen(kw_only=True)
class Answer:
    """One answer, or why there was none: then ``status`` is 0.

    ``headers`` holds those of ``HEADERS`` that came, in lower case. ``body`` is the beginning, and
    ``cut`` tells whether there was more.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False
    silence: Silence | None = None
    detail: str = ""

    @property
    def is_right(self) -> bool:
        """Whether this is the answer that Let's Encrypt needs: 200, and the word alone."""
        return (
            self.status == OK
            and not self.cut
            and self.header("content-encoding") in {"", "identity"}
            and self.body.strip() == EXPECTED
        )

    def header(self, name: str) -> str:
        """Give a header in lower case, or nothing."""
        return self.headers.get(name, "").strip().lower()

    @property
    def is_redirect(self) -> bool:
        """Whether it sends the client somewhere else."""
        return self.status in _REDIRECTS

    @property
    def through_cloudflare(self) -> bool:
        """Whether Cloudflare handed it out, whoever made it."""
        return self.header("server") == "cloudflare" or bool(self.header("cf-ray"))

    @property
    def made_by_cloudflare(self) -> bool:
        """Whether Cloudflare made it without asking the server behind."""
        return self.through_cloudflare and self.header("cf-cache-status") in _MADE_BY_CLOUDFLARE

    @property
    def from_cache(self) -> bool:
        """Whether it lay in a cache: it tells of the past (RFC 9111 §5.1)."""
        age = self.header("age")
        aged = age.isascii() and age.isdigit() and age.strip("0") != ""
        return aged or self.header("cf-cache-status") in _FROM_CACHE

    def leads_to(self, domain: str) -> str:
        """Say where a redirect leads: ``https`` for the same domain over HTTPS, or its words."""
        there = self.headers.get("location", "")
        try:
            parts = urlsplit(there)
            same = (parts.hostname or "") == domain
        except ValueError:
            return there
        return "https" if same and parts.scheme.lower() == "https" else there


@frozen
class Heard:
    """What one address said; ``again`` is its answer when its cache was asked to step aside."""

    address: str
    first: Answer
    again: Answer | None = None

    @property
    def is_ipv6(self) -> bool:
        """Whether the address is of IPv6."""
        return isinstance(
            ipaddress.ip_address(self.address.partition("%")[0]), ipaddress.IPv6Address
        )

    @property
    def family(self) -> str:
        """Name the family."""
        return "IPv6" if self.is_ipv6 else "IPv4"

    @property
    def fresh(self) -> Answer:
        """The answer that tells of now."""
        return self.again or self.first

    @property
    def is_right(self) -> bool:
        """Whether what is answered now is right, from a cache or not."""
        return self.first.is_right and self.fresh.is_right


class Resolved(Enum):
    """What the resolver said about the name."""

    FOUND = "found"
    NO_ADDRESS = "no address"


@frozen(kw_only=True)
class Asked:
    """A domain, and what all of its addresses said; ``unasked`` are those beyond the limit.

    ``alias`` is the name at the end of the domain's CNAME records, empty where none is known.

    ``behind_proxy`` tells that the environment names a proxy; addresses are asked directly all the
    same, since Let's Encrypt comes from outside.
    """

    domain: str
    resolved: Resolved
    heard: tuple[Heard, ...] = ()
    unasked: tuple[str, ...] = ()
    alias: str = ""
    behind_proxy: bool = False

    @property
    def url(self) -> str:
        """What was asked for."""
        return f"http://{self.domain}{PATH}"
