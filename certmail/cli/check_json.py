"""The facts of a bundle as JSON values, and the time they are for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from certmail.errors import UsageError
from certmail.values import printable

if TYPE_CHECKING:
    from certmail.bundle.facts import CertificateFacts, KeyFacts


def certificate_as_json(certificate: CertificateFacts, *, at: datetime) -> dict[str, Any]:
    """Give a certificate's facts as JSON values."""
    from certmail.bundle.idn import to_unicode

    return {
        "lines": list(certificate.lines),
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": list(certificate.names),
        "names_read": [to_unicode(name) or name for name in certificate.names],
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "days_left": (certificate.not_after - at).days,
        "serial": certificate.serial,
        "sha256": certificate.sha256,
        "spki_sha256": certificate.spki_sha256,
        "key_algorithm": certificate.key_algorithm,
        "key_bits": certificate.key_bits,
        "signature_algorithm": certificate.signature_algorithm,
        "is_ca": certificate.is_ca,
        "self_signed": certificate.self_signed,
    }


def key_as_json(key: KeyFacts) -> dict[str, Any]:
    """Give the public half of a key as JSON values."""
    return {
        "lines": list(key.lines),
        "label": key.label,
        "algorithm": key.algorithm,
        "bits": key.bits,
        "spki_sha256": key.spki_sha256,
    }


def moment_of(text: str | None) -> datetime:
    """Read a time of ISO 8601, of UTC unless it says otherwise; without one, read the clock."""
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            "TIME-MALFORMED",
            f"{printable(text)} is not a time",
            why="the bundle was to be judged for that time",
            next="give it like 2026-12-24 or 2026-12-24T12:00:00Z",
        ) from None
