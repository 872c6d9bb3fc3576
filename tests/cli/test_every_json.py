"""A day's work, every command of it with --json: each object there is comes out of a real run."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.cli.conftest import ROOT
from tests.cli.story import MANY, day
from tests.cli.test_outbox import Here
from tests.cli.test_terminal import Terminal
from tests.schemas import conforms, schemas
from tests.test_json import KEPT, PARTS

ELSEWHERE = {
    "certmail.acme-test/1": "tests/cli/test_acme.py",
    "certmail.setup/1": "tests/cli/setup/test_told.py",
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


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("check", "--no-such-option"), "No such option"),
        (("outbox", "show"), "Missing argument 'NAME'"),
        (("no-such-command",), "No such command 'no-such-command'"),
        (("check", "-", "-"), "standard input can be read once only"),
        (("send", "a.pem", "--sealed", "m.eml", "--yes"), "--sealed sends a finished message"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_command_line_that_makes_no_sense_is_json_as_well(user, arguments, what):
    ran = Here(user.home, user.gnupg, {})(*arguments, "--json")
    assert (ran.status, ran.json["schema"]) == (2, "certmail.error/1")
    assert (ran.json["code"], ran.json["exit_status"]) == ("USAGE", 2)
    assert ran.json["what"].startswith(what)
    assert ran.json["next"].startswith("certmail")
    assert "Usage: certmail" in ran.err


def test_a_word_behind_two_dashes_asks_for_nothing(user):
    ran = Here(user.home, user.gnupg, {})("check", "--", "--json")
    assert (ran.status, ran.out, ran.code) == (10, "", "BUNDLE-UNREADABLE")


def test_an_interrupted_command_tells_scripts_so(user):
    """Silence at a question counts as no; so does Ctrl-C."""
    shown = Terminal(user, "key", "refresh", "--from", "-", "--json")
    shown.until(None, patience_s=1.5)
    os.killpg(shown.process.pid, signal.SIGINT)
    assert shown.end() == 130
    told = shown.seen.decode()
    object_ = conforms(json.loads(told[told.index("{") : told.rindex("}") + 1]))
    assert (object_["code"], object_["exit_status"]) == ("INTERRUPTED", 130)


def test_each_schema_describes_what_a_command_says(said):
    missing = set() if MANY else {"certmail.batch/1"}
    assert set(said) == set(schemas()) - {PARTS} - missing - set(ELSEWHERE)
    assert set(said) >= KEPT


@pytest.mark.parametrize(("name", "where"), ELSEWHERE.items())
def test_what_is_said_elsewhere_is_held_against_its_schema_there(name, where):
    assert name in (ROOT / where).read_text(encoding="utf-8")
