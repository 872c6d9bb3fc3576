"""What somebody at a terminal is asked, and what becomes of the answers."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.setup.conversation import CONTROL, screens

GOLDEN = Path(__file__).parent / "golden" / "conversation.txt"


def settled(place, seen: str) -> str:
    """Take out of a screen what differs from run to run."""
    text = CONTROL.sub("", seen)
    for value, name in (
        (str(place.ca_file), "/home/ops/ca.pem"),
        (str(place.user.home), "/home/ops"),
        (place.sender.fingerprint.grouped(), "0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567"),
        (place.sender.fingerprint.text, "0123456789ABCDEF0123456789ABCDEF01234567"),
        (place.port, "46500"),
    ):
        text = text.replace(value, name)
    text = re.sub(r"\d+ octets", "12000 octets", text)
    text = re.sub(r" =\n +/home", " = /home", text)
    return "\n".join(line.rstrip() for line in text.split("\n"))


@pytest.fixture
def whole(place):
    """A whole conversation, from nothing to the end."""
    with place.talk() as talk:
        for question, answer in place.questions:
            talk.answer(question, answer)
        status = talk.end()
    return talk, status


def test_from_nothing_to_a_preview(place, whole):
    """The copy of the key that comes along has expired, and nobody was let to look for another."""
    talk, status = whole
    assert (status, place.settings) == (11, place.answered), talk.seen
    assert "TLSv1.3, certificate verified, login by" in talk.seen
    assert "signed and encrypted" in talk.seen
    assert place.relay.mailbox.delivered == []


def test_no_screen_is_longer_than_24_lines_or_wider_than_80_columns(whole):
    talk, _ = whole
    assert max(len(screen) for screen in screens(talk.seen)) <= 24, talk.seen
    # A path stays whole, so that it can be copied; what is typed is the operator's.
    said = [line for line in CONTROL.sub("", talk.seen).split("\n") if "/" not in line]
    assert [line for line in said if len(line) > 80] == []


def test_the_whole_conversation_reads_as_it_was_written(place, whole):
    """Look at the difference; if it is meant, KEEP_GOLDEN=FOLDER keeps the new text there."""
    talk, _ = whole
    seen = settled(place, talk.seen)
    if kept := os.environ.get("KEEP_GOLDEN"):
        Path(kept, GOLDEN.name).write_text(seen, encoding="utf-8")
    assert seen.split("\n") == GOLDEN.read_text(encoding="utf-8").split("\n"), seen


def test_whoever_stops_at_any_question_goes_on_there(place):
    """Ctrl-C at every question in turn; the next run goes on, and nothing is lost or asked anew."""
    answers = {**dict(place.questions), "Keep it": "y"}
    stopped_at = set()
    for _ in range(len(answers) + 1):
        with place.talk() as talk:
            while (question := talk.which(answers)) in stopped_at:
                talk.type(answers[question] + "\n")
            if question is None:
                break
            stopped_at.add(question)
            before = place.settings
            assert talk.interrupt() == 130
            assert "is kept; certmail setup goes on" in talk.seen
            assert "Traceback" not in talk.seen
            assert place.settings == before
    assert stopped_at == set(answers)
    assert place.settings == place.answered


def test_enter_keeps_everything_that_is_set(place, whole):
    del whole
    before = place.file.read_bytes()
    with place.talk() as talk:
        for question in (
            "Your address [ops@sender.example]:",
            "Name shown beside it (- for none) [Operator Example]:",
            "or m to make one [1]:",
            "Keep it [Y/n]:",
            "Where is it [k]:",
        ):
            talk.answer(question)
        talk.answer("Look for a newer copy now", "n")
        talk.answer("Go on")
        assert talk.end() == 11
    assert place.file.read_bytes() == before
    assert "written:" not in talk.seen
