"""An expired key passes on the operator's word for this very key, and on nothing else."""

from __future__ import annotations

import os

import pytest

from certmail.errors import KeyRefused
from certmail.gnupg.engine import GnuPG
from certmail.key.packets import read_encrypted
from certmail.key.renew.acceptance import (
    Acceptance,
    Given,
    accept_expired,
    require_usable_or_accepted,
)
from certmail.key.renew.life import ends_soon
from tests.key.smith import LATER, MADE, Smith


@pytest.fixture(scope="module")
def expired(judged, smith: Smith):
    primary = smith.primary(expire="10d")
    smith.subkey(primary)
    return judged(smith.export(primary)).pinned


def test_the_last_eight_digits_typed_or_all_of_them_written(expired):
    text = expired.fingerprint.text
    typed = accept_expired(expired, words=f" {text[-8:-4].lower()} {text[-4:]}", given=Given.TYPED)
    written = accept_expired(expired, words=text, given=Given.WRITTEN)
    for accepted in (typed, written):
        require_usable_or_accepted(expired, accepted)
        assert "2026-06-11" in accepted.remarks()[0]
        assert max(map(len, accepted.remarks())) <= 76


@pytest.mark.parametrize(
    ("given", "cut"), [(Given.WRITTEN, 8), (Given.TYPED, 40), (Given.TYPED, 0), (Given.WRITTEN, 16)]
)
def test_too_little_or_too_much_is_not_the_operators_word(expired, given, cut):
    words = expired.fingerprint.text[-cut:] if cut else ""
    with pytest.raises(KeyRefused) as caught:
        accept_expired(expired, words=words, given=given)
    assert caught.value.code == "ACCEPT-FINGERPRINT"


def test_a_live_key_needs_no_word(judged, good):
    pinned = judged(good).pinned
    with pytest.raises(KeyRefused) as caught:
        accept_expired(pinned, words=pinned.fingerprint.text, given=Given.WRITTEN)
    assert caught.value.code == "ACCEPT-NOT-EXPIRED"


def test_a_word_for_one_key_is_none_for_another(expired, judged, smith: Smith):
    primary = smith.primary(expire="10d")
    smith.subkey(primary)
    other = judged(smith.export(primary)).pinned
    accepted = accept_expired(other, words=primary, given=Given.WRITTEN)
    for offered in (accepted, None):
        with pytest.raises(KeyRefused) as caught:
            require_usable_or_accepted(expired, offered)
        assert caught.value.code == "KEY-EXPIRED"


def test_nobody_else_makes_an_acceptance(expired):
    with pytest.raises(TypeError):
        Acceptance(
            expired.fingerprint, expired.encryption_subkey, MADE, LATER, Given.TYPED, object()
        )


def test_a_copy_that_ends_soon_is_named_ahead(judged, smith: Smith):
    primary = smith.primary(expire="40d")
    smith.subkey(primary)
    pinned = judged(smith.export(primary)).pinned
    assert ends_soon(pinned, within_days=90).code == "KEY-EXPIRES-SOON"
    assert "2026-07-11" in ends_soon(pinned, within_days=90).what
    assert ends_soon(pinned, within_days=5) is None


def test_a_key_without_an_end_or_past_it_is_not_named_ahead(judged, good, expired):
    assert ends_soon(judged(good).pinned, within_days=730) is None
    assert ends_soon(expired, within_days=730) is None


@pytest.mark.parametrize("expire", ["seconds=7200", "10d"])
def test_the_encryption_runs_in_the_last_second_of_the_keys_life(judged, smith, gpg, expire):
    """Also a key that lived for two hours only had such a second."""
    primary = smith.primary(expire=expire)
    subkey = smith.subkey(primary)
    pinned = judged(smith.export(primary)).pinned
    packets = GnuPG(gpg, os.environ).encrypt(b"signed elsewhere", to=pinned, also=None)
    assert read_encrypted(packets).key_ids == (subkey[-16:],)
