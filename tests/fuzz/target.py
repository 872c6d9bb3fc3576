"""What a target is: one reader, fed any octets, and what must hold whatever they are.

A target takes octets and gives nothing. It lets pass a result or one of our refusals, whose words
must be fit to show; any other exception is a find, and so is an invariant that does not hold.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from certmail.errors import CertmailError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FOLDER = Path(__file__).with_name("corpus")
ROOT = Path(__file__).parents[2]

SECONDS = 5.0
"""Processor time that one input may take: a hundred times what the worst honest one does."""

GRAM = 24
_RUN = re.compile(rb"[A-Za-z0-9+/]{48,}")
_HEX = re.compile(r"[0-9A-Fa-f]+")


@dataclass(frozen=True)
class Target:
    """One reader: what it is fed at first, and what its language is made of."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[bytes, ...] = ()
    octets: int = 8192

    def __post_init__(self) -> None:
        """Make the seeds once: some have keys in them that are new in each run."""
        made = self.seeds
        object.__setattr__(self, "seeds", cache(lambda: tuple(made())))

    @property
    def folder(self) -> Path:
        """Where what fuzzing found worth keeping lies."""
        return FOLDER / self.name

    def kept(self) -> list[bytes]:
        """Read the kept corpus."""
        return [path.read_bytes() for path in sorted(self.folder.glob("*"))]

    def within_time(self, data: bytes) -> None:
        """Run once, and hold the processor time against its bound."""
        began = time.process_time()
        self.run(data)
        took = time.process_time() - began
        assert took < SECONDS, f"{self.name}: {took:.1f} s for {len(data)} octets"


def refused(read: Callable[[], object]) -> CertmailError | None:
    """Call a reader; give its refusal, whose words are fit to show, or None."""
    try:
        read()
    except CertmailError as refusal:
        fit_to_show(refusal.what, refusal.why, refusal.next)
        return refusal
    return None


def fit_to_show(*texts: str) -> None:
    """One line, no control characters, not longer than anybody reads."""
    for text in texts:
        assert text.isprintable(), repr(text[:200])
        assert len(text) <= 2000, f"{len(text)} characters are told"


def quotes_no_body(data: bytes, told: Iterable[str]) -> None:
    """No piece of what could be base64 of a key stands in what is told.

    A digest may: it is public, and the fuzzer puts what it sees compared into its inputs.
    """
    text = "\n".join(told)
    shown = {text[at : at + GRAM] for at in range(len(text) - GRAM + 1)}
    for run in _RUN.findall(data):
        pieces = {run[at : at + GRAM].decode() for at in range(len(run) - GRAM + 1)}
        told_pieces = {piece for piece in pieces & shown if not _HEX.fullmatch(piece)}
        assert not told_pieces, "a piece of the input's base64 is told"
