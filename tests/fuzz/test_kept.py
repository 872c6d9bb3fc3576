"""The kept inputs, whole, cut off, and with more behind them: the same targets as the fuzzing."""

from __future__ import annotations

import pytest

from certmail.bundle.facts import sha256_hex
from certmail.delivery.replies import MAX_LINE_OCTETS
from certmail.values import printable
from tests.fuzz.keep import choose
from tests.fuzz.target import FOLDER, Target, quotes_no_body, refused
from tests.fuzz.targets import TARGETS

CUTS = 16
BEHIND = (b"\n", b"\0", b"-----BEGIN ", b"}", b"\xff\xff")
SOME_SEEDS = 6

EACH = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())


@EACH
def test_what_is_kept_ends_as_it_may_also_cut_off_and_with_more_behind(target):
    for data in [*target.kept(), *target.seeds()[:SOME_SEEDS]]:
        step = max(1, len(data) // CUTS)
        for end in range(0, len(data), step):
            target.within_time(data[:end])
        target.within_time(data)
        for more in BEHIND:
            target.within_time(data + more)


@EACH
def test_nothing_and_too_much_end_as_they_may(target):
    for data in (b"", b"\0", b"\x80" * 2_000, b"[" * 20_000, b"-" * 20_000, b"A" * 70_000):
        target.within_time(data)


def test_the_kept_inputs_are_few_and_small():
    paths = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert len(paths) <= 200
    assert sum(path.stat().st_size for path in paths) <= 300_000
    assert {path.parent.name for path in paths} <= set(TARGETS)


def test_what_reaches_nothing_new_is_not_kept():
    target = TARGETS["replies"]
    new = b"250-a\r\n" * 3000
    assert choose(target, [*target.seeds(), b"421 x\r\n", b"421 xy\r\n"]) == []
    assert choose(target, [new[: MAX_LINE_OCTETS + 300], b"x" * (MAX_LINE_OCTETS + 1)]) != []


def test_one_that_reaches_what_several_do_is_kept_in_their_place():
    def run(data: bytes) -> None:
        if b"1" in data:
            printable("x")
        if b"2" in data:
            sha256_hex(b"x")

    target = Target("two", run, lambda: (b"",))
    assert choose(target, [b"1", b"2", b"12", b"21", b"123"]) == [b"12"]
    assert set(choose(target, [b"1", b"x2", b"2"])) == {b"1", b"2"}


# That the checks can fail


def test_another_exception_than_our_refusals_is_a_find():
    with pytest.raises(ValueError):
        refused(lambda: b"".index(b"x"))


def test_a_piece_of_a_key_in_what_is_told_is_a_find():
    body = b"MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCU4AXXFo3A3thh"
    quotes_no_body(body, ["the key begins with MIIEvAIBADANBgk"])
    with pytest.raises(AssertionError):
        quotes_no_body(body, [f"the key begins with {body[:30].decode()}"])
