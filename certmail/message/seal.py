"""The door between the wings: a letter goes in, a sealed message comes out.

In: a `Letter`, a `PinnedKey`, a `Signer` and an `Engine`. Out: a `SealedMessage`, the only thing a
transport takes. Knows RFC 3156 §6.2 (one OpenPGP message, signed and encrypted), RFC 3156 §4 (its
MIME structure) and RFC 5322. Defines the port behind which GnuPG stands; knows nothing of its
command line, of sockets or of files.

Nothing that comes back from the engine is believed: the signed packets and the encrypted packets
are both read again here.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import InitVar, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from secrets import token_hex
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from certmail.errors import SealError
from certmail.frozen import frozen
from certmail.key import armor
from certmail.key.packets import EncryptedTo, read_encrypted, read_signed
from certmail.message.letter import Letter, OuterHeaders
from certmail.values import Address, Fingerprint

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.key.pin import PinnedKey
    from certmail.recipient import Recipient

HASHES: Final = {8: "SHA-256", 9: "SHA-384", 10: "SHA-512"}
"""RFC 9580 §9.5: the hash algorithms a signature of ours may use, SHA-256 or better."""

MAX_APART: Final = timedelta(minutes=55)
"""How far a letter's Date and its signature may lie apart; Thunderbird takes an hour."""

_BOUNDARY: Final = re.compile(r"=_[0-9a-f]{32}", re.ASCII)
_MESSAGE_ID: Final = re.compile(r"<[0-9a-f]{32}@[A-Za-z0-9.-]{1,253}>", re.ASCII)
_DATE: Final = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d "
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d \+0000",
    re.ASCII,
)


@frozen
class Signer:
    """A secret key of the user's that may sign for ``address``.

    ``fingerprint`` is the primary key's; ``signing_keys`` lists it and its subkeys that may sign.
    ``public_key`` is the binary transferable public key. ``encryption_key`` is the subkey a copy
    for the sender would be encrypted to, where there is one.
    """

    address: Address
    name: str
    fingerprint: Fingerprint
    signing_keys: tuple[Fingerprint, ...]
    public_key: bytes = field(repr=False)
    encryption_key: Fingerprint | None = None


class Copy(Enum):
    """Who may read the message besides the recipient."""

    NONE = "nobody"
    FOR_SENDER = "the sender"


class Engine(Protocol):
    """What the seal asks of an OpenPGP implementation; each answer is proved again here."""

    def sign(self, entity: bytes, *, signer: Signer) -> bytes:
        """Sign ``entity`` in the user's home; give the binary OpenPGP message, uncompressed."""

    def verify(self, signed: bytes, *, signer: Signer) -> Fingerprint:
        """Verify in a home that holds the signer's public key alone; give the key that signed."""

    def encrypt(self, signed: bytes, *, to: PinnedKey, also: Signer | None) -> bytes:
        """Encrypt the signed packets in a home that holds these keys alone; give the packets."""


class _Witness:
    """Held by this room alone."""


_WITNESS: Final = _Witness()


@frozen
class Signature:
    """Public facts of the signature inside: who made it, with which key, hash, and when.

    Witnessed: only this room builds it, after reading and verifying the signed packets, or from
    the record of a message that was sealed here (`recall`).
    """

    signer: Fingerprint
    key: Fingerprint
    hash_name: str
    created: datetime
    witness: InitVar[_Witness]

    def __post_init__(self, witness: _Witness) -> None:
        """Refuse every builder but this room."""
        if witness is not _WITNESS:
            raise TypeError("only the seal vouches for a Signature")


def recall(
    *, signer: Fingerprint, key: Fingerprint, hash_name: str, created: datetime
) -> Signature:
    """Vouch for a signature that this installation recorded when it sealed the message.

    The caller has matched the record with the SHA-256 of the message. From outside, nobody can
    tell whether a ciphertext is signed: the record is the only evidence, and without it a sealed
    file is refused.
    """
    if hash_name not in HASHES.values():
        _refuse("SEAL-SIGNATURE-WEAK", f"the recorded signature uses {hash_name}")
    return Signature(signer=signer, key=key, hash_name=hash_name, created=created, witness=_WITNESS)


@frozen
class SealedMessage:
    """A PGP/MIME message to the pinned key, in parsed parts from which its wire form is rendered.

    Proves: the body is one OpenPGP message, integrity-protected, encrypted to the pinned
    encryption subkey and, if ``copy_for`` is set, to that one key more; the headers are the five
    outer ones and reveal nothing else; a signature was verified before encryption. Does not prove
    cipher strength, nor that the recipient can open it.

    There is no field in which plaintext fits: every part is matched against a closed grammar.
    """

    outer: OuterHeaders
    pinned: PinnedKey
    signature: Signature
    boundary: str
    packets: bytes = field(repr=False)
    copy_for: Fingerprint | None = None

    def __post_init__(self) -> None:
        """Prove it."""
        self.prove()

    def prove(self) -> EncryptedTo:
        """Read everything again, and refuse in the order in which an attacker would gain.

        (1) addressed to the pinned recipient alone, (2) headers within their grammar, (3) packets
        encrypted to the pinned subkey and nobody unasked, (4) a signature by a known key.

        Raises:
            SealError: the ``SEAL-…`` code of what does not hold.
        """
        # (1) a second mailbox or another one
        if self.outer.recipient != self.pinned.recipient.address:
            _refuse("SEAL-RECIPIENT", "the message is addressed to somebody else than the key")
        # (2) text smuggled out in a header
        if not (
            _MESSAGE_ID.fullmatch(self.outer.message_id)
            and _DATE.fullmatch(self.outer.date)
            and _BOUNDARY.fullmatch(self.boundary)
            and self.outer
            == OuterHeaders(
                sender=Address(self.outer.sender.text),
                recipient=self.outer.recipient,
                date=self.outer.date,
                message_id=self.outer.message_id,
            )
        ):
            _refuse("SEAL-HEADERS", "an outer header is not of the form certmail writes")
        # (3) a reader who was not asked for, or a body that is not encrypted
        read = read_encrypted(self.packets)
        wanted = [self.pinned.encryption_subkey.key_id]
        if self.copy_for is not None:
            wanted.append(self.copy_for.key_id)
        if sorted(read.key_ids) != sorted(wanted):
            _refuse(
                "SEAL-RECIPIENT",
                f"the message is encrypted to {', '.join(read.key_ids)}, not to"
                f" {', '.join(wanted)}",
            )
        # (4) a message nobody answers for
        if type(self.signature) is not Signature:
            _refuse("SEAL-UNSIGNED", "nothing vouches for a signature inside the message")
        return read

    @property
    def recipient(self) -> Recipient:
        """Whom the message is for."""
        return self.pinned.recipient

    @property
    def sender(self) -> Address:
        """The mailbox on the From line and in the envelope."""
        return self.outer.sender

    @property
    def message_id(self) -> str:
        """The Message-ID with its angle brackets."""
        return self.outer.message_id

    @property
    def sha256(self) -> str:
        """The SHA-256 of the wire form, in lower-case hex."""
        return hashlib.sha256(self.wire()).hexdigest()

    def wire(self) -> bytes:
        """Render the message: CRLF, 7-bit, no line over 76 octets of body (RFC 3156 §4)."""
        head = [f"{name}: {value}" for name, value in self.outer.fields()]
        lines = [
            *head,
            "MIME-Version: 1.0",
            'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";',
            f' boundary="{self.boundary}"',
            "",
            f"--{self.boundary}",
            "Content-Type: application/pgp-encrypted",
            "",
            "Version: 1",
            "",
            f"--{self.boundary}",
            'Content-Type: application/octet-stream; name="encrypted.asc"',
            'Content-Disposition: inline; filename="encrypted.asc"',
            "",
            *armor.encode("PGP MESSAGE", self.packets).decode("ascii").splitlines(),
            "",
            f"--{self.boundary}--",
            "",
        ]
        return "\r\n".join(lines).encode("ascii")


def seal(
    letter: Letter,
    *,
    pinned: PinnedKey,
    signer: Signer,
    engine: Engine,
    copy: Copy,
) -> SealedMessage:
    """Sign ``letter``, verify the signature, encrypt, and prove the result.

    (1) sign in the user's home, (2) read the signed packets: our bytes, an expected key, a strong
    hash, no file name, (3) have GnuPG verify them elsewhere, (4) encrypt those packets, (5) read
    the result, (6) look for plaintext in what would travel.

    Raises:
        SealError: ``SEAL-…`` for what does not hold, or what the engine raises.
    """
    if copy is Copy.FOR_SENDER and signer.encryption_key is None:
        _refuse(
            "SIGNER-NO-ENCRYPTION",
            f"the key {signer.fingerprint} has no part that a copy could be encrypted to",
            why="a copy for the sender was asked for",
            next="send without --encrypt-to-self, or add an encryption subkey with gpg --edit-key",
        )
    # (1) in the user's home, by the user's agent
    signed = engine.sign(letter.entity, signer=signer)
    # (2), (3) before anything is encrypted, since afterwards nobody here can look
    signature = _verify(signed, letter=letter, signer=signer, engine=engine)
    # (4) the packets as they are, so that one OpenPGP message results
    also = signer if copy is Copy.FOR_SENDER else None
    packets = engine.encrypt(signed, to=pinned, also=also)
    # (5) the constructor reads the packets back
    sealed = SealedMessage(
        outer=letter.outer,
        pinned=pinned,
        signature=signature,
        boundary=f"=_{token_hex(16)}",
        packets=packets,
        copy_for=signer.encryption_key if also else None,
    )
    # (6) a canary: it sings only if encryption did nothing
    _refuse_plaintext(sealed, letter)
    return sealed


def parse_sealed(
    data: bytes, *, pinned: PinnedKey, signature: Signature, copy_for: Fingerprint | None
) -> SealedMessage:
    """Read a sealed message back from its wire form, byte for byte, and prove it again.

    The only form accepted is the one `SealedMessage.wire` renders: what is parsed is rendered
    again and must equal ``data``, so that nothing can hide in a corner of MIME.

    Raises:
        SealError: ``SEAL-FILE-FOREIGN`` or the ``SEAL-…`` code of what does not hold.
    """
    match = _WIRE.fullmatch(data)
    if not match:
        _refuse_foreign()
    field_of = {name: value.decode("ascii", "replace") for name, value in match.groupdict().items()}
    sealed = SealedMessage(
        outer=OuterHeaders(
            sender=Address(field_of["sender"]),
            recipient=Address(field_of["recipient"]),
            date=field_of["date"],
            message_id=field_of["message_id"],
        ),
        pinned=pinned,
        signature=signature,
        boundary=field_of["boundary"],
        packets=armor.decode_message(match["armor"].replace(b"\r\n", b"\n") + b"\n"),
        copy_for=copy_for,
    )
    if sealed.wire() != data:
        _refuse_foreign()
    return sealed


_WIRE: Final = re.compile(
    rb"From: (?P<sender>[^\r\n]{3,254})\r\n"
    rb"To: (?P<recipient>[^\r\n]{3,254})\r\n"
    rb"Subject: \[\.\.\.\]\r\n"
    rb"Date: (?P<date>[^\r\n]{31})\r\n"
    rb"Message-ID: (?P<message_id>[^\r\n]{1,300})\r\n"
    rb"MIME-Version: 1\.0\r\n"
    rb'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";\r\n'
    rb' boundary="(?P<boundary>=_[0-9a-f]{32})"\r\n'
    rb"\r\n(?s:.*?)\r\n\r\n"
    rb"(?P<armor>-----BEGIN PGP MESSAGE-----\r\n(?s:.*)\r\n-----END PGP MESSAGE-----)\r\n\r\n"
    rb"--(?P=boundary)--\r\n"
)


def _verify(signed: bytes, *, letter: Letter, signer: Signer, engine: Engine) -> Signature:
    """Hold the signed packets against what was to be signed, and by whom."""
    read = read_signed(signed)
    if read.literal != letter.entity:
        _refuse("SEAL-SIGNED-OTHER", "what was signed is not the letter")
    if read.file_name or read.format != "b":
        _refuse("SEAL-FILE-NAME", "the signed data carries a file name or is marked as text")
    if read.hash_algorithm not in HASHES:
        _refuse(
            "SEAL-SIGNATURE-WEAK",
            f"the signature uses hash algorithm {read.hash_algorithm}, weaker than SHA-256",
        )
    # The Date was written before the signature; a question or a passphrase may have taken hours.
    if abs(read.created - parsedate_to_datetime(letter.outer.date)) > MAX_APART:
        _refuse(
            "SEAL-DATE",
            "the signature was made much earlier or later than the letter's date says",
            why="Thunderbird calls a signature bad that is more than an hour from the mail's Date",
            next="seal the bundle again, and set this machine's clock if it is wrong",
        )
    # A configuration or a missing key must never make another key sign (--default-key is a
    # preference to GnuPG, not an order).
    if read.issuer_fingerprint not in signer.signing_keys:
        _refuse("SEAL-SIGNER", f"the signature was made by {read.issuer_fingerprint}")
    verified = engine.verify(signed, signer=signer)
    if verified != read.issuer_fingerprint:
        _refuse("SEAL-SIGNER", f"GnuPG verified a signature by {verified} instead")
    return Signature(
        signer=signer.fingerprint,
        key=verified,
        hash_name=HASHES[read.hash_algorithm],
        created=read.created,
        witness=_WITNESS,
    )


def _refuse_plaintext(sealed: SealedMessage, letter: Letter) -> None:
    """Look for lines of the letter in what would travel, and of the bundle.

    In the letter the bundle is base64 once more, so that its own lines would not be found there.
    Cannot succeed after the proofs above unless encryption did nothing; that is why it is cheap
    to ask.
    """
    wire = sealed.wire()
    # The letter's header has lines that the outer one repeats.
    body = letter.entity.partition(b"\r\n\r\n")[2]
    for line in (*body.splitlines(), *letter.bundle.pem.splitlines()):
        if len(line) >= _CANARY_OCTETS and (line in sealed.packets or line in wire):
            _refuse("SEAL-PLAINTEXT", "a line of the letter stands in the sealed message")


_CANARY_OCTETS: Final = 40
"""Long enough that base64 of a ciphertext never repeats it by chance."""


def _refuse_foreign() -> NoReturn:
    _refuse(
        "SEAL-FILE-FOREIGN",
        "the file is not a sealed message in the form certmail writes",
        why="a mail program or an editor may have changed it, and only unchanged bytes are sent",
        next="certmail preview BUNDLE --output FILE.eml",
    )


def _refuse(
    code: str,
    what: str,
    *,
    why: str = "a message that is not proved is not sent",
    next: str = "certmail preview BUNDLE, and report the code if it comes again",
) -> NoReturn:
    raise SealError(code, what, why=why, next=next)
