"""Which of the certificates that were handed over end soon.

In: records of the log, an instant, a number of days. Out: what is due, soonest first. Knows
neither files nor the clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from certmail.frozen import frozen
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORGOTTEN_AFTER: Final = timedelta(days=90)
"""A certificate that ended so long ago and was not renewed is in use nowhere."""


@frozen
class Due:
    """A certificate that was accepted, and the names for which no later one was."""

    ends: datetime
    names: tuple[str, ...]
    serial: str | None
    certificate_sha256: str
    message_id: str
    accepted_at: str


def accepted(records: Iterable[Mapping[str, Any]]) -> list[Due]:
    """List every certificate that was accepted, the oldest first."""
    return [found for record in records if (found := _accepted(record)) is not None]


def due(records: Iterable[Mapping[str, Any]], *, at: datetime, days: int) -> list[Due]:
    """List what ends within ``days`` or has ended, unless the same name was sent again since."""
    known = accepted(records)
    latest: dict[str, datetime] = {}
    for one in known:
        for name in one.names:
            latest[name] = max(latest.get(name, one.ends), one.ends)
    by_certificate = {one.certificate_sha256: one for one in known}
    ending: list[Due] = []
    for one in by_certificate.values():
        names = tuple(name for name in one.names if latest[name] == one.ends)
        if names and at - FORGOTTEN_AFTER <= one.ends <= at + timedelta(days=days):
            ending.append(
                Due(
                    one.ends, names, one.serial, one.certificate_sha256, one.message_id,
                    one.accepted_at,
                )
            )  # fmt: skip
    return sorted(ending, key=lambda one: one.ends)


def _accepted(record: Mapping[str, Any]) -> Due | None:
    """Read what matters of one record; one that was damaged is left to ``log verify``."""
    if record.get("outcome") != "accepted":
        return None
    try:
        ends = datetime.fromisoformat(str(record["certificate_ends"]))
        if ends.tzinfo is None:
            return None
        return Due(
            ends=ends,
            names=tuple(printable(str(name), limit=253) for name in record["names"]),
            serial=None if record.get("certificate_serial") is None
            else printable(str(record["certificate_serial"])),
            certificate_sha256=str(record["certificate_sha256"]),
            message_id=printable(str(record["message_id"]), limit=320),
            accepted_at=printable(str(record["at"])),
        )  # fmt: skip
    except (KeyError, ValueError, TypeError):
        return None
