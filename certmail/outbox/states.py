"""How far a sealed message has come, what that means, and what may follow.

In: nothing but values. Out: `State`, the transitions between states, `Entry`, and for each state
what is true and what to do. Knows neither files nor SMTP.

The states follow RFC 5321 §4.1.1.4: until the final dot is written a relay can have accepted
nothing; from then on only its reply can tell.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Final

from certmail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from certmail.message.record import SealRecord

MIN_NAME: Final = 4
"""How much of a message's SHA-256 must be typed."""

FILE_NAME: Final = "outbox.sqlite3"
SHOWN_NAME: Final = 12


class State(Enum):
    """How far a message has come. Each is on disk before the act that it announces."""

    PREPARED = "prepared"
    SENDING = "sending"
    DOT_SENT = "dot sent"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    DROPPED = "dropped"


IN_FLIGHT: Final = frozenset({State.SENDING, State.DOT_SENT})
"""States in which some process must be alive; without one the message was left behind."""

PENDING: Final = frozenset({State.PREPARED, State.WAITING})
"""States from which a retry needs nobody's word: nothing was accepted."""

RETRIED: Final = frozenset({*PENDING, State.REFUSED})
"""States that end when somebody tries once more; a refusal waits for a person to say so."""

MAY_FOLLOW: Final[Mapping[State, frozenset[State]]] = {
    State.PREPARED: frozenset({State.SENDING, State.WAITING, State.REFUSED, State.DROPPED}),
    State.WAITING: frozenset({State.SENDING, State.WAITING, State.REFUSED, State.DROPPED}),
    State.SENDING: frozenset({State.DOT_SENT, State.WAITING, State.REFUSED}),
    State.DOT_SENT: frozenset({State.ACCEPTED, State.REFUSED, State.WAITING, State.UNKNOWN}),
    # A relay can take back a 250 that it gave too early.
    State.ACCEPTED: frozenset({State.UNKNOWN}),
    # Only by a human's word, which the caller has.
    State.REFUSED: frozenset({State.SENDING, State.WAITING, State.REFUSED, State.DROPPED}),
    State.UNKNOWN: frozenset({State.SENDING, State.UNKNOWN, State.DROPPED}),
    State.DROPPED: frozenset(),
}

MEANS: Final[Mapping[State, tuple[str, str]]] = {
    State.PREPARED: (
        "sealed and kept; never offered to a relay, or it could not be reached",
        "certmail outbox retry {name}",
    ),
    State.SENDING: (
        "another certmail is offering it now; the final dot is not written",
        "wait for that process to end",
    ),
    State.DOT_SENT: (
        "another certmail has written the final dot and waits for the verdict",
        "wait for that process to end",
    ),
    State.ACCEPTED: ("the relay took it over", "nothing; certmail log shows the receipt"),
    State.REFUSED: (
        "the relay refused it for good; nothing was accepted",
        "mend the cause, then certmail outbox retry {name}, or certmail outbox drop {name}",
    ),
    State.WAITING: (
        "offered, and not taken for now; nothing was accepted",
        "certmail outbox retry {name}",
    ),
    State.UNKNOWN: (
        "the relay has the whole message and no verdict came back: it may be on its way",
        (
            "look into the relay's log for the Message-ID; then certmail outbox drop {name}, or"
            " certmail outbox retry {name} --resend-unknown"
        ),
    ),
    State.DROPPED: ("you took it out, or a newer message took its place", "nothing"),
}
"""For each state what is true, and what to do."""


@frozen
class Entry:
    """One message in the outbox: public facts. Its sealed bytes are read on their own.

    ``again_at`` is when a retry is due. ``code`` and ``said`` are the last verdict's. ``facts``
    are what the transport found out. ``kept`` tells whether the sealed bytes are still there.
    """

    number: int
    sha256: str
    label: str
    state: State
    record: SealRecord
    relay: str
    created_at: datetime
    changed_at: datetime
    attempts: int
    again_at: datetime | None = None
    code: str | None = None
    said: str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    kept: bool = True

    @property
    def name(self) -> str:
        """What people type: the beginning of the message's SHA-256."""
        return self.sha256[:SHOWN_NAME]

    @property
    def means(self) -> str:
        """What is true of a message in this state."""
        return MEANS[self.state][0]

    @property
    def next(self) -> str:
        """What to do about it."""
        return MEANS[self.state][1].format(name=self.name)
