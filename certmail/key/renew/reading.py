"""From what a source sent to what it says about the pinned key.

Comes in: bytes from anywhere. Goes out: a `Copy`: the statements the pinned key made, and in words
what was left aside (other keys, other people's certifications, a stranger's subkey, packets that
are not understood). Nothing but the pinned key's own signatures gets in, so it does not matter who
sent it: a hostile source can only keep something back. Knows neither network nor clock.

Unlike `keyblock`, which refuses a file with anything odd in it, this reader takes what is proved
and drops the rest: a copy from a source is evidence, not an order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING, Final

from certmail.errors import KeyRefused
from certmail.frozen import frozen, slotted
from certmail.key import armor, refusals
from certmail.key.framing import Damage, Packet, Tag, split
from certmail.key.keyblock import MAX_USER_ID_BYTES, read_key_block
from certmail.key.material import PublicKey, read_public_key
from certmail.key.renew.blocks import find
from certmail.key.renew.statements import About, Claim, KnownKey, merge, vouch
from certmail.key.selfsig import Verdict, verify
from certmail.key.signature import Signature, read_signature

if TYPE_CHECKING:
    from certmail.recipient import Recipient
    from certmail.values import Fingerprint

MAX_DISPLACED: Final = 128
"""So many signatures in the wrong place are tried elsewhere; a real copy has one or two."""

MAX_TARGETS: Final = 128


@frozen
class Copy:
    """What one source says about the pinned key, and what of it was left aside."""

    known: KnownKey
    ignored: tuple[str, ...] = ()


@slotted
class _Bag:
    """What lies in a copy, before anything is verified."""

    primary: PublicKey | None = None
    claims: list[Claim] = field(default_factory=list)
    loose: list[Signature] = field(default_factory=list)
    targets: set[tuple[About, bytes]] = field(default_factory=set)
    others: list[Fingerprint] = field(default_factory=list)
    odd: Counter[str] = field(default_factory=Counter)
    damaged: list[KeyRefused] = field(default_factory=list)


def read_copy(data: bytes, *, recipient: Recipient, primary: PublicKey | None = None) -> Copy:
    """Read what ``data`` says about the recipient's key.

    ``primary`` is the pinned key where it is known already: a revocation certificate alone, without
    the key, is then understood too.

    Raises:
        KeyRefused: where it says nothing: ``PIN-MISMATCH`` for other keys, ``KEY-SECRET`` for a
            private one, or the ``KEY-…`` code of what it is instead.
    """
    bag = _collect(data, pin=recipient.pin)
    found = bag.primary or (primary if bag.loose else None)
    if found is None:
        raise _nothing_pinned(bag, recipient)
    known, false = _verified(found, bag)
    if bag.primary is None and not known.statements:
        raise _nothing_pinned(bag, recipient)
    return Copy(known, tuple(_words(bag, known, false)))


def read_whole(data: bytes, *, recipient: Recipient) -> Copy:
    """Read a copy that the operator names, and take it whole or not at all.

    Raises:
        KeyRefused: as `read_key_block`, ``PIN-MISMATCH``, and ``KEY-SELFSIG-BAD`` where anything
            in it claims to be the key's own and is not.
    """
    block = read_key_block(armor.decode(data).packets)
    if block.fingerprint != recipient.pin:
        raise refusals.mismatch(block.fingerprint, recipient)
    for found in verify(block).every():
        if found.verdict in {Verdict.BAD, Verdict.UNSUPPORTED}:
            raise refusals.bad_selfsig(found)
    return read_copy(block.packets, recipient=recipient)


def _collect(data: bytes, *, pin: Fingerprint) -> _Bag:
    bag = _Bag()
    for block in find(data):
        if block.refusal is not None:
            bag.damaged.append(block.refusal)
            continue
        try:
            packets = split(block.packets)
        except Damage:
            bag.damaged.append(_refusal_of(block.packets))
            continue
        _sort(packets, bag=bag, pin=pin)
    return bag


def _sort(packets: tuple[Packet, ...], *, bag: _Bag, pin: Fingerprint) -> None:
    """Put the packets of one block in the bag; what belongs to another key is passed over."""
    if any(packet.tag in {Tag.SECRET_KEY, Tag.SECRET_SUBKEY} for packet in packets):
        armor.refuse_secret()
    ours = True  # a block may begin with signatures alone: a revocation certificate
    place: tuple[About, bytes] | None = None
    for packet in packets:
        if packet.tag == Tag.PUBLIC_KEY:
            key = _key(packet, bag)
            ours = key is not None and key.fingerprint == pin
            place = (About.PRIMARY, b"")
            if key is not None and ours:
                bag.primary = key
            elif key is not None:
                bag.others.append(key.fingerprint)
        elif not ours:
            continue
        elif packet.tag == Tag.SIGNATURE:
            _signature(packet, place, bag)
        else:
            place = _target(packet, bag)


def _key(packet: Packet, bag: _Bag) -> PublicKey | None:
    try:
        return read_public_key(packet.body, offset=packet.offset)
    except Damage as damage:
        bag.odd[damage.about or "a key that cannot be read"] += 1
        return None


def _target(packet: Packet, bag: _Bag) -> tuple[About, bytes] | None:
    """Name what the next signatures are about; None where it is nothing of use."""
    place: tuple[About, bytes] | None = None
    if packet.tag == Tag.USER_ID and len(packet.body) <= MAX_USER_ID_BYTES:
        place = (About.USER_ID, packet.body)
    elif packet.tag == Tag.PUBLIC_SUBKEY and _key(packet, bag) is not None:
        place = (About.SUBKEY, packet.body)
    elif packet.tag != Tag.PUBLIC_SUBKEY:
        bag.odd[f"a packet that has no use here ({packet.name})"] += 1
    if place is not None:
        bag.targets.add(place)
    return place


def _signature(packet: Packet, place: tuple[About, bytes] | None, bag: _Bag) -> None:
    try:
        signature = read_signature(packet.body, offset=packet.offset)
    except Damage as damage:
        bag.odd[damage.about or "a signature that cannot be read"] += 1
        return
    if place is None:
        bag.loose.append(signature)
    else:
        bag.claims.append(Claim(*place, signature))


def _verified(primary: PublicKey, bag: _Bag) -> tuple[KnownKey, int]:
    """Verify in place, then try elsewhere what did not hold; give what is false in the end."""
    own = [claim for claim in bag.claims if claim.signature.claims(primary.fingerprint)]
    foreign = len(bag.claims) - len(own)
    if foreign:
        bag.odd["a certification by another key"] += foreign
    known, verdicts = vouch(primary, own)
    failed = [c.signature for c, v in zip(own, verdicts, strict=True) if v is not Verdict.GOOD]
    strays = [s for s in (*failed, *bag.loose) if s.claims(primary.fingerprint)]
    targets = sorted(
        {(About.PRIMARY, b""), *bag.targets}, key=lambda place: (place[0].value, place[1])
    )
    false = max(0, len(strays) - MAX_DISPLACED)
    for signature in strays[:MAX_DISPLACED]:
        places = [Claim(*place, signature) for place in targets[:MAX_TARGETS]]
        elsewhere, _ = vouch(primary, [claim for claim in places if claim.fits])
        known = merge(known, elsewhere)
        false += not elsewhere.statements
    return known, false


def _words(bag: _Bag, known: KnownKey, false: int) -> list[str]:
    """Say what was left aside."""
    spoken_of = {(s.about, s.target) for s in known.statements}
    unbound = Counter(about for about, target in bag.targets if (about, target) not in spoken_of)
    words = [f"another key, {key.grouped()}, left aside" for key in dict.fromkeys(bag.others)]
    words += [f"{_many(number, what)} left aside" for what, number in bag.odd.items()]
    if unbound[About.USER_ID]:
        words.append(f"{_many(unbound[About.USER_ID], 'a user ID')} the key never signed, left out")
    if unbound[About.SUBKEY]:
        words.append(f"{_many(unbound[About.SUBKEY], 'a subkey')} the key never signed, left out")
    if false:
        words.append(
            f"{_many(false, 'a signature')} that claims to be the key's own and does not verify,"
            " left out"
        )
    words += [f"a damaged key block beside it ({refusal.code})" for refusal in bag.damaged]
    return words


def _many(number: int, what: str) -> str:
    return what if number == 1 else f"{number} times {what}"


def _nothing_pinned(bag: _Bag, recipient: Recipient) -> KeyRefused:
    """Say what was there instead of the pinned key."""
    if bag.others:
        pin = recipient.pin.text

        def distance(key: Fingerprint) -> int:
            return sum(a != b for a, b in zip(key.text, pin, strict=True))

        nearest = min(bag.others, key=lambda key: (key.key_id != pin[-16:], distance(key)))
        return refusals.mismatch(nearest, recipient)
    if bag.damaged:
        return bag.damaged[0]
    what = next(iter(bag.odd), "signatures without the key they are about")
    return KeyRefused(
        "KEY-UNSUPPORTED",
        f"the pinned key is not in it, but {what}",
        why=f"only statements by {recipient.pin.grouped()} count",
        next=armor.FRESH_COPY,
    )


def _refusal_of(packets: bytes) -> KeyRefused:
    """Have the strict reader say what is wrong with packets that cannot be split."""
    try:
        read_key_block(packets)
    except KeyRefused as refusal:
        return refusal
    raise TypeError("packets that cannot be split cannot be read")
