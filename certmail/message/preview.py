"""What the two readers of a sealed message see: everybody on the way, and the recipient.

In: a `SealedMessage` and the `Letter` it was made from. Out: plain values for a screen or JSON.
The eavesdropper's view is read from the wire form, not from what was meant; the recipient's view
shows the private key as its type and the fingerprint of its public half. Knows how to look, not
how to draw.
"""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage, MIMEPart
from typing import TYPE_CHECKING, Final

from certmail.frozen import frozen

if TYPE_CHECKING:
    from certmail.bundle.check import CheckedBundle
    from certmail.message.letter import Letter
    from certmail.message.seal import SealedMessage
    from certmail.values import Fingerprint

_ROLES: Final = ("the bundle", "the sender's public key")


@frozen
class Reader:
    """A key that can open the message, as read back from its packets."""

    key_id: str
    fingerprint: Fingerprint
    who: str


@frozen
class Outside:
    """What an eavesdropper sees: headers, structure, sizes, and to which keys it is encrypted."""

    headers: tuple[tuple[str, str], ...]
    tree: tuple[tuple[int, str, int], ...]
    """Depth, media type and octets of each MIME part, in order."""
    octets: int
    sha256: str
    readers: tuple[Reader, ...]
    integrity: str


@frozen
class Attachment:
    """One attachment as the recipient finds it; ``lines`` describe its content."""

    file_name: str
    media_type: str
    octets: int
    role: str
    lines: tuple[str, ...]


@frozen
class Inside:
    """What the recipient reads once the message is opened."""

    headers: tuple[tuple[str, str], ...]
    tree: tuple[tuple[int, str, int], ...]
    text: str
    attachments: tuple[Attachment, ...]


def outside(sealed: SealedMessage) -> Outside:
    """Read the wire form as somebody on the way would."""
    wire = sealed.wire()
    message = _parse(wire)
    read = sealed.prove()
    known = {
        sealed.pinned.encryption_subkey.key_id: Reader(
            sealed.pinned.encryption_subkey.key_id,
            sealed.pinned.fingerprint,
            f"{sealed.recipient.name} <{sealed.recipient.address}>",
        )
    }
    if sealed.copy_for is not None:
        known[sealed.copy_for.key_id] = Reader(
            sealed.copy_for.key_id, sealed.signature.signer, f"you <{sealed.sender}>"
        )
    return Outside(
        headers=tuple((name, " ".join(str(value).split())) for name, value in message.items()),
        tree=_tree(message),
        octets=len(wire),
        sha256=sealed.sha256,
        readers=tuple(known[key_id] for key_id in read.key_ids),
        integrity="modification detection code (packet 18, version 1)",
    )


def inside(letter: Letter) -> Inside:
    """Read the frozen entity as the recipient would, without showing the private key."""
    message = _parse(letter.entity)
    attached = tuple(
        Attachment(
            file_name=part.get_filename() or "",
            media_type=part.get_content_type(),
            octets=len(part.get_content()),
            role=role,
            lines=lines,
        )
        for part, role, lines in zip(
            message.iter_attachments(),
            _ROLES,
            (_bundle_lines(letter.bundle), (letter.sender.fingerprint.grouped(),)),
            strict=True,
        )
    )
    return Inside(
        headers=tuple(
            (name, str(value)) for name, value in message.items() if name in _SHOWN_INSIDE
        ),
        tree=_tree(message),
        text=letter.text,
        attachments=attached,
    )


_SHOWN_INSIDE: Final = ("From", "To", "Subject", "Date", "Message-ID")


def _bundle_lines(bundle: CheckedBundle) -> tuple[str, ...]:
    key = bundle.key
    lines = [
        (
            f"private key, {key.algorithm} {key.bits}, not shown;"
            f" its public half has SHA-256 {key.spki_sha256}"
        )
    ]
    for index, certificate in enumerate((bundle.leaf, *bundle.chain)):
        what = "certificate" if index == 0 else "intermediate"
        lines.append(
            f"{what}, {certificate.subject or '(no subject)'}, until"
            f" {certificate.not_after:%Y-%m-%d}, SHA-256 {certificate.sha256}"
        )
    return tuple(lines)


def _parse(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not isinstance(message, EmailMessage):  # pragma: no cover - the policy's own class
        raise TypeError("the default policy makes an EmailMessage")
    return message


def _tree(message: EmailMessage) -> tuple[tuple[int, str, int], ...]:
    rows: list[tuple[int, str, int]] = []

    def walk(part: MIMEPart, depth: int) -> None:
        rows.append((depth, part.get_content_type(), len(part.as_bytes())))
        if part.is_multipart():
            for child in part.iter_parts():
                walk(child, depth + 1)

    walk(message, 0)
    return tuple(rows)
