"""The rooms that refuse, and the tests of their own that must notice every change in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutation.operators import Mutant, mutants

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Room:
    """Sources, the tests that each mutant meets, and those that it meets if these do not notice."""

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]
    more: tuple[str, ...] = ()

    def mutants(self) -> Iterator[tuple[str, Mutant]]:
        """Give each mutant with its file."""
        for file in self.files:
            for mutant in mutants((ROOT / file).read_text("utf-8"), file=file):
                yield file, mutant


ROOMS = {
    room.name: room
    for room in (
        Room(
            "seal",
            ("certmail/message/seal.py",),
            ("tests/message/test_proof.py", "tests/message/test_seal.py"),
        ),
        Room("pin", ("certmail/key/pin.py",), ("tests/key/test_pin.py",)),
        Room(
            "tls",
            ("certmail/delivery/tls.py",),
            ("tests/delivery/test_tls.py", "tests/delivery/test_end_point.py"),
            ("tests/delivery/test_tls_faults.py",),
        ),
        Room(
            "replies",
            ("certmail/delivery/replies.py",),
            ("tests/delivery/test_replies.py", "tests/delivery/test_vetted.py"),
        ),
        Room(
            "consistency",
            ("certmail/bundle/consistency.py",),
            ("tests/bundle/test_consistency.py",),
        ),
        Room(
            "check",
            ("certmail/bundle/judge.py", "certmail/bundle/check.py"),
            ("tests/bundle/test_check.py",),
            ("tests/bundle/test_vectors.py", "tests/bundle/test_weak.py"),
        ),
    )
}
