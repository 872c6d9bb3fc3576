"""Fetch one URL: HTTPS, verified, bounded, and no further than it may go.

Comes in: a `Source` and the bounds. Goes out: bytes, or a `KeyRefused` that says what the source
did instead. httpx does the work, over the connections of `network`; redirects are followed here, by
hand, since each one is a new place to be looked at.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

import httpcore
import httpx

from certmail import __version__
from certmail.errors import KeyRefused
from certmail.keysources import addresses
from certmail.keysources.network import Budget, GuardedBackend
from certmail.keysources.proxies import proxy_for
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from certmail.keysources.addresses import Resolve
    from certmail.keysources.places import Source

MAX_OCTETS: Final = 2 * 1024 * 1024
"""A page with a key in it, and the handshake around it."""

TIMEOUT_S: Final = 15.0
MAX_REDIRECTS: Final = 3

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_OK: Final = 200
_ABSENT: Final = frozenset({404, 410})
_HEADERS: Final = {
    "User-Agent": f"certmail/{__version__}",
    "Accept": "application/pgp-keys, text/plain, text/html;q=0.8, */*;q=0.5",
    # A few octets can unpack to gigabytes; nothing is unpacked here.
    "Accept-Encoding": "identity",
}

_FAILURES: Final = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    OSError,
    ValueError,  # a header or a host name that no protocol allows
)


@dataclass(frozen=True, slots=True)
class Network:
    """How to reach the world: trust, environment, bounds.

    ``context`` None trusts what the system trusts. ``private`` names ``host:port`` pairs that may
    be private without having been typed; the command line never fills it.
    """

    env: Mapping[str, str]
    context: ssl.SSLContext | None = None
    private: frozenset[str] = field(default_factory=frozenset)
    resolve: Resolve = addresses.resolve
    timeout_s: float = TIMEOUT_S
    max_octets: int = MAX_OCTETS


def fetch(source: Source, *, network: Network) -> bytes:
    """Fetch what a source has to say.

    Raises:
        KeyRefused: ``KEY-SOURCE-…`` with what the source did, or ``KEY-TOO-LARGE``.
    """
    url = _https(source.url)
    budget = Budget.of(seconds=network.timeout_s, octets=network.max_octets)
    inside = network.private | ({_place(url)} if source.typed else frozenset())
    for _ in range(MAX_REDIRECTS + 1):
        answer = _ask(url, budget=budget, inside=inside, network=network)
        if isinstance(answer, bytes):
            return answer
        url = answer
    raise KeyRefused(
        "KEY-SOURCE-REDIRECT",
        f"{source.name} sends us on more than {MAX_REDIRECTS} times",
        why="whoever is sent in circles learns nothing",
        next="certmail key refresh --from URL, with the address where the key itself is",
    )


def _ask(
    url: httpx.URL, *, budget: Budget, inside: frozenset[str], network: Network
) -> bytes | httpx.URL:
    """Ask once; give the body, or where to ask next."""
    if _place(url) not in inside:
        addresses.require_public_name(url.host)
    transport = _Transport(url, budget=budget, inside=inside, network=network)
    try:
        with (
            httpx.Client(transport=transport, trust_env=False) as client,
            client.stream("GET", url, headers=_HEADERS) as response,
        ):
            if response.status_code in _REDIRECTS:
                return _redirected(response)
            if response.status_code != _OK:
                _refuse_status(url, response.status_code)
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                _refuse_status(url, response.status_code, "packed although asked not to")
            return b"".join(response.iter_raw())
    except (httpx.TimeoutException, httpcore.TimeoutException):
        raise KeyRefused(
            "KEY-SOURCE-TIMEOUT",
            f"{_shown(url)} did not answer within {network.timeout_s:.0f} seconds",
            why="a source that stalls must not hold up the others",
            next="certmail key refresh, later",
        ) from None
    except _FAILURES as error:
        raise _unreachable(url, error) from None


def _https(text: str) -> httpx.URL:
    """Read a URL that certmail would ask.

    Raises:
        KeyRefused: ``KEY-SOURCE-NOT-HTTPS``.
    """
    try:
        url = httpx.URL(text)
        host = url.host
    except (httpx.InvalidURL, ValueError, UnicodeError):
        url, host = httpx.URL(), ""
    if url.scheme != "https" or not host or url.userinfo:
        raise KeyRefused(
            "KEY-SOURCE-NOT-HTTPS",
            f"{printable(text, limit=120)} is not a plain https address",
            why="over http anybody on the way can keep a revocation from you, and a name or"
            " password in an address ends up in logs",
            next="certmail key refresh --from https://…, or --from FILE",
        )
    return url


def _redirected(response: httpx.Response) -> httpx.URL:
    """Say where a redirect leads, if that is https again."""
    there = response.headers.get("Location", "")
    try:
        return _https(str(response.request.url.join(there)))
    except (httpx.InvalidURL, ValueError, KeyRefused):
        raise KeyRefused(
            "KEY-SOURCE-REDIRECT",
            f"{_shown(response.request.url)} sends us on to"
            f" {printable(there, limit=120) or 'nowhere'}, which is not https",
            why="a copy is never fetched over a connection that others can read and change",
            next="certmail key refresh --from URL, with the https address of the key itself",
        ) from None


def _refuse_status(url: httpx.URL, status: int, why: str = "") -> NoReturn:
    if status in _ABSENT:
        raise KeyRefused(
            "KEY-SOURCE-ABSENT",
            f"{_shown(url)} has no such key ({status})",
            why="it was looked for by the whole fingerprint, or where the documentation says",
            next="certmail key refresh --from FILE, with a copy from elsewhere",
        )
    raise KeyRefused(
        "KEY-SOURCE-STATUS",
        f"{_shown(url)} answers {why or f'with status {status}'}",
        why="that is not a copy of a key",
        next="certmail key refresh, later",
    )


def _unreachable(url: httpx.URL, error: Exception) -> KeyRefused:
    """Tell a certificate that does not verify from a host that is not there."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            reason = seen.reason if isinstance(seen, ssl.SSLCertVerificationError) else None
            return KeyRefused(
                "KEY-SOURCE-TLS",
                f"{_shown(url)} does not show a certificate that verifies"
                + (f" ({printable(str(reason).lower().replace('_', ' '))})" if reason else ""),
                why="somebody may sit between here and there; the pin would still hold, but they"
                " could keep a newer copy back",
                next="look at the clock and the proxy of this machine, then certmail key refresh",
            )
        seen = seen.__cause__ or seen.__context__
    return KeyRefused(
        "KEY-SOURCE-UNREACHABLE",
        f"{_shown(url)} cannot be reached ({_reason(error)})",
        why="it is one of several places where a newer copy could lie",
        next="look at the network, then certmail key refresh; or --from FILE",
    )


def _reason(error: Exception) -> str:
    """Give the system's word without its number."""
    return printable(re.sub(r"\[Errno -?[0-9]+\] ", "", str(error)), limit=60) or "no reason given"


def _place(url: httpx.URL) -> str:
    return f"{url.raw_host.decode('ascii')}:{url.port or 443}"


def _shown(url: httpx.URL) -> str:
    return printable(_place(url).removesuffix(":443"), limit=100)


class _Transport(httpx.BaseTransport):
    """httpx over our own connections: direct, or through the operator's proxy."""

    def __init__(
        self, url: httpx.URL, *, budget: Budget, inside: frozenset[str], network: Network
    ) -> None:
        context = network.context or ssl.create_default_context()
        proxy = proxy_for(url.host, url.port or 443, network.env)
        self._pool: httpcore.ConnectionPool
        if proxy is None:
            backend = GuardedBackend(budget, inside, network.resolve)
            self._pool = httpcore.ConnectionPool(ssl_context=context, network_backend=backend)
            return
        through = _proxy(proxy)
        backend = GuardedBackend(
            budget, frozenset({f"{through.host}:{through.port or _port(through)}"})
        )
        self._pool = httpcore.HTTPProxy(
            str(through.copy_with(userinfo=b"")),
            proxy_auth=(through.username, through.password) if through.username else None,
            ssl_context=context,
            proxy_ssl_context=context if through.scheme == "https" else None,
            network_backend=backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        answer = self._pool.handle_request(
            httpcore.Request(
                request.method,
                httpcore.URL(
                    scheme=url.raw_scheme,
                    host=url.raw_host,
                    port=url.port,
                    target=url.raw_path,
                ),
                headers=request.headers.raw,
                content=b"",
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    """The body as it comes."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _proxy(text: str) -> httpx.URL:
    """Read the proxy's URL; its name and password are never shown."""
    try:
        url = httpx.URL(text)
        usable = url.scheme in {"http", "https"} and bool(url.host)
    except (httpx.InvalidURL, ValueError, UnicodeError):
        usable = False
        url = httpx.URL()
    if not usable:
        raise KeyRefused(
            "KEY-SOURCE-PROXY",
            "the proxy that the environment names is not one certmail can use",
            why="http and https proxies are understood; going around yours would not be right",
            next="look at https_proxy and all_proxy, or name the hosts in no_proxy",
        )
    return url


def _port(url: httpx.URL) -> int:
    return 443 if url.scheme == "https" else 80
