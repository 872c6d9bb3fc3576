"""Events hold public values, one line each, and go nowhere by themselves."""

from __future__ import annotations

import logging

import pytest

from certmail.events import Teller
from certmail.submission import Mode
from certmail.values import Secret


def told(caplog, *, level: int = logging.INFO) -> list[str]:
    caplog.set_level(level, "certmail.room")
    tell = Teller("certmail.room")
    tell("connected", peer="192.0.2.7", port=465, seconds=0.5, mode=Mode.IMPLICIT, code=None)
    tell.detail("replied", code=250)
    return [record.getMessage() for record in caplog.records]


def test_an_event_is_one_line_of_names_and_values(caplog):
    assert told(caplog) == ["connected peer=192.0.2.7 port=465 seconds=0.500 mode=implicit code=-"]


def test_details_are_for_those_who_want_more(caplog):
    assert told(caplog, level=logging.DEBUG)[-1] == "replied code=250"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("250 Ok\r\n9.999 delivery: accepted", '"250 Ok??9.999 delivery: accepted"'),
        ("a b=c", '"a b=c"'),
        ('say "hi"', "\"say 'hi'\""),
        ("\x1b[31mred", "?[31mred"),
        ("", '""'),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_text_of_others_can_not_write_a_line_or_a_value_of_its_own(caplog, value, shown):
    caplog.set_level(logging.INFO, "certmail.room")
    Teller("certmail.room")("replied", said=value)
    assert caplog.records[-1].getMessage() == f"replied said={shown}"


@pytest.mark.parametrize("value", [Secret("canary-7f3a"), b"canary-7f3a", ["canary-7f3a"]])
def test_what_is_no_public_value_shows_its_type_alone(caplog, value):
    caplog.set_level(logging.INFO, "certmail.room")
    Teller("certmail.room")("read", value=value)
    assert caplog.records[-1].getMessage() == f"read value=<{type(value).__name__}>"


def test_with_nobody_listening_nothing_is_written(capfd):
    Teller("certmail.nobody")("done", what="nothing")
    assert capfd.readouterr() == ("", "")
