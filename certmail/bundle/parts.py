"""Which parts are there: one private key in front, certificates behind it.

Comes in: blocks. Goes out: findings about what is missing, too many or at the wrong place. Looks
at labels only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.bundle import labels, rules
from certmail.bundle.findings import Finding, error, span

if TYPE_CHECKING:
    from certmail.bundle.pem import Block


def keys(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Pick the blocks labelled as private keys."""
    return tuple(block for block in blocks if block.label in labels.PRIVATE_KEYS)


def certificates(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Pick the blocks labelled as certificates."""
    return tuple(block for block in blocks if block.label in labels.CERTIFICATES)


def examine(blocks: tuple[Block, ...]) -> tuple[Finding, ...]:
    """Compare the parts with what the provider wants."""
    found = (_key(keys(blocks)), _key_place(blocks), _certificate(certificates(blocks)))
    return tuple(finding for finding in found if finding is not None)


def _key(found: tuple[Block, ...]) -> Finding | None:
    if not found:
        return error(
            "KEY-MISSING",
            None,
            "the file holds no private key",
            why=rules.BLOCK_ORDER.says,
            next="umask 077 && cat privkey.pem fullchain.pem >bundle.pem",
        )
    if len(found) > 1:
        places = " and ".join(span(block.lines) for block in found)
        return error(
            "KEY-SEVERAL",
            found[1].lines,
            f"the file holds {len(found)} private keys: {places}",
            why="one certificate has one key; which one was meant must not be guessed",
            next="keep the key the certificate was requested with, and remove the other",
        )
    return None


def _key_place(blocks: tuple[Block, ...]) -> Finding | None:
    found = keys(blocks)
    if len(found) != 1 or found[0] is blocks[0]:
        return None
    return error(
        "KEY-NOT-FIRST",
        found[0].lines,
        f"the private key stands at {span(found[0].lines)}, behind a certificate",
        why=rules.BLOCK_ORDER.says,
        next=f"move {span(found[0].lines)} to the top of the file",
        repair="order",
    )


def _certificate(found: tuple[Block, ...]) -> Finding | None:
    if found:
        return None
    return error(
        "CERT-MISSING",
        None,
        "the file holds no certificate",
        why=rules.BLOCK_ORDER.says,
        next="umask 077 && cat privkey.pem fullchain.pem >bundle.pem",
    )
