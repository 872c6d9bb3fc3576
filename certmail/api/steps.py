"""Check, pin, seal, deliver: the walk for a program that calls certmail.

In: octets, values, an instant or a clock. Out: values, or a `CertmailError` with a stable code.
Nothing here reads settings, the environment or the time, prints, logs, or keeps anything between
two calls; every value is frozen, so that threads can share it. Whom a bundle is for stands in
``certmail.recipient`` and is no argument.

The order is the proof: `check` makes the `CheckedBundle` that `seal` wants, `pin` the
`PinnedKey`, `seal` the `SealedMessage` that is all that `deliver` takes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from certmail import walk
from certmail.bundle import check as bundle_check
from certmail.delivery.smtp import admit, deliver_async
from certmail.errors import UsageError
from certmail.gnupg import signers
from certmail.gnupg.engine import GnuPG
from certmail.gnupg.identify import identify_key
from certmail.gnupg.runner import find_gpg
from certmail.key import bundled
from certmail.key import pin as key_pin
from certmail.key.renew.acceptance import Acceptance, require_usable_or_accepted
from certmail.key.renew.life import Holding, carried_by
from certmail.key.renew.reading import read_whole
from certmail.key.renew.statements import merge
from certmail.message.letter import Request
from certmail.message.seal import Copy, SealedMessage, Signer
from certmail.recipient import CLEVER_CLOUD
from certmail.secrets import from_memory
from certmail.values import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from certmail.bundle.check import CheckedBundle, Verdict
    from certmail.delivery.outcome import Receipt
    from certmail.delivery.relay import Relay, Timeouts
    from certmail.key.pin import PinnedKey
    from certmail.values import Address, Fingerprint, SecretSource
    from certmail.walk import Sealing


def check(pem: bytes, *, at: datetime, domains: tuple[str, ...] = ()) -> Verdict:
    """Check a PEM bundle as of ``at`` (aware) for the host names it must cover.

    Takes any octets and never raises for what they are: the verdict holds every finding, and the
    `CheckedBundle` where none of them is an error. At most 1 MiB is looked at; 30 to 200 ms.
    RFC 5280 §6, RFC 7468, RFC 9525.
    """
    return bundle_check.check(pem, at=at, domains=domains)


def require_checked(verdict: Verdict) -> CheckedBundle:
    """Give the bundle of a verdict, or raise what is wrong with it.

    Raises:
        BundleRefused: under the code of the first error, with all ``findings``.
    """
    return walk.require_checked(verdict)


def open_gnupg(
    *,
    home: Path,
    env: Mapping[str, str],
    program: str | None = None,
    sign_timeout_s: float = 120.0,
    pinentry: str = "error",
) -> GnuPG:
    """Find GnuPG, and name the home in which it signs.

    ``env`` is where ``gpg`` is looked for (``PATH``) and, filtered, what its children are given:
    ``os.environ``, or as little as ``{"PATH": "/usr/bin:/bin"}``. ``pinentry`` is a mode of
    GnuPG's: ``error`` fails at once where a passphrase would be asked for, ``default`` asks.

    Raises:
        SealError: ``GPG-MISSING``, ``GPG-TOO-OLD``.
    """
    gpg = find_gpg(program, env=env)
    return GnuPG(gpg, env, signing_home=home, sign_timeout_s=sign_timeout_s, pinentry=pinentry)


def shipped_key() -> bytes:
    """Read the copy of Clever Cloud's key that comes with certmail; it expired in 2020.

    Raises:
        KeyRefused: ``KEY-FILE-MISSING``.
    """
    return bundled.read_bundled()


def pin(copy: bytes, *more: bytes, gnupg: GnuPG, at: datetime) -> PinnedKey:
    """Identify Clever Cloud's key in one copy of it or in several, as of ``at``.

    Copies are united, so that what one says about a revocation holds, whatever the others leave
    out. The result may have expired (``usability`` tells): such a key can be sealed to and is
    refused by `deliver`. Two verifiers must agree on every signature that counts: ours and
    GnuPG's, in a home of its own. RFC 9580 §5.2, §10.1.

    Raises:
        KeyRefused: ``PIN-MISMATCH`` for another key, ``KEY-…`` for one that may not be used,
            ``WITNESSES-DISAGREE``.
    """
    known = [read_whole(octets, recipient=CLEVER_CLOUD).known for octets in (copy, *more)]
    united = merge(*known)
    holdings = [Holding(f"copy {number}", one) for number, one in enumerate(known, start=1)]
    return identify_key(
        united.packets(),
        source=carried_by(united, holdings, at=at),
        recipient=CLEVER_CLOUD,
        gpg=gnupg.gpg,
        env=gnupg.env,
        at=at,
    )


def find_signer(
    gnupg: GnuPG,
    *,
    address: Address | None,
    fingerprint: Fingerprint | None = None,
    name: str | None = None,
) -> Signer:
    """Find the one secret key in GnuPG's home that signs for ``address``; never one of several.

    Raises:
        SealError: ``SIGNER-NONE``, ``SIGNER-NOT-FOUND``, ``SIGNER-AMBIGUOUS``, ``SIGNER-ADDRESS``,
            ``SIGNER-EXPIRED``, ``SIGNER-REVOKED``, ``SIGNER-CANNOT-SIGN``.
    """
    return signers.find_signer(
        gnupg.gpg,
        address=address,
        fingerprint=fingerprint,
        name=name,
        home=gnupg.signing_home,
        env=gnupg.env,
    )


def seal(
    checked: CheckedBundle,
    *,
    key: PinnedKey,
    signer: Signer,
    gnupg: GnuPG,
    request: Request | None = None,
    copy: Copy = Copy.NONE,
    accepted: Acceptance | None = None,
) -> Sealing:
    """Compose the letter, sign it, verify the signature, encrypt, and prove the result.

    The message is dated by the check; check again rather than keep a `CheckedBundle`. The result
    holds the plaintext letter too, for a preview: what may leave is ``.sealed``. Plaintext is in
    memory and in pipes to GnuPG, nowhere else. RFC 3156 §6.2, RFC 9788.

    Raises:
        SealError: ``SIGN-…``, ``GPG-…``, ``SEAL-…``, ``SIGNER-NO-ENCRYPTION``,
            ``REQUEST-TOO-LONG``.
    """
    return walk.seal_checked(
        checked,
        pinned=key,
        signer=signer,
        engine=gnupg,
        request=request or Request(),
        copy=copy,
        accepted=accepted,
    )


async def deliver(
    sealed: SealedMessage,
    *,
    relay: Relay,
    secret: Secret | SecretSource | None,
    now: Callable[[], datetime],
    accepted: Acceptance | None = None,
    timeouts: Timeouts | None = None,
) -> Receipt:
    """Hand a sealed message to a relay, once, over verified TLS; nothing is retried.

    Takes a `SealedMessage` and nothing else, and proves it anew. The key must be usable as of
    ``now()``, unless its expiry was ``accepted``. A `SecretSource` is read in the loop's thread,
    after TLS has been proved. A cancellation after the final dot becomes `DeliveryUnknown`. Where
    a crash in between must not lose the message, use `Outbox`. RFC 5321, RFC 8314 §3.3, RFC 4954.

    Raises:
        SealError: ``SEAL-FORGED`` for anything but what `seal` made, ``SEAL-…``.
        KeyRefused: ``KEY-EXPIRED``, ``KEY-SUBKEY-EXPIRED``.
        RelayError: ``RELAY-…``: nothing was accepted.
        DeliveryUnknown: ``DELIVERY-UNKNOWN``: nobody knows; do not send again blindly.
        SecretError: ``SECRET-…``: no password; nothing was sent.
        SettingsError: ``CA-FILE-UNUSABLE``, ``CLIENT-CERT-…``.
    """
    # Before anything of it is believed.
    admit(sealed)
    require_usable(sealed.pinned, accepted=accepted, at=now())
    return await deliver_async(
        sealed, relay=relay, secret=source_of(secret), now=now, timeouts=timeouts
    )


def deliver_sync(
    sealed: SealedMessage,
    *,
    relay: Relay,
    secret: Secret | SecretSource | None,
    now: Callable[[], datetime],
    accepted: Acceptance | None = None,
    timeouts: Timeouts | None = None,
) -> Receipt:
    """Do what `deliver` does in this thread, and wait for it; in any thread without a loop.

    In a main thread that left Ctrl-C to Python, an interrupt after the final dot is told as
    `DeliveryUnknown`; elsewhere no handler is touched.

    Raises:
        UsageError: ``LOOP-RUNNING``. Else as `deliver`.
    """
    refuse_inside_loop()
    return asyncio.run(
        deliver(sealed, relay=relay, secret=secret, now=now, accepted=accepted, timeouts=timeouts)
    )


def require_usable(pinned: PinnedKey, *, accepted: Acceptance | None, at: datetime) -> None:
    """Refuse a key that has ended by ``at``, unless that very expiry was accepted.

    Raises:
        KeyRefused: ``KEY-EXPIRED``, ``KEY-SUBKEY-EXPIRED``.
    """
    if accepted is None:
        key_pin.require_usable_at(pinned, at=at)
    require_usable_or_accepted(pinned, accepted)


def source_of(secret: Secret | SecretSource | None) -> SecretSource | None:
    """Make a source of a password that is known already."""
    return from_memory(secret) if isinstance(secret, Secret) else secret


def refuse_inside_loop() -> None:
    """Refuse to block a running loop, which asyncio would refuse less clearly.

    Raises:
        UsageError: ``LOOP-RUNNING``.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(
        "LOOP-RUNNING",
        "the blocking form was called inside a running event loop",
        why="it would stop everything else in the loop until the relay has answered",
        next="await the form without _sync",
    )
