"""Leave out of a proved key what would have GnuPG choose a form that not all programs read.

Comes in: the packets of a `PinnedKey`, which two implementations have verified. Goes out: the same
keys and user IDs under the subkey's binding alone, where the owner's other signatures advertise
GnuPG's own form of authenticated encryption; else what came in.

GnuPG 2.3 and later write a packet of type 20 as soon as the recipient's self-signature has the bit
for it, and every such GnuPG sets that bit when it makes or edits a key. RFC 9580 does not know the
packet, and Sequoia, PGPainless and others do not open it. No option turns that off (`--rfc4880` and
`--openpgp` do not), so the bit must not be there to be seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.key.framing import Packet, Tag, build, split
from certmail.key.signature import Features, SignatureType, read_signature

if TYPE_CHECKING:
    from certmail.key.signature import Signature


def asks_for_ocb(packets: bytes) -> bool:
    """Tell whether a self-signature in these proved packets has GnuPG write packets of type 20."""
    return any(
        Features.GNUPG_OCB in _read(packet).features
        for packet in split(packets)
        if packet.tag == Tag.SIGNATURE
    )


def bare(packets: bytes) -> bytes:
    """Give the keys and user IDs of proved packets, with the bindings of subkeys and no more.

    The user IDs stand unsigned then: only for a home where this key is alone, and for GnuPG under
    ``--allow-non-selfsigned-uid``.
    """
    return b"".join(build(Tag(p.tag), p.body) for p in split(packets) if _stays(p))


def _stays(packet: Packet) -> bool:
    return packet.tag != Tag.SIGNATURE or _read(packet).type == SignatureType.SUBKEY_BINDING


def _read(packet: Packet) -> Signature:
    return read_signature(packet.body, offset=packet.offset)
