"""The provider's load balancers, as its public documentation lists them for domains.

From the page about domain names in the provider's documentation repository, as of 2026. The list
grows and changes; whoever uses the CNAME need not care. So an address that is missing here means
nothing by itself, and is never called wrong.
"""

from __future__ import annotations

from typing import Final

CNAMES: Final = tuple(
    f"domain.{zone}.clever-cloud.com"
    for zone in (
        *("par", "parhds", "scw", "grahds", "ldn", "rbx", "rbxhds", "wsw", "mtl", "sgp", "syd"),
    )
)

_DOMAIN: Final = ".clever-cloud.com"

ADDRESSES: Final = frozenset(
    {
        *(f"91.208.207.{n}" for n in (214, 215, 216, 217, 218, 220, 221, 222, 223)),  # par, parhds
        *("212.129.27.239", "212.83.186.147", "212.83.186.216", "212.129.27.183"),  # scw
        *("188.165.58.196", "188.165.58.200"),  # grahds
        *("77.68.78.36", "77.68.94.247"),  # ldn
        *("87.98.177.176", "87.98.177.181", "87.98.180.173", "87.98.182.136"),  # rbx
        *("135.125.16.47", "135.125.16.49"),  # rbxhds
        *("145.239.17.127", "145.239.17.192"),  # wsw
        *("158.69.109.229", "149.56.117.183"),  # mtl
        *("51.79.197.159", "51.79.197.160"),  # sgp
        *("139.99.253.215", "139.99.253.237"),  # syd
    }
)


def is_provider(address: str, *, alias: str) -> bool:
    """Tell whether an address is known for one of the provider's load balancers.

    ``alias`` is the name at the end of the domain's CNAME records, empty where there is none: who
    points at a name of the provider's has its load balancers, however new their addresses.
    """
    return address in ADDRESSES or alias.endswith(_DOMAIN)
