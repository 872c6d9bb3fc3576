"""Fetches what stands under a certificate's caIssuers address, and trusts nothing of it.

In: an address from a certificate, so from a stranger. Out: at most 64 KiB, within ten seconds and
three redirections. Plain http is allowed (RFC 5280 §4.2.2.1 expects it), since the answer counts
only if its signature verifies. Only addresses of the public network are dialled, and never through
a proxy, which would do the resolving and could reach what we must not.
"""

from __future__ import annotations

from dataclasses import field
from typing import Final

from certmail import __version__
from certmail.errors import BundleError
from certmail.frozen import frozen
from certmail.values import printable
from certmail.web.failure import NotFetched, Reason
from certmail.web.fetch import SIGNED, Limits, Ports, Reach, fetch

MAX_OCTETS: Final = 64 * 1024
"""A certificate is 2 KiB, a package of a CA's whole family some 20 KiB."""

MAX_REDIRECTS: Final = 3
TOTAL_S: Final = 10.0

_LIMITS: Final = Limits(
    schemes=SIGNED,
    ports=Ports.OF_THE_SCHEME,
    seconds=TOTAL_S,
    octets=MAX_OCTETS,
    redirects=MAX_REDIRECTS,
)
_HEADERS: Final = {"User-Agent": f"certmail/{__version__}"}


@frozen
class IssuerSource:
    """Fetches over the network; tests give another reach."""

    reach: Reach = field(default_factory=Reach)

    def __call__(self, url: str, /) -> bytes:
        """Fetch one address.

        Raises:
            BundleError: ``AIA-ADDRESS``, ``AIA-UNREACHABLE``, ``AIA-TOO-LARGE``.
        """
        try:
            return fetch(url, limits=_LIMITS, reach=self.reach, headers=_HEADERS)
        except NotFetched as failure:
            raise _refused(failure) from None


def _refused(failure: NotFetched) -> BundleError:
    url = printable(failure.url)
    match failure.reason:
        case Reason.ADDRESS | Reason.PRIVATE:
            return _refuse_address(url)
        case Reason.ASTRAY if failure.detail:
            return _refuse_address(printable(failure.detail))
        case Reason.TOO_LARGE:
            return BundleError(
                "AIA-TOO-LARGE",
                f"{url} answers with more than {MAX_OCTETS} octets",
                why="an issuer's certificate has about two thousand",
                next="get the intermediates from your CA, and give them with --chain-from FILE",
            )
        case Reason.UNRESOLVED:
            how = "its name cannot be resolved"
        case Reason.TIMEOUT:
            how = f"it takes longer than {TOTAL_S:.0f} seconds"
        case Reason.REDIRECTS:
            how = f"it redirects more than {MAX_REDIRECTS} times"
        case Reason.STATUS | Reason.ASTRAY:
            how = f"it answers {failure.detail or failure.status}"
        case _:
            how = "there is no answer"
    return BundleError(
        "AIA-UNREACHABLE",
        f"the issuer's certificate cannot be fetched from {url}: {how}",
        why="the chain would stay incomplete",
        next="run it again later, or give the intermediates with --chain-from FILE",
    )


def _refuse_address(url: str) -> BundleError:
    return BundleError(
        "AIA-ADDRESS",
        f"the certificate names {url} as its issuer's place, which is not dialled",
        why="only http and https on their own ports, and only addresses of the public network, are"
        " asked: a certificate must not make this machine knock at other doors",
        next="get the intermediates from your CA, and give them with --chain-from FILE",
    )
