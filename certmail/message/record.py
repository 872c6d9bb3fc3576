"""The public facts of a message that was sealed here, kept so that it can be sent later.

In: a `SealedMessage` and its `Letter`. Out: a `SealRecord`, and its JSON form both ways. Holds no
plaintext and no secret. From outside nobody can tell whether a ciphertext is signed, or what it
certifies: the record, found by the SHA-256 of the whole message, is the evidence that this
installation signed, verified and checked it. Knows no files.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NoReturn

from certmail.errors import CertmailError, SealError
from certmail.frozen import frozen
from certmail.message.seal import SealedMessage, Signature, recall
from certmail.values import Fingerprint

if TYPE_CHECKING:
    from certmail.message.letter import Letter

SCHEMA: Final = "certmail.sealed/1"


@frozen
class SealRecord:
    """What was sealed, for whom, by whom, when; all instants are ISO 8601 in UTC."""

    schema: str
    sha256: str
    message_id: str
    reference: str
    checked_at: str
    signer: str
    signing_key: str
    hash_name: str
    signed_at: str
    recipient_key: str
    recipient_subkey: str
    copy_for: str | None
    names: tuple[str, ...]
    certificate_sha256: str
    certificate_ends: str
    certificate_serial: str | None = None

    @property
    def ends(self) -> datetime:
        """When the certificate inside ends."""
        return datetime.fromisoformat(self.certificate_ends)

    def signature(self) -> Signature:
        """Vouch for the signature that was verified when the message was sealed."""
        return recall(
            signer=Fingerprint(self.signer),
            key=Fingerprint(self.signing_key),
            hash_name=self.hash_name,
            created=datetime.fromisoformat(self.signed_at),
        )

    def to_json(self) -> str:
        """Write it as one JSON object."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"


def record(sealed: SealedMessage, letter: Letter) -> SealRecord:
    """Take down the facts of a message just sealed."""
    return SealRecord(
        schema=SCHEMA,
        sha256=sealed.sha256,
        message_id=sealed.message_id,
        reference=letter.reference,
        checked_at=letter.bundle.at.isoformat(),
        signer=sealed.signature.signer.text,
        signing_key=sealed.signature.key.text,
        hash_name=sealed.signature.hash_name,
        signed_at=sealed.signature.created.isoformat(),
        recipient_key=sealed.pinned.fingerprint.text,
        recipient_subkey=sealed.pinned.encryption_subkey.text,
        copy_for=sealed.copy_for.text if sealed.copy_for else None,
        names=letter.bundle.leaf.names,
        certificate_sha256=letter.bundle.leaf.sha256,
        certificate_ends=letter.bundle.leaf.not_after.isoformat(),
        certificate_serial=letter.bundle.leaf.serial,
    )


def read_record(text: str, *, sha256: str) -> SealRecord:
    """Parse a record and hold it against the message it was found for.

    Raises:
        SealError: ``SEAL-RECORD-DAMAGED``.
    """
    try:
        parts = json.loads(text)
        wanted = {f.name for f in fields(SealRecord)}
        # Records written before serials were kept have none.
        if not isinstance(parts, dict) or set(parts) | {"certificate_serial"} != wanted:
            _refuse_damaged()
        serial = parts.pop("certificate_serial", None)
        names = parts.pop("names")
        copy_for = parts.pop("copy_for")
        if not isinstance(names, list):
            _refuse_damaged()
        optional = [part for part in (serial, copy_for) if part is not None]
        if not all(isinstance(part, str) for part in (*parts.values(), *names, *optional)):
            _refuse_damaged()
        found = SealRecord(
            names=tuple(names), copy_for=copy_for, certificate_serial=serial, **parts
        )
        # A naive instant would compare with nothing later on.
        for instant in (
            found.signature().created,
            found.ends,
            datetime.fromisoformat(found.checked_at),
        ):
            _require_utc(instant)
        if copy_for is not None:
            Fingerprint(copy_for)
    except (ValueError, TypeError, AttributeError, RecursionError, CertmailError):
        _refuse_damaged()
    if found.schema != SCHEMA or found.sha256 != sha256:
        _refuse_damaged()
    return found


def _require_utc(instant: datetime) -> None:
    if instant.utcoffset() != UTC.utcoffset(None):
        raise ValueError("not an instant in UTC")


def _refuse_damaged() -> NoReturn:
    raise SealError(
        "SEAL-RECORD-DAMAGED",
        "the record of this sealed message cannot be read",
        why="it is the only evidence that the message inside is signed and what it holds",
        next="certmail preview BUNDLE --output FILE.eml, then send that file",
    ) from None
