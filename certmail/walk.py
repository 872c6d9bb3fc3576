"""The story, readable aloud: identify the key, check the bundle, compose, seal, deliver.

Knows the order of the rooms and nothing of how any of them works; concrete edges are handed in.
A preview is a prefix of a send: it ends where the transport would begin, and no transport is in
its reach.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from certmail.bundle.check import CheckedBundle, Verdict, check
from certmail.bundle.findings import Finding, Severity
from certmail.bundle.further import NOTHING, Further
from certmail.errors import BundleError, SealError
from certmail.frozen import frozen
from certmail.key import armor
from certmail.key.renew.acceptance import Acceptance, require_usable_or_accepted
from certmail.message.letter import Letter, Request, Sender, compose
from certmail.message.seal import Copy, Engine, SealedMessage, Signer, parse_sealed, seal
from certmail.values import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from certmail.key.pin import PinnedKey
    from certmail.message.record import SealRecord

Outcome_co = TypeVar("Outcome_co", covariant=True)
Outcome = TypeVar("Outcome")


class Transport(Protocol[Outcome_co]):
    """What takes a sealed message, and nothing else, to the relay."""

    def __call__(self, sealed: SealedMessage, /) -> Outcome_co:
        """Submit the message."""


class BundleRefused(BundleError):
    """The bundle has errors; the findings travel with the refusal."""

    def __init__(self, verdict: Verdict) -> None:
        """Say how many and explain the first: causes come before consequences."""
        first, *others = [f for f in verdict.findings if f.severity is Severity.ERROR]
        super().__init__(
            first.code,
            f"{first.what}; there are {len(others)} more errors" if others else first.what,
            why=first.why,
            next=first.next,
            lines=first.lines,
        )
        self.findings: tuple[Finding, ...] = verdict.findings


@frozen
class Order:
    """What the operator asks for: a bundle, the names it must cover, and what to say about it."""

    pem: bytes = field(repr=False)
    at: datetime
    domains: tuple[str, ...] = ()
    request: Request = field(default_factory=Request)
    copy: Copy = Copy.NONE
    further: Further = NOTHING


@frozen
class Sealing:
    """A sealed message beside the letter it was made from, for those who may see both.

    ``findings`` are the warnings of a check that was part of the same walk.
    """

    sealed: SealedMessage
    letter: Letter = field(repr=False)
    findings: tuple[Finding, ...] = ()


def check_bundle(order: Order) -> tuple[CheckedBundle, tuple[Finding, ...]]:
    """Check the bundle of an order.

    Raises:
        BundleRefused: with every finding, under the code of the first error.
    """
    verdict = check(order.pem, at=order.at, domains=order.domains, further=order.further)
    return require_checked(verdict), verdict.findings


def require_checked(verdict: Verdict) -> CheckedBundle:
    """Give the bundle of a verdict, or refuse it with every finding.

    Raises:
        BundleRefused: under the code of the first error.
    """
    if verdict.checked is None:
        raise BundleRefused(verdict)
    return verdict.checked


def seal_bundle(
    order: Order,
    *,
    pinned: PinnedKey,
    signer: Callable[[], Signer],
    engine: Engine,
    accepted: Acceptance | None = None,
) -> Sealing:
    """Walk from bytes to a sealed message: a whole preview, and all of a send but the last step.

    ``signer`` is asked only after the bundle has passed, so that a bad bundle costs no look into
    the user's GnuPG home. An ``accepted`` expiry is told to the recipient in the letter.
    """
    checked, findings = check_bundle(order)
    sealing = seal_checked(
        checked,
        pinned=pinned,
        signer=signer(),
        engine=engine,
        request=order.request,
        copy=order.copy,
        accepted=accepted,
    )
    return replace(sealing, findings=findings)


def seal_checked(
    checked: CheckedBundle,
    *,
    pinned: PinnedKey,
    signer: Signer,
    engine: Engine,
    request: Request,
    copy: Copy,
    accepted: Acceptance | None = None,
) -> Sealing:
    """Walk from a checked bundle to a sealed message, dated by the check.

    Raises:
        SealError: ``SEAL-…``, ``SIGN-…``, ``GPG-…`` for what does not hold.
    """
    letter = compose(
        checked,
        sender=Sender(
            address=signer.address,
            name=signer.name,
            fingerprint=signer.fingerprint,
            public_key=armor.encode("PGP PUBLIC KEY BLOCK", signer.public_key),
        ),
        recipient=pinned.recipient,
        request=request,
        at=checked.at,
        remarks=accepted.remarks() if accepted is not None else (),
    )
    sealed = seal(letter, pinned=pinned, signer=signer, engine=engine, copy=copy)
    return Sealing(sealed=sealed, letter=letter)


def reopen(data: bytes, *, record: SealRecord, pinned: PinnedKey, at: datetime) -> SealedMessage:
    """Prove a sealed message from a file again, so that precisely its bytes can be sent.

    Raises:
        SealError: ``SEAL-OUTDATED`` when the certificate inside has ended since, or the
            ``SEAL-…`` code of what does not hold.
    """
    if record.ends <= at:
        raise SealError(
            "SEAL-OUTDATED",
            f"the certificate in this sealed message ended on {record.ends:%Y-%m-%d}",
            why="it was valid when the message was sealed and is not any more",
            next="renew the certificate, then certmail preview BUNDLE --output FILE.eml",
        )
    copy_for = Fingerprint(record.copy_for) if record.copy_for else None
    return parse_sealed(data, pinned=pinned, signature=record.signature(), copy_for=copy_for)


def deliver(
    sealed: SealedMessage,
    *,
    transport: Transport[Outcome],
    accepted: Acceptance | None = None,
) -> Outcome:
    """Hand the message to the transport, if its key can be encrypted to on the day it is sent.

    ``accepted`` is the operator's word, given in this run, for the expiry of this very key.

    Raises:
        KeyRefused: as `require_usable_or_accepted`.
    """
    require_usable_or_accepted(sealed.pinned, accepted)
    return transport(sealed)
