"""A lock's text becomes pins: name, version, marker, hashes, and who asked for each.

In: what ``make lock`` writes (names, ``==``, ``--hash=sha256:``, ``# via``), and nothing else. Out:
frozen pins in the lock's order. A line that is none of these is refused, for a bill that leaves out
what it did not understand would be a lie.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

_PIN: Final = re.compile(r"(?P<name>[a-z0-9.-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>.+))?")
_HASH: Final = re.compile(r"--hash=sha256:(?P<digest>[0-9a-f]{64})")
_VIA: Final = "# via "


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One release that is installed, and why.

    ``hashes`` are the SHA-256 of the release's files, in hexadecimal; an installation takes one of
    them. ``wanted_by`` holds names of other pins, or the project's own.
    """

    name: str
    version: str
    marker: str | None
    hashes: tuple[str, ...]
    wanted_by: tuple[str, ...]

    @property
    def purl(self) -> str:
        """The package URL (ECMA-427)."""
        return f"pkg:pypi/{self.name}@{self.version}"


def read(text: str) -> tuple[Pin, ...]:
    """Read every pin of a lock.

    Raises:
        ValueError: a line is not understood, or a pin has no hash.
    """
    pins: list[Pin] = []
    # A pin and its hashes are one line, continued; the comment behind says who wanted it.
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip().startswith(_VIA):
            pins[-1] = replace(pins[-1], wanted_by=_wanted_by(line.strip().removeprefix(_VIA)))
        elif line.strip():
            pins.append(_pin(line))
    return tuple(pins)


def _pin(line: str) -> Pin:
    hashes = _HASH.findall(line)
    found = _PIN.fullmatch(line.partition("--hash=")[0].strip())
    if found is None or not hashes or line.count("--hash=") != len(hashes):
        raise ValueError(f"not a pin with hashes: {line[:80]!r}")
    return Pin(
        name=found["name"],
        version=found["version"],
        marker=found["marker"],
        hashes=tuple(hashes),
        wanted_by=(),
    )


def _wanted_by(words: str) -> tuple[str, ...]:
    names = (word.partition(" (")[0] for word in words.split(", "))
    return tuple(sorted(name for name in names if not name.startswith("-c ")))
