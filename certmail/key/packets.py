"""OpenPGP packets as other rooms see them: three readers and what they give.

Bytes come in, a `KeyBlock`, an `EncryptedTo` or a `SignedMessage` goes out, or a refusal; no
cryptography, no gpg (RFC 9580 §4, §5, §10). The rooms behind it: `framing`, `material`,
`signature`, `keyblock`, `sealed`.
"""

from __future__ import annotations

from certmail.key.keyblock import KeyBlock, Subkey, UserId, read_key_block
from certmail.key.material import PublicKey
from certmail.key.sealed import EncryptedTo, SignedMessage, read_encrypted, read_signed
from certmail.key.signature import KeyFlags, Signature, SignatureType

__all__ = [
    "EncryptedTo",
    "KeyBlock",
    "KeyFlags",
    "PublicKey",
    "Signature",
    "SignatureType",
    "SignedMessage",
    "Subkey",
    "UserId",
    "read_encrypted",
    "read_key_block",
    "read_signed",
]
