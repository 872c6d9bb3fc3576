"""The recipient's mail domain: how mail reaches it, and what it promises about TLS there.

Information only: the relay goes that way, not certmail, and the content is encrypted for the
recipient whatever lies on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from certmail.cli.doctor.look import Seen, Skipped, note, ok
from certmail.names.ask import Dnssec, Inquiry, NoAnswer, Resolver
from certmail.names.mail import Route, route_of
from certmail.recipient import CLEVER_CLOUD
from certmail.values import Hostname, printable
from certmail.web.fetch import Reach

if TYPE_CHECKING:
    from certmail.cli.doctor.case import Case
    from certmail.names.sts import Policy

NAMES_S: Final = 8.0
"""For all questions about names; a resolver that says nothing costs one question."""

FETCH_S: Final = 5.0

DOMAIN: Final = Hostname(CLEVER_CLOUD.address.domain)


def route(case: Case) -> Seen:
    """Ask for the hosts that take the recipient's mail."""
    case.require_online()
    if case.relay is not None and case.relay.proxy is not None:
        raise Skipped("the settings name a proxy, and the resolver would be asked around it")
    if case.world.resolver is None and case.wish.common.get("world") is not None:
        raise Skipped("the calling program names no resolver")
    case.names = Inquiry(case.world.resolver or Resolver(), case.within(NAMES_S))
    try:
        case.route = found = route_of(DOMAIN, case.names)
    except NoAnswer as fault:
        return note(f"{DOMAIN}: {fault.trouble.value}")
    if found.closed:
        return note(f"{DOMAIN} says that it takes no mail")
    if found.implicit:
        return note(f"{DOMAIN} has no MX records; its own host is tried")
    more = f" and {found.total - len(found.hosts)} more" if found.total > len(found.hosts) else ""
    return ok(f"{', '.join(found.hosts)}{more}; the answer is {found.dnssec.value}")


def dane(case: Case) -> Seen:
    """Tell which of the hosts have TLSA records, and whether those bind anybody."""
    found = _there(case)
    asked = [each for each in found.exchangers if each.trouble is None]
    if not asked:
        return note(found.exchangers[0].trouble.value if found.exchangers[0].trouble else "")
    bound = [each for each in asked if each.tlsa]
    if not bound:
        return ok("no TLSA records: a relay cannot check the hosts' certificates by DANE")
    counted = f"TLSA records for {len(bound)} of {len(asked)} hosts"
    states = {each.dnssec for each in bound}
    if states == {Dnssec.VALIDATED}:
        return ok(f"{counted}, {Dnssec.VALIDATED.value}")
    weakest = Dnssec.NONE if Dnssec.NONE in states else Dnssec.CLAIMED
    return ok(f"{counted}; {weakest.value} here, which the relay's resolver may do")


def sts(case: Case) -> Seen:
    """Tell what the domain's MTA-STS policy says, and whether it covers the hosts."""
    from certmail.names.sts import sts_of

    found, names = _there(case), case.names
    if names is None:
        raise Skipped("needs the MX hosts")

    reach: Reach = case.world.network or Reach(env=case.env)
    said = sts_of(DOMAIN, names, reach=reach, seconds=case.within(FETCH_S))
    if said.trouble is not None:
        return note(said.trouble)
    if said.policy is None:
        return ok("no policy: a relay may go to the hosts without verified TLS")
    return _policy(said.policy, found)


def _policy(policy: Policy, found: Route) -> Seen:
    days = policy.max_age_s // 86400
    words = f"mode {policy.mode.value} for {days} days"
    uncovered = [host for host in found.hosts if not policy.covers(host)]
    if uncovered:
        return note(f"{words}; does not cover {printable(', '.join(uncovered))}")
    return ok(f"{words}; covers every host above")


def _there(case: Case) -> Route:
    case.require_online()
    if case.route is None or not case.route.exchangers:
        raise Skipped("needs the MX hosts")
    return case.route
