"""Fetches what stands under a certificate's caIssuers address, and trusts nothing of it.

In: an address from a certificate, so from a stranger. Out: at most 64 KiB, within ten seconds and
three redirections. Plain http is allowed (RFC 5280 §4.2.2.1 expects it), since the answer counts
only if its signature verifies. Only global addresses are dialled: the name is resolved once and
that very address is used, so that a certificate cannot make this machine knock at its own network.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable
from typing import Final, NoReturn
from urllib.parse import urljoin, urlsplit

import httpx

from certmail.errors import BundleError, SettingsError
from certmail.values import Hostname, printable

MAX_OCTETS: Final = 64 * 1024
"""A certificate is 2 KiB, a package of a CA's whole family some 20 KiB."""

MAX_REDIRECTS: Final = 3
TOTAL_S: Final = 10.0

_PORTS: Final = {"http": 80, "https": 443}

Resolve = Callable[[str, int], list[str]]
"""Turns a name into addresses, as text."""


def resolve(host: str, port: int) -> list[str]:
    """Ask the system."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]


class IssuerSource:
    """Fetches over the network; tests give another resolver and transport."""

    def __init__(
        self, *, resolve: Resolve = resolve, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Keep how to look up and how to dial."""
        self._resolve = resolve
        self._transport = transport

    def __call__(self, url: str, /) -> bytes:
        """Fetch one address.

        Raises:
            BundleError: ``AIA-ADDRESS``, ``AIA-UNREACHABLE``, ``AIA-TOO-LARGE``.
        """
        deadline = time.monotonic() + TOTAL_S
        # trust_env: a proxy would do the resolving, and could reach what we must not.
        with httpx.Client(transport=self._transport, trust_env=False) as client:
            for _ in range(MAX_REDIRECTS + 1):
                answer, body = self._ask(client, url, deadline)
                if answer.status_code == httpx.codes.OK:
                    return body
                if not answer.has_redirect_location:
                    _refuse_unreachable(url, f"it answers {answer.status_code}")
                url = _joined(url, answer.headers["location"])
            return _refuse_unreachable(url, f"it redirects more than {MAX_REDIRECTS} times")

    def _ask(self, client: httpx.Client, url: str, deadline: float) -> tuple[httpx.Response, bytes]:
        host, target = self._pinned(url)
        request = client.build_request(
            "GET",
            target,
            headers={"Host": host, "Accept-Encoding": "identity", "User-Agent": "certmail"},
            extensions={"sni_hostname": host},
            timeout=max(0.1, min(5.0, deadline - time.monotonic())),
        )
        try:
            answer = client.send(request, stream=True)
            try:
                wanted = answer.status_code == httpx.codes.OK
                return answer, _bounded(answer, url, deadline) if wanted else b""
            finally:
                answer.close()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError):
            _refuse_unreachable(url, "there is no answer")

    def _pinned(self, url: str) -> tuple[str, str]:
        """Resolve the name and put the address in its place; every address must be global."""
        try:
            parts = urlsplit(url)
            host, port = Hostname(parts.hostname or "").text, parts.port
        except (ValueError, SettingsError):
            _refuse_address(url)
        if parts.scheme not in _PORTS or port not in {None, _PORTS[parts.scheme]}:
            _refuse_address(url)
        if parts.username is not None or not url.isascii():
            _refuse_address(url)
        try:
            addresses = self._resolve(host, _PORTS[parts.scheme])
        except (OSError, UnicodeError):
            _refuse_unreachable(url, "its name cannot be resolved")
        if not addresses or not all(_is_global(address) for address in addresses):
            _refuse_address(url)
        address = addresses[0]
        shown = f"[{address}]" if ":" in address else address
        query = f"?{parts.query}" if parts.query else ""
        return host, f"{parts.scheme}://{shown}{parts.path or '/'}{query}"


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        _refuse_address(url)


def _bounded(answer: httpx.Response, url: str, deadline: float) -> bytes:
    body = bytearray()
    for chunk in answer.iter_raw():
        body += chunk
        if len(body) > MAX_OCTETS:
            raise BundleError(
                "AIA-TOO-LARGE",
                f"{printable(url)} answers with more than {MAX_OCTETS} octets",
                why="an issuer's certificate has about two thousand",
                next="get the intermediates from your CA, and give them with --chain-from FILE",
            )
        if time.monotonic() > deadline:
            _refuse_unreachable(url, f"it takes longer than {TOTAL_S:.0f} seconds")
    return bytes(body)


def _is_global(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return found.is_global and not found.is_multicast and (mapped is None or mapped.is_global)


def _refuse_address(url: str) -> NoReturn:
    raise BundleError(
        "AIA-ADDRESS",
        f"the certificate names {printable(url)} as its issuer's place, which is not dialled",
        why="only http and https on their own ports, and only addresses of the public network, are"
        " asked: a certificate must not make this machine knock at other doors",
        next="get the intermediates from your CA, and give them with --chain-from FILE",
    ) from None


def _refuse_unreachable(url: str, how: str) -> NoReturn:
    raise BundleError(
        "AIA-UNREACHABLE",
        f"the issuer's certificate cannot be fetched from {printable(url)}: {how}",
        why="the chain would stay incomplete",
        next="run it again later, or give the intermediates with --chain-from FILE",
    ) from None
