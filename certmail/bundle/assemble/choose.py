"""Chooses the one lineage that was meant, by the names that its certificate covers.

Comes in: lineages. Goes out: one, or a refusal that names them all; never the first of many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from certmail.bundle import hosts
from certmail.bundle.assemble.complete import decoded
from certmail.bundle.assemble.gather import gather
from certmail.bundle.assemble.items import Item, Kind
from certmail.errors import BundleError
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certmail.bundle.assemble.items import Lineage

MAX_NAMES_SHOWN: Final = 8


def choose(lineages: Sequence[Lineage], *, domains: tuple[str, ...], where: str) -> Lineage:
    """Give the only lineage, or the only one that covers all names.

    Raises:
        BundleError: ``LINEAGE-NOTHING``, ``LINEAGE-SEVERAL``.
    """
    if len(lineages) == 1:
        return lineages[0]
    if not lineages:
        _refuse_nothing(where)
    asked, malformed = hosts.settle(domains)
    matching = [
        lineage for lineage in lineages if asked and not malformed and _covers(lineage, asked)
    ]
    if len(matching) == 1:
        return matching[0]
    names = [f"{one.name} ({one.kind})" for one in matching or lineages]
    shown = ", ".join(printable(name) for name in names[:MAX_NAMES_SHOWN])
    more = f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    which = "cover the names asked for" if matching else "are in there"
    if domains and not matching:
        which = "are in there, and none covers the names asked for"
    raise BundleError(
        "LINEAGE-SEVERAL",
        f"{len(names)} certificates {which}: {shown}{more}",
        why="which of them was meant must not be guessed",
        next="name one of them with --domain NAME, or give its own folder with --lineage",
        file=printable(where, limit=400),
    )


def _covers(lineage: Lineage, domains: tuple[str, ...]) -> bool:
    """Tell whether a server's certificate of the lineage covers every name."""
    items: list[Item] = []
    for source in lineage.sources:
        try:
            items += gather(source.data, name=source.name).items
        except BundleError:
            continue  # a lineage that cannot be read covers nothing
    certificates = decoded(item for item in items if item.kind is Kind.CERTIFICATE)
    return any(
        not one.facts.is_ca and all(hosts.covers(one.facts.names, domain) for domain in domains)
        for _, one in certificates
    )


def _refuse_nothing(where: str) -> NoReturn:
    raise BundleError(
        "LINEAGE-NOTHING",
        f"no key with its certificate was found in {printable(where, limit=400)}",
        why="it is not laid out as certbot, acme.sh, lego, Caddy, Traefik, Kubernetes, Vault or"
        " AWS Certificate Manager do",
        next="give the files: certmail bundle --key privkey.pem --cert fullchain.pem",
        file=printable(where, limit=400),
    )
