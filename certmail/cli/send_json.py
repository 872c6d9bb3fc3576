"""A sealed message as JSON values: what each reader sees, for whom it is sealed, and who signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certmail.cli.json_output import finding_as_json, instant

if TYPE_CHECKING:
    from certmail.cli.inputs import Given
    from certmail.message.preview import Inside
    from certmail.message.seal import SealedMessage
    from certmail.walk import Sealing


def sealing_as_json(sealing: Sealing, given: Given, *, kept: str | None) -> dict[str, Any]:
    """Give a message that was sealed in this run; ``kept`` is the file it was written to."""
    from certmail.cli.bundle_command import change_as_json
    from certmail.message.preview import inside

    return {
        **sealed_as_json(sealing.sealed, kept=kept),
        "inside": _inside_as_json(inside(sealing.letter)),
        "findings": [finding_as_json(finding) for finding in sealing.findings],
        "changes": [change_as_json(change) for change in given.changes],
    }


def sealed_as_json(sealed: SealedMessage, *, kept: str | None) -> dict[str, Any]:
    """Give a message of which only the sealed bytes are here: nobody can look inside again."""
    return {
        "outside": _outside_as_json(sealed),
        "inside": None,
        "key": {
            "fingerprint": sealed.pinned.fingerprint.text,
            "encryption_subkey": sealed.pinned.encryption_subkey.text,
            "source": sealed.pinned.source,
            "expires": instant(sealed.pinned.expires),
        },
        "signature": {
            "signer": sealed.signature.signer.text,
            "key": sealed.signature.key.text,
            "hash": sealed.signature.hash_name,
            "created": instant(sealed.signature.created),
        },
        "findings": [],
        "changes": [],
        "sealed_file": kept,
    }


def _inside_as_json(view: Inside) -> dict[str, Any]:
    return {
        "headers": [{"name": name, "value": value} for name, value in view.headers],
        "tree": [_part_as_json(*row) for row in view.tree],
        "text": view.text,
        "attachments": [
            {
                "file_name": part.file_name,
                "media_type": part.media_type,
                "octets": part.octets,
                "role": part.role,
                "lines": list(part.lines),
            }
            for part in view.attachments
        ],
    }


def _outside_as_json(sealed: SealedMessage) -> dict[str, Any]:
    from certmail.message.preview import outside

    view = outside(sealed)
    return {
        "headers": [{"name": name, "value": value} for name, value in view.headers],
        "tree": [_part_as_json(*row) for row in view.tree],
        "octets": view.octets,
        "sha256": view.sha256,
        "encrypted_to": [
            {"key_id": r.key_id, "fingerprint": r.fingerprint.text, "who": r.who}
            for r in view.readers
        ],
    }


def _part_as_json(depth: int, media_type: str, octets: int) -> dict[str, Any]:
    return {"depth": depth, "media_type": media_type, "octets": octets}
