"""What the pinned key's owner has said about the key: a set of statements that only grows.

Comes in: a primary key, and signatures with what they might be about. Goes out: a `KnownKey`, which
holds those that the primary key made and nothing else. To merge two is to unite two sets: order
does not matter, doing it twice changes nothing, and nothing once known is lost, a revocation least
of all. Which statement counts at an instant is decided elsewhere (`standing`). Knows neither files
nor the clock (RFC 9580 §5.2.4, §10.1).

Deviation: RFC 9580 §5.2.3.23 lets a key name another as its revoker; certmail holds no key but the
pinned one, so such a revocation is not seen.
"""

from __future__ import annotations

import hashlib
from dataclasses import InitVar, field, replace
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Final

from certmail.frozen import frozen
from certmail.key.framing import Tag, build
from certmail.key.keyblock import KeyBlock, Subkey, UserId
from certmail.key.material import PublicKey, read_public_key
from certmail.key.selfsig import Verdict, verify
from certmail.key.signature import CERTIFICATIONS, Signature, SignatureType, read_signature
from certmail.values import Fingerprint, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REVOCATIONS: Final = frozenset(
    {
        SignatureType.KEY_REVOCATION,
        SignatureType.SUBKEY_REVOCATION,
        SignatureType.CERTIFICATION_REVOCATION,
    }
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class About(Enum):
    """What a statement is about; the value orders the parts of a key block."""

    PRIMARY = 0
    USER_ID = 1
    SUBKEY = 2


_TYPES: Final = {
    About.PRIMARY: frozenset({SignatureType.DIRECT_KEY, SignatureType.KEY_REVOCATION}),
    About.USER_ID: CERTIFICATIONS | {SignatureType.CERTIFICATION_REVOCATION},
    About.SUBKEY: frozenset({SignatureType.SUBKEY_BINDING, SignatureType.SUBKEY_REVOCATION}),
}


@frozen
class Claim:
    """A signature, and what it stands behind in some copy; not verified.

    ``target`` is empty for the primary key, the octets of a user ID, or a subkey's packet body.
    """

    about: About
    target: bytes = field(repr=False)
    signature: Signature

    @property
    def fits(self) -> bool:
        """Whether such a signature can be about such a thing."""
        return self.signature.type in _TYPES[self.about]


@frozen
class Statement:
    """One signature of the pinned key, in the one form we write."""

    about: About
    target: bytes = field(repr=False)
    signature: Signature

    @property
    def digest(self) -> str:
        """Name the statement by what is signed; how the signature is spelled does not matter."""
        hashed = hashlib.sha256(bytes([self.about.value]))
        for part in (self.target, self.signature.signed_part):
            hashed.update(len(part).to_bytes(4, "big") + part)
        return hashed.hexdigest()

    @property
    def revokes(self) -> bool:
        """Whether it takes something back."""
        return self.signature.type in REVOCATIONS

    @property
    def words(self) -> str:
        """Say it for people: what, about what, of when."""
        created = self.signature.created
        of = f" of {created:%Y-%m-%d}" if created else ""
        return f"{self._says()}{of} ({self.signature.hash_name})"

    def _says(self) -> str:
        revokes = self.revokes
        match self.about:
            case About.PRIMARY:
                return "revocation of the key" if revokes else "direct signature"
            case About.USER_ID:
                name = printable(self.target.decode("utf-8", "replace"), limit=60)
                return f"{'revocation' if revokes else 'certification'} of {name}"
            case About.SUBKEY:
                key = read_public_key(self.target, offset=0)
                return f"{'revocation' if revokes else 'binding'} of subkey {key.fingerprint}"

    def order(self) -> tuple[bool, datetime, int, bytes]:
        """Revocations first, then by age: of two made in one second all readers take the later."""
        signature = self.signature
        created = signature.created or _EPOCH
        return (not self.revokes, created, signature.type, signature.signed_part)


class _Witness:
    """Held by this room alone."""


_WITNESS: Final = _Witness()


@frozen
class KnownKey:
    """A primary key and what it has said about itself.

    Proves: every statement was verified with ``primary``. Does not prove that ``primary`` is the
    pinned key (`reading` does), nor that nothing newer was said elsewhere.
    """

    primary: PublicKey
    statements: tuple[Statement, ...]
    witness: InitVar[_Witness]

    def __post_init__(self, witness: _Witness) -> None:
        """Refuse every builder but this room."""
        if witness is not _WITNESS:
            raise TypeError("only vouch() and merge() make a KnownKey")

    @property
    def fingerprint(self) -> Fingerprint:
        """The primary key's fingerprint."""
        return self.primary.fingerprint

    @property
    def digests(self) -> frozenset[str]:
        """The names of all statements."""
        return frozenset(statement.digest for statement in self.statements)

    @property
    def revocations(self) -> tuple[Statement, ...]:
        """Everything that was taken back."""
        return tuple(statement for statement in self.statements if statement.revokes)

    def packets(self) -> bytes:
        """Write the key block, always in the same form (RFC 9580 §10.1.3).

        Nothing that no signature covers is in it: unhashed areas hold the issuer's key ID alone.
        """
        parts = [build(Tag.PUBLIC_KEY, self.primary.body)]
        for about, tag in ((About.PRIMARY, None), *_TAGS.items()):
            for target, said in self._grouped(about):
                if tag is not None:
                    parts.append(build(tag, target))
                parts += [build(Tag.SIGNATURE, _body(s.signature, self.primary)) for s in said]
        return b"".join(parts)

    def _grouped(self, about: About) -> list[tuple[bytes, list[Statement]]]:
        """Give each part with its statements; the part first spoken of comes first."""
        groups: dict[bytes, list[Statement]] = {}
        for statement in sorted(self.statements, key=Statement.order):
            if statement.about is about:
                groups.setdefault(statement.target, []).append(statement)

        def age(group: tuple[bytes, list[Statement]]) -> tuple[datetime, bytes]:
            target, said = group
            if about is About.SUBKEY:
                return read_public_key(target, offset=0).created, target
            return min(s.signature.created or _EPOCH for s in said), target

        return sorted(groups.items(), key=age)


_TAGS: Final = {About.USER_ID: Tag.USER_ID, About.SUBKEY: Tag.PUBLIC_SUBKEY}


def vouch(primary: PublicKey, claims: Sequence[Claim]) -> tuple[KnownKey, tuple[Verdict, ...]]:
    """Verify claims; give what holds, and the verdict on each claim."""
    verdicts = _verify(primary, claims)
    held = [
        Statement(claim.about, claim.target, _canonical(claim.signature, primary))
        for claim, verdict in zip(claims, verdicts, strict=True)
        if verdict is Verdict.GOOD
    ]
    return KnownKey(primary, _united(held), _WITNESS), verdicts


def merge(first: KnownKey, *others: KnownKey) -> KnownKey:
    """Unite what several copies of one key say."""
    if any(other.primary.body != first.primary.body for other in others):
        raise TypeError("statements of different keys are never merged")
    every = [statement for known in (first, *others) for statement in known.statements]
    return KnownKey(first.primary, _united(every), _WITNESS)


def _united(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Keep one of each, by a rule that does not depend on their order."""
    by_digest: dict[str, Statement] = {}
    for statement in statements:
        known = by_digest.setdefault(statement.digest, statement)
        # Elliptic curve signatures can be written anew over the same octets.
        if statement.signature.numbers < known.signature.numbers:
            by_digest[statement.digest] = statement
    return tuple(by_digest[digest] for digest in sorted(by_digest))


def _verify(primary: PublicKey, claims: Sequence[Claim]) -> tuple[Verdict, ...]:
    """Have each claim verified as if it stood alone in a block."""
    placed = [replace(claim, signature=_readable(claim.signature)) for claim in claims]
    of = {about: [c for c in placed if c.about is about] for about in About}
    found = verify(
        KeyBlock(
            primary=primary,
            signatures=tuple(c.signature for c in of[About.PRIMARY]),
            user_ids=tuple(
                UserId(c.target, "", address=None, revoked=False, signatures=(c.signature,))
                for c in of[About.USER_ID]
            ),
            subkeys=tuple(
                Subkey(read_public_key(c.target, offset=0), (c.signature,))
                for c in of[About.SUBKEY]
            ),
            attributes=0,
            packets=b"",
        )
    )
    verdicts = {
        About.PRIMARY: iter([v.verdict for v in found.primary]),
        About.USER_ID: iter([v.verdict for (v,) in found.user_ids]),
        About.SUBKEY: iter([v.verdict for (v,) in found.subkeys]),
    }
    return tuple(next(verdicts[claim.about]) for claim in claims)


def _readable(signature: Signature) -> Signature:
    """Let a revocation count although it has a critical part that we do not know.

    RFC 9580 §5.2.3.7 has such a signature ignored; here it is kept, and the whole key refused
    later for it: what the owner has taken back in words unknown to us is taken back.
    """
    return replace(signature, critical=()) if signature.type in REVOCATIONS else signature


def _canonical(signature: Signature, primary: PublicKey) -> Signature:
    return read_signature(_body(signature, primary), offset=0)


def _body(signature: Signature, primary: PublicKey) -> bytes:
    """Write a signature with nothing unhashed but the key ID of its issuer."""
    issuer = b"\x09\x10" + bytes.fromhex(primary.fingerprint.key_id)
    unhashed = len(issuer).to_bytes(2, "big") + issuer
    return signature.signed_part + unhashed + signature.left16 + signature.numbers
