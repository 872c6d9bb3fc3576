"""Where one send spends its time: what is imported, and what is waited for."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.peers import contenders
from benchmarks.tables import Table
from certmail.submission import Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.place import Place

_PACKAGES: Final = ("certmail", "cryptography", "click", "aiosmtplib", "gnupg", "platformdirs")
_GPG: Final = re.compile(r"gpg has ended .*operation=(\S+) .*seconds=(\S+)")
_LINE: Final = re.compile(r"^\s*(\d+\.\d+) (\S+): (.*)$", re.MULTILINE)


def profile(place: Place, *, rounds: int) -> list[Table]:
    """Take one send apart."""
    place.forget_relays()
    ours = contenders(place, mode=Mode.IMPLICIT, port=place.ports[Mode.IMPLICIT], signer="rsa3072")[
        0
    ].on(place.bundle())
    _run(place, ours)
    return [_imports(place, ours, rounds=rounds), _waits(place, ours, rounds=rounds)]


def _run(place: Place, words: Sequence[str]) -> str:
    done = subprocess.run(
        words, env=place.environment, cwd=place.root, capture_output=True, text=True, check=True
    )
    return done.stderr


def _imports(place: Place, words: Sequence[str], *, rounds: int) -> Table:
    """Give the least that each module took, since a busy machine only ever adds."""
    least: dict[str, int] = {}
    for _ in range(rounds):
        traced = (words[0], "-X", "importtime", *words[1:])
        for line in _run(place, traced).splitlines():
            found = re.match(r"import time:\s*(\d+) \|\s*\d+ \|\s*(\S+)", line)
            if found:
                least[found[2]] = min(least.get(found[2], sys.maxsize), int(found[1]))
    spent: Counter[str] = Counter()
    number: Counter[str] = Counter()
    for module, microseconds in least.items():
        package = module.partition(".")[0]
        package = package if package in _PACKAGES else "the standard library"
        spent[package] += microseconds
        number[package] += 1
    table = Table(
        "profile-imports", "One send: what is imported",
        "The least time of each module over the rounds, as ``-X importtime`` tells it, which adds a"
        " little to each.",
        ("package", "modules", "ms"),
    )  # fmt: skip
    for package, microseconds in spent.most_common():
        table.rows.append((package, f"{number[package]}", f"{microseconds / 1e3:.1f}"))
        table.bars.append((package, microseconds / 1e3))
    return table


def _waits(place: Place, words: Sequence[str], *, rounds: int) -> Table:
    """Give the medians of what the events tell: each GnuPG, and the stages of the session."""
    took: dict[str, list[float]] = {}
    for _ in range(rounds):
        told = _run(place, (*words, "-vv"))
        for operation, seconds in _GPG.findall(told):
            took.setdefault(f"gpg {operation}", []).append(float(seconds) * 1e3)
        lines = [(float(at), event) for at, _, event in _LINE.findall(told)]
        stages = [(at, event) for at, event in lines if event.startswith("stage now=")]
        for (at, event), (after, _) in pairwise(stages):
            name = event.removeprefix("stage now=").strip('"')
            took.setdefault(f"relay: {name}", []).append((after - at) * 1e3)
    table = Table(
        "profile-waits", "One send: what is waited for",
        "Programs and stages of the session, as ``-vv`` tells them. Imports go on meanwhile.",
        ("step", "ms"),
    )  # fmt: skip
    for name, found in took.items():
        table.rows.append((name, f"{median(found):.1f}"))
        table.bars.append((name, median(found)))
    return table
