"""``python -m benchmarks``: set up everything on loopback, measure, and write the results.

``--quick`` runs each contender a few times, to see that all of it works. Without it, the run takes
about ten minutes and writes ``benchmarks/results/DATE.md``, ``.json`` and the charts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import many, one
from benchmarks.place import Place, place
from benchmarks.profile import profile
from benchmarks.shares import shares
from benchmarks.tables import Table
from certmail import __version__
from certmail.submission import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


RESULTS = Path(__file__).parent / "results"


def sections(
    here: Place, *, rounds: int, quick: bool, full: bool
) -> dict[str, Callable[[], Iterator[Table]]]:
    """Give each section's tables, to be made when they are asked for."""
    few = max(rounds // 3, 1)
    counts = (20, 60) if quick else (100, 1000, *((10000,) if full else ()))

    def round_trips() -> Iterator[Table]:
        for seconds in (0.02, 0.1):
            yield one.sending(here, rounds=few, mode=Mode.IMPLICIT, one_way_s=seconds / 2)

    return {
        "starting": lambda: iter([one.starting(here, rounds=2 * rounds)]),
        "checking": lambda: iter([one.checking(here, rounds=rounds)]),
        "sending": lambda: (one.sending(here, rounds=rounds, mode=mode) for mode in Mode),
        "profile": lambda: iter(profile(here, rounds=rounds)),
        "round-trips": round_trips,
        "batch": lambda: (
            many.batch(here, signer=signer, count=20 if quick else 100)
            for signer in ("rsa3072", "ed25519")
        ),
        "shares": lambda: iter([shares(here, signer="ed25519", count=20 if quick else 100)]),
        "memory": lambda: iter([many.memory(here, counts=counts)]),
        "large": lambda: iter([many.large(here, rounds=few)]),
        "rehearsing": lambda: iter([one.rehearsing(here, rounds=few)]),
    }


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", help="only these sections")
    parser.add_argument("--quick", action="store_true", help="few rounds, nothing is written")
    parser.add_argument("--full", action="store_true", help="batches up to 10,000 bundles")
    typed = parser.parse_args()
    tables: list[Table] = []
    with place() as here:
        made = sections(here, rounds=3 if typed.quick else 15, quick=typed.quick, full=typed.full)
        if not set(typed.sections) <= set(made):
            parser.error(f"the sections are: {', '.join(made)}")
        for name in typed.sections or made:
            for table in made[name]():
                print(table.markdown(), flush=True)
                tables.append(table)
    if not typed.quick:
        _write(tables)
    return 0


def _write(tables: list[Table]) -> None:
    RESULTS.mkdir(exist_ok=True)
    at = datetime.now(UTC)
    head = f"# Measured on {at:%Y-%m-%d}\n\n" + "\n".join(f"- {line}" for line in _machine()) + "\n"
    name = RESULTS / f"{at:%Y-%m-%d}"
    tables = _with_those_of_the_day(name.with_suffix(".json"), tables)
    name.with_suffix(".md").write_text(
        head + "\n" + "\n".join(table.markdown() for table in tables), encoding="utf-8"
    )
    facts = {"at": at.isoformat(), "machine": _machine(), "tables": [t.json() for t in tables]}
    name.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    for table in tables:
        if table.bars:
            (RESULTS / f"{table.name}.svg").write_text(table.svg(), encoding="utf-8")


def _with_those_of_the_day(known: Path, tables: list[Table]) -> list[Table]:
    """Put new tables into the places of the old ones; sections that were not run stay."""
    if not known.exists():
        return tables
    kept = [Table.of_json(table) for table in json.loads(known.read_text("utf-8"))["tables"]]
    new = {table.name: table for table in tables}
    return [new.pop(table.name, table) for table in kept] + list(new.values())


def _machine() -> list[str]:
    def first(*words: str) -> str:
        if shutil.which(words[0]) is None:
            return f"{words[0]}: not here"
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return (done.stdout or done.stderr).splitlines()[0]

    return [
        f"certmail {__version__}, Python {platform.python_version()}, {os.cpu_count()} processors",
        f"{platform.system()} {platform.release()}, {platform.machine()}",
        first("gpg", "--version"),
        first("openssl", "version"),
        first("postconf", "-d", "mail_version"),
        first("msmtp", "--version"),
        first("neomutt", "-v"),
    ]


if __name__ == "__main__":
    sys.exit(main())
