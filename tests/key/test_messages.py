"""A message has the one shape certmail makes, or it is refused by name (RFC 9580 §10.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.errors import SealError
from certmail.key.framing import Tag, build, split
from certmail.key.packets import EncryptedTo, read_encrypted, read_key_block, read_signed
from tests.key.smith import MADE
from tests.key.total import refusal_of, short

if TYPE_CHECKING:
    from tests.key.smith import Smith

SECRET_TEXT = b"-----BEGIN PRIVATE KEY-----\r\n" + b"x" * 5000

PKESK = build(Tag.PKESK, b"\x03" + bytes.fromhex("A922D5F4C62664A5") + b"\x01" + b"\x00\x08\xff")
SEIPD = build(Tag.SEIPD, b"\x01" + b"c" * 60)
ONE_PASS = build(Tag.ONE_PASS_SIGNATURE, b"\x03\x00\x0a\x16" + b"K" * 8 + b"\x01")


def refused(read, packets: bytes) -> str:
    with pytest.raises(SealError) as caught:
        read(packets)
    assert caught.value.what.isprintable()
    return caught.value.code


@pytest.fixture(scope="module")
def key(smith: Smith):
    return smith.pair()


@pytest.fixture(scope="module")
def subkey_id(smith: Smith, key):
    return smith.fingerprints(key)[1][-16:]


@pytest.fixture(scope="module")
def signed(smith: Smith, key):
    return smith.gpg("-z0", "--local-user", key, "--set-filename", "", "--sign", stdin=SECRET_TEXT)


def encrypted(smith: Smith, *args: str) -> bytes:
    return smith.gpg("--trust-model", "always", *args, "--encrypt", stdin=SECRET_TEXT)


# Encrypted


def test_the_reader_of_a_message_is_read_back_from_its_packets(smith: Smith, key, subkey_id):
    """RFC 9580 §5.1.1; a long message comes in parts (§4.2.1.4)."""
    assert read_encrypted(encrypted(smith, "-r", key)) == EncryptedTo((subkey_id,))


def test_a_second_reader_is_seen(smith: Smith, key, subkey_id):
    other = smith.pair()
    read = read_encrypted(encrypted(smith, "-r", key, "-r", other))
    assert read.key_ids == (subkey_id, smith.fingerprints(other)[1][-16:])


def test_a_hidden_reader_is_refused(smith: Smith, key):
    packets = encrypted(smith, "-r", key, "-R", smith.pair())
    assert refused(read_encrypted, packets) == "SEAL-HIDDEN-RECIPIENT"


def test_a_password_beside_the_key_is_refused(smith: Smith, key):
    packets = encrypted(smith, "-r", key, "--passphrase", "x", "--s2k-count", "1024", "--symmetric")
    assert refused(read_encrypted, packets) == "SEAL-PASSWORD-PACKET"


def test_a_signed_message_in_the_clear_is_not_encrypted(signed):
    assert refused(read_encrypted, signed) == "SEAL-NOT-ENCRYPTED"


@pytest.mark.parametrize(
    ("packets", "code"),
    [
        (b"", "SEAL-NOT-ENCRYPTED"),
        (b"hello", "SEAL-MALFORMED"),
        (PKESK, "SEAL-NOT-ENCRYPTED"),
        (SEIPD, "SEAL-NOT-ENCRYPTED"),
        (PKESK * 9 + SEIPD, "SEAL-NOT-ENCRYPTED"),
        (PKESK + SEIPD[:-1], "SEAL-MALFORMED"),
        (PKESK + SEIPD + PKESK, "SEAL-TRAILING"),
        (PKESK + SEIPD + SEIPD, "SEAL-TRAILING"),
        (PKESK + SEIPD + b"\x00", "SEAL-MALFORMED"),
        (build(Tag.MARKER, b"PGP") + PKESK + SEIPD, "SEAL-MALFORMED"),
        (PKESK + build(Tag.LITERAL, b"b\0\0\0\0\0hi") + SEIPD, "SEAL-MALFORMED"),
        (build(Tag.SKESK, b"\x04\x09\x03" + b"\0" * 10) + PKESK + SEIPD, "SEAL-PASSWORD-PACKET"),
        (PKESK + build(Tag.SED, b"c" * 60), "SEAL-NO-INTEGRITY"),
        (PKESK + SEIPD + build(Tag.SED, b"c" * 60), "SEAL-NO-INTEGRITY"),
        (PKESK + build(Tag.AEAD, b"\1\t\2\x10" + b"c" * 60), "SEAL-AEAD-PACKET"),
        (PKESK + build(Tag.SEIPD, b"\x02" + b"c" * 60), "SEAL-AEAD-PACKET"),
        (PKESK + build(Tag.SEIPD, b"\x03" + b"c" * 60), "SEAL-MALFORMED"),
        (PKESK + build(Tag.SEIPD, b"\x01" + b"c" * 10), "SEAL-MALFORMED"),
        (PKESK + build(Tag.SEIPD, b""), "SEAL-MALFORMED"),
        (build(Tag.PKESK, b"\x06" + b"\1" * 20) + SEIPD, "SEAL-MALFORMED"),
        (build(Tag.PKESK, b"\x03\1\2\3") + SEIPD, "SEAL-MALFORMED"),
        (build(Tag.PKESK, b"\x03" + b"\0" * 8 + b"\1\0\1\1") + SEIPD, "SEAL-HIDDEN-RECIPIENT"),
    ],
    ids=short,
)
def test_every_other_shape_of_an_encrypted_message_is_refused(packets, code):
    """RFC 9580 §5.7, §5.13.2 and §10.3: each shape by its name."""
    assert refused(read_encrypted, packets) == code


def test_a_message_cut_off_anywhere_is_refused():
    packets = PKESK + SEIPD
    for at in range(len(packets)):
        assert refused(read_encrypted, packets[:at]) in {"SEAL-MALFORMED", "SEAL-NOT-ENCRYPTED"}


# Signed


def test_a_signed_message_gives_back_what_was_signed(signed, key):
    read = read_signed(signed)
    assert read.literal == SECRET_TEXT
    assert (read.file_name, read.format) == (b"", "b")
    assert read.issuer_fingerprint is not None
    assert read.issuer_fingerprint.text == key
    assert read.issuer_key_id == key[-16:]
    assert read.created == MADE
    assert read.hash_algorithm in {8, 10}
    assert "PRIVATE" not in repr(read)


def test_a_file_name_in_the_literal_is_seen(smith: Smith, key):
    packets = smith.gpg("-z0", "-u", key, "--set-filename", "key.pem", "--sign", stdin=b"hi")
    assert read_signed(packets).file_name == b"key.pem"


@pytest.mark.parametrize(
    "arguments",
    [("-z1", "--sign"), ("--clear-sign",), ("--detach-sign",), ("--store",)],
    ids=["compressed", "clear", "detached", "unsigned"],
)
def test_every_other_shape_of_gnupgs_output_is_refused(smith: Smith, key, arguments):
    packets = smith.gpg("-u", key, *arguments, stdin=SECRET_TEXT)
    assert refused(read_signed, packets) in {"SEAL-NOT-SIGNED", "SEAL-MALFORMED"}


def test_two_signatures_are_refused(smith: Smith, key):
    packets = smith.gpg("-z0", "-u", key, "-u", smith.primary(), "--sign", stdin=b"hi")
    assert refused(read_signed, packets) == "SEAL-NOT-SIGNED"


def test_a_text_signature_is_refused(smith: Smith, key):
    """RFC 9580 §5.2.1.2: a text signature covers other octets than those that travel."""
    packets = smith.gpg("-z0", "-u", key, "--textmode", "--sign", stdin=b"hi\n")
    assert refused(read_signed, packets) == "SEAL-MALFORMED"


def test_octets_after_the_signature_are_refused(signed):
    assert refused(read_signed, signed + build(Tag.PADDING, b"x")) == "SEAL-TRAILING"


@pytest.mark.parametrize("at", [1, 2, 3, 4, 12])
def test_an_announcement_of_another_signature_is_refused(signed, at):
    """RFC 9580 §5.4: type, hash, algorithm, issuer and whether it is the last."""
    one_pass, literal, signature = split(signed)
    body = bytearray(one_pass.body)
    body[at] ^= 1
    changed = [(Tag.ONE_PASS_SIGNATURE, bytes(body)), (Tag.LITERAL, literal.body)]
    packets = b"".join(build(tag, part) for tag, part in changed)
    packets += build(Tag.SIGNATURE, signature.body)
    assert refused(read_signed, packets) == "SEAL-MALFORMED"


@pytest.mark.parametrize(
    "packets",
    [
        ONE_PASS + build(Tag.LITERAL, b"") + build(Tag.SIGNATURE, b"\x04"),
        ONE_PASS + build(Tag.LITERAL, b"b\x09abc") + build(Tag.SIGNATURE, b"\x04"),
        build(Tag.ONE_PASS_SIGNATURE, b"") + build(Tag.LITERAL, b"") + build(Tag.SIGNATURE, b""),
    ],
)
def test_a_message_of_broken_packets_is_refused(packets):
    assert refused(read_signed, packets) == "SEAL-MALFORMED"


def test_a_signed_message_cut_off_anywhere_is_refused(signed):
    for at in [*range(60), *range(len(signed) - 150, len(signed))]:
        assert refused(read_signed, signed[:at]) in {"SEAL-MALFORMED", "SEAL-NOT-SIGNED"}


@given(st.binary(max_size=200), st.integers(0, 200), st.integers(0, 20))
def test_any_octets_give_a_message_or_our_refusal(data, at, removed):
    sample = PKESK + SEIPD + ONE_PASS
    for octets in (data, sample[:at] + data[:20] + sample[at + removed :]):
        for read in (read_encrypted, read_signed):
            refusal_of(read, octets)


def test_the_key_id_is_the_end_of_the_fingerprint(smith: Smith, key, subkey_id):
    block = read_key_block(smith.export(key))
    assert block.subkeys[0].key.fingerprint.key_id == subkey_id
