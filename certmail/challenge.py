"""The edge that asks every address of a domain for the challenge of Let's Encrypt.

Comes in: a domain. Goes out: what each address said, unjudged. Plain HTTP on port 80, as Let's
Encrypt comes; directly, also where the environment names a proxy. Private addresses are named and
not asked. An answer that may lie in a cache is asked for once more past it.
"""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from certmail import __version__
from certmail.acme.answers import HEADERS, PATH, Answer, Asked, Heard, Resolved, Silence
from certmail.errors import UsageError
from certmail.web.failure import NotFetched, Reason
from certmail.web.fetch import Limits, Reach
from certmail.web.observe import HTTP, addresses_of, observe
from certmail.web.proxies import proxy_for

if TYPE_CHECKING:
    from certmail.values import Hostname

TIMEOUT_S: Final = 10.0
MAX_ADDRESSES: Final = 8
MAX_BODY_OCTETS: Final = 4096
MAX_OCTETS: Final = 2**17 + MAX_BODY_OCTETS
"""For headers and body; what is read at once is at most half of it."""

_SILENCES: Final = {
    Reason.PRIVATE: Silence.PRIVATE,
    Reason.TIMEOUT: Silence.TIMEOUT,
    Reason.TOO_LARGE: Silence.TOO_LARGE,
    Reason.STATUS: Silence.BROKEN,
    Reason.NO_ROUTE: Silence.NO_ROUTE,
}


def ask(domain: Hostname, *, timeout_s: float = TIMEOUT_S, reach: Reach | None = None) -> Asked:
    """Ask every address once, all at the same time; ``timeout_s`` is for each of them.

    Raises:
        UsageError: ``ACME-RESOLVER``.
    """
    reach = reach or Reach(env=os.environ)
    behind = proxy_for("http", domain.text, HTTP, reach.env) is not None
    try:
        found = addresses_of(domain.text, reach=reach)
    except NotFetched as failure:
        if failure.reason is not Reason.UNRESOLVED:
            raise _no_resolver(domain) from None
        return Asked(
            domain=domain.text, resolved=Resolved.NO_ADDRESS, heard=(), behind_proxy=behind
        )
    asked = found[:MAX_ADDRESSES]
    limits = Limits(schemes=frozenset({"http"}), seconds=timeout_s, octets=MAX_OCTETS)
    with ThreadPoolExecutor(MAX_ADDRESSES) as threads:
        heard = threads.map(lambda one: _hear(domain.text, one, limits, reach), asked)
        return Asked(
            domain=domain.text,
            resolved=Resolved.FOUND,
            heard=tuple(heard),
            unasked=found[MAX_ADDRESSES:],
            behind_proxy=behind,
        )


def _hear(domain: str, address: str, limits: Limits, reach: Reach) -> Heard:
    first = _answer(domain, PATH, address, limits, reach)
    if not first.from_cache:
        return Heard(address, first)
    # No cache has seen this address before, and the server ignores what stands behind "?".
    past = f"{PATH}?certmail={secrets.token_hex(8)}"
    return Heard(address, first, _answer(domain, past, address, limits, reach))


def _answer(domain: str, target: str, address: str, limits: Limits, reach: Reach) -> Answer:
    try:
        seen = observe(
            domain,
            target,
            address=address,
            limits=limits,
            reach=reach,
            headers={"User-Agent": f"certmail/{__version__}"},
            keep=MAX_BODY_OCTETS,
        )
    except NotFetched as failure:
        silence = _SILENCES.get(failure.reason, Silence.UNREACHABLE)
        detail = failure.detail if silence is Silence.UNREACHABLE else ""
        return Answer(silence=silence, detail=detail)
    kept = {name: seen.headers[name] for name in HEADERS if name in seen.headers}
    return Answer(status=seen.status, headers=kept, body=seen.body, cut=seen.cut)


def _no_resolver(domain: Hostname) -> UsageError:
    return UsageError(
        "ACME-RESOLVER",
        f"{domain.text} could not be looked up: the resolver gives no answer",
        why="every address of the domain was to be asked; this says nothing about the domain",
        next=f"certmail acme-test {domain.text}, when this machine is on the network",
    )
