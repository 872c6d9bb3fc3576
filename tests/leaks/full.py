"""Every function of certmail that a send calls fails once: a quarter of an hour, by hand.

The ways of failing take turns from function to function; another ``CERTMAIL_TEST_TURN``, 0 to 5,
gives each function another one.
"""

from __future__ import annotations

import os
import shutil
import sys

from tests.leaks.endings import with_fault, wrong

KINDS = ("bug", "interrupt", "exit", "disk", "memory", "value")


def test_whatever_fails_tells_nothing_and_leaves_nothing(watched):
    step = int(os.environ.get("CERTMAIL_TEST_EVERY", "1"))
    turn = int(os.environ.get("CERTMAIL_TEST_TURN", "0"))
    names = watched.root / "functions"
    assert with_fault(watched, "list", "bug", count=str(names)).status == 0
    places = names.read_text().splitlines()
    # What is called before the bundle is read holds no secret, and is the same for each command.
    places = places[places.index("cli.files:read_bundle") :]
    places = [place for place in places if not place.endswith(":<module>")][::step]
    bad = []
    for number, place in enumerate(places):
        shutil.rmtree(watched.user.home / ".local")
        watched.relay.mailbox.delivered.clear()
        kind = KINDS[(number + turn) % len(KINDS)]
        ended = with_fault(watched, place, kind)
        found = wrong(watched, ended)
        bad += [f"{place} {kind} ({ended.status}): {saying}" for saying in found]
        sys.stderr.write(f"{number + 1} of {len(places)} {place} {kind} {ended.status} {found}\n")
        (watched.user.home / ".local").mkdir(exist_ok=True)
    assert bad == []
