"""The mail domain's own records: asked only when told to, shown, confirmed, never without TLS."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.conftest import Ran
from tests.cli.setup.conversation import screens
from tests.names.responder import Table, serving

PROGRAM = """
import sys
from certmail.cli.entry import run
from certmail.cli.keys_at_hand import World
from certmail.names.ask import Resolver
world = World(resolver=Resolver(servers=(("127.0.0.1", {port}),), query_s=1.0))
sys.exit(run(sys.argv[1:], world=world))
"""
INSIDE = {"_submissions._tcp.sender.example": ["0 1 465 smtp.sender.example."]}
OUTSIDE = {
    "_submissions._tcp.sender.example": ["0 1 465 smtp.provider.example."],
    "_submission._tcp.sender.example": ["0 1 587 smtp.provider.example."],
}
FROM = ("--from", "ops@sender.example", "--sender-name", "-", "--discover")


@pytest.fixture
def table():
    with serving(Table()) as running:
        yield running


@pytest.fixture
def names(table):
    """Have the domain name servers; give the program that asks it."""

    def names(records):
        table.records |= {(name, "SRV"): lines for name, lines in records.items()}
        return PROGRAM.format(port=table.port)

    return names


@pytest.fixture
def told(place):
    def run(program, *arguments):
        done = subprocess.run(
            [sys.executable, "-c", program, "setup", *arguments],
            env={**place.user.environment(), "PYTHONPATH": ":".join(sys.path)},
            cwd=place.user.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            start_new_session=True,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


def test_what_lies_in_the_mail_domain_is_offered_and_still_confirmed(place, names):
    program = names(INSIDE)
    with place.talk(*FROM, "--sign-with", place.sender.fingerprint.text, program=program) as talk:
        said = talk.answer("or n for none [1]:", "1")
        talk.answer("User name", "")
        talk.answer("File with its CA", "")
        talk.until("4 of 6")
        talk.interrupt()
    assert "smtp.sender.example port 465, TLS from the first byte" in said
    assert "It lies in sender.example." in said
    assert "not validated" in said
    relay = place.settings["relay"]
    assert (relay["host"], relay["port"], relay["mode"]) == ("smtp.sender.example", 465, "implicit")


def test_what_lies_elsewhere_has_no_default_and_says_so(place, names):
    program = names(OUTSIDE)
    with place.talk(*FROM, "--sign-with", place.sender.fingerprint.text, program=program) as talk:
        said = talk.answer("or n for none:", "n")
        talk.answer("Number or letter:", "d")
        talk.answer("or n for none:", "2")
        talk.until("User name")
        talk.interrupt()
    assert said.count("It lies OUTSIDE sender.example") == 2
    assert "STARTTLS, required" in said
    assert max(map(len, screens(talk.seen))) <= 24
    assert "relay" not in place.settings


def test_a_script_takes_what_lies_in_the_mail_domain(place, names, told):
    ran = told(names(INSIDE), *FROM, "--skip", "live-test", "--yes",
               "--relay-password-command", "true", "--offline")  # fmt: skip
    assert place.settings["relay"]["host"] == "smtp.sender.example", ran.err


def test_a_script_does_not_take_what_nothing_vouches_for(place, names, told):
    ran = told(names(OUTSIDE), *FROM, "--yes")
    assert (ran.status, ran.code) == (2, "SETUP-UNPROVED")
    assert "--relay-host smtp.provider.example --relay-port 465" in " ".join(ran.err.split())
    assert "relay" not in place.settings


def test_what_a_resolver_of_this_machine_validated_is_taken_though_it_lies_elsewhere(
    place, names, told, table
):
    table.validated = True
    ran = told(names(OUTSIDE), *FROM, "--skip", "live-test", "--yes",
               "--relay-password-command", "true", "--offline")  # fmt: skip
    assert place.settings["relay"]["host"] == "smtp.provider.example", ran.err


@pytest.mark.parametrize(
    ("records", "what"),
    [
        ({}, "names no submission server"),
        (
            {
                "_submissions._tcp.sender.example": ["0 0 0 ."],
                "_submission._tcp.sender.example": ["0 0 0 ."],
            },
            "offers no submission",
        ),
    ],
    ids=["no record", "refused"],
)
def test_a_domain_that_names_none_is_told_and_nothing_is_guessed(place, names, told, records, what):
    ran = told(names(records), *FROM, "--json")
    problems = [p for step in json.loads(ran.out)["steps"] for p in step["problems"]]
    found = next(p for p in problems if p["code"] == "SETUP-NOTHING-DISCOVERED")
    assert what in found["what"]
    assert "relay" not in place.settings


def test_nothing_is_asked_of_the_dns_unless_told_to(place, names, told, table):
    told(names(INSIDE), *FROM[:-1], "--provider", "ovh", "--yes")
    assert table.asked == []
    assert place.settings["relay"]["host"] == "ssl0.ovh.net"
