"""Fetch one source: HTTPS, verified, bounded, and no further than it may go.

Comes in: a `Source` and the bounds. Goes out: bytes, or a `KeyRefused` that says what the source
did instead. The fetching is done by `web`; here its reasons get their codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from certmail import __version__
from certmail.errors import KeyRefused
from certmail.frozen import frozen
from certmail.values import printable
from certmail.web import fetch as web
from certmail.web.failure import NotFetched, Reason
from certmail.web.fetch import HTTPS, Given, Limits, Reach

if TYPE_CHECKING:
    from certmail.keysources.places import Source

MAX_OCTETS: Final = 2 * 1024 * 1024
"""A page with a key in it, and the handshake around it."""

TIMEOUT_S: Final = 15.0
MAX_REDIRECTS: Final = 3

_ABSENT: Final = frozenset({404, 410})
_HEADERS: Final = {
    "User-Agent": f"certmail/{__version__}",
    "Accept": "application/pgp-keys, text/plain, text/html;q=0.8, */*;q=0.5",
}


@frozen(kw_only=True)
class Network(Reach):
    """How to reach the world, and for how long and how much."""

    timeout_s: float = TIMEOUT_S
    max_octets: int = MAX_OCTETS


def fetch(source: Source, *, network: Network) -> bytes:
    """Fetch what a source has to say.

    Raises:
        KeyRefused: ``KEY-SOURCE-…`` with what the source did, or ``KEY-TOO-LARGE``.
    """
    limits = Limits(
        schemes=HTTPS,
        seconds=network.timeout_s,
        octets=network.max_octets,
        redirects=MAX_REDIRECTS,
    )
    given = Given.BY_THE_USER if source.typed else Given.BY_A_STRANGER
    try:
        return web.fetch(source.url, limits=limits, reach=network, headers=_HEADERS, given=given)
    except NotFetched as failure:
        raise _refused(failure, source, network) from None


def _refused(failure: NotFetched, source: Source, network: Network) -> KeyRefused:
    """Say what the source did instead, and what to do about it."""
    code, what, why, act = _WORDS[failure.reason]
    if failure.reason is Reason.STATUS and failure.status in _ABSENT:
        code, what, why, act = _ABSENCE
    seen = printable(failure.detail)
    return KeyRefused(
        code,
        what.format(
            url=printable(failure.url, limit=120),
            place=printable(failure.place, limit=100),
            name=source.name,
            host=seen,
            there=printable(failure.detail, limit=120) or "nowhere",
            verdict=f" ({seen})" if seen else "",
            reason=printable(failure.detail, limit=60) or "no reason given",
            answer=seen or f"with status {failure.status}",
            status=failure.status,
            seconds=f"{network.timeout_s:.0f}",
        ),
        why=why,
        next=act,
    )


_ABSENCE: Final = (
    "KEY-SOURCE-ABSENT",
    "{place} has no such key ({status})",
    "it was looked for by the whole fingerprint, or where the documentation says",
    "certmail key refresh --from FILE, with a copy from elsewhere",
)

_UNREACHABLE: Final = (
    "KEY-SOURCE-UNREACHABLE",
    "{place} cannot be reached ({reason})",
    "it is one of several places where a newer copy could lie",
    "look at the network, then certmail key refresh; or --from FILE",
)

_WORDS: Final = {
    Reason.ADDRESS: (
        "KEY-SOURCE-NOT-HTTPS",
        "{url} is not a plain https address",
        (
            "over http anybody on the way can keep a revocation from you, and a name or password"
            " in an address ends up in logs"
        ),
        "certmail key refresh --from https://…, or --from FILE",
    ),
    Reason.PRIVATE: (
        "KEY-SOURCE-PRIVATE",
        "{host} is a host of a private network or of this machine",
        "a source that leads there would make certmail ask inside your network for a stranger",
        "certmail key refresh --from https://HOST/…, if you know the place and mean it",
    ),
    Reason.PROXY: (
        "KEY-SOURCE-PROXY",
        "the proxy that the environment names is not one certmail can use",
        "http and https proxies are understood; going around yours would not be right",
        "look at https_proxy and all_proxy, or name the hosts in no_proxy",
    ),
    Reason.UNRESOLVED: _UNREACHABLE,
    Reason.UNREACHABLE: _UNREACHABLE,
    Reason.TLS: (
        "KEY-SOURCE-TLS",
        "{place} does not show a certificate that verifies{verdict}",
        (
            "somebody may sit between here and there; the pin would still hold, but they could"
            " keep a newer copy back"
        ),
        "look at the clock and the proxy of this machine, then certmail key refresh",
    ),
    Reason.TIMEOUT: (
        "KEY-SOURCE-TIMEOUT",
        "{place} did not answer within {seconds} seconds",
        "a source that stalls must not hold up the others",
        "certmail key refresh, later",
    ),
    Reason.TOO_LARGE: (
        "KEY-TOO-LARGE",
        "the source sends more than any page with a key in it",
        "a key block has a few kilobytes; this is something else",
        "certmail key refresh --from FILE, with a copy of the key alone",
    ),
    Reason.STATUS: (
        "KEY-SOURCE-STATUS",
        "{place} answers {answer}",
        "that is not a copy of a key",
        "certmail key refresh, later",
    ),
    Reason.ASTRAY: (
        "KEY-SOURCE-REDIRECT",
        "{place} sends us on to {there}, which is not https",
        "a copy is never fetched over a connection that others can read and change",
        "certmail key refresh --from URL, with the https address of the key itself",
    ),
    Reason.REDIRECTS: (
        "KEY-SOURCE-REDIRECT",
        f"{{name}} sends us on more than {MAX_REDIRECTS} times",
        "whoever is sent in circles learns nothing",
        "certmail key refresh --from URL, with the address where the key itself is",
    ),
}
