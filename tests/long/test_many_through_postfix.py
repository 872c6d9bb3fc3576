"""The long run, short: see ``many_through_postfix`` for thousands."""

from __future__ import annotations

import os

import pytest

from tests.cli.conftest import RENEWED
from tests.long.many_through_postfix import run_batch

pytestmark = pytest.mark.peer


def test_a_batch_through_postfix_killed_midway_and_resumed_delivers_each_message_once():
    if not RENEWED.exists():
        pytest.skip("the renewed copy of the key is not beside this checkout")
    count = int(os.environ.get("CERTMAIL_TEST_MESSAGES", "30"))
    measured = run_batch(count, kills=1)
    assert (measured.delivered, measured.twice) == (count, 0)
