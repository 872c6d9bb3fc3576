"""Blocks are cut out of anything that a source sends, in time that grows with its length alone."""

from __future__ import annotations

import time

import pytest

from certmail.errors import KeyRefused
from certmail.key import armor
from certmail.key.renew import blocks

BEGIN = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
GOOD = armor.encode(armor.PUBLIC_KEY_BLOCK, bytes([0xC6, 3, 1, 2, 3]))


def codes(data: bytes) -> list[str | None]:
    return [found.refusal and found.refusal.code for found in blocks.find(data)]


def test_a_block_that_was_cut_off_does_not_spoil_the_one_behind_it():
    assert codes(BEGIN + b"\nAAAA\n" + GOOD) == ["KEY-ARMOR-DAMAGED", None]
    assert codes(GOOD + BEGIN + b"\nAAAA\n") == [None, "KEY-ARMOR-DAMAGED"]


def test_a_private_key_behind_a_block_that_was_cut_off_is_refused_as_one():
    with pytest.raises(KeyRefused) as caught:
        blocks.find(BEGIN + b"\nAAAA\n" + BEGIN.replace(b"PUBLIC", b"PRIVATE"))
    assert caught.value.code == "KEY-SECRET"


@pytest.mark.parametrize("flood", [b"\n", b"a\n", b"Comment: x\n", BEGIN, BEGIN + b"a\n"], ids=repr)
def test_a_page_full_of_beginnings_is_read_at_once(flood):
    """Each beginning had the whole rest of the page read for it: a quarter of a minute in all."""
    begins = BEGIN * (blocks.MAX_BLOCKS - 1)
    size = blocks.MAX_COPY_BYTES - len(begins)
    data = begins + flood * (size // len(flood))
    began = time.process_time()
    assert set(codes(data)) <= {"KEY-ARMOR-DAMAGED", "KEY-TOO-LARGE"}
    assert time.process_time() - began < 2
