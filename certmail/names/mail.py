"""How mail reaches a domain, and what its names promise about TLS on that way.

In: a mail domain. Out: a `Route`: the hosts that take its mail, and the TLSA records of each. Knows
RFC 5321 §5.1 (MX), RFC 7505 (a domain without mail) and RFC 7672 (DANE for SMTP). Dials nobody.

It is the relay that goes this way, not certmail, and what it checks there is the relay's business:
this is information about the recipient, never a reason to send or not to send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from certmail.frozen import frozen
from certmail.names.ask import Dnssec, NoAnswer, Trouble, host_of, weakest

if TYPE_CHECKING:
    from certmail.names.ask import Found, Inquiry
    from certmail.values import Hostname

MAX_EXCHANGERS: Final = 4
"""Hosts of which TLSA records are asked: the ones tried first."""

_USAGES: Final = frozenset({2, 3})
"""RFC 7672 §3.1: DANE-TA and DANE-EE; the others mean nothing between mail servers."""
_SELECTORS: Final = frozenset({0, 1})
_DIGESTS: Final = {0: None, 1: 32, 2: 64}
"""RFC 6698 §2.1.3: the whole certificate or key, SHA-256, SHA-512; octets of each."""


@frozen
class Exchanger:
    """A host that takes mail. ``tlsa`` counts its usable records (RFC 7672 §3.1).

    ``dnssec`` is that of the whole way: the MX, the host's address and its TLSA records. DANE
    binds nobody unless it is validated (RFC 7672 §2.2).
    """

    host: str
    preference: int
    tlsa: int = 0
    unusable: int = 0
    dnssec: Dnssec = Dnssec.NONE
    trouble: Trouble | None = None


@frozen
class Route:
    """The hosts that take a domain's mail, first tried first.

    ``closed`` is a domain that says it takes no mail (RFC 7505). ``implicit`` is one without MX
    records, whose own host is tried (RFC 5321 §5.1). ``total`` counts all hosts, of which
    ``exchangers`` are the first.
    """

    domain: str
    exchangers: tuple[Exchanger, ...]
    dnssec: Dnssec
    total: int = 0
    closed: bool = False
    implicit: bool = False

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts by name."""
        return tuple(each.host for each in self.exchangers)


def route_of(domain: Hostname, inquiry: Inquiry) -> Route:
    """Ask for the way of mail to ``domain``.

    Raises:
        NoAnswer: nobody knows the domain's MX records.
    """
    found = inquiry.ask(domain.text, "MX")
    named = sorted((record.preference, host_of(record.exchange)) for record in found.records)
    if [host for _, host in named] == [""]:
        return Route(domain.text, (), found.dnssec, closed=True)
    named = [each for each in named if each[1]]
    asked = named[:MAX_EXCHANGERS] or [(0, domain.text)]
    exchangers = tuple(_exchanger(host, preference, found, inquiry) for preference, host in asked)
    return Route(
        domain.text,
        exchangers,
        found.dnssec,
        total=len(named) or 1,
        implicit=not named,
    )


def _exchanger(host: str, preference: int, mx: Found, inquiry: Inquiry) -> Exchanger:
    """Ask for the TLSA records of one host, first where its alias leads (RFC 7672 §2.2.2)."""
    try:
        address = inquiry.ask(host, "A")
        if not address.records:
            address = inquiry.ask(host, "AAAA")
        bases = dict.fromkeys((address.canonical.lower(), host))
        answers = [inquiry.ask(f"_25._tcp.{base}", "TLSA") for base in bases]
    except NoAnswer as fault:
        return Exchanger(host, preference, trouble=fault.trouble)
    tlsa = next((answer for answer in answers if answer.records), answers[-1])
    usable = sum(map(_is_usable, tlsa.records))
    return Exchanger(
        host,
        preference,
        tlsa=usable,
        unusable=len(tlsa.records) - usable,
        dnssec=weakest((mx.dnssec, address.dnssec, tlsa.dnssec)),
    )


def _is_usable(record: Any) -> bool:
    if record.usage not in _USAGES or record.selector not in _SELECTORS:
        return False
    octets = _DIGESTS.get(record.mtype, 0)
    return octets is None or len(record.cert) == octets
