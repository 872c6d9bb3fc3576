"""The key that comes with certmail, its renewed copy, and files that are no key."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from certmail.errors import KeyRefused
from certmail.key import armor, bundled
from certmail.key.pin import Usability
from certmail.recipient import CLEVER_CLOUD

SUBKEY = "DA219C3F6BC866733B46DDB4A922D5F4C62664A5"
RENEWED = Path(__file__).parents[3] / "shared" / "keys" / "clever-cloud-renewed-2026-04.asc"


@pytest.fixture
def judge(judged):
    def examine(data: bytes, at: datetime):
        packets = armor.decode(data).packets
        return judged(packets, at=at, recipient=CLEVER_CLOUD, source=bundled.BUNDLED_SOURCE)

    return examine


def refused(path) -> str:
    with pytest.raises(KeyRefused) as caught:
        bundled.read_key_file(path)
    assert caught.value.what.isprintable()
    return caught.value.code


# The bundled copy


def test_the_bundled_key_is_the_pinned_one_and_was_usable_until_2020(judge):
    found = judge(bundled.read_bundled(), datetime(2019, 12, 31, tzinfo=UTC))
    assert found.refused is None
    assert found.pinned.usability is Usability.TODAY
    assert found.pinned.encryption_subkey.text == SUBKEY
    assert found.pinned.user_id == "Clever Cloud (Clever Cloud's SSL email) <ssl@clever-cloud.com>"
    assert (found.algorithm, found.bits) == ("RSA", 4096)


def test_the_bundled_key_has_expired_and_says_when(judge, today):
    found = judge(bundled.read_bundled(), today)
    assert found.refused is None
    assert found.pinned.usability is Usability.EXPIRED
    assert found.unusable.code == "KEY-EXPIRED"
    assert "2020-02-08" in found.unusable.what


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_the_bundled_key_pasted_from_a_page_is_the_same(judge, line_end):
    text = b"Here is our key:\n\n" + bundled.read_bundled() + b"\nBye\n"
    found = judge(text.replace(b"\n", line_end), datetime(2019, 1, 1, tzinfo=UTC))
    assert found.pinned.usability is Usability.TODAY


def test_one_altered_character_of_the_bundled_key_is_refused():
    """The published page had such a block from 2023 to 2026: 2X60cyz became 2X70cyz."""
    altered = bundled.read_bundled().replace(b"2X60cyz", b"2X70cyz")
    assert altered != bundled.read_bundled()
    with pytest.raises(KeyRefused) as caught:
        armor.decode(altered)
    assert caught.value.code == "KEY-ARMOR-CHECKSUM"
    without = b"\n".join(line for line in altered.split(b"\n") if not line.startswith(b"="))
    assert armor.decode(without).packets != armor.decode(bundled.read_bundled()).packets


def test_an_altered_character_without_a_checksum_is_found_by_the_signatures(judge):
    altered = bundled.read_bundled().replace(b"2X60cyz", b"2X70cyz")
    without = b"\n".join(line for line in altered.split(b"\n") if not line.startswith(b"="))
    found = judge(without, datetime(2019, 1, 1, tzinfo=UTC))
    assert found.pinned is None
    assert found.refused.code in {"PIN-MISMATCH", "KEY-SELFSIG-BAD"}


# The renewed copy


@pytest.mark.skipif(not RENEWED.exists(), reason="the renewed copy is not beside the checkout")
def test_the_renewed_copy_is_the_same_key_alive(judge):
    at = datetime(2026, 11, 23, tzinfo=UTC)
    found = judge(bundled.read_key_file(RENEWED), at)
    assert found.refused is None
    assert found.unusable is None
    assert found.pinned.encryption_subkey.text == SUBKEY
    assert found.pinned.expires == datetime(2036, 4, 26, 6, 22, 19, tzinfo=UTC)
    old = judge(bundled.read_bundled(), at).pinned
    assert (old.fingerprint, old.encryption_subkey) == (
        found.pinned.fingerprint,
        found.pinned.encryption_subkey,
    )


@pytest.mark.skipif(not RENEWED.exists(), reason="the renewed copy is not beside the checkout")
def test_the_renewed_copy_before_its_time_is_a_wrong_clock(judge):
    found = judge(bundled.read_key_file(RENEWED), datetime(2019, 1, 1, tzinfo=UTC))
    assert found.refused.code == "KEY-FROM-FUTURE"


# Files


def test_a_key_file_is_read_whole(tmp_path, good):
    (tmp_path / "key.pgp").write_bytes(good)
    assert bundled.read_key_file(tmp_path / "key.pgp") == good


def test_a_missing_file_is_named(tmp_path):
    assert refused(tmp_path / "none.asc") == "KEY-FILE-MISSING"


def test_a_folder_is_no_key_file(tmp_path):
    assert refused(tmp_path) == "KEY-FILE-UNREADABLE"


def test_a_name_with_a_zero_octet_is_no_key_file():
    assert refused("key\0.asc") == "KEY-FILE-UNREADABLE"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_is_refused_and_does_not_stop_us(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert refused(tmp_path / "fifo") == "KEY-FILE-UNREADABLE"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no devices")
def test_a_device_is_refused():
    assert refused("/dev/zero") == "KEY-FILE-UNREADABLE"


def test_a_huge_file_is_not_read_to_its_end(tmp_path):
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(10 * armor.MAX_KEY_BYTES)
    data = bundled.read_key_file(tmp_path / "huge")
    with pytest.raises(KeyRefused) as caught:
        armor.decode(data)
    assert (len(data), caught.value.code) == (armor.MAX_KEY_BYTES + 1, "KEY-TOO-LARGE")
