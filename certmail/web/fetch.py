"""Fetch one address: verified, bounded, and no further than the caller lets it go.

Comes in: an address and the caller's limits. Goes out: the body, or a `NotFetched`. httpcore does
the work, over the connections of `network`; redirects are followed here, by hand, since each one is
a new place to be looked at. Cookies, caches and packed bodies do not exist.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import httpcore
import httpx

from certmail.frozen import frozen
from certmail.web import addresses
from certmail.web.failure import NotFetched, Reason
from certmail.web.network import Budget, GuardedBackend
from certmail.web.proxies import proxy_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certmail.web.addresses import Resolve

_PORTS: Final = {"http": 80, "https": 443}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_OK: Final = 200

FAILURES: Final = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    OSError,
    ValueError,  # a header or a host name that no protocol allows
)
"""What httpcore and sockets raise where nothing, or nothing of HTTP, comes back."""


class Given(Enum):
    """Who gave an address: what the user typed may lead into their own network."""

    BY_THE_USER = auto()
    BY_A_STRANGER = auto()


class Ports(Enum):
    """Which ports an address may name."""

    ANY = auto()
    OF_THE_SCHEME = auto()


HTTPS: Final = frozenset({"https"})
"""Where the way itself must be trusted."""

SIGNED: Final = frozenset({"https", "http"})
"""Where the answer counts only if its signature verifies, so that the way need not be trusted."""


@frozen(kw_only=True)
class Limits:
    """How far a caller goes; time and octets are for the redirects and headers too."""

    schemes: frozenset[str]
    seconds: float
    octets: int
    redirects: int = 0
    ports: Ports = Ports.ANY


@frozen(kw_only=True)
class Reach:
    """How to reach the world.

    ``env`` names the proxies; without it there are none. ``context`` None trusts what the system
    trusts. ``private`` names ``host:port`` pairs that may be private without having been typed; the
    command line never fills it.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    context: ssl.SSLContext | None = None
    private: frozenset[str] = frozenset()
    resolve: Resolve = addresses.resolve
    wire: httpcore.NetworkBackend = field(default_factory=httpcore.SyncBackend)


@frozen
class _Errand:
    """What stays the same from one redirect to the next."""

    limits: Limits
    reach: Reach
    budget: Budget
    inside: frozenset[str]
    headers: Mapping[str, str]
    body: bytes

    def headers_for(self, url: httpx.URL) -> list[tuple[bytes, bytes]]:
        """Add what every request says; nothing is unpacked, since a few octets can be gigabytes."""
        every = {"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity"}
        return httpx.Headers({**every, **self.headers}).raw


def fetch(
    address: str,
    *,
    limits: Limits,
    reach: Reach,
    headers: Mapping[str, str],
    body: bytes = b"",
    given: Given = Given.BY_A_STRANGER,
) -> bytes:
    """Get what stands under an address; with a body, post that.

    Raises:
        NotFetched: with the reason and the place.
    """
    budget = Budget.of(seconds=limits.seconds, octets=limits.octets)
    url = _read(address, limits)
    if url is None:
        raise NotFetched(Reason.ADDRESS).at(address, "")
    typed = {_place(url)} if given is Given.BY_THE_USER else set()
    errand = _Errand(limits, reach, budget, reach.private | typed, headers, body)
    for _ in range(limits.redirects + 1):
        try:
            answer = _ask(url, errand)
        except NotFetched as failure:
            raise failure.at(str(url), _shown(url)) from None
        if isinstance(answer, bytes):
            return answer
        url = answer
    raise NotFetched(Reason.REDIRECTS).at(str(url), _shown(url))


def _read(text: str, limits: Limits) -> httpx.URL | None:
    """Read an address that the caller would ask; None for any other."""
    try:
        url = httpx.URL(text)
        host, port = url.host, url.port
    except (httpx.InvalidURL, ValueError):
        return None
    if url.scheme not in limits.schemes or not host or url.userinfo:
        return None
    # httpx leaves a port out that is the scheme's own.
    return None if port is not None and limits.ports is Ports.OF_THE_SCHEME else url


def _ask(url: httpx.URL, errand: _Errand) -> bytes | httpx.URL:
    """Ask once; give the body, or where to ask next."""
    if _place(url) not in errand.inside:
        addresses.require_public_name(url.host)
    try:
        with (
            _pool(url, errand) as pool,
            pool.stream(
                "POST" if errand.body else "GET",
                httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=errand.headers_for(url),
                content=errand.body or None,
            ) as response,
        ):
            seen = httpx.Headers(response.headers)
            if response.status in _REDIRECTS and errand.limits.redirects:
                return _next(url, seen.get("Location", ""), response.status, errand.limits)
            if response.status != _OK:
                raise NotFetched(Reason.STATUS, status=response.status)
            if seen.get("Content-Encoding", "identity").lower() != "identity":
                raise NotFetched(Reason.STATUS, detail="packed although asked not to", status=_OK)
            return b"".join(response.iter_stream())
    except httpcore.TimeoutException:
        raise NotFetched(Reason.TIMEOUT) from None
    except FAILURES as error:
        raise unreachable(error) from None


def _next(url: httpx.URL, there: str, status: int, limits: Limits) -> httpx.URL:
    """Say where a redirect leads, if the caller would ask there."""
    try:
        joined = _read(str(url.join(there)), limits) if there else None
    except (httpx.InvalidURL, ValueError):
        joined = None
    if joined is None:
        raise NotFetched(Reason.ASTRAY, detail=there, status=status)
    return joined


def _pool(url: httpx.URL, errand: _Errand) -> httpcore.ConnectionPool:
    """Connect on our own terms: directly, or through the user's proxy."""
    reach = errand.reach
    context = reach.context or ssl.create_default_context()
    proxy = proxy_for(url.scheme, url.host, _port(url), reach.env)
    if proxy is None:
        return httpcore.ConnectionPool(
            ssl_context=context,
            network_backend=GuardedBackend(errand.budget, errand.inside, reach.resolve, reach.wire),
        )
    through = _proxy(proxy)
    return httpcore.HTTPProxy(
        str(through.copy_with(userinfo=b"")),
        proxy_auth=_account(through) if through.username else None,
        ssl_context=context,
        proxy_ssl_context=context if through.scheme == "https" else None,
        network_backend=GuardedBackend(errand.budget, frozenset({_place(through)})),
    )


def _proxy(text: str) -> httpx.URL:
    """Read the proxy's URL; its name and password are never shown."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise NotFetched(Reason.PROXY) from None
    if url.scheme not in _PORTS or not url.host:
        raise NotFetched(Reason.PROXY)
    return url


def _account(url: httpx.URL) -> tuple[bytes, bytes]:
    return url.username.encode(), url.password.encode()


def unreachable(error: Exception) -> NotFetched:
    """Tell a certificate that does not verify from a host that is not there."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            reason = seen.reason if isinstance(seen, ssl.SSLCertVerificationError) else ""
            return NotFetched(Reason.TLS, detail=str(reason or "").lower().replace("_", " "))
        seen = seen.__cause__ or seen.__context__
    # The system's word without its number.
    return NotFetched(Reason.UNREACHABLE, detail=re.sub(r"\[Errno -?[0-9]+\] ", "", str(error)))


def _port(url: httpx.URL) -> int:
    return url.port or _PORTS[url.scheme]


def _place(url: httpx.URL) -> str:
    return f"{url.raw_host.decode('ascii')}:{_port(url)}"


def _shown(url: httpx.URL) -> str:
    return _place(url).removesuffix(f":{_PORTS[url.scheme]}")
