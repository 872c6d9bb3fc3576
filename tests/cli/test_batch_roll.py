"""What a batch remembers of its bundles comes back as it was given, and brings nothing along."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from certmail.batch import Outcome
from certmail.bundle.facts import sha256_hex
from certmail.cli.batch_roll import Checked, Roll, Verdict
from certmail.errors import RelayError

PATHS = ["a.pem", "b\n/ü.pem", "not unicode \udcff.pem", "d.pem", ""]


def checked(path: str, *, certificate: bytes = b"", names: tuple[str, ...] = ()) -> Checked:
    return Checked(
        path, names, date(2027, 3, 1), sha256_hex(certificate or path.encode("utf-8", "replace")),
        sha256_hex(path.encode("utf-8", "replace")),
    )  # fmt: skip


def refusal(what: str = "what") -> RelayError:
    return RelayError("RELAY-REFUSED", what, why="why", next="next")


def test_what_a_check_found_comes_back_in_its_spelling():
    """The outbox and the next check compare digests as texts."""
    roll = Roll(PATHS)
    found = [
        checked(path, names=tuple(f"n{number}.example" for number in range(place)))
        for place, path in enumerate(PATHS)
    ]
    for place in (3, 0, 4, 1, 2):  # threads end in any order
        roll.take(place, found[place])
    assert [roll[place] for place in range(len(roll))] == found


def test_the_first_file_of_a_certificate_is_sent_and_the_others_are_its_twins():
    roll = Roll(PATHS)
    for place, path in enumerate(PATHS):
        roll.take(place, checked(path, certificate=b"same" if place in {1, 2, 4} else b""))
    roll.pair_up()
    assert (list(roll.single()), roll.twins) == ([0, 1, 3], {2: 1, 4: 1})


def test_a_bundle_is_found_by_the_number_of_its_message():
    """Resumed messages have old numbers, sealed ones new ones; a number can be given anew."""
    roll = Roll(PATHS)
    for place, number in ((0, 70), (1, 5), (2, 90), (3, 6), (4, 5)):
        roll.number(place, number)
    assert [roll.place_of(number) for number in (5, 6, 70, 90)] == [4, 3, 0, 2]


@pytest.mark.parametrize("outcome", Outcome)
def test_the_last_verdict_counts_and_the_first_is_new(outcome):
    roll = Roll(PATHS)
    assert roll.verdict(1) is None
    again_at = datetime(2026, 11, 28, tzinfo=UTC)
    deferred = Verdict(Outcome.DEFERRED, 2**40, refusal(), again_at)
    assert roll.settle(1, deferred)
    assert roll.verdict(1) == deferred
    assert not roll.settle(1, Verdict(outcome, 2**40))
    assert roll.verdict(1) == Verdict(outcome, 2**40)
    assert roll.verdict(0) is None


def test_an_error_is_kept_without_what_it_came_through():
    """The frames of a traceback hold a bundle with its private key."""
    roll = Roll(PATHS)

    def seal(bundle: bytes) -> None:
        try:
            int(bundle)
        except ValueError as cause:
            raise refusal() from cause

    for place in range(2):
        try:
            seal(b"a private key")
        except RelayError as error:
            roll.settle(place, Verdict(Outcome.NOT_SENT, error=error))
    kept = roll.verdict(0).error
    assert (kept.__traceback__, kept.__cause__, kept.__context__) == (None, None, None)
    assert roll.verdict(1).error is kept
    roll.settle(1, Verdict(Outcome.NOT_SENT, error=refusal("something else")))
    assert roll.verdict(1).error.what == "something else"
