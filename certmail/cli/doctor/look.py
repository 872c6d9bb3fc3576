"""One look: what was looked at, how it is, on what evidence, and what to type next."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from certmail.frozen import frozen

if TYPE_CHECKING:
    from certmail.errors import CertmailError


class Health(Enum):
    """What a look came to."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing; it would not stop a send."""
    BAD = "bad"
    """It would stop a send."""
    SKIPPED = "skipped"


class Group(Enum):
    """What a look is about, in the order of the screen."""

    MACHINE = "This machine"
    KEYS = "Keys"
    SETTINGS = "Settings and secrets"
    RELAY = "Relay"
    DOMAIN = "Recipient's domain"
    STATE = "State"


@frozen
class Seen:
    """What a look saw. ``exit_status`` is that of the send it would stop, else 0."""

    health: Health
    evidence: str
    code: str | None = None
    next: str | None = None
    exit_status: int = 0


@frozen
class Look:
    """What was seen, under its name; ``seconds`` is how long it took."""

    group: Group
    name: str
    seen: Seen
    seconds: float


class Skipped(Exception):
    """Cannot be looked at; says why."""

    def __init__(self, why: str) -> None:
        """Keep why."""
        super().__init__(why)
        self.why = why


def ok(evidence: str) -> Seen:
    """Say that it is as it should be."""
    return Seen(Health.OK, evidence)


def note(evidence: str, *, next: str | None = None, code: str | None = None) -> Seen:
    """Say what is worth knowing."""
    return Seen(Health.NOTE, evidence, code, next)


def bad(error: CertmailError) -> Seen:
    """Say what would stop a send: the very refusal that it would meet."""
    return Seen(Health.BAD, error.what, error.code, error.next, error.exit_status)


def skipped(why: str) -> Seen:
    """Say why nobody looked."""
    return Seen(Health.SKIPPED, why)
