"""Every mutant that no test notices is listed with an answer, and a sample of the others dies."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.mutation.operators import mutants
from tests.mutation.rooms import ROOMS, ROOT

FOUND = json.loads((ROOT / "tests/mutation/survivors.json").read_text("utf-8"))
ANSWERS = (ROOT / "docs/mutation.md").read_text("utf-8")
SECONDS = 35
ROW = re.compile(r"^\| `([^`]+)` \| (.+) \|$", re.MULTILINE)

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="mutants are run in forked processes")


def test_each_survivor_has_its_answer_and_no_other_has_one():
    """docs/mutation.md and the record of the last run say the same."""
    answered = dict(ROW.findall(ANSWERS))
    survived = {
        name.removeprefix("certmail/") for found in FOUND.values() for name in found["survived"]
    }
    assert set(answered) == survived, "make mutate, then answer in docs/mutation.md"
    for name, answer in answered.items():
        assert answer.startswith(("equivalent: ", "accepted: ")), name


@pytest.mark.parametrize("room", [ROOMS[name] for name in FOUND], ids=FOUND.keys())
def test_what_survived_can_still_be_made(room):
    """A survivor of a source that has changed is told from one that is answered."""
    made = {mutant.name: f"{mutant.was}  ->  {mutant.now}" for _, mutant in room.mutants()}
    gone = {
        name: change
        for name, change in FOUND[room.name]["survived"].items()
        if made.get(name) != change
    }
    assert gone == {}, f"make mutate ARGS={room.name}"


@POSIX
def test_a_sample_of_the_mutants_is_noticed():
    """As many as there is time for, chosen by the sources: each change draws others."""
    command = [sys.executable, "-m", "tests.mutation.sample", str(SECONDS)]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


# The operators

SOURCE = '''
"""Says what it does."""
LEAST = 3
KINDS = {"a", "b"}
PATTERN = re.compile(r"[a-z]{3}")
def judge(x, *, why="no reason"):
    """Judge."""
    if x < LEAST and not x in KINDS:
        raise ValueError("a sentence for people")
    log(x)
    return 1 if PATTERN.fullmatch(x) else x + 2
'''


def test_each_operator_makes_its_mutants_and_leaves_sentences_alone():
    made = mutants(SOURCE, file="f.py")
    assert {m.name.split("::")[2] for m in made} == {
        "and-or", "anchor", "arithmetic", "boundary", "branches", "call", "compare", "constant",
        "guard", "member", "not", "pattern", "raise",
    }  # fmt: skip
    assert not any("reason" in m.now or "Says" in m.now or "Judge." in m.now for m in made)
    assert len({m.name for m in made}) == len(made)
    assert all(m.was != m.now for m in made)


def test_a_name_does_not_change_with_what_stands_elsewhere():
    before = {m.name for m in mutants(SOURCE, file="f.py") if "::judge::" in m.name}
    more = SOURCE.replace("LEAST = 3", "def other(y):\n    return y > 4\n\nLEAST = 3")
    after = {m.name for m in mutants(more, file="f.py") if "::judge::" in m.name}
    assert before == after


def test_a_room_without_its_tests_would_be_told():
    for room in ROOMS.values():
        for path in (*room.files, *room.tests, *room.more):
            assert (ROOT / path).is_file(), path
