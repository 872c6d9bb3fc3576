"""Write docs/hostile-network.md, every case and every program: ``python -m tests.control``."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path

import trustme

from certmail.submission import Mode
from tests.control.clients import CLIENTS
from tests.control.judge import COMPARED, World, judge
from tests.delivery.cases import CASES, Case, Family

DOCUMENT = Path(__file__).parents[2] / "docs" / "hostile-network.md"

WORKERS = 3

HEAD = """\
# Hostile networks

What a relay, or somebody between you and it, can do wrong, and what certmail and four other ways
of submitting mail make of it. Every case is a real server on loopback with real TLS; the same ones
run with certmail in every test run (`tests/delivery/cases.py`, {cases} cases, {runs} runs in both
modes). This page is written by `python -m tests.control`.

Each program was used as its documentation says, with TLS demanded where it has a switch for that:

| program | version | how |
| --- | --- | --- |
| certmail | {certmail} | `smtps` and `smtp+starttls` |
| msmtp | {msmtp} | `--tls=on --tls-starttls=on/off --tls-trust-file --auth=on` |
| curl | {curl} | `--ssl-reqd`, `smtps://` and `smtp://` |
| aiosmtplib | {aiosmtplib} | `send(use_tls=…)` with a context that verifies, else its defaults |
| smtplib | Python {python} | `SMTP_SSL`, or `starttls()`, with `create_default_context()` |

certmail uses aiosmtplib's protocol classes behind a reader of its own; the column shows what the
library does by itself. All were told to wait one second for a reply (curl: two in all), and given
up on after eight.

## The count

{count}

## What the words mean

- An empty cell: nothing wrong. The password stayed here where it had to, a refusal was told as one.
- **password in clear**: AUTH was said outside TLS.
- **goes on, and logs in**: the connection, or what was said before it, could not be trusted, and
  the login followed all the same.
- **says: sent**: success was reported for a message that was refused or whose fate is unknown.
- **says: not sent**: failure was reported for a message that was accepted; who sends it again sends
  it twice.
- **says: failed, like before the dot**: the relay had the whole message and gave no verdict, and
  the error is the same as when nothing had been handed over; so a retry may send it twice.
- **N logins**: a refused password was tried N times; some servers lock an account after three.
- A cell that begins with a mode holds in that mode only.
"""

FOOT = """
## What only certmail was asked

Pinned keys, client certificates, and REQUIRETLS as a demand have no counterpart in all of the
programs; their cases are in `tests/delivery/cases.py` and `tests/delivery/test_wishes.py`.

## What this does not show

A case is one relay's behaviour, not a measure of how likely it is. Leniency is counted: a reply
that breaks the grammar counts when it is taken for a success, though a relay with an honest bug may
have meant one. So are rules of cryptography that certmail holds to and others leave to the system.
Everything said inside TLS needs a relay that is broken or malicious itself; what is done before
TLS, or to TLS, only needs a place on the way. The other programs serve more purposes than this one:
they must deliver where certmail may refuse.
"""


def main() -> int:
    logging.disable(logging.CRITICAL)
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        ca_file = Path(folder, "ca.pem")
        authority.cert_pem.write_to_path(ca_file)
        world = World(ca_file, cache(lambda make: make(authority)))
        for case in CASES:
            world.context(case.context)
        results = run_all(world)
    DOCUMENT.write_text(document(results), encoding="utf-8")
    mine = [case for (case, program), cell in results.items() if program == "certmail" and cell]
    return 1 if mine else 0


def run_all(world: World) -> dict[tuple[str, str], str]:
    jobs = [(case, program) for case in COMPARED for program in CLIENTS]
    with ThreadPoolExecutor(WORKERS) as pool:
        cells = pool.map(lambda job: cell(*job, world), jobs)
        return {
            (case.name, program): text for (case, program), text in zip(jobs, cells, strict=True)
        }


def cell(case: Case, program: str, world: World) -> str:
    """Say what went wrong, with the mode where it went wrong in one only."""
    found = {mode: judge(case, mode, program, world) for mode in case.modes}
    if len({tuple(each) for each in found.values()}) == 1:
        return "; ".join(next(iter(found.values())))
    named = {Mode.IMPLICIT: "smtps", Mode.STARTTLS: "starttls"}
    return "; ".join(f"{named[mode]}: {', '.join(each)}" for mode, each in found.items() if each)


def document(results: dict[tuple[str, str], str]) -> str:
    parts = [
        HEAD.format(
            cases=len(CASES),
            runs=sum(len(case.modes) for case in CASES),
            certmail=version("certmail"),
            msmtp=first_line("msmtp", "--version").split()[2],
            curl=first_line("curl", "--version").split()[1],
            aiosmtplib=version("aiosmtplib"),
            python=".".join(map(str, sys.version_info[:3])),
            count=count(results),
        )
    ]
    for family in Family:
        cases = [case for case in COMPARED if case.family is family]
        rows = [
            (readable(case.name), *(results[case.name, each] for each in CLIENTS)) for case in cases
        ]
        title = family.value[0].upper() + family.value[1:]
        parts.append(f"\n## {title}\n\n{table(('case', *CLIENTS), rows)}\n")
    return "".join((*parts, FOOT))


def count(results: dict[tuple[str, str], str]) -> str:
    rows = []
    for family in Family:
        names = [case.name for case in COMPARED if case.family is family]
        wrong = [str(sum(bool(results[name, each]) for name in names)) for each in CLIENTS]
        rows.append((family.value, str(len(names)), *wrong))
    totals = [str(sum(int(row[i]) for row in rows)) for i in range(1, len(rows[0]))]
    return table(("cases that went wrong", "of", *CLIENTS), [*rows, ("all", *totals)])


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def readable(name: str) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in name)
    return shown.replace("|", "\\|")


def first_line(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
