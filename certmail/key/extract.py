"""Write the proved part of a key block anew (RFC 9580 §10.1).

Comes in: a `KeyBlock`, its `Standing`, the chosen subkey. Goes out: binary packets with the
primary key, the user IDs it stands behind, and that subkey, each with the one signature that
speaks for it. Whatever no signature covers is left out or computed: other people's
certifications, pictures, other subkeys, unhashed areas, the spelling of lengths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.key.framing import Tag, build

if TYPE_CHECKING:
    from certmail.key.keyblock import KeyBlock
    from certmail.key.signature import Signature
    from certmail.key.standing import Standing, SubkeyStanding
    from certmail.values import Fingerprint


def extract(block: KeyBlock, standing: Standing, chosen: SubkeyStanding) -> bytes:
    """Give the packets to import for encrypting to ``chosen``, and to nothing else."""
    key = block.fingerprint
    parts = [build(Tag.PUBLIC_KEY, block.primary.body), _signature(standing.direct, key)]
    for uid in standing.user_ids:
        if uid.good:
            parts.append(build(Tag.USER_ID, uid.user_id.raw))
            parts.append(_signature(uid.certification, key))
    parts.append(build(Tag.PUBLIC_SUBKEY, chosen.subkey.key.body))
    parts.append(_signature(chosen.binding, key))
    return b"".join(parts)


def _signature(signature: Signature | None, key: Fingerprint) -> bytes:
    """Write a signature with nothing unhashed but the key ID of its issuer."""
    if signature is None:
        return b""
    issuer = b"\x09\x10" + bytes.fromhex(key.key_id)
    unhashed = len(issuer).to_bytes(2, "big") + issuer
    body = signature.signed_part + unhashed + signature.left16 + signature.numbers
    return build(Tag.SIGNATURE, body)
