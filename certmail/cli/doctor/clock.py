"""The clock of this machine, held against what it can be held against.

Nothing here knows the time. But a clock that stands before something that has certainly happened
is wrong, and a relay that was verified may say what time it has. Both are said as what they are:
evidence, not a measurement.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from certmail import RELEASED
from certmail.cli.doctor.look import Seen, note, ok
from certmail.errors import SealError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certmail.cli.doctor.case import Case
    from certmail.delivery.probe import Probed

TOLERANCE: Final = timedelta(minutes=5)
"""Kerberos and most of TLS live with as much."""

SYNCHRONISED: Final = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd touches it whenever it has set the clock; other services leave no such mark."""

_DATE: Final = re.compile(
    r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:[+-]\d{4}|GMT|UTC)",
    re.ASCII,
)


def clock(case: Case) -> Seen:
    """Hold the clock against what has certainly passed, and against the relay."""
    released = datetime.fromisoformat(RELEASED).replace(tzinfo=UTC)
    passed = [(released, "this certmail was made"), *case.passed]
    return judge(case.at, passed=passed, probed=case.probed, mark=SYNCHRONISED)


def judge(
    at: datetime,
    *,
    passed: Sequence[tuple[datetime, str]],
    probed: Probed | None,
    mark: Path,
) -> Seen:
    """Say what the evidence comes to.

    Raises:
        SealError: ``CLOCK-BEHIND``.
    """
    instants = [each for each in passed if each[0].tzinfo is not None]
    if probed is not None:
        instants.append((probed.tls.valid_from, "the relay's certificate was issued"))
    newest, words = max(instants)
    if at + TOLERANCE < newest:
        raise SealError(
            "CLOCK-BEHIND",
            f"the clock says {_shown(at)}, and {words} at {_shown(newest)}",
            why="signatures, certificates and expiry dates are judged by this clock",
            next="set the clock: sudo timedatectl set-ntp true, or your system's way",
        )
    evidence = [
        _shown(at),
        f"after the last that has certainly passed ({words}, {newest:%Y-%m-%d})",
    ]
    if probed is not None:
        told = _told(probed.greeting)
        if told is not None and abs(told - at) > TOLERANCE:
            return note(
                f"{_shown(at)}; the relay's greeting says {_shown(told)}",
                next="compare with a clock that you trust; timedatectl shows whether yours is set",
            )
        evidence.append(
            f"within the certificate of the relay, to {probed.tls.valid_until:%Y-%m-%d}"
        )
        if told is not None:
            evidence.append(f"{abs(told - at).total_seconds():.0f} s from the relay's greeting")
    if mark.exists():
        evidence.append("set by systemd-timesyncd")
    return ok("; ".join(evidence))


def _told(greeting: str) -> datetime | None:
    """Read the date that some relays greet with."""
    match = _DATE.search(greeting)
    if match is None:
        return None
    try:
        told = parsedate_to_datetime(match[0])
    except ValueError:
        return None
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)


def _shown(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
