"""Compose the inner MIME entity: what the recipient reads once the message is opened.

In: a `CheckedBundle`, who sends it, what is asked for, the instant. Out: a `Letter`, whose bytes
are frozen in CRLF form before anything signs them. Knows RFC 2045/2046 (MIME), RFC 9788 (header
protection) and the text a support engineer can act on. Must not know OpenPGP or SMTP.

The entity is ``multipart/mixed`` with a plain text, the bundle byte for byte as checked, and the
sender's public key, so that somebody who never met the sender can verify the signature. There is
no HTML: an HTML renderer is what turns a decrypted mail into a leak.
"""

from __future__ import annotations

import email
from dataclasses import InitVar, field
from email.header import decode_header, make_header
from email.message import Message
from email.utils import format_datetime, getaddresses
from secrets import token_hex
from typing import TYPE_CHECKING, Final, NoReturn

from certmail.errors import SealError
from certmail.frozen import frozen
from certmail.message import mime
from certmail.values import Address, Fingerprint, printable

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.bundle.check import CheckedBundle
    from certmail.recipient import Recipient

OUTER_SUBJECT: Final = "[...]"
"""What RFC 9788 §3.2.1 (hcp_baseline) shows instead of the subject."""

MAX_REQUEST_CHARACTERS: Final = 4000
"""A note is a few sentences; a longer one belongs into a ticket."""


@frozen
class Sender:
    """Who signs: an address, a name for people, and the key whose public half travels along.

    ``public_key`` is the armored transferable public key, ASCII.
    """

    address: Address
    name: str
    fingerprint: Fingerprint
    public_key: bytes = field(repr=False)


@frozen
class Request:
    """What the operator wants done with the bundle; each part may be absent."""

    organisation: str | None = None
    application: str | None = None
    contact: str | None = None
    note: str | None = None


@frozen
class OuterHeaders:
    """The five headers that anybody on the way can read."""

    sender: Address
    recipient: Address
    date: str
    message_id: str
    subject: str = OUTER_SUBJECT

    def fields(self) -> tuple[tuple[str, str], ...]:
        """Give names and values in the order in which they are written."""
        return (
            ("From", self.sender.text),
            ("To", self.recipient.text),
            ("Subject", self.subject),
            ("Date", self.date),
            ("Message-ID", self.message_id),
        )


class _Witness:
    """Held by this room alone."""


_WITNESS: Final = _Witness()


@frozen
class Letter:
    """An inner entity that was read back and found to hold what it should.

    Proves: ``entity`` is CRLF, 7-bit, and carries exactly the bundle that was checked. Does not
    prove that anything is signed or encrypted: a Letter is plaintext and must reach nothing but
    the seal.
    """

    entity: bytes = field(repr=False)
    outer: OuterHeaders
    subject: str
    text: str = field(repr=False)
    bundle: CheckedBundle
    sender: Sender
    file_name: str
    reference: str
    witness: InitVar[_Witness]

    def __post_init__(self, witness: _Witness) -> None:
        """Refuse every builder but `compose`."""
        if witness is not _WITNESS:
            raise TypeError("only compose() makes a Letter")


def compose(
    bundle: CheckedBundle,
    *,
    sender: Sender,
    recipient: Recipient,
    request: Request,
    at: datetime,
    remarks: tuple[str, ...] = (),
) -> Letter:
    """Write the letter for ``bundle`` and freeze its bytes.

    ``at`` is aware UTC and becomes the Date, so that no time zone is given away. ``remarks`` are
    sentences about how the message was made that the recipient should read.

    Raises:
        SealError: ``REQUEST-TOO-LONG``, ``LETTER-DISTORTED``.
    """
    reference = token_hex(16)
    outer = OuterHeaders(
        sender=sender.address,
        recipient=recipient.address,
        date=format_datetime(at.replace(microsecond=0)),
        # The sender's domain is on the From line already; a host name would be news.
        message_id=f"<{token_hex(16)}@{sender.address.domain}>",
    )
    subject = _subject(bundle)
    file_name = _file_name(bundle)
    text = _text(
        bundle,
        sender=sender,
        recipient=recipient,
        request=request,
        file_name=file_name,
        reference=reference,
        remarks=remarks,
    )
    entity = _entity(
        outer, subject=subject, text=text, bundle=bundle, sender=sender, file_name=file_name
    )
    _read_back(entity, outer=outer, subject=subject, text=text, bundle=bundle, sender=sender)
    return Letter(
        entity=entity,
        outer=outer,
        subject=subject,
        text=text,
        bundle=bundle,
        sender=sender,
        file_name=file_name,
        reference=reference,
        witness=_WITNESS,
    )


def _entity(
    outer: OuterHeaders,
    *,
    subject: str,
    text: str,
    bundle: CheckedBundle,
    sender: Sender,
    file_name: str,
) -> bytes:
    boundary = f"=_{token_hex(16)}"
    display = printable(" ".join(sender.name.split()), limit=_LONGEST_NAME)
    head = [
        mime.mailbox("From", display=display, address=sender.address.text),
        mime.unstructured("To", outer.recipient.text),
        mime.unstructured("Subject", subject),
        mime.unstructured("Date", outer.date),
        mime.unstructured("Message-ID", outer.message_id),
        # RFC 9788 §2.2: each outer field is recorded inside, so that the reader can tell what the
        # network saw from what is protected.
        *(mime.unstructured("HP-Outer", f"{name}: {value}") for name, value in outer.fields()),
        "MIME-Version: 1.0",
        # RFC 9788 §2.1.1 names hp="cipher"; readers older than that RFC look for the other one.
        "Content-Type: multipart/mixed;",
        f' boundary="{boundary}"; protected-headers="v1";',
        ' hp="cipher"',
    ]
    parts = (
        mime.text_part(text),
        mime.attachment(bundle.pem, media_type=_BUNDLE_TYPE, file_name=file_name),
        mime.attachment(
            sender.public_key,
            media_type=_KEY_TYPE,
            file_name=f"OpenPGP_0x{sender.fingerprint.text}.asc",
        ),
    )
    return mime.multipart(head, parts, boundary=boundary)


_BUNDLE_TYPE: Final = "application/x-pem-file"
_KEY_TYPE: Final = "application/pgp-keys"
"""RFC 3156 §7."""
_LONGEST_NAME: Final = 200


def _read_back(
    entity: bytes,
    *,
    outer: OuterHeaders,
    subject: str,
    text: str,
    bundle: CheckedBundle,
    sender: Sender,
) -> None:
    """Have the standard library read what was written; refuse it unless it says what was meant.

    Comes before signing: what a reader would see otherwise is noticed here, not by the recipient.
    """
    message = email.message_from_bytes(entity)
    parts = [message, *(part for part in message.get_payload() if isinstance(part, Message))]
    if any(part.defects for part in parts):
        _refuse("is not well-formed")
    _read_bodies(parts, text=text, bundle=bundle, sender=sender)
    _read_headers(message, outer=outer, subject=subject)
    if entity.replace(b"\r\n", b"").translate(None, bytes(range(32, 127)) + b"\t"):
        _refuse("holds a byte that is not 7-bit text in CRLF lines")
    if max(len(line) for line in entity.split(b"\r\n")) > _MAX_LINE_OCTETS:
        _refuse("holds a line over 998 octets")


def _read_bodies(parts: list[Message], *, text: str, bundle: CheckedBundle, sender: Sender) -> None:
    types = [part.get_content_type() for part in parts]
    if types != ["multipart/mixed", "text/plain", _BUNDLE_TYPE, _KEY_TYPE]:
        _refuse("does not have its three parts")
    written, attached, key = (part.get_payload(decode=True) for part in parts[1:])
    if attached != bundle.pem:
        _refuse("does not hold the bundle byte for byte")
    if key != sender.public_key:
        _refuse("does not hold the sender's key byte for byte")
    if written != text.replace("\n", "\r\n").encode("utf-8"):
        _refuse("does not hold the text")


def _read_headers(message: Message, *, outer: OuterHeaders, subject: str) -> None:
    """Compare each field, unfolded and decoded; one more than was written is one too many."""
    said = [
        (name, str(make_header(decode_header("".join(str(value).splitlines())))))
        for name, value in message.items()
    ]
    inner = {**dict(outer.fields()), "From": said[0][1], "Subject": subject}
    told = [("HP-Outer", f"{name}: {value}") for name, value in outer.fields()]
    rest = [("MIME-Version", "1.0"), ("Content-Type", said[-1][1])]
    if said != [*inner.items(), *told, *rest]:
        _refuse("does not hold its headers, and no others")
    if [address for _, address in getaddresses(message.get_all("From", []))] != [outer.sender.text]:
        _refuse("is not from its sender")


_MAX_LINE_OCTETS: Final = 998
"""RFC 5322 §2.1.1."""


def _refuse(what: str) -> NoReturn:
    raise SealError(
        "LETTER-DISTORTED",
        f"the letter, read back before signing, {what}",
        why="what would be signed is not what was checked",
        next="report this with the output of certmail --version; attach no bundle",
    )


def _subject(bundle: CheckedBundle) -> str:
    first, *others = bundle.leaf.names
    more = f" and {len(others)} more" if others else ""
    return f"TLS certificate for {first}{more}"


def _file_name(bundle: CheckedBundle) -> str:
    """Name the attachment for its first name, in letters that every system takes."""
    name = bundle.leaf.names[0].replace("*", "wildcard")
    safe = "".join(c if c.isascii() and (c.isalnum() or c in ".-") else "-" for c in name)
    return f"{safe.strip('.-')[:60] or 'bundle'}.pem"


def _text(
    bundle: CheckedBundle,
    *,
    sender: Sender,
    recipient: Recipient,
    request: Request,
    file_name: str,
    reference: str,
    remarks: tuple[str, ...],
) -> str:
    leaf = bundle.leaf
    order = "the private key, the certificate"
    if bundle.chain:
        many = len(bundle.chain)
        order += f", {many} intermediate certificate{'s' if many > 1 else ''}"
    lines = [
        "Hello,",
        "",
        "please install the attached TLS certificate for the domains below.",
        "",
        *_rows(
            ("Domains", leaf.names),
            ("Organisation", _said(request.organisation)),
            ("Application", _said(request.application)),
            ("Contact", _said(request.contact) or (sender.address.text,)),
            ("Note", _said(request.note)),
        ),
        "",
        "The certificate",
        "",
        *_rows(
            ("Subject", (leaf.subject or "(empty)",)),
            ("Issuer", (leaf.issuer,)),
            ("Valid from", (f"{leaf.not_before:%Y-%m-%d %H:%M} UTC",)),
            ("Valid until", (f"{leaf.not_after:%Y-%m-%d %H:%M} UTC",)),
            ("Serial", (leaf.serial,)),
            ("SHA-256", _hex_lines(leaf.sha256)),
            ("Key", (f"{bundle.key.algorithm} {bundle.key.bits}, matches the certificate",)),
        ),
        "",
        f"The attachment {file_name} holds, in this order: {order}.",
        "Its lines end in a single line feed. Key, order, signatures and dates were",
        f"checked on {bundle.at:%Y-%m-%d %H:%M} UTC, before this message was sealed.",
        *(["", *remarks] if remarks else []),
        "",
        "This message is signed with the OpenPGP key",
        f"  {sender.fingerprint.grouped()}",
        "whose public half is attached. It is encrypted to",
        f"  {recipient.pin.grouped()}.",
        "",
        f"Reference: {reference}",
        "",
    ]
    return "\n".join(lines)


def _said(text: str | None) -> tuple[str, ...]:
    """Clean what the operator typed, line by line."""
    if text is None or not text.strip():
        return ()
    if len(text) > MAX_REQUEST_CHARACTERS:
        raise SealError(
            "REQUEST-TOO-LONG",
            f"a text of {len(text)} characters is too long for the letter",
            why=f"each text takes up to {MAX_REQUEST_CHARACTERS} characters",
            next="shorten it; open a support ticket for the rest",
        )
    return tuple(printable(line, limit=400) for line in text.strip().splitlines())


def _rows(*rows: tuple[str, tuple[str, ...]]) -> list[str]:
    """Lay out labels and values; a further value stands under the first; no value, no row."""
    lines = []
    for label, values in rows:
        for index, value in enumerate(values):
            lines.append(f"  {label if index == 0 else '':<13} {value}")
    return lines


def _hex_lines(digest: str) -> tuple[str, ...]:
    pairs = [digest[i : i + 2] for i in range(0, len(digest), 2)]
    return tuple(":".join(pairs[i : i + 16]) for i in range(0, len(pairs), 16))
