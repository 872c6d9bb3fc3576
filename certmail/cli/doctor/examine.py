"""Make every look, in the order in which they need each other; give them in that of the screen."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from certmail.cli.doctor import clock, domain, keys, machine, relay, settings, state
from certmail.cli.doctor.case import Case, Wish
from certmail.cli.doctor.look import Group, Health, Look, Seen, Skipped, bad, skipped
from certmail.cli.doctor.patience import within
from certmail.cli.keys_at_hand import World
from certmail.errors import CertmailError
from certmail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

ONE_LOOK_S: Final = 25.0
"""For a look that knows no clock of its own."""

_GRACE_S: Final = 1.0
"""A look's own clock, where it has one, ends first: it says better what was waited for."""


class Clock(Enum):
    """Who ends a look that does not end."""

    OURS = auto()
    ITS_OWN = auto()
    """It may ask a person, in this thread; the time that takes is not counted."""
    NONE = auto()
    """It says what is known by now, and waits for nothing."""


@frozen
class Exam:
    """A look to make. ``exit_status`` is that of a send which would hang there as well."""

    group: Group
    name: str
    ask: Callable[[Case], Seen | list[Seen]]
    exit_status: int
    clock: Clock = Clock.OURS


EXAMS: Final = (
    Exam(Group.SETTINGS, "settings", settings.settings, 16),
    Exam(Group.MACHINE, "GnuPG", machine.gnupg, 12),
    Exam(Group.MACHINE, "GnuPG home", machine.home, 12),
    Exam(Group.MACHINE, "temporary home", machine.throwaway, 12),
    Exam(Group.MACHINE, "agent", machine.agent, 12),
    Exam(Group.MACHINE, "pinentry", machine.pinentry, 0),
    Exam(Group.MACHINE, "gpg.conf", machine.options, 0),
    Exam(Group.MACHINE, "environment", machine.environment, 0),
    Exam(Group.KEYS, "signing key", keys.signer, 12),
    Exam(Group.KEYS, "recipient's key", keys.recipient, 11),
    Exam(Group.KEYS, "its freshness", keys.freshness, 11),
    Exam(Group.RELAY, "relay", relay.configured, 16, Clock.NONE),
    Exam(Group.SETTINGS, "password", settings.password, 15),
    Exam(Group.STATE, "state folder", state.folder, 17),
    Exam(Group.STATE, "outbox", state.outbox, 17),
    Exam(Group.STATE, "log", state.log, 17),
    Exam(Group.RELAY, "memory", relay.memory, 17),
    Exam(Group.RELAY, "name", relay.name, 13),
    Exam(Group.RELAY, "TLS", relay.tls, 13, Clock.ITS_OWN),
    Exam(Group.RELAY, "login", relay.login, 13, Clock.NONE),
    Exam(Group.RELAY, "envelope", relay.envelope, 13, Clock.NONE),
    Exam(Group.DOMAIN, "MX", domain.route, 0),
    Exam(Group.DOMAIN, "DANE", domain.dane, 0),
    Exam(Group.DOMAIN, "MTA-STS", domain.sts, 0),
    Exam(Group.MACHINE, "clock", clock.clock, 12, Clock.NONE),
)
"""In the order in which they need each other."""


def examine(wish: Wish) -> tuple[Look, ...]:
    """Make every look that can be made before the time is over."""
    world = wish.common.get("world") or World()
    case = Case(wish, world.at or datetime.now(UTC), world)
    looks: list[Look] = []
    for exam in EXAMS:
        began = time.monotonic()
        seen = _ask(exam, case)
        seconds = time.monotonic() - began
        looks += [Look(exam.group, exam.name, each, seconds) for each in seen]
        if exam.name == "its freshness":
            relay.settle(case)
    order = list(Group)
    return tuple(sorted(looks, key=lambda look: order.index(look.group)))


def _ask(exam: Exam, case: Case) -> list[Seen]:
    """Make one look; whatever comes of it is something to show."""
    left = min(ONE_LOOK_S, case.left_s)
    if not left and exam.clock is not Clock.NONE:
        return [skipped("the time is over; --deadline gives more")]
    try:
        ours = exam.clock is Clock.OURS
        seen = within(left + _GRACE_S, lambda: exam.ask(case)) if ours else exam.ask(case)
    except Skipped as fault:
        return [skipped(fault.why)]
    except CertmailError as error:
        return [bad(error)]
    except TimeoutError:
        evidence = f"did not end within {left:.0f} seconds"
        health = Health.BAD if exam.exit_status else Health.NOTE
        act = "certmail doctor --deadline 300, or look what hangs"
        return [Seen(health, evidence, "DOCTOR-TIMEOUT", act, exam.exit_status)]
    return seen if isinstance(seen, list) else [seen]
