"""From a damaged but attributable file to the canonical bundle, losslessly.

Comes in: the file's octets. Goes out: the bundle and every change in words, or the findings that
cannot be cured without guessing. The result has passed the check, so repairing it again changes
nothing. Must not know files.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from certmail.bundle.assemble.arrange import arrange
from certmail.bundle.assemble.changes import Change
from certmail.bundle.assemble.gather import gather
from certmail.bundle.assemble.items import Item, KeyFormat, Unrepairable
from certmail.bundle.check import CheckedBundle, Verdict, check
from certmail.bundle.findings import Finding, Severity, forbids_sending
from certmail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certmail.bundle.assemble.complete import Issuers
    from certmail.bundle.assemble.items import Passphrase


@frozen
class Repaired:
    """A canonical bundle in which the check found no error, and what it took to get there.

    ``findings`` are the warnings that are left; their lines are those of the result.
    """

    pem: bytes = field(repr=False)
    changes: tuple[Change, ...]
    checked: CheckedBundle
    findings: tuple[Finding, ...]


def repair(
    data: bytes,
    *,
    at: datetime,
    domains: tuple[str, ...] = (),
    name: str = "the file",
    key_format: KeyFormat = KeyFormat.PKCS8,
    passphrase: Passphrase | None = None,
    issuers: Issuers | None = None,
) -> Repaired:
    """Repair one file; a bundle that is canonical already comes back octet by octet.

    Raises:
        Unrepairable: with findings about the lines of ``data``.
        BundleError: as `gather.gather` and `arrange.arrange`.
    """
    found = gather(data, name=name, passphrase=passphrase)
    try:
        repaired = join(
            found.items,
            found.changes,
            at=at,
            domains=domains,
            key_format=key_format,
            issuers=issuers,
        )
    except Unrepairable as refusal:
        # The same causes, by the lines that the user sees, where the file itself shows them.
        seen = check(data, at=at, domains=domains).findings
        codes = {finding.code for finding in refusal.findings}
        mine = [finding for finding in seen if finding.code in codes]
        raise Unrepairable(mine or refusal.findings, file=name) from None
    if not repaired.changes and repaired.pem != data:
        change = Change("text", "laid the blocks out again", None, name)
        return replace(repaired, changes=(change,))
    return repaired


def join(
    items: Sequence[Item],
    changes: Sequence[Change],
    *,
    at: datetime,
    domains: tuple[str, ...] = (),
    key_format: KeyFormat = KeyFormat.PKCS8,
    issuers: Issuers | None = None,
) -> Repaired:
    """Put parts together, and have the result checked.

    Raises:
        Unrepairable: the result has errors; a finding's lines would mean nothing and are left out.
    """
    arranged = arrange(items, at=at, key_format=key_format, issuers=issuers)
    verdict = check(arranged.pem, at=at, domains=domains)
    if verdict.checked is None:
        raise Unrepairable(_errors(verdict))
    return Repaired(arranged.pem, (*changes, *arranged.changes), verdict.checked, verdict.findings)


def _errors(verdict: Verdict) -> tuple[Finding, ...]:
    return tuple(
        replace(finding, lines=None)
        for finding in verdict.findings
        if finding.severity is Severity.ERROR or not forbids_sending(verdict.findings)
    )
