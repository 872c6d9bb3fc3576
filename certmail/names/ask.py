"""Ask a resolver, within bounds, and tell what its word is worth.

In: a name, a record type, whom to ask, how many seconds are left. Out: `Found`, or a `NoAnswer` in
neutral words. Knows RFC 1035 (questions), RFC 4035 §3.2.3 (the AD bit), RFC 6840 §5.7 (asking for
it) and dnspython. certmail validates no signatures: it asks a resolver that may.
"""

from __future__ import annotations

import ipaddress
import time
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rcode
import dns.resolver

from certmail.frozen import frozen, slotted
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

QUERY_S: Final = 3.0
"""For one question, all servers together; a resolver that is alive has answered long before."""

_TRY_S: Final = 1.5
"""How long one server may stay silent before the next one, or the same again, is asked."""

_PAYLOAD: Final = 1232
"""Octets of an answer that pass every path unfragmented; a longer one comes by TCP."""

MAX_RECORDS: Final = 64
"""More than any honest set has."""


class Dnssec(Enum):
    """What stands behind an answer; the value completes "the answer is …".

    `VALIDATED` proves as much as the resolver on this machine does: it says (AD bit) that it
    checked the signatures up to the root, and nobody on the network can say so in its name. The
    same bit from a resolver elsewhere is `CLAIMED`: anybody in between can set it.
    """

    VALIDATED = "validated by the resolver of this machine"
    CLAIMED = "said to be validated by a resolver elsewhere"
    NONE = "not validated"


class Trouble(Enum):
    """Why there is no answer; the value is a clause."""

    TIMEOUT = "no answer came in time"
    FAILED = "the resolver could not find out"
    BOGUS = "the answer does not pass DNSSEC: it was changed on the way, or is badly signed"
    UNCONFIGURED = "no resolver is set up on this machine"
    MALFORMED = "the name or its record is malformed"


class NoAnswer(Exception):
    """Nobody knows: neither that there is a record nor that there is none."""

    def __init__(self, trouble: Trouble) -> None:
        """Keep why."""
        super().__init__(trouble.value)
        self.trouble = trouble


@frozen
class Found:
    """The records of a name, possibly none. ``canonical`` is the name at the end of aliases."""

    records: tuple[Any, ...]
    canonical: str
    dnssec: Dnssec


@frozen(kw_only=True)
class Resolver:
    """Whom to ask: pairs of address and port; None for those that the system names."""

    servers: tuple[tuple[str, int], ...] | None = None
    query_s: float = QUERY_S


@slotted
class Inquiry:
    """Questions that share one clock: it bounds them all together, whatever their number."""

    resolver: Resolver
    total_s: float
    _until: float = field(init=False)
    _tool: dns.resolver.Resolver | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._until = time.monotonic() + self.total_s

    def ask(self, name: str, kind: str) -> Found:
        """Ask for the ``kind`` records of ``name``, a full name without its last dot.

        Raises:
            NoAnswer: nobody knows.
        """
        question = _question(name)
        try:
            return self._ask(question, kind, dns.flags.AD)
        except dns.resolver.NoNameservers as fault:
            if not _servfail(fault):
                raise NoAnswer(Trouble.FAILED) from None
        # A resolver that validates hides a bad answer behind SERVFAIL; RFC 4035 §3.2.2: with the
        # CD bit it gives the answer unchecked. That there is one tells why it was hidden.
        try:
            self._ask(question, kind, dns.flags.CD)
        except (dns.resolver.NoNameservers, NoAnswer):
            raise NoAnswer(Trouble.FAILED) from None
        raise NoAnswer(Trouble.BOGUS)

    def _ask(self, question: dns.name.Name, kind: str, flag: dns.flags.Flag) -> Found:
        tool = self._prepared()
        tool.set_flags(dns.flags.RD | flag)
        left = min(self.resolver.query_s, self._until - time.monotonic())
        if left <= 0:
            raise NoAnswer(Trouble.TIMEOUT)
        try:
            answer = tool.resolve(
                question, kind, lifetime=left, raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN:
            return Found((), question.to_text(omit_final_dot=True), Dnssec.NONE)
        except dns.resolver.NoNameservers:
            raise
        except dns.exception.Timeout:
            raise NoAnswer(Trouble.TIMEOUT) from None
        except (dns.exception.DNSException, OSError):
            raise NoAnswer(Trouble.FAILED) from None
        records = tuple(answer.rrset or ())[:MAX_RECORDS]
        return Found(records, answer.canonical_name.to_text(omit_final_dot=True), _worth(answer))

    def _prepared(self) -> dns.resolver.Resolver:
        if self._tool is None:
            servers = self.resolver.servers
            try:
                tool = dns.resolver.Resolver(configure=servers is None)
            except dns.resolver.NoResolverConfiguration:
                raise NoAnswer(Trouble.UNCONFIGURED) from None
            if servers is not None:
                tool.nameservers = [dns.nameserver.Do53Nameserver(*each) for each in servers]
            tool.timeout = _TRY_S
            tool.use_edns(0, 0, _PAYLOAD)
            self._tool = tool
        return self._tool


def host_of(name: dns.name.Name) -> str:
    """Give a name in a record as text: lower case, no last dot, cleaned; empty for the root."""
    return printable(name.to_text(omit_final_dot=True).lower(), limit=260).strip(".")


def strings(record: Any) -> str:
    """Give a TXT record's strings joined (RFC 8461 §3.1 and others join without a blank)."""
    return b"".join(record.strings).decode("ascii", "replace")


def weakest(states: Iterable[Dnssec]) -> Dnssec:
    """Give the state of a chain of answers: that of its weakest."""
    order = (Dnssec.NONE, Dnssec.CLAIMED, Dnssec.VALIDATED)
    return min(states, key=order.index, default=Dnssec.NONE)


def _question(name: str) -> dns.name.Name:
    try:
        question = dns.name.from_text(f"{name}.")
    except (dns.exception.DNSException, UnicodeError):
        raise NoAnswer(Trouble.MALFORMED) from None
    if question == dns.name.root:
        raise NoAnswer(Trouble.MALFORMED)
    return question


def _worth(answer: dns.resolver.Answer) -> Dnssec:
    if not answer.response.flags & dns.flags.AD:
        return Dnssec.NONE
    try:
        local = ipaddress.ip_address(str(answer.nameserver).partition("%")[0]).is_loopback
    except ValueError:
        local = False
    return Dnssec.VALIDATED if local else Dnssec.CLAIMED


def _servfail(fault: dns.resolver.NoNameservers) -> bool:
    """Tell whether a server said SERVFAIL, rather than nothing or nonsense."""
    errors: Any = fault.kwargs.get("errors", ())
    return any(
        response is not None and response.rcode() == dns.rcode.SERVFAIL for *_, response in errors
    )
