"""One transferable public key, read but not judged (RFC 9580 §10.1).

Comes in: binary packets. Goes out: a `KeyBlock` with every packet in its place, or a refusal that
says what does not belong. Nothing is skipped: a second key, a secret key or a packet that has no
place in a key block ends the reading. No signature is verified here.

Deviation: RFC 9580 §4.3 and §5.2.5 have unknown non-critical packets and unknown signatures
ignored, for the sake of keys to come. Here one key is expected; what it does not hold today is
looked at by people before a release reads it.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Final, NoReturn

from certmail.errors import CertmailError, KeyRefused
from certmail.frozen import frozen, slotted
from certmail.key.armor import FRESH_COPY, refuse_secret
from certmail.key.framing import Damage, Fault, Packet, Tag, split
from certmail.key.material import PublicKey, read_public_key
from certmail.key.signature import Signature, SignatureType, read_signature
from certmail.values import Address, Fingerprint, printable

MAX_USER_ID_BYTES: Final = 2048
"""GnuPG's own limit (g10/parse-packet.c, MAX_UID_PACKET_LENGTH)."""

_NAME_ADDR: Final = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")


@frozen
class UserId:
    """A user ID: what it says, and the signatures that follow it.

    ``text`` is safe to show. ``address`` is the mailbox in it, where the user ID is ``Name
    <address>`` or a bare address; user IDs that could be read in two ways have none. ``revoked``
    tells that a revocation claims to come from the key itself; it is not verified here.
    """

    raw: bytes = field(repr=False)
    text: str
    address: str | None
    revoked: bool
    signatures: tuple[Signature, ...]


@frozen
class Subkey:
    """A subkey and the signatures that follow it."""

    key: PublicKey
    signatures: tuple[Signature, ...]


@frozen
class KeyBlock:
    """One transferable public key.

    Proves: the packets are exactly one primary key of version 4 with its user IDs and subkeys,
    and the fingerprints are computed from them. Does not prove that any signature is good.
    ``signatures`` are those on the primary key itself. ``attributes`` counts user attributes
    (pictures), which nothing here uses.
    """

    primary: PublicKey
    signatures: tuple[Signature, ...]
    user_ids: tuple[UserId, ...]
    subkeys: tuple[Subkey, ...]
    attributes: int
    packets: bytes = field(repr=False)

    @property
    def fingerprint(self) -> Fingerprint:
        """The primary key's fingerprint."""
        return self.primary.fingerprint


@slotted
class _Component:
    """A packet that carries signatures, and those found so far."""

    packet: Packet
    signatures: list[Signature] = field(default_factory=list)


def read_key_block(data: bytes) -> KeyBlock:
    """Read exactly one transferable public key from binary packets.

    Raises:
        KeyRefused: ``KEY-NOT-OPENPGP``, ``KEY-TRUNCATED``, ``KEY-MALFORMED``, ``KEY-SECRET``,
            ``KEY-EXTRA-KEY``, ``KEY-STRAY-PACKET``, ``KEY-UNSUPPORTED``.
    """
    try:
        packets = split(data)
        first, *rest = _arrange(packets)
        primary = read_public_key(first.packet.body, offset=first.packet.offset)
        return KeyBlock(
            primary=primary,
            signatures=tuple(first.signatures),
            user_ids=tuple(
                _user_id(c, primary.fingerprint) for c in rest if c.packet.tag == Tag.USER_ID
            ),
            subkeys=tuple(
                Subkey(read_public_key(c.packet.body, offset=c.packet.offset), tuple(c.signatures))
                for c in rest
                if c.packet.tag == Tag.PUBLIC_SUBKEY
            ),
            attributes=sum(1 for c in rest if c.packet.tag == Tag.USER_ATTRIBUTE),
            packets=data,
        )
    except Damage as damage:
        _refuse(damage)


def _arrange(packets: tuple[Packet, ...]) -> list[_Component]:
    """Put each signature with what it stands behind; refuse what has no place.

    The order is RFC 9580 §10.1.3: the primary key, then user IDs and attributes, then subkeys.
    """
    if any(packet.tag in {Tag.SECRET_KEY, Tag.SECRET_SUBKEY} for packet in packets):
        refuse_secret()
    if not packets:
        raise Damage(Fault.NOT_OPENPGP, 0)
    if packets[0].tag != Tag.PUBLIC_KEY:
        _refuse_stray(packets[0], "where a public key should start")
    components: list[_Component] = []
    for packet in packets:
        match packet.tag:
            case Tag.SIGNATURE:
                signature = read_signature(packet.body, offset=packet.offset)
                components[-1].signatures.append(signature)
            case Tag.PUBLIC_KEY if components:
                _refuse_extra(packet)
            case Tag.PUBLIC_KEY | Tag.PUBLIC_SUBKEY:
                components.append(_Component(packet))
            case Tag.USER_ID | Tag.USER_ATTRIBUTE:
                if components[-1].packet.tag == Tag.PUBLIC_SUBKEY:
                    _refuse_stray(packet, "behind a subkey")
                components.append(_Component(packet))
            case _:
                _refuse_stray(packet, "in a key block")
    return components


def _user_id(component: _Component, key: Fingerprint) -> UserId:
    raw = component.packet.body
    if len(raw) > MAX_USER_ID_BYTES:
        raise Damage(Fault.MALFORMED, component.packet.offset, "a user ID is too long")
    text = raw.decode("utf-8", "replace")
    return UserId(
        raw=raw,
        text=printable(text, limit=200),
        address=_address_in(raw),
        revoked=any(
            s.type == SignatureType.CERTIFICATION_REVOCATION and s.claims(key)
            for s in component.signatures
        ),
        signatures=tuple(component.signatures),
    )


def _address_in(raw: bytes) -> str | None:
    """Give the mailbox of a user ID (RFC 9580 §5.11: by convention a name-addr).

    Printable text with one pair of angle brackets at its end, or a bare address: a second
    bracket, a control character or broken UTF-8 leaves two readings, and so none.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    match = _NAME_ADDR.fullmatch(text)
    address = match["address"] if match else text
    if not text.isprintable():
        return None
    try:
        return Address(address).text
    except CertmailError:
        return None


def _refuse(damage: Damage) -> NoReturn:
    """Say a `Damage` in the words of key files."""
    code, why, next_step = {
        Fault.NOT_OPENPGP: (
            "KEY-NOT-OPENPGP",
            "these octets are not OpenPGP packets",
            "save the key block itself, not the page around it",
        ),
        Fault.TRUNCATED: (
            "KEY-TRUNCATED",
            "the copy was cut off, and the end of a key holds its signatures",
            FRESH_COPY,
        ),
        Fault.VERSION: (
            "KEY-UNSUPPORTED",
            "the pinned key and its signatures have version 4",
            FRESH_COPY,
        ),
    }.get(
        damage.fault,
        (
            "KEY-MALFORMED",
            "a key that two programs could read in two ways is not used",
            FRESH_COPY,
        ),
    )
    raise KeyRefused(code, f"the key block cannot be read: {damage}", why=why, next=next_step)


def _refuse_extra(packet: Packet) -> NoReturn:
    raise KeyRefused(
        "KEY-EXTRA-KEY",
        f"the file holds a second key (at octet {packet.offset})",
        why="only one key may read the bundle, and certmail does not choose among several",
        next="give a file with the pinned key alone",
    )


def _refuse_stray(packet: Packet, where: str) -> NoReturn:
    raise KeyRefused(
        "KEY-STRAY-PACKET",
        f"a packet of type {printable(packet.name)} stands {where} (at octet {packet.offset})",
        why="nothing in a key file is skipped: what is not understood could be a second key",
        next=FRESH_COPY,
    )
