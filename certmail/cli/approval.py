"""What somebody is shown who must approve a message: plain values, gathered for a page.

Holds no field in which the private key fits: of the bundle, its public facts alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail import __version__
from certmail.frozen import frozen

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.bundle.facts import CertificateFacts, KeyFacts
    from certmail.bundle.findings import Finding
    from certmail.errors import KeyRefused
    from certmail.key.pin import PinnedKey
    from certmail.key.renew.life import Notice
    from certmail.message.preview import Inside, Outside
    from certmail.message.seal import Signature
    from certmail.walk import Sealing


@frozen(kw_only=True)
class Approval:
    """A sealed message as two readers see it, and all that speaks for and against it.

    ``refusal`` is why a send would refuse today. ``relay`` is the URL of the relay the settings
    name; ``kept`` is the file that holds the sealed bytes; either is None where there is none.
    """

    at: datetime
    version: str
    outside: Outside
    inside: Inside
    key: KeyFacts
    certificates: tuple[CertificateFacts, ...]
    domains: tuple[str, ...]
    findings: tuple[Finding, ...]
    changes: tuple[str, ...]
    pinned: PinnedKey
    notices: tuple[Notice, ...]
    refusal: KeyRefused | None
    signature: Signature
    sender: str
    relay: str | None
    kept: str | None


def approval(
    sealing: Sealing,
    *,
    at: datetime,
    changes: tuple[str, ...],
    notices: tuple[Notice, ...],
    refusal: KeyRefused | None,
    relay: str | None,
    kept: str | None,
) -> Approval:
    """Gather what there is to see of a sealed message."""
    from certmail.message.preview import inside, outside

    sealed, bundle = sealing.sealed, sealing.letter.bundle
    return Approval(
        at=at,
        version=__version__,
        outside=outside(sealed),
        inside=inside(sealing.letter),
        key=bundle.key,
        certificates=(bundle.leaf, *bundle.chain),
        domains=bundle.domains,
        findings=sealing.findings,
        changes=changes,
        pinned=sealed.pinned,
        notices=notices,
        refusal=refusal,
        signature=sealed.signature,
        sender=sealed.sender.text,
        relay=relay,
        kept=kept,
    )
