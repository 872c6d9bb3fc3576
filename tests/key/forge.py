"""Write key blocks octet by octet, for what GnuPG would not make: an own Ed25519 key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certmail.key.framing import Tag, build

MADE = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HASHES = {1: "md5", 2: "sha1", 8: "sha256", 10: "sha512"}
NO_ISSUER = b""


_COUNT = count()


def next_seed() -> bytes:
    """Give a secret that nobody should use: the same ones in every run."""
    return hashlib.sha256(b"certmail tests %d" % next(_COUNT)).digest()


def mpi(octets: bytes) -> bytes:
    value = int.from_bytes(octets, "big")
    return value.bit_length().to_bytes(2, "big") + octets.lstrip(b"\0")


def time4(when: datetime) -> bytes:
    return int(when.timestamp()).to_bytes(4, "big")


def subpacket(kind: int, body: bytes, *, critical: int = 0) -> bytes:
    return bytes([len(body) + 1, kind | critical]) + body


@dataclass
class Forge:
    """One secret primary key and what it signs."""

    created: datetime = MADE
    secret: Ed25519PrivateKey = field(
        default_factory=lambda: Ed25519PrivateKey.from_private_bytes(next_seed())
    )

    @property
    def body(self) -> bytes:
        point = b"\x40" + self.secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        oid = bytes.fromhex("2b06010401da470f01")
        return b"\x04" + time4(self.created) + b"\x16" + bytes([len(oid)]) + oid + mpi(point)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha1(hashed(self.body)).hexdigest().upper()

    def primary(self) -> bytes:
        return build(Tag.PUBLIC_KEY, self.body)

    def sign(
        self,
        kind: int,
        target: bytes = b"",
        *,
        at: datetime = MADE,
        more: bytes = b"",
        digest: int = 8,
        unhashed: bytes | None = None,
        dated: bool = True,
    ) -> bytes:
        """Make a signature packet of type ``kind`` over the primary key and ``target``."""
        area = (subpacket(2, time4(at)) if dated else b"") + more
        head = bytes([4, kind, 22, digest]) + len(area).to_bytes(2, "big") + area
        trailer = b"\x04\xff" + len(head).to_bytes(4, "big")
        made = hashlib.new(HASHES[digest], hashed(self.body) + target + head + trailer).digest()
        signed = self.secret.sign(made)
        if unhashed is None:
            unhashed = subpacket(16, bytes.fromhex(self.fingerprint[-16:]))
        tail = len(unhashed).to_bytes(2, "big") + unhashed + made[:2]
        return build(Tag.SIGNATURE, head + tail + mpi(signed[:32]) + mpi(signed[32:]))

    def user_id(
        self, text: str = "Recipient <to@example.org>", *, encoding: str = "utf-8", **options
    ) -> bytes:
        raw = text.encode(encoding)
        target = b"\xb4" + len(raw).to_bytes(4, "big") + raw
        flags = subpacket(27, b"\x03")
        more = flags + options.pop("more", b"")
        return build(Tag.USER_ID, raw) + self.sign(0x13, target, more=more, **options)

    def subkey(
        self, *, flags: bytes = b"\x0c", created: datetime = MADE, **options: object
    ) -> bytes:
        body = subkey_body(created)
        more = subpacket(27, flags) + options.pop("more", b"")
        return build(Tag.PUBLIC_SUBKEY, body) + self.sign(0x18, hashed(body), more=more, **options)

    def block(self) -> bytes:
        return self.primary() + self.user_id() + self.subkey()


def subkey_body(created: datetime = MADE) -> bytes:
    raw = (
        X25519PrivateKey.from_private_bytes(next_seed())
        .public_key()
        .public_bytes(Encoding.Raw, PublicFormat.Raw)
    )
    oid = bytes.fromhex("2b060104019755010501")
    point = mpi(b"\x40" + raw)
    return (
        b"\x04" + time4(created) + b"\x12" + bytes([len(oid)]) + oid + point + b"\x03\x01\x08\x07"
    )


def hashed(body: bytes) -> bytes:
    return b"\x99" + len(body).to_bytes(2, "big") + body


def forged_signature(algorithm: int, values: list[int], numbers: bytes) -> bytes:
    """Make a key of any numbers, and a signature that gets as far as the cryptography."""
    spelled = [mpi(v.to_bytes(40, "big")) for v in values]
    if algorithm == 1:
        material = b"".join(spelled)
    elif algorithm == 27:
        material = values[0].to_bytes(40, "big")[-32:]
    else:
        oid = bytes.fromhex("2b06010401da470f01" if algorithm == 22 else "2a8648ce3d030107")
        material = bytes([len(oid)]) + oid + spelled[0]
    body = b"\x04" + time4(MADE) + bytes([algorithm]) + material
    fingerprint = hashlib.sha1(hashed(body)).digest()
    area = subpacket(2, time4(MADE))
    head = bytes([4, 0x1F, algorithm, 8]) + len(area).to_bytes(2, "big") + area
    trailer = b"\x04\xff" + len(head).to_bytes(4, "big")
    left = hashlib.sha256(hashed(body) + head + trailer).digest()[:2]
    issuer = subpacket(16, fingerprint[-8:])
    packet = head + len(issuer).to_bytes(2, "big") + issuer + left + numbers
    return build(Tag.PUBLIC_KEY, body) + build(Tag.SIGNATURE, packet)
