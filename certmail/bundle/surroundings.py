"""What surrounds a bundle: the file it lies in, and the certificate it is to replace.

Comes in: what the edges saw. Goes out: findings. Knows the provider's rule about two certificates
for one name; touches neither file nor server.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

from certmail.bundle import change, hints, rules
from certmail.bundle.findings import Finding, warning

if TYPE_CHECKING:
    from certmail.bundle.facts import CertificateFacts
    from certmail.bundle.further import Further
    from certmail.bundle.pem import Block

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def mode(keys: tuple[Block, ...], further: Further) -> tuple[Finding, ...]:
    """Say that the file of a private key is open to others."""
    if not keys or further.file_mode is None or not further.file_mode & _OTHERS:
        return ()
    return (
        warning(
            "KEY-FILE-OPEN",
            keys[0].lines,
            f"the file holds a private key and has mode {further.file_mode & 0o777:04o}",
            why="other users of this machine may be able to read the key",
            next="chmod 600 bundle.pem",
        ),
    )


def sent(leaf: CertificateFacts, further: Further) -> tuple[Finding, ...]:
    """Compare the leaf with what the log says was sent for the same names."""
    same = [one for one in further.sent if one.sha256.upper() == leaf.sha256]
    if same:
        return (
            warning(
                "SENT-SAME",
                leaf.lines,
                f"this very certificate was accepted on {same[-1].at[:10]}",
                why="sending it again changes nothing, and the provider's work costs money",
                next="certmail log, and send it again only if it was not installed",
            ),
        )
    names = set(leaf.names)
    later = [one for one in further.sent if one.ends > leaf.not_after and names & set(one.names)]
    if not later:
        return ()
    longest = max(later, key=lambda one: one.ends)
    return (
        warning(
            "SENT-LATER",
            leaf.lines,
            f"it ends on {leaf.not_after:%Y-%m-%d}, before the one sent on {longest.at[:10]} for"
            f" {min(names & set(longest.names))}, which ends on"
            f" {longest.ends:%Y-%m-%d}",
            why=rules.LONGEST_LIVED.says,
            next=f"ask in the mail that the certificate with serial {longest.serial} be removed"
            " when this one is in place",
        ),
    )


def replaced(leaf: CertificateFacts, further: Further) -> tuple[Finding, ...]:
    """Compare the leaf with the certificate that it is to replace."""
    if further.replaces is None:
        return ()
    where, old = further.replaces.where, further.replaces.facts
    seen = change.compare(old, leaf)
    if seen.same:
        return (
            warning(
                "REPLACE-SAME",
                leaf.lines,
                f"it is the very certificate of {where}",
                why="sending it again changes nothing, and the provider's work costs money",
                next=hints.RENEW,
            ),
        )
    found = []
    if old.not_after > leaf.not_after:
        found.append(
            warning(
                "REPLACE-LATER",
                leaf.lines,
                f"it ends on {leaf.not_after:%Y-%m-%d}, before the one it replaces"
                f" ({old.not_after:%Y-%m-%d}, {where})",
                why=rules.LONGEST_LIVED.says,
                next="ask in the mail that the old certificate, serial"
                f" {old.serial}, be removed when the new one is in place",
            )
        )
    if seen.lost:
        shown = ", ".join(seen.lost[: change.SHOWN])
        more = len(seen.lost) - change.SHOWN
        found.append(
            warning(
                "REPLACE-NAMES",
                leaf.lines,
                f"it does not cover {shown}{f' and {more} more' if more > 0 else ''}, which the one"
                f" it replaces covers ({where})",
                why="visitors of these names would be shown a wrong certificate",
                next="have it issued again for all names, or make sure these are not used any more",
            )
        )
    return tuple(found)
