"""Lay out every signature of a key with both witnesses' verdicts beside each other.

Comes in: a `KeyBlock`, our `Verdicts`, GnuPG's `GpgKeyReport`. Goes out: rows for people. Decides
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from certmail.frozen import frozen
from certmail.key.signature import SignatureType

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.key.keyblock import KeyBlock
    from certmail.key.selfsig import SignatureVerdict, Verdict, Verdicts
    from certmail.key.witness import GpgKeyReport, GpgSignature, GpgVerdict

_TYPES: Final = {
    SignatureType.GENERIC_CERTIFICATION: "certification",
    SignatureType.PERSONA_CERTIFICATION: "certification",
    SignatureType.CASUAL_CERTIFICATION: "certification",
    SignatureType.POSITIVE_CERTIFICATION: "certification",
    SignatureType.SUBKEY_BINDING: "subkey binding",
    SignatureType.DIRECT_KEY: "direct signature",
    SignatureType.KEY_REVOCATION: "revocation of the key",
    SignatureType.SUBKEY_REVOCATION: "revocation of the subkey",
    SignatureType.CERTIFICATION_REVOCATION: "revocation of the user ID",
}


@frozen
class SignatureRow:
    """One signature: on what, saying what, by whom, and the two verdicts.

    ``gnupg`` is None where GnuPG did not keep the signature.
    """

    on: str
    says: str
    by: str
    created: datetime | None
    hash_name: str
    weak: bool
    ours: Verdict
    gnupg: GpgVerdict | None


def lay_out(
    block: KeyBlock, verdicts: Verdicts, gpg_report: GpgKeyReport
) -> tuple[SignatureRow, ...]:
    """Give a row for each signature in the block, in order."""
    primary = gpg_report.primary
    rows = _rows("the key", verdicts.primary, primary.signatures if primary else ())
    by_raw = {uid.raw: uid.signatures for uid in gpg_report.user_ids}
    for uid, found in zip(block.user_ids, verdicts.user_ids, strict=True):
        rows += _rows(uid.text, found, by_raw.get(uid.raw, ()))
    by_fingerprint = {sub.fingerprint: sub.signatures for sub in gpg_report.subkeys}
    for sub, found in zip(block.subkeys, verdicts.subkeys, strict=True):
        name = f"subkey {sub.key.fingerprint.text}"
        rows += _rows(name, found, by_fingerprint.get(sub.key.fingerprint, ()))
    return tuple(rows)


def _rows(
    on: str, found: tuple[SignatureVerdict, ...], listed: tuple[GpgSignature, ...]
) -> list[SignatureRow]:
    rows = []
    for verdict in found:
        signature = verdict.signature
        by = signature.issuer_key_ids[0] if signature.issuer_key_ids else "?"
        theirs = [
            gpg.verdict
            for gpg in listed
            if (gpg.type, gpg.created, gpg.issuer_key_id) == (signature.type, signature.created, by)
        ]
        says = f"type 0x{signature.type:02X}"
        if signature.type in set(SignatureType):
            says = _TYPES.get(SignatureType(signature.type), says)
        rows.append(
            SignatureRow(
                on=on,
                says=says,
                by=by,
                created=signature.created,
                hash_name=signature.hash_name,
                weak=signature.weak,
                ours=verdict.verdict,
                gnupg=theirs[0] if theirs else None,
            )
        )
    return rows
