"""What the log says was sent before, for a check that compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from certmail.bundle.further import Sent
    from certmail.ledger.expiry import Due


def sent_before() -> tuple[Sent, ...]:
    """Give the certificates that were accepted before; none where there is no log to read.

    A log that cannot be read hides a warning here and no more: whoever sends is told of it by the
    log itself.
    """
    from certmail.bundle.further import Sent
    from certmail.errors import CertmailError
    from certmail.places import state_folder

    log = state_folder() / "log"
    try:
        known = _accepted(log) if log.is_dir() else []
    except (CertmailError, OSError):
        return ()
    return tuple(
        Sent(
            at=one.accepted_at,
            names=one.names,
            ends=one.ends,
            serial=one.serial or "unknown",
            sha256=one.certificate_sha256,
        )
        for one in known
    )


def _accepted(log: Path) -> list[Due]:
    # Who never sent anything waits for none of this.
    from certmail.ledger.chain import Ledger
    from certmail.ledger.expiry import accepted

    return accepted(Ledger(log).records())
