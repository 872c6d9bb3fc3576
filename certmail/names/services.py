"""Which submission servers a mail domain names for its users.

In: a mail domain. Out: its `Services`, best first. Knows RFC 6186 §3.1 (``_submission._tcp``) and
RFC 8314 §5.1 (``_submissions._tcp``). Dials nobody.

An entry is a hint from the network, not a choice: RFC 6186 §4 has a person confirm a host outside
the mail domain. Every entry means TLS: from the first byte for ``_submissions``, and for
``_submission`` by STARTTLS, without which certmail says nothing to a relay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from certmail.errors import SettingsError
from certmail.frozen import frozen
from certmail.names.ask import Dnssec, Inquiry, NoAnswer, Resolver, Trouble, host_of
from certmail.submission import Mode
from certmail.values import Hostname

if TYPE_CHECKING:
    from collections.abc import Iterator

DISCOVERY_S: Final = 6.0
"""For both questions together; nobody waits longer for a hint."""

_LABELS: Final = ((Mode.IMPLICIT, "_submissions._tcp"), (Mode.STARTTLS, "_submission._tcp"))


@frozen
class Service:
    """One submission server. ``inside`` tells whether its host lies in the mail domain."""

    host: Hostname
    port: int
    mode: Mode
    priority: int
    weight: int
    inside: bool
    dnssec: Dnssec


@frozen
class Services:
    """What a mail domain says of submission.

    ``refused`` names the modes that the domain says it does not offer (RFC 6186 §3.4: the target
    "."). ``trouble`` is why a question has no answer; what was answered is there all the same.
    Without entries, refusals and trouble, the domain says nothing.
    """

    domain: str
    entries: tuple[Service, ...]
    refused: tuple[Mode, ...] = ()
    trouble: Trouble | None = None


def discover(
    domain: Hostname, *, resolver: Resolver | None = None, seconds: float = DISCOVERY_S
) -> Services:
    """Ask what submission servers ``domain`` names; never raises for what the network does.

    Entries with TLS from the first byte come first (RFC 8314 §3), then by priority, then by weight.

    Deviation: RFC 2782 draws lots by weight, to spread clients; here the order is the same every
    time, since what is chosen is written down once.
    """
    inquiry = Inquiry(resolver or Resolver(), seconds)
    entries: list[Service] = []
    refused: list[Mode] = []
    trouble: Trouble | None = None
    for mode, label in _LABELS:
        try:
            found = inquiry.ask(f"{label}.{domain}", "SRV")
        except NoAnswer as fault:
            trouble = trouble or fault.trouble
            continue
        targets = [host_of(record.target) for record in found.records]
        if targets and not any(targets):
            refused.append(mode)
        named = _services(found.records, domain=domain, mode=mode, dnssec=found.dnssec)
        entries += sorted(named, key=lambda each: (each.priority, -each.weight, each.host.text))
    return Services(domain.text, tuple(entries), tuple(refused), trouble)


def _services(
    records: tuple[Any, ...], *, domain: Hostname, mode: Mode, dnssec: Dnssec
) -> Iterator[Service]:
    """Give the entries that name a host and a port; "." and what is no host name are none."""
    for record in records:
        try:
            host = Hostname(host_of(record.target))
        except SettingsError:
            continue
        if record.port and not host.is_ip:
            yield Service(
                host=host,
                port=record.port,
                mode=mode,
                priority=record.priority,
                weight=record.weight,
                inside=is_inside(host, domain),
                dnssec=dnssec,
            )


def is_inside(host: Hostname, domain: Hostname) -> bool:
    """Tell whether ``host`` is ``domain`` or lies below it."""
    return host.text == domain.text or host.text.endswith(f".{domain}")
