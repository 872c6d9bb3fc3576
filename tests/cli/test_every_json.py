"""A day's work, every command of it with --json: each object there is comes out of a real run."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import ROOT
from tests.cli.story import MANY, day
from tests.cli.test_outbox import Here
from tests.schemas import conforms, schemas
from tests.test_json import KEPT, PARTS

ELSEWHERE = {
    "certmail.acme-test/1": "tests/cli/test_acme.py",
    **dict.fromkeys(
        ("certmail.secret-set/1", "certmail.secret-test/1", "certmail.secret-forget/1"),
        "tests/cli/test_secret.py",
    ),
}
"""What needs a world of its own; the test that has one names the schema."""


@pytest.fixture
def said(user, bundle, relay):
    """Everything that was said, by the name of its schema."""
    said, person = {}, Here(user.home, user.gnupg, {})

    def run(*arguments):
        as_lines = "--export" in arguments
        ran = person(*arguments) if as_lines else person(*arguments, "--json")
        found = conforms(json.loads(ran.out.splitlines()[0])) if as_lines else ran.json
        said[found["schema"]] = found
        return ran

    day(run, user=user, bundle=bundle, relay=relay)
    for path in user.home.rglob("*.json"):
        kept = conforms(json.loads(path.read_bytes()))
        said[kept["schema"]] = kept
    return said


def test_each_schema_describes_what_a_command_says(said):
    missing = set() if MANY else {"certmail.batch/1"}
    assert set(said) == set(schemas()) - {PARTS} - missing - set(ELSEWHERE)
    assert set(said) >= KEPT


@pytest.mark.parametrize(("name", "where"), ELSEWHERE.items())
def test_what_is_said_elsewhere_is_held_against_its_schema_there(name, where):
    assert name in (ROOT / where).read_text(encoding="utf-8")
