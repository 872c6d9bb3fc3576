"""OpenPGP messages, read for their form: encrypted to whom, signed by whom (RFC 9580 §10.3).

Comes in: binary packets. Goes out: `EncryptedTo` or `SignedMessage`, or a refusal. One shape of
each is accepted, the one certmail makes; everything else OpenPGP can express is refused by name.
Proves form and addressee, not cipher strength, and verifies no signature.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final, NoReturn

from certmail.errors import SealError
from certmail.frozen import frozen
from certmail.key.framing import Damage, Packet, Tag, number, split, take
from certmail.key.signature import Signature, SignatureType, read_signature

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.values import Fingerprint

MAX_RECIPIENTS: Final = 8

_MIN_SEIPD: Final = 1 + 18 + 1 + 22
"""Version, a block and two octets of prefix, something, and the modification detection code."""

_HIDDEN: Final = "0" * 16


@frozen
class EncryptedTo:
    """The keys that can open a message, as 16 hex digits each, in the order of the packets.

    Proves: the octets are public-key encrypted session keys of version 3, each naming its key,
    then one integrity-protected packet of version 1, and nothing else. Does not prove that a
    session key is what its packet says, nor how strong the cipher is.
    """

    key_ids: tuple[str, ...]


@frozen
class SignedMessage:
    """A signed message in the clear: one signature around one literal, nothing else.

    Proves form only: whether the signature is good is another's word. ``issuer_fingerprint`` is
    the one in the signature's hashed or unhashed area; ``format`` is ``b`` for binary.
    """

    literal: bytes = field(repr=False)
    file_name: bytes
    format: str
    hash_algorithm: int
    issuer_fingerprint: Fingerprint | None
    issuer_key_id: str
    created: datetime


def read_encrypted(packets: bytes) -> EncryptedTo:
    """Read to whom a message is encrypted.

    Raises:
        SealError: ``SEAL-NOT-ENCRYPTED``, ``SEAL-PASSWORD-PACKET``, ``SEAL-HIDDEN-RECIPIENT``,
            ``SEAL-NO-INTEGRITY``, ``SEAL-AEAD-PACKET``, ``SEAL-TRAILING``, ``SEAL-MALFORMED``.
    """
    found = _split(packets)
    _refuse_foreign_protection(found)
    if not any(packet.tag == Tag.SEIPD for packet in found):
        _refuse("SEAL-NOT-ENCRYPTED", "the message has no encrypted part")
    *sessions, body = found[: [p.tag for p in found].index(Tag.SEIPD) + 1]
    if found[-1] is not body:
        extra = found[len(sessions) + 1]
        _refuse("SEAL-TRAILING", f"a packet of type {extra.name} follows the encrypted part")
    foreign = next((p for p in sessions if p.tag != Tag.PKESK), None)
    if foreign is not None:
        _refuse("SEAL-MALFORMED", f"a packet of type {foreign.name} stands before the message")
    if not 1 <= len(sessions) <= MAX_RECIPIENTS:
        _refuse("SEAL-NOT-ENCRYPTED", f"{len(sessions)} keys are named that could open the message")
    version = body.body[:1]
    if version == b"\x02":
        _refuse_aead()
    if version != b"\x01" or len(body.body) < _MIN_SEIPD:
        _refuse("SEAL-MALFORMED", "the encrypted part is not what RFC 9580 describes")
    return EncryptedTo(tuple(_key_id(packet) for packet in sessions))


def read_signed(packets: bytes) -> SignedMessage:
    """Read a one-pass signature, a literal and its signature of version 4.

    Raises:
        SealError: ``SEAL-NOT-SIGNED``, ``SEAL-TRAILING``, ``SEAL-MALFORMED``.
    """
    found = _split(packets)
    tags = [packet.tag for packet in found]
    wanted: list[int] = [Tag.ONE_PASS_SIGNATURE, Tag.LITERAL, Tag.SIGNATURE]
    if tags[:3] != wanted:
        named = ", ".join(packet.name for packet in found[:8]) or "nothing"
        _refuse("SEAL-NOT-SIGNED", f"GnuPG's answer is not one signed message: {named}")
    if len(tags) > len(wanted):
        _refuse("SEAL-TRAILING", f"a packet of type {found[3].name} follows the signature")
    try:
        signature = read_signature(found[2].body, offset=found[2].offset)
        one_pass = found[0].body
        announced = take(one_pass, 0, 13)
        file_name, content = _literal(found[1])
    except Damage as damage:
        _refuse("SEAL-MALFORMED", f"the signed message cannot be read: {damage}")
    key_id = announced[4:12].hex().upper()
    if signature.created is None or announced != _announcement(signature, key_id):
        _refuse("SEAL-MALFORMED", "the signature is not the one that was announced before it")
    if len(one_pass) != len(announced) or key_id not in signature.issuer_key_ids:
        _refuse("SEAL-MALFORMED", "the signature does not name the key that was announced")
    return SignedMessage(
        literal=content,
        file_name=file_name,
        format=chr(found[1].body[0]),
        hash_algorithm=signature.hash_algorithm,
        issuer_fingerprint=signature.issuer_fingerprint,
        issuer_key_id=key_id,
        created=signature.created,
    )


def _announcement(signature: Signature, key_id: str) -> bytes | None:
    """Give the one-pass packet that announces ``signature`` (RFC 9580 §5.4), the last one."""
    if signature.version != 4 or signature.type != SignatureType.BINARY:  # noqa: PLR2004
        return None
    head = bytes([3, signature.type, signature.hash_algorithm, signature.algorithm])
    return head + bytes.fromhex(key_id) + b"\x01"


def _literal(packet: Packet) -> tuple[bytes, bytes]:
    """Give file name and content of a literal packet (RFC 9580 §5.9)."""
    size = number(packet.body, 1, 1, base=packet.offset)
    name = take(packet.body, 2, size, base=packet.offset)
    take(packet.body, 2 + size, 4, base=packet.offset)
    return name, packet.body[2 + size + 4 :]


def _split(packets: bytes) -> tuple[Packet, ...]:
    try:
        return split(packets)
    except Damage as damage:
        _refuse("SEAL-MALFORMED", f"the OpenPGP message cannot be read: {damage}")


def _refuse_foreign_protection(found: tuple[Packet, ...]) -> None:
    """Refuse the ways to encrypt that let in another reader or a change, or few can read."""
    tags = {packet.tag for packet in found}
    if Tag.SKESK in tags:
        _refuse("SEAL-PASSWORD-PACKET", "the message could be opened with a password")
    if Tag.SED in tags:
        _refuse("SEAL-NO-INTEGRITY", "the message could be changed on its way without trace")
    if Tag.AEAD in tags:
        _refuse_aead()


def _key_id(packet: Packet) -> str:
    """Give the key ID of a session key packet of version 3 (RFC 9580 §5.1.1)."""
    try:
        version, key_id = number(packet.body, 0, 1), take(packet.body, 1, 8).hex().upper()
        take(packet.body, 9, 3)
    except Damage as damage:
        _refuse("SEAL-MALFORMED", f"a session key cannot be read: {damage}")
    if version != 3:  # noqa: PLR2004
        _refuse("SEAL-MALFORMED", f"a session key packet has version {version}")
    if key_id == _HIDDEN:
        _refuse("SEAL-HIDDEN-RECIPIENT", "the message names a reader without saying who it is")
    return key_id


def _refuse_aead() -> NoReturn:
    raise SealError(
        "SEAL-AEAD-PACKET",
        "the message uses a form of encryption that many programs cannot open",
        why="the recipient's program must be able to read it, whichever it is",
        next="look into the system's gpg.conf for force-ocb or compliance, and seal again",
    )


def _refuse(code: str, what: str) -> NoReturn:
    raise SealError(
        code,
        what,
        why="a message that is not proved to be what was asked for is not sent",
        next="look into the system's gpg.conf for what changes messages, and seal again",
    ) from None
