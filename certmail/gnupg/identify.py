"""From a key file's octets to a verdict: the packets read here, GnuPG's word beside them.

In: the octets of a copy, where it came from, whose key it should be, the instant. Out: a
`PinnedKey`, or a `KeyReport` for people. Only puts the rooms in order: armor, packets, our own
verification, GnuPG's report, judgement. The packets are judged first, so that a file which is not
the key is refused before GnuPG sees it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.ahead import Ahead
from certmail.gnupg.report import report
from certmail.key import armor, pin, selfsig
from certmail.key.keyblock import read_key_block
from certmail.key.refusals import mismatch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from certmail.gnupg.runner import Gpg
    from certmail.key.pin import KeyReport, PinnedKey
    from certmail.recipient import Recipient


def examine_key(
    data: bytes,
    *,
    source: str,
    recipient: Recipient,
    gpg: Gpg,
    env: Mapping[str, str],
    at: datetime,
) -> KeyReport:
    """Judge a copy of the key; a file that is no key at all, or another key, is refused.

    Raises:
        KeyRefused: ``KEY-…`` for a file that is not one public key, ``PIN-MISMATCH`` for another.
    """
    block = read_key_block(armor.decode(data).packets)
    if block.fingerprint != recipient.pin:
        raise mismatch(block.fingerprint, recipient)
    # Both witnesses are heard at once, for one is another program; and neither hears the other.
    ours = Ahead(lambda: selfsig.verify(block))
    theirs = report(gpg, block.packets, env=env, at=at)
    return pin.judge(
        block,
        ours.result(),
        theirs,
        recipient=recipient,
        at=at,
        source=source,
    )


def identify_key(
    data: bytes,
    *,
    source: str,
    recipient: Recipient,
    gpg: Gpg,
    env: Mapping[str, str],
    at: datetime,
) -> PinnedKey:
    """Give the pinned key, expired or not.

    Raises:
        KeyRefused: as `examine_key`, and whatever the judgement refuses.
    """
    found = examine_key(data, source=source, recipient=recipient, gpg=gpg, env=env, at=at)
    return found.require_pinned()
