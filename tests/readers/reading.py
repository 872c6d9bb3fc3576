"""What a reader is, what it can tell about a message, and what that is worth."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.readers.messages import Message

PATIENCE_S = 120


class Kind(Enum):
    OPENPGP = "opens the OpenPGP message"
    MAIL = "opens the mail as it lies in the mailbox"


class Sign(Enum):
    """One letter a cell for what was found; a reader that cannot tell has none."""

    OPENED = "D"
    SIGNED = "S"
    ATTACHED = "A"
    SUBJECT = "P"
    NOTHING_LOADED = "N"


@dataclass(frozen=True)
class Reading:
    """What one program made of one message; None where it has no word for it.

    ``opened`` is the entity that was signed, ``shown`` the text a person sees. ``signed_by`` is
    what the program says about who made a good signature: a fingerprint, or a name. ``tried``
    lists places outside this machine that it turned to. ``offered`` tells whether it offers to take
    the sender's key from among the attachments.
    """

    opened: bytes | None = field(default=None, repr=False)
    shown: str | None = field(default=None, repr=False)
    signed_by: str | None = None
    attachment: bytes | None = field(default=None, repr=False)
    subject: str | None = None
    tried: tuple[str, ...] | None = None
    offered: bool | None = None
    said: str = ""


class Reader(Protocol):
    """A program that reads; ``signs`` lists what it can tell."""

    name: str
    package: str
    note: str
    kind: Kind
    signs: frozenset[Sign]

    def version(self) -> str:
        """Give its version as it says it."""

    def read(self, messages: Sequence[Message], room: Path) -> list[Reading]:
        """Open each message; ``room`` is an empty folder of its own."""


def judge(message: Message, reading: Reading, signs: frozenset[Sign]) -> dict[Sign, bool]:
    """Hold what was read against what was written."""
    by = (reading.signed_by or "").replace(" ", "").upper()
    is_signer = by == message.signer.text or reading.signed_by == message.signer_name
    found = {
        Sign.OPENED: reading.opened == message.entity
        or (reading.shown is not None and message.note in reading.shown),
        Sign.SIGNED: is_signer,
        Sign.ATTACHED: reading.attachment == message.bundle,
        Sign.SUBJECT: reading.subject == message.subject,
        Sign.NOTHING_LOADED: reading.tried == (),
    }
    return {sign: found[sign] for sign in Sign if sign in signs}


def run(
    *argv: str | Path,
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
    patience_s: float = PATIENCE_S,
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        argv, input=stdin, capture_output=True, check=False, env=env, timeout=patience_s
    )
