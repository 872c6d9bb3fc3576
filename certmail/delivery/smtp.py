"""Hand one sealed message to one relay, once.

In: a `SealedMessage`, a `Relay`, where the password comes from. Out: a `Receipt`, or an error that
says whether anything was accepted. Knows the order of the steps; must not know what is sealed
inside the message.

The order is the security: TLS, the proof of TLS, what the relay offers inside it, the password,
one login, the envelope, the text, the dot. Nothing is retried, and there is no way back.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn

from certmail.delivery import auth, outcome
from certmail.delivery.outcome import Receipt, Stage
from certmail.delivery.relay import Relay, Timeouts
from certmail.delivery.session import Session
from certmail.delivery.text import is_canonical
from certmail.delivery.watch import BeforeSecret, Unwatched, Watch
from certmail.errors import CertmailError, SealError, SecretError
from certmail.message.seal import SealedMessage, parse_sealed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from certmail.delivery.auth import Mechanism
    from certmail.values import Secret, SecretKind, SecretSource


def deliver(
    sealed: SealedMessage,
    *,
    relay: Relay,
    secret: SecretSource | None,
    now: Callable[[], datetime],
    timeouts: Timeouts | None = None,
    progress: Callable[[Stage], None] | None = None,
    watch: Watch | None = None,
) -> Receipt:
    """Hand ``sealed`` to ``relay`` and wait for the verdict; ``now`` is asked once, at acceptance.

    ``progress`` hears of each stage before it begins, and of nothing after the final dot. Ctrl-C
    ends the connection: as KeyboardInterrupt before the final dot, as DeliveryUnknown after it.
    ``watch`` is told before the password is read and before the final dot, and may object.

    Raises:
        RelayError: ``RELAY-…``: nothing was accepted.
        DeliveryUnknown: ``DELIVERY-UNKNOWN``: do not send again blindly.
        SecretError: ``SECRET-…``: no password, nothing was sent.
        SettingsError: ``CA-FILE-UNUSABLE``.
        SealError: ``SEAL-…``: ``sealed`` is not what the door made.
    """
    return asyncio.run(
        deliver_async(
            sealed,
            relay=relay,
            secret=None if secret is None else Interruptible(secret),
            now=now,
            timeouts=timeouts,
            progress=progress,
            watch=watch,
        )
    )


async def deliver_async(
    sealed: SealedMessage,
    *,
    relay: Relay,
    secret: SecretSource | None,
    now: Callable[[], datetime],
    timeouts: Timeouts | None = None,
    progress: Callable[[Stage], None] | None = None,
    watch: Watch | None = None,
) -> Receipt:
    """Do what `deliver` does, inside a running loop.

    ``secret.read()`` runs in the loop's thread: nothing else of this session is worth doing before
    the password is there. A cancellation after the final dot becomes DeliveryUnknown.
    """
    wire = admit(sealed)
    refuse_without_source(relay, secret)
    session = Session(relay, timeouts or Timeouts(), progress or no_progress)
    watch = watch or Unwatched()
    async with ending(session):
        async with asyncio.timeout(session.timeouts.total_s) as deadline:
            mechanism = await begin(session, secret, deadline=deadline, watch=watch)
            await session.name(sealed, size=len(wire))
            await session.send(wire)
        # The verdict has a clock of its own, which is longer.
        receipt = await commit(session, sealed, wire, mechanism=mechanism, now=now, watch=watch)
        await session.conclude()
    return receipt


@asynccontextmanager
async def ending(session: Session) -> AsyncIterator[None]:
    """End a session however it goes: put a run-out clock into words, say goodbye, close."""
    try:
        yield
    except TimeoutError:  # total_s; every other clock was explained where it ran out
        raise outcome.timed_out(session.where) from None
    except CertmailError:
        await session.goodbye()
        raise
    finally:
        await session.close()


async def begin(
    session: Session, secret: SecretSource | None, *, deadline: asyncio.Timeout, watch: Watch
) -> Mechanism | None:
    """Connect, prove TLS, and log in: all that comes before the first message."""
    await session.open()
    await session.secure()
    return await log_in(session, secret, deadline=deadline, watch=watch)


async def commit(
    session: Session,
    sealed: SealedMessage,
    wire: bytes,
    *,
    mechanism: Mechanism | None,
    now: Callable[[], datetime],
    watch: Watch,
) -> Receipt:
    """Write the final dot, once ``watch`` knows of it, and take down the verdict."""
    watch.before_dot()
    reply = await session.commit()
    return Receipt(
        accepted_at=now(),
        relay=str(session.relay),
        peer=session.peer,
        tls=session.facts,
        mechanism=mechanism.value if mechanism else None,
        reply=reply.text(session.redact),
        message_id=sealed.message_id,
        sha256=sealed.sha256,
        size=len(wire),
        requiretls=session.asked.requiretls,
        dsn=session.asked.dsn,
        envid=session.asked.envid,
        notify=session.asked.notify,
    )


class Interruptible:
    """A source that Ctrl-C interrupts at once.

    asyncio.run turns the first Ctrl-C into a cancellation, which does not reach a thread that
    waits for a person to type; so the caller's handler is back while the password is read.
    """

    def __init__(self, source: SecretSource) -> None:
        """Remember the handler that is there before asyncio's."""
        self._source = source
        self._handler = signal.getsignal(signal.SIGINT)

    @property
    def kind(self) -> SecretKind:
        """What the source gives."""
        return self._source.kind

    def read(self) -> Secret:
        """Read with the caller's handler in force; only the main thread may change handlers."""
        if threading.current_thread() is not threading.main_thread() or self._handler is None:
            return self._source.read()
        loops = signal.signal(signal.SIGINT, self._handler)
        try:
            return self._source.read()
        finally:
            signal.signal(signal.SIGINT, loops)


def admit(sealed: SealedMessage) -> bytes:
    """Take nothing but what the door made, prove it once more, and give its octets.

    (1) the very class: another could render bytes that it did not prove, (2) the proof, (3) lines
    that SMTP carries unchanged: a bare CR or LF is how a second message is smuggled in, (4) the
    octets themselves, read and proved anew.

    Raises:
        SealError: ``SEAL-FORGED``, or what the proof says.
    """
    # (1) a look-alike
    if type(sealed) is not SealedMessage:
        _refuse_forged(f"a {type(sealed).__name__} was handed over instead of a SealedMessage")
    # (2) a value changed behind its back, or never given to its constructor
    try:
        sealed.prove()
        wire = sealed.wire()
    except (AttributeError, TypeError):
        _refuse_forged("the SealedMessage was not made by its constructor")
    # (3) a message within the message
    if type(wire) is not bytes or not is_canonical(wire):
        _refuse_forged("the sealed message is not lines of 7-bit text")
    # (4) a part that proves itself as one thing and renders itself as another
    parse_sealed(wire, pinned=sealed.pinned, signature=sealed.signature, copy_for=sealed.copy_for)
    return wire


async def log_in(
    session: Session, source: SecretSource | None, *, deadline: asyncio.Timeout, watch: BeforeSecret
) -> Mechanism | None:
    """Read the password last of all, and try it once; the time a person types is not counted."""
    user = session.relay.user
    if user is None or source is None:
        watch.before_secret(session.facts, None)
        return None
    mechanism = session.mechanism(source.kind)
    watch.before_secret(session.facts, mechanism.value)
    clock = asyncio.get_running_loop().time
    session.enter(Stage.SECRET)
    began = clock()
    secret = source.read()
    until = deadline.when()
    if until is not None:
        deadline.reschedule(until + clock() - began)
    await session.log_in(mechanism, user=user, secret=secret)
    return mechanism


def refuse_without_source(relay: Relay, secret: SecretSource | None) -> None:
    """Refuse before dialling what must fail after it.

    Raises:
        SecretError: ``SECRET-MISSING``, ``SECRET-KIND``.
    """
    if relay.user is not None and secret is None:
        raise SecretError(
            "SECRET-MISSING",
            f"there is no password for {relay.user} at {relay}",
            why="the settings name a user, so the relay will want a password",
            next="certmail secret set, or take the relay's user out of the settings",
        )
    if relay.user is not None and secret is not None:
        auth.require_fitting(relay.login, secret.kind)


def _refuse_forged(what: str) -> NoReturn:
    raise SealError(
        "SEAL-FORGED",
        what,
        why="only a message that was sealed and proved may leave this machine",
        next="hand over what seal() gave; if it was, this is a bug in certmail: report the code",
    ) from None


def no_progress(_stage: Stage) -> None:
    """Tell nobody."""
