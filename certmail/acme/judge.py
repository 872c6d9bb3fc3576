"""Tell from all answers whether Let's Encrypt can work, and if not, why.

Comes in: what every address said. Goes out: findings, causes before comparisons, and steps. Good is
a domain of which some address answers right and none stands in the way. Let's Encrypt prefers IPv6
where a domain has both, and turns to IPv4 only where no connection came about; so an IPv6 address
that is silent is a warning beside a right IPv4 one, and one that answers wrongly is an error.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from certmail.acme.answers import Resolved, Silence
from certmail.acme.known import is_provider
from certmail.acme.steps import BETTER, steps
from certmail.acme.trouble import Trouble, trouble
from certmail.acme.words import POINT, Whose, finding
from certmail.bundle.findings import Finding, Severity, error, warning
from certmail.frozen import frozen

if TYPE_CHECKING:
    from certmail.acme.answers import Asked, Heard


@frozen
class Verdict:
    """Whether Let's Encrypt can work, what was found, and what to do in which order."""

    good: bool
    findings: tuple[Finding, ...]
    steps: tuple[str, ...]


def judge(asked: Asked) -> Verdict:
    """Judge what was heard."""
    found = [*_no_address(asked), *_troubles(asked), *_differences(asked), *_notes(asked)]
    right = any(heard.is_right for heard in asked.heard)
    good = right and not any(one.severity is Severity.ERROR for one in found)
    if good:
        return Verdict(good, tuple(found), (BETTER,))
    return Verdict(good, tuple(found), steps(found, domain=asked.domain))


def _no_address(asked: Asked) -> list[Finding]:
    if asked.resolved is Resolved.FOUND:
        return []
    return [
        error(
            "ACME-NO-ADDRESS",
            None,
            f"{asked.domain} has no address in the DNS",
            why="Let's Encrypt looks the name up to know where to ask",
            next=POINT,
        )
    ]


def _troubles(asked: Asked) -> list[Finding]:
    """Say each trouble once, for all addresses that have it and say the same."""
    met: dict[tuple[Trouble, Whose, int, str, Silence | None], list[Heard]] = {}
    for heard in asked.heard:
        cause = trouble(heard, domain=asked.domain)
        if cause is not None:
            fresh, whose = heard.fresh, _whose(heard, asked)
            key = (cause, whose, fresh.status, fresh.headers.get("location", ""), fresh.silence)
            met.setdefault(key, []).append(heard)
    order = list(Trouble)
    ordered = sorted(met.items(), key=lambda item: order.index(item[0][0]))
    return [
        _softened(
            finding(cause, these[0].fresh, where=_listed(these), domain=asked.domain, whose=whose),
            these,
            asked,
        )
        for (cause, whose, *_), these in ordered
    ]


def _whose(heard: Heard, asked: Asked) -> Whose:
    known = is_provider(heard.address, alias=asked.alias)
    return Whose.THE_PROVIDERS if known else Whose.UNKNOWN


def _softened(found: Finding, these: list[Heard], asked: Asked) -> Finding:
    """Make a warning of silent IPv6 beside a right IPv4: Let's Encrypt turns to that."""
    if found.code != Trouble.SILENT.value or not all(heard.is_ipv6 for heard in these):
        return found
    if not any(heard.is_right and not heard.is_ipv6 for heard in asked.heard):
        return found
    why = "Let's Encrypt asks over IPv6 first; it turns to IPv4 where no connection comes about"
    todo = "mend the AAAA record, or remove it"
    return replace(found, severity=Severity.WARNING, why=why, next=todo)


def _listed(these: list[Heard]) -> str:
    first, *others = (heard.address for heard in these)
    return f"{first} and {len(others)} more" if others else first


def _differences(asked: Asked) -> list[Finding]:
    """Say where a domain answers right at one address and wrongly at another."""
    answered = [heard for heard in asked.heard if heard.first.silence is None]
    by_family = {
        family: {heard.is_right for heard in answered if heard.is_ipv6 is family}
        for family in (False, True)
    }
    found = []
    if by_family[False] and by_family[True] and by_family[False] != by_family[True]:
        wrong = "IPv6" if False in by_family[True] else "IPv4"
        found.append(
            error(
                "ACME-FAMILIES-DIFFER",
                None,
                f"IPv4 and IPv6 answer differently, and {wrong} is wrong",
                why="Let's Encrypt asks over IPv6 where there is an AAAA record",
                next="let the AAAA records lead where the A records lead, or remove them",
            )
        )
    for is_ipv6, seen in by_family.items():
        if len(seen) > 1:
            family = "IPv6" if is_ipv6 else "IPv4"
            found.append(
                error(
                    "ACME-ADDRESSES-DIFFER",
                    None,
                    f"some {family} addresses answer right and others do not",
                    why="Let's Encrypt takes any of them, so it will work only now and then",
                    next="remove the records of the addresses that answer wrongly",
                )
            )
    return found


def _notes(asked: Asked) -> list[Finding]:
    found: list[Finding] = []
    cut_off = [heard for heard in asked.heard if heard.first.silence is Silence.NO_ROUTE]
    if cut_off:
        found.append(
            _note(
                "ACME-NO-ROUTE",
                f"{_listed(cut_off)} was not asked: this machine has no {cut_off[0].family}",
                why="Let's Encrypt has both families, and prefers IPv6",
                next="run this from a machine that has both",
            )
        )
    if asked.unasked:
        found.append(
            _note(
                "ACME-MANY-ADDRESSES",
                f"{len(asked.unasked)} more addresses were not asked",
                why="Let's Encrypt takes any of them",
                next="look at the records that are not needed",
            )
        )
    wrong = [heard for heard in asked.heard if not heard.is_right and not heard.first.silence]
    unknown = [
        heard
        for heard in wrong
        if _whose(heard, asked) is Whose.UNKNOWN and not heard.first.through_cloudflare
    ]
    if unknown:
        found.append(
            _note(
                "ACME-ADDRESS-UNKNOWN",
                f"{_listed(unknown)} is not one of the addresses that the provider documents",
                why="it may be newer than the list known here, or another server's",
                next="compare with what the console shows under domain names",
            )
        )
    if asked.behind_proxy and any(heard.first.silence for heard in asked.heard):
        found.append(
            warning(
                "ACME-PROXY",
                None,
                "the environment names a proxy for HTTP, and it was not used",
                why="Let's Encrypt comes from outside, so each address is asked directly; where"
                " only the proxy leads out, every address looks silent",
                next="run this from a machine that is not behind a proxy",
            )
        )
    return found


def _note(code: str, what: str, *, why: str, next: str) -> Finding:
    return Finding(code, Severity.NOTE, None, what, why, next)
