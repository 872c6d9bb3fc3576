"""``certmail check``: tell whether the provider would take this bundle."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import options

if TYPE_CHECKING:
    from certmail.bundle.check import Verdict
    from certmail.bundle.facts import CertificateFacts, KeyFacts
    from certmail.bundle.findings import Finding

BUNDLE_REFUSED: Final = 10

SHOWN_NAMES: Final = 8


@click.command()
@click.argument("bundle")
@options.domain_option
@options.json_option
def check(bundle: str, domains: tuple[str, ...], as_json: bool) -> int:  # noqa: FBT001 - click's flag
    """Check a PEM bundle: private key, certificate, intermediates, in this order.

    BUNDLE is a file, or - for standard input. Nothing is sent or written. Ends with 10 when the
    bundle has errors.
    """
    from certmail.bundle.check import check as run
    from certmail.cli.files import read_bundle

    at = datetime.now(UTC)
    verdict = run(read_bundle(bundle), at=at, domains=domains)
    if as_json:
        click.echo(json.dumps(_as_json(verdict, file=bundle, at=at), indent=2))
    else:
        _draw(verdict, file=bundle, at=at)
    return 0 if verdict.checked is not None else BUNDLE_REFUSED


def _draw(verdict: Verdict, *, file: str, at: datetime) -> None:
    from certmail.bundle.findings import Severity
    from certmail.cli.draw import draw_findings

    if verdict.facts is not None:
        click.echo(_summary(verdict, at=at))
    click.echo(draw_findings(verdict.findings), nl=False)
    counts = {
        severity: sum(finding.severity is severity for finding in verdict.findings)
        for severity in Severity
    }
    many = ", ".join(
        f"{number} {severity.value}{'s' if number > 1 else ''}"
        for severity, number in counts.items()
        if number
    )
    if verdict.checked is None:
        click.echo(f"{file}: refused ({many})")
    else:
        click.echo(f"{file}: good to send" + (f" ({many})" if many else ""))


def _summary(verdict: Verdict, *, at: datetime) -> str:
    facts = verdict.facts
    if facts is None:
        return ""
    lines = []
    if facts.key is not None:
        key = facts.key
        lines.append(f"  {_place(key.lines)}  private key   {key.algorithm} {key.bits}")
    for certificate in facts.certificates:
        role = "intermediate" if certificate.is_ca else "certificate"
        days = (certificate.not_after - at).days
        ends = f"{days} days left" if days >= 0 else f"ended {-days} days ago"
        lines.append(
            f"  {_place(certificate.lines)}  {role:<12}  {certificate.subject or '(no subject)'},"
            f" until {certificate.not_after:%Y-%m-%d} ({ends})"
        )
        if certificate.names:
            more = len(certificate.names) - SHOWN_NAMES
            rest = f" and {more} more" if more > 0 else ""
            lines.append(f"{'':<31}{', '.join(certificate.names[:SHOWN_NAMES])}{rest}")
    return "\n".join(lines) + "\n" if lines else ""


def _place(lines: tuple[int, int]) -> str:
    return f"{f'lines {lines[0]}-{lines[1]}':<15}"


def _as_json(verdict: Verdict, *, file: str, at: datetime) -> dict[str, Any]:
    facts = verdict.facts
    return {
        "schema": "certmail.check/1",
        "file": file,
        "at": at.isoformat(),
        "good": verdict.checked is not None,
        "findings": [finding_as_json(finding) for finding in verdict.findings],
        "key": _key_as_json(facts.key) if facts and facts.key else None,
        "certificates": [_certificate_as_json(c) for c in facts.certificates] if facts else [],
    }


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """Give a finding as JSON values."""
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "lines": list(finding.lines) if finding.lines else None,
        "what": finding.what,
        "why": finding.why,
        "next": finding.next,
    }


def _key_as_json(key: KeyFacts) -> dict[str, Any]:
    return {
        "lines": list(key.lines),
        "label": key.label,
        "algorithm": key.algorithm,
        "bits": key.bits,
        "spki_sha256": key.spki_sha256,
    }


def _certificate_as_json(certificate: CertificateFacts) -> dict[str, Any]:
    return {
        "lines": list(certificate.lines),
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": list(certificate.names),
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "serial": certificate.serial,
        "sha256": certificate.sha256,
        "spki_sha256": certificate.spki_sha256,
        "key_algorithm": certificate.key_algorithm,
        "key_bits": certificate.key_bits,
        "signature_algorithm": certificate.signature_algorithm,
        "is_ca": certificate.is_ca,
        "self_signed": certificate.self_signed,
    }
