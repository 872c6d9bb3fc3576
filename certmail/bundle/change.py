"""What changes when one certificate takes the place of another: names, key, end.

Comes in: the facts of both. Goes out: the differences. Judges nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from certmail.bundle import hosts
from certmail.frozen import frozen

if TYPE_CHECKING:
    from datetime import timedelta

    from certmail.bundle.facts import CertificateFacts

SHOWN: Final = 5
"""So many names stand in a sentence; the rest is counted."""


@frozen(kw_only=True)
class Change:
    """The differences; ``lost`` are names of the old one that the new one does not cover.

    ``longer`` is how much later the new one ends, negative where it ends earlier.
    """

    same: bool
    same_key: bool
    kept: tuple[str, ...]
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    longer: timedelta


def compare(old: CertificateFacts, new: CertificateFacts) -> Change:
    """Compare two certificates."""
    before, after = hosts.spelled(old.names), hosts.spelled(new.names)
    stays = {name: _covers(after, name) for name in old.names}
    return Change(
        same=old.sha256 == new.sha256,
        same_key=old.spki_sha256 == new.spki_sha256 != "",
        kept=tuple(name for name, kept in stays.items() if kept),
        gained=tuple(name for name in new.names if not _covers(before, name)),
        lost=tuple(name for name, kept in stays.items() if not kept),
        longer=new.not_after - old.not_after,
    )


def _covers(known: frozenset[str], name: str) -> bool:
    """Tell whether names cover another; a certificate may spell anything there."""
    settled, malformed = hosts.settle((name,))
    return name.lower() in known if malformed else hosts.covered(known, settled[0])
