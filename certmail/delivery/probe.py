"""Visit a relay as a delivery would, with no message to leave there.

In: a `Relay`, how far to go, where the password comes from. Out: a `Probed`, or the error that a
delivery would end with. Knows the order of the steps, which is that of `smtp`: TLS, the proof of
TLS, what the relay offers inside it, the password, one login, the envelope; then RSET and QUIT.

There is nothing here that could be sent: no parameter takes a message, and DATA is never said.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import field, replace
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Final

from certmail.delivery import auth
from certmail.delivery.relay import Relay, Timeouts
from certmail.delivery.session import Session
from certmail.delivery.smtp import (
    Interruptible,
    ending,
    log_in,
    no_progress,
    refuse_without_source,
)
from certmail.delivery.watch import BeforeSecret, Unwatched
from certmail.frozen import frozen, slotted
from certmail.recipient import CLEVER_CLOUD
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from certmail.delivery.outcome import Stage
    from certmail.delivery.tls import TlsFacts
    from certmail.values import Address, SecretKind, SecretSource

MAX_LISTED: Final = 64
"""Extensions or logins; no honest relay lists more."""


class Depth(Enum):
    """How far to go; each goes through those before it."""

    TLS = "tls"
    LOGIN = "login"
    ENVELOPE = "envelope"


@frozen
class Probed:
    """What a relay showed of itself, as far as the visit came.

    ``depth`` is what was done, whole. ``peer`` is the address that answered, or the proxy.
    ``mechanism`` is how a login is made; None where the settings name no user. ``size_limit`` is in
    octets, None where there is none. ``named`` and ``taken_back`` are the replies to RCPT and RSET.
    ``seconds`` tells how long each stage took, in their order. All text of the relay's is cleaned;
    nothing here is secret.
    """

    depth: Depth
    relay: str
    peer: str
    tls: TlsFacts
    greeting: str
    extensions: tuple[str, ...]
    mechanisms: tuple[str, ...]
    mechanism: str | None
    size_limit: int | None
    seconds: tuple[tuple[Stage, float], ...]
    named: str | None = None
    taken_back: str | None = None


def probe_now(
    relay: Relay,
    *,
    depth: Depth,
    secret: SecretSource | None = None,
    sender: Address | None = None,
    timeouts: Timeouts | None = None,
    watch: BeforeSecret | None = None,
    heard: Callable[[Probed], None] | None = None,
    progress: Callable[[Stage], None] | None = None,
) -> Probed:
    """Do what `probe` does, in a loop of its own; Ctrl-C ends it, as it ends `smtp.deliver`."""
    return asyncio.run(
        probe(
            relay,
            depth=depth,
            secret=None if secret is None else Interruptible(secret),
            sender=sender,
            timeouts=timeouts,
            watch=watch,
            heard=heard,
            progress=progress,
        )
    )


async def probe(
    relay: Relay,
    *,
    depth: Depth,
    secret: SecretSource | None = None,
    sender: Address | None = None,
    timeouts: Timeouts | None = None,
    watch: BeforeSecret | None = None,
    heard: Callable[[Probed], None] | None = None,
    progress: Callable[[Stage], None] | None = None,
) -> Probed:
    """Visit ``relay`` up to ``depth``, and leave.

    ``secret`` is read from `Depth.LOGIN` on, once, and only where the relay has a user; before that
    only its kind is of interest. ``sender`` is needed for `Depth.ENVELOPE`; the recipient is the
    one there is. ``watch`` is told once TLS is proved, at every depth, and may object before the
    password is read. ``heard`` is told of what is known once TLS is proved and after each further
    depth, so that an error takes nothing of it away. ``progress`` hears of each stage before it
    begins.

    Raises:
        RelayError: ``RELAY-…``, as a delivery does.
        SecretError: ``SECRET-…``: there is no password.
        SettingsError: ``CA-FILE-UNUSABLE``, ``CLIENT-CERT-UNUSABLE``.
    """
    if depth is Depth.ENVELOPE and sender is None:
        raise TypeError("an envelope has a sender")
    if depth is not Depth.TLS:
        refuse_without_source(relay, secret)
    clock = _Stopwatch(progress or no_progress)
    session = Session(relay, timeouts or Timeouts(), clock.enter)
    visit = _Visit(session, clock, watch or Unwatched(), heard or _nobody)
    async with ending(session):
        async with asyncio.timeout(session.timeouts.total_s) as deadline:
            found = await visit.secure()
            if depth is Depth.TLS:
                kind = auth.expected_kind(relay) if secret is None else secret.kind
                found = visit.foresee(found, kind)
            else:
                found = await visit.log_in(found, secret, deadline=deadline)
            if depth is Depth.ENVELOPE and sender is not None:
                found = await visit.name_in_vain(found, sender)
        await session.goodbye()
    return found


@slotted
class _Stopwatch:
    """Passes on each stage, and remembers when it began."""

    progress: Callable[[Stage], None]
    began: list[tuple[Stage, float]] = field(default_factory=list)

    def enter(self, stage: Stage) -> None:
        """Begin ``stage``, which ends the one before."""
        self.progress(stage)
        self.began.append((stage, time.monotonic()))

    def read(self) -> tuple[tuple[Stage, float], ...]:
        """Give the seconds of each stage up to now."""
        ends = [began for _, began in self.began[1:]] + [time.monotonic()]
        return tuple(
            (stage, end - began) for (stage, began), end in zip(self.began, ends, strict=True)
        )


@slotted
class _Visit:
    """One session, and who hears of it."""

    session: Session
    clock: _Stopwatch
    watch: BeforeSecret
    heard: Callable[[Probed], None]

    async def secure(self) -> Probed:
        """Connect, prove TLS, and take down what the relay offers inside it."""
        session = self.session
        greeting = await session.open()
        await session.secure()
        found = Probed(
            depth=Depth.TLS,
            relay=str(session.relay),
            peer=session.peer,
            tls=session.facts,
            greeting=greeting.text(),
            extensions=_listed(name.upper() for name in session.client.esmtp_extensions),
            mechanisms=_listed(session.client.server_auth_methods),
            mechanism=None,
            size_limit=session.size_limit,
            seconds=self.clock.read(),
        )
        return self._tell(found)

    def foresee(self, found: Probed, kind: SecretKind) -> Probed:
        """Say how a login would be made, and let the watch object, as before one."""
        if self.session.relay.user is not None:
            found = replace(found, mechanism=self.session.mechanism(kind).value)
        self.watch.before_secret(found.tls, found.mechanism)
        return self._tell(found)

    async def log_in(
        self, found: Probed, secret: SecretSource | None, *, deadline: asyncio.Timeout
    ) -> Probed:
        """Read the password and try it once."""
        mechanism = await log_in(self.session, secret, deadline=deadline, watch=self.watch)
        return self._tell(
            replace(
                found,
                depth=Depth.LOGIN,
                mechanism=mechanism.value if mechanism else None,
                seconds=self.clock.read(),
            )
        )

    async def name_in_vain(self, found: Probed, sender: Address) -> Probed:
        """Name sender and recipient, and take them back."""
        session = self.session
        named, taken_back = await session.name_in_vain(sender, CLEVER_CLOUD.address)
        return self._tell(
            replace(
                found,
                depth=Depth.ENVELOPE,
                named=named.text(session.redact),
                taken_back=taken_back.text(session.redact),
                seconds=self.clock.read(),
            )
        )

    def _tell(self, found: Probed) -> Probed:
        self.heard(found)
        return found


def _listed(names: Iterable[str]) -> tuple[str, ...]:
    """Take down foreign names, cleaned, in an order of our own."""
    return tuple(printable(name) for name in islice(sorted(names), MAX_LISTED))


def _nobody(_found: Probed) -> None:
    """Tell nobody."""
