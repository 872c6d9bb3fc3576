"""How much of a life is over: of a certificate, or of a key. For screens and pages alike.

In: two instants and a third. Out: the share that is over, what to say of it, and how it stands.
"""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Final

from certmail.frozen import frozen

if TYPE_CHECKING:
    from datetime import datetime

SOON: Final = timedelta(days=14)


class Standing(Enum):
    """Where an instant lies in a life."""

    GOOD = "good"
    SOON = "ends soon"
    OVER = "over"
    NOT_YET = "not yet begun"


@frozen
class Life:
    """A life seen at an instant. ``share`` is what is over of it, from 0 to 1."""

    share: float
    said: str
    standing: Standing


def life(begins: datetime, ends: datetime, *, at: datetime) -> Life:
    """See a life at an instant; a life of no length is over."""
    whole = ends - begins
    share = min(1.0, max(0.0, (at - begins) / whole)) if whole > timedelta() else 1.0
    if at > ends:
        return Life(1.0, f"ended {_days(at - ends)} ago", Standing.OVER)
    if at < begins:
        return Life(0.0, f"begins in {_days(begins - at)}", Standing.NOT_YET)
    standing = Standing.GOOD if ends - at > SOON else Standing.SOON
    return Life(share, f"{_days(ends - at)} left", standing)


def _days(span: timedelta) -> str:
    if not span.days:
        return "less than a day"
    return "1 day" if span.days == 1 else f"{span.days} days"
