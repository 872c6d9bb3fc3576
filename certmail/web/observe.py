"""Ask one address of a host over plain HTTP and give what it says, whatever the status.

Comes in: a host's name, one of its addresses, the caller's limits. Goes out: status, headers and
the beginning of the body, or a `NotFetched`. Where `fetch` wants a body, this wants to know how a
server answers: no redirect is followed, no proxy used, and the name is not looked up again.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Final

import httpcore
import httpx

from certmail.frozen import frozen
from certmail.web.failure import NotFetched, Reason
from certmail.web.fetch import FAILURES, unreachable
from certmail.web.network import Budget, GuardedBackend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certmail.web.fetch import Limits, Reach

HTTP: Final = 80

_NO_ROUTE: Final = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
_NO_NAME: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


@frozen(kw_only=True)
class Observed:
    """An answer; ``headers`` in lower case, ``cut`` where the body went on."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool


def addresses_of(host: str, *, reach: Reach) -> tuple[str, ...]:
    """Look a name up, for both families.

    Raises:
        NotFetched: ``UNRESOLVED`` where the name has no address, ``UNREACHABLE`` where nobody
            answered the question.
    """
    try:
        found = tuple(dict.fromkeys(reach.resolve(host, HTTP)))
    except socket.gaierror as error:
        reason = Reason.UNRESOLVED if error.errno in _NO_NAME else Reason.UNREACHABLE
        raise NotFetched(reason, detail="the resolver has no answer").at("", host) from None
    except (OSError, UnicodeError):
        raise NotFetched(Reason.UNREACHABLE, detail="the resolver fails").at("", host) from None
    if not found:
        raise NotFetched(Reason.UNRESOLVED).at("", host)
    return found


def observe(
    host: str,
    target: str,
    *,
    address: str,
    limits: Limits,
    reach: Reach,
    headers: Mapping[str, str],
    keep: int,
) -> Observed:
    """Ask ``address`` for ``target`` of ``host``; keep the first ``keep`` octets of the body.

    Raises:
        NotFetched: where no answer came, or its headers did not end within the limits.
    """
    budget = Budget.of(seconds=limits.seconds, octets=limits.octets)
    backend = GuardedBackend(budget, reach.private, lambda _host, _port: (address,), reach.wire)
    said = httpx.Headers({"Host": host, "Accept-Encoding": "identity", **headers}).raw
    url = httpcore.URL(scheme=b"http", host=host.encode("ascii"), port=HTTP, target=target.encode())
    try:
        with (
            httpcore.ConnectionPool(network_backend=backend) as pool,
            pool.stream("GET", url, headers=said) as response,
        ):
            body, cut = _beginning(response, keep)
            seen = httpx.Headers(response.headers)
            return Observed(status=response.status, headers=dict(seen), body=body, cut=cut)
    except httpcore.TimeoutException:
        raise NotFetched(Reason.TIMEOUT).at("", host) from None
    except FAILURES as error:
        raise _told(error).at("", host) from None


def _beginning(response: httpcore.Response, keep: int) -> tuple[bytes, bool]:
    body = b""
    for part in response.iter_stream():
        body += part
        if len(body) > keep:
            return body[:keep], True
    return body, False


def _told(error: Exception) -> NotFetched:
    """Tell an address that is not there from a machine that has no way to such addresses."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _NO_ROUTE:
            return NotFetched(Reason.NO_ROUTE)
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, httpcore.ProtocolError):
        return NotFetched(Reason.STATUS, detail="no HTTP")
    return unreachable(error)
