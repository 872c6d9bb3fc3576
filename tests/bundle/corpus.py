"""The vectors as files, for whoever wants to try them on another program.

    python -m tests.bundle.corpus --write

makes ``tests/bundle/corpus/*.vector`` anew: header lines ``name: value`` up to an empty line, then
the octets of one file with one defect. ``at`` is the instant to judge it at, ``domain`` a name it
must cover, ``expect`` a code, in order. The keys in them were made for this and guard nothing.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from certmail.bundle.further import Further
from tests.bundle import vectors

FOLDER: Final = Path(__file__).with_name("corpus")

MAX_OCTETS: Final = 32 * 1024
"""A larger file shows a limit, and is made when it is needed."""


@dataclass(frozen=True)
class Case:
    """One file of the corpus, read."""

    name: str
    at: datetime
    domains: tuple[str, ...]
    expect: tuple[str, ...]
    data: bytes


def cases() -> list[Case]:
    """Read the corpus."""
    return [_read(path) for path in sorted(FOLDER.glob("*.vector"))]


def _read(path: Path) -> Case:
    head, _, data = path.read_bytes().partition(b"\n\n")
    pairs = [line.partition(": ") for line in head.decode("ascii").splitlines()]
    unknown = {name for name, _, _ in pairs} - {"name", "at", "domain", "expect"}
    if unknown:
        raise ValueError(f"{path.name}: unknown header {unknown}")

    def values(wanted: str) -> tuple[str, ...]:
        return tuple(value for name, _, value in pairs if name == wanted)

    return Case(
        values("name")[0],
        datetime.fromisoformat(values("at")[0]),
        values("domain"),
        values("expect"),
        data,
    )


def write() -> int:
    """Write every vector that needs nothing but its octets; give their number."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.vector"):
        old.unlink()
    written = 0
    for vector in vectors.ALL:
        if vector.further is not Further or len(vector.data) > MAX_OCTETS:
            continue
        head = [
            f"name: {vector.name}",
            f"at: {vector.at.isoformat()}",
            *(f"domain: {domain}" for domain in vector.domains if domain.isascii()),
            *(f"expect: {code}" for code in vector.codes),
        ]
        if not all(domain.isascii() and domain for domain in vector.domains):
            continue
        (FOLDER / f"{vector.name}.vector").write_bytes(
            "\n".join(head).encode() + b"\n\n" + vector.data
        )
        written += 1
    return written


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m tests.bundle.corpus --write")
    sys.stdout.write(f"{write()} vectors written\n")
