"""How tests put copies together and have the result judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.key.framing import Tag, build, split
from certmail.key.packets import read_key_block
from certmail.key.renew.reading import read_copy
from certmail.key.renew.statements import KnownKey, merge

if TYPE_CHECKING:
    from certmail.recipient import Recipient
    from tests.key.smith import Smith

HARD_AND_SOFT = {"no reason": 0, "compromised": 1, "superseded": 2, "no longer used": 3}
"""The reasons as GnuPG asks for them."""


def united(recipient: Recipient, *copies: bytes) -> KnownKey:
    first, *others = (read_copy(copy, recipient=recipient).known for copy in copies)
    return merge(first, *others)


def revocation_certificate(smith: Smith, primary: str, reason: int) -> bytes:
    """Have GnuPG write the armored certificate alone, as people keep it in a drawer."""
    answers = f"y\n{reason}\n\ny\n".encode()
    return smith.gpg("--command-fd", "0", "--armor", "--gen-revoke", primary, stdin=answers)


def revoke_subkey(smith: Smith, primary: str, number: int = 1) -> None:
    answers = f"key {number}\nrevkey\ny\n0\n\ny\nsave\n".encode()
    smith.gpg("--command-fd", "0", "--edit-key", primary, stdin=answers)


def without(packets: bytes, *, tag: int, types: set[int] | None = None) -> bytes:
    """Strip packets of a tag, or signatures of some types, as a hostile source would."""
    kept = []
    for packet in split(packets):
        stripped = packet.tag == tag and (types is None or packet.body[1] in types)
        if not stripped:
            kept.append(build(Tag(packet.tag), packet.body))
    return b"".join(kept)


def pieces(packets: bytes) -> list[tuple[int, bytes]]:
    return [(packet.tag, packet.body) for packet in split(packets)]


def framed(parts: list[tuple[int, bytes]]) -> bytes:
    return b"".join(build(tag, body) for tag, body in parts)


def fingerprint(packets: bytes) -> str:
    return read_key_block(packets).fingerprint.text
