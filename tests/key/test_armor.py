"""Armor comes off whole or not at all."""

from __future__ import annotations

import base64
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.errors import KeyRefused, SealError
from certmail.key import armor
from tests.key.total import refusal_of, short

PACKETS = bytes(range(200)) * 3
BLOCK = armor.encode(armor.PUBLIC_KEY_BLOCK, PACKETS)
MESSAGE = armor.encode(armor.MESSAGE, PACKETS)


def refused(data: bytes) -> str:
    with pytest.raises(KeyRefused) as caught:
        armor.decode(data)
    return caught.value.code


def refused_message(data: bytes) -> str:
    with pytest.raises(SealError) as caught:
        armor.decode_message(data)
    return caught.value.code


def test_what_is_encoded_is_decoded():
    assert armor.decode(BLOCK).packets == PACKETS
    assert armor.decode_message(MESSAGE) == PACKETS


def test_the_checksum_is_the_one_gnupg_writes(good):
    """RFC 9580 §6.1.1; GnuPG's own armor is the witness."""
    command = ["gpg", "--no-options", "--batch", "--enarmor"]
    theirs = subprocess.run(command, input=good, capture_output=True, check=True).stdout
    crc = base64.b64encode(armor.crc24(good).to_bytes(3, "big"))
    assert theirs.split(b"\n")[-3] == b"=" + crc


def test_lines_have_sixty_four_columns_and_no_header():
    """RFC 9580 §6 allows 76 columns and §6.2 header lines; ours have 64 and none."""
    lines = MESSAGE.split(b"\n")
    assert lines[:2] == [b"-----BEGIN PGP MESSAGE-----", b""]
    assert {len(line) for line in lines[2:-4]} == {64}
    assert lines[-2:] == [b"-----END PGP MESSAGE-----", b""]


def test_binary_packets_pass_as_they_are(good):
    assert armor.decode(good) == armor.Unwrapped(good, armored=False)


@pytest.mark.parametrize(
    "change",
    [
        lambda block: block.replace(b"\n", b"\r\n"),
        lambda block: b"\xef\xbb\xbf" + block,
        lambda block: block.replace(b"-----\n", b"----- \t\n"),
        lambda block: block.rstrip(b"\n"),
        lambda block: b"\n".join(block.split(b"\n")[:-3] + block.split(b"\n")[-2:]),
    ],
    ids=["CRLF", "byte order mark", "blanks at line ends", "no last newline", "no checksum"],
)
def test_what_copying_does_to_text_does_no_harm(change):
    assert armor.decode(change(BLOCK)).packets == PACKETS


def test_text_around_the_block_is_counted_and_not_read():
    found = armor.decode(b"Our key:\n\n" + BLOCK + b"\nRegards\nSupport\n")
    assert (found.packets, found.lines_around) == (PACKETS, 3)


def test_header_lines_are_kept_for_people():
    block = BLOCK.replace(b"-----\n\n", b"-----\nComment: GPGTools\n\n", 1)
    assert armor.decode(block).headers == ("Comment: GPGTools",)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "KEY-NOT-OPENPGP"),
        (b"<html>404</html>", "KEY-NOT-OPENPGP"),
        (MESSAGE, "KEY-NOT-OPENPGP"),
        (BLOCK + MESSAGE, "KEY-NOT-OPENPGP"),
        (BLOCK + BLOCK, "KEY-EXTRA-KEY"),
        (BLOCK.replace(b"PUBLIC", b"PRIVATE"), "KEY-SECRET"),
        (BLOCK + BLOCK.replace(b"PUBLIC", b"PRIVATE"), "KEY-SECRET"),
        (b"\x99" * (armor.MAX_KEY_BYTES + 1), "KEY-TOO-LARGE"),
        (BLOCK[:-40], "KEY-ARMOR-DAMAGED"),
        (BLOCK.replace(b"-----\n\n", b"-----\n", 1), "KEY-ARMOR-DAMAGED"),
        (BLOCK.replace(b"-----\n\n", b"-----\nno header\n\n", 1), "KEY-ARMOR-DAMAGED"),
        (BLOCK.replace(b"AAEC", b"AA\nEC"), ""),
        (BLOCK.replace(b"AAEC", b"AA\n\nEC"), "KEY-ARMOR-DAMAGED"),
        (BLOCK.replace(b"AAEC", b"AA C"), "KEY-ARMOR-DAMAGED"),
        (BLOCK.replace(b"AAEC", b"AAC"), "KEY-ARMOR-DAMAGED"),
        (BLOCK.replace(b"AAEC", b"AAED"), "KEY-ARMOR-CHECKSUM"),
        (BLOCK.replace(b"\n=", b"\n=A"), "KEY-ARMOR-DAMAGED"),
        (armor.encode(armor.PUBLIC_KEY_BLOCK, b""), "KEY-ARMOR-DAMAGED"),
    ],
    ids=short,
)
def test_a_damaged_or_foreign_file_is_refused_for_what_it_is(data, code):
    if code:
        assert refused(data) == code
    else:
        assert armor.decode(data).packets == PACKETS


def test_one_altered_character_breaks_the_published_block_of_2023():
    """The provider's page had one character changed; the checksum tells it from a cut-off copy."""
    altered = BLOCK.replace(BLOCK[100:101], b"7" if BLOCK[100:101] != b"7" else b"6", 1)
    assert refused(altered) == "KEY-ARMOR-CHECKSUM"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        BLOCK,
        b"\n" + MESSAGE,
        MESSAGE + b"\n",
        MESSAGE[:-1],
        MESSAGE.replace(b"-----\n\n", b"-----\nComment: x\n\n", 1),
        MESSAGE.replace(b"-----\n\n", b"-----\n \n", 1),
        MESSAGE.replace(b"\n", b"\r\n", 1),
        b"\n".join(MESSAGE.split(b"\n")[:-3] + MESSAGE.split(b"\n")[-2:]),
        MESSAGE.replace(b"\n=", b"\n=A"),
    ],
    ids=short,
)
def test_a_message_has_one_spelling(data):
    """RFC 3156 §4 wants armor; nothing may travel in the clear inside it."""
    assert refused_message(data) == "SEAL-ARMOR"


def test_a_message_may_have_the_line_ends_of_mail():
    assert armor.decode_message(MESSAGE.replace(b"\n", b"\r\n")) == PACKETS


def test_a_message_beyond_all_measure_is_refused(monkeypatch):
    assert refused_message(b"x" * (armor.MAX_MESSAGE_BYTES + 1)) == "SEAL-TOO-LARGE"


@pytest.mark.parametrize("at", range(0, len(BLOCK), 7))
def test_a_block_cut_off_anywhere_is_refused(at):
    if at < len(BLOCK) - 1:
        assert refused(BLOCK[:at]) in {"KEY-NOT-OPENPGP", "KEY-ARMOR-DAMAGED"}


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda b: BLOCK[:60] + b + BLOCK[60:]))
def test_any_octets_give_packets_or_our_refusal(data):
    for read in (armor.decode, armor.decode_message):
        refusal_of(read, data)


@given(st.binary(max_size=500))
def test_encoding_and_decoding_are_inverse(packets):
    assert armor.decode_message(armor.encode(armor.MESSAGE, packets)) == packets


@given(st.binary(max_size=200))
def test_the_checksum_is_that_of_the_standard_octet_by_octet(data):
    """RFC 9580 §6.1.1, as its sample code has it."""
    crc = 0xB704CE
    for octet in data:
        crc ^= octet << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    assert armor.crc24(data) == crc & 0xFFFFFF
