"""The relay: its name, its TLS, and as deep as asked the login and the envelope."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final

from certmail import office
from certmail.cli.doctor.look import Seen, Skipped, bad, ok
from certmail.cli.doctor.patience import within
from certmail.delivery import outcome
from certmail.delivery.probe import Depth, Probed
from certmail.delivery.relay import Timeouts
from certmail.errors import CertmailError
from certmail.settings.keys import RELAY_HOST, RELAY_USER
from certmail.values import Address, printable

if TYPE_CHECKING:
    from certmail.cli.doctor.case import Case
    from certmail.delivery.relay import Relay

NAME_S: Final = 5.0
STEP_S: Final = 10.0
VISIT_S: Final = 25.0
"""A delivery is more patient: RFC 5321 §4.5.3.2 grants minutes. A diagnosis says what is slow."""

_SHOWN_ADDRESSES: Final = 3
_NOBODY: Final = Address("nobody@localhost")


def settle(case: Case) -> None:
    """Put the relay together, if the settings name one; the looks at it say what is wrong."""
    if case.settings is None or case.settings.get(RELAY_HOST) is None:
        return
    from dataclasses import replace

    with suppress(CertmailError):
        sender = case.sender()
        relay = case.relay_bench().relay(sender or _NOBODY)
        known = sender or case.settings.get(RELAY_USER)
        case.relay = relay if known is not None else replace(relay, user=None)


def configured(case: Case) -> Seen:
    """Read what the settings say of the relay."""
    case.require_settings().require(RELAY_HOST)
    relay = case.relay or case.relay_bench().relay(case.sender() or _NOBODY)
    how = "TLS from the first byte" if relay.mode.value == "implicit" else "STARTTLS, or nothing"
    return ok(f"{relay}, {how}" + (f", through {relay.proxy}" if relay.proxy else ""))


def name(case: Case) -> Seen:
    """Look the relay's name up as a delivery does: by the system's resolver."""
    relay = case.require_relay()
    if relay.proxy is not None:
        case.reachable = True
        raise Skipped("the proxy looks the name up")
    if relay.host.is_ip:
        case.reachable = True
        return ok("an address, which needs no look-up")
    from certmail.web.addresses import resolve

    look_up = case.world.look_up or resolve
    try:
        found = within(case.within(NAME_S), lambda: look_up(relay.host.text, relay.port))
    except (OSError, UnicodeError) as fault:
        slow = isinstance(fault, TimeoutError)
        reason = "the look-up of its name got no answer" if slow else _reason(fault)
        raise outcome.unreachable(relay, reason) from None
    case.reachable = True
    more = f" and {len(found) - _SHOWN_ADDRESSES} more" if len(found) > _SHOWN_ADDRESSES else ""
    return ok(f"leads to {', '.join(map(printable, found[:_SHOWN_ADDRESSES]))}{more}")


def tls(case: Case) -> Seen:
    """Visit the relay as deep as asked; say here what TLS came to."""
    relay = case.require_relay()
    if not case.reachable:
        raise Skipped("needs an address of the relay")
    depth = case.wish.depth or Depth.TLS
    sender = case.sender()
    if depth is Depth.ENVELOPE and sender is None:
        depth = Depth.LOGIN
    try:
        secret = case.relay_bench().secret(relay)
    except CertmailError as error:
        secret, depth, case.stopped = None, Depth.TLS, error

    def heard(found: Probed) -> None:
        case.probed = found

    try:
        office.visit(
            relay,
            depth=depth,
            secret=secret,
            sender=sender,
            timeouts=Timeouts(
                connect_s=case.within(STEP_S),
                command_s=case.within(STEP_S),
                total_s=case.within(VISIT_S),
            ),
            heard=heard,
        )
    except CertmailError as error:
        case.stopped = error
        if case.probed is None:
            raise
    found = case.probed
    if found is None:
        raise Skipped("nothing was heard of the relay")
    return ok(_facts(found))


def _facts(found: Probed) -> str:
    milliseconds = round(1000 * sum(seconds for _, seconds in found.seconds))
    offers = ", ".join(each.upper() for each in found.mechanisms) or "none"
    size = f"; takes {found.size_limit:,} octets" if found.size_limit else ""
    return (
        f"{found.tls.version}, {found.tls.cipher}, certificate until"
        f" {found.tls.valid_until:%Y-%m-%d}; {found.peer}, {milliseconds} ms;"
        f" logins: {offers}{size}"
    )


def login(case: Case) -> Seen:
    """Say what the login came to, or how it would be made."""
    relay, found = _visited(case)
    if found.depth is Depth.TLS and case.stopped is not None:
        return bad(case.stopped)
    if relay.user is None:
        return ok("none: the relay is used without one")
    if found.depth is Depth.TLS:
        raise Skipped(f"would be made by {found.mechanism}; tried with --login only")
    return ok(f"{found.mechanism} as {printable(relay.user)}: accepted")


def envelope(case: Case) -> Seen:
    """Say whether sender and recipient were taken."""
    _, found = _visited(case)
    if found.depth is Depth.ENVELOPE:
        return ok(
            f"RCPT {found.named}; RSET {found.taken_back}"
            if found.named and found.taken_back
            else "taken"
        )
    if found.depth is Depth.LOGIN and case.stopped is not None:
        return bad(case.stopped)
    if case.wish.depth is not Depth.ENVELOPE:
        raise Skipped("sender and recipient are named with --envelope only")
    raise Skipped("needs the login" if case.stopped else "needs sender.address")


def memory(case: Case) -> Seen:
    """Say what worked with this relay before."""
    if case.relay is None:
        raise Skipped("needs relay.host")
    known = office.ratchet().relays().get(case.relay.host.text)
    if known is None:
        return ok("no message has gone through it yet")
    with suppress(ValueError):
        case.has_passed(datetime.fromisoformat(known.at), "a message went through the relay")
    before = known.offered
    parts = [before.mode, before.tls_version, before.mechanism or "no login"]
    shown = ", ".join(part for part in parts if part)
    return ok(f"worked on {known.at[:10]} by {printable(shown)}; nothing weaker is taken")


def _visited(case: Case) -> tuple[Relay, Probed]:
    relay = case.require_relay()
    if case.probed is None:
        raise Skipped("needs TLS")
    return relay, case.probed


def _reason(fault: Exception) -> str:
    return printable(getattr(fault, "strerror", None) or "its name cannot be looked up")
