"""Why nothing was fetched, in words that belong to no edge.

Comes in: nothing. Goes out: one exception, which every edge that fetches turns into its own codes.
"""

from __future__ import annotations

from enum import Enum, auto


class Reason(Enum):
    """What happened instead."""

    ADDRESS = auto()
    """The address is none that the caller asks: its scheme, its port, a password in it."""
    PRIVATE = auto()
    """The host, which is the detail, is of a private network or of this machine."""
    PROXY = auto()
    """The environment names a proxy of an unknown kind."""
    UNRESOLVED = auto()
    """The host's name leads to no address; the detail says so."""
    UNREACHABLE = auto()
    """No connection, or none that speaks HTTP to its end."""
    NO_ROUTE = auto()
    """This machine has no way to such an address, like IPv6 where there is none."""
    TLS = auto()
    """The server showed no certificate that verifies."""
    TIMEOUT = auto()
    TOO_LARGE = auto()
    STATUS = auto()
    """Another status than 200; with a detail, a body in a form that was not asked for."""
    ASTRAY = auto()
    """A redirect to the detail, which is no address that the caller asks; empty for nowhere."""
    REDIRECTS = auto()
    """More redirects than the caller follows."""


class NotFetched(Exception):
    """What happened and where: an answer for the edges, never shown as it is.

    ``url`` and ``place`` are those of the last address asked; ``place`` is its host, with the port
    where that is not the scheme's own. They and ``detail`` are foreign text.
    """

    def __init__(self, reason: Reason, *, detail: str = "", status: int = 0) -> None:
        """Keep the parts."""
        super().__init__(reason.name)
        self.reason = reason
        self.detail = detail
        self.status = status
        self.url = ""
        self.place = ""

    def at(self, url: str, place: str) -> NotFetched:
        """Say where it happened."""
        self.url, self.place = url, place
        return self
