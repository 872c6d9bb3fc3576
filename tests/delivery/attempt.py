"""One delivery to a relay of the tests, and everything that can be said about it."""

from __future__ import annotations

import base64
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from certmail.delivery.relay import Relay, Timeouts
from certmail.delivery.smtp import deliver
from certmail.errors import CertmailError
from certmail.submission import Mode
from certmail.values import Hostname, Secret, SecretKind
from tests.delivery.hostile import PASSWORD, USER, HostileRelay
from tests.delivery.message import sealed

if TYPE_CHECKING:
    from pathlib import Path

    from certmail.delivery.outcome import Receipt, Stage
    from certmail.message.seal import SealedMessage

AT = datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)

HASTY = Timeouts(connect_s=2, command_s=1, data_block_s=1, final_s=1, total_s=8)
"""Long enough for an honest relay on loopback, short enough to wait for."""


@dataclass
class CountedPassword:
    """A source that counts how often it is asked, and remembers nothing else."""

    text: str = PASSWORD
    kind: SecretKind = SecretKind.PASSWORD
    reads: int = 0

    def read(self) -> Secret:
        self.reads += 1
        return Secret(self.text, self.kind)


@dataclass
class Attempt:
    """What came of it."""

    receipt: Receipt | None
    error: CertmailError | None
    reads: int
    stages: list[Stage] = field(default_factory=list)

    @property
    def code(self) -> str | None:
        return self.error.code if self.error else None


def attempt(
    relay: HostileRelay | int,
    *,
    ca_file: Path | None,
    mode: Mode | None = None,
    host: str = "localhost",
    user: str | None = USER,
    password: str = PASSWORD,
    kind: SecretKind = SecretKind.PASSWORD,
    message: SealedMessage | None = None,
    timeouts: Timeouts = HASTY,
    **wishes: Any,
) -> Attempt:
    """Deliver once; no secret may stand in whatever comes of it."""
    port = relay if isinstance(relay, int) else relay.port
    chosen = mode or (relay.mode if isinstance(relay, HostileRelay) else Mode.IMPLICIT)
    source = CountedPassword(password, kind)
    stages: list[Stage] = []
    receipt = error = None
    try:
        receipt = deliver(
            message or sealed(),
            relay=Relay(Hostname(host), port, chosen, user=user, ca_file=ca_file, **wishes),
            secret=source,
            now=lambda: AT,
            timeouts=timeouts,
            progress=stages.append,
        )
    except CertmailError as fault:
        error = fault
        said = "".join(traceback.format_exception(fault)) + repr(vars(fault))
        refuse_leak(said, password)
    else:
        refuse_leak(repr(receipt), password)
    return Attempt(receipt, error, source.reads, stages)


def refuse_leak(text: str, password: str = PASSWORD) -> None:
    """Fail if the password stands in ``text``, plain or as AUTH sends it."""
    plain = f"\0{USER}\0{password}".encode()
    for form in (password, *map(_base64, (password.encode(), plain))):
        assert not form or form not in text


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode().rstrip("=")
