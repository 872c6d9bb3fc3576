"""A key block is one public key, whole, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.errors import KeyRefused
from certmail.key.framing import Tag, build
from certmail.key.packets import SignatureType, read_key_block
from certmail.key.selfsig import Verdict, verify
from tests.key.forge import MADE, Forge, forged_signature, hashed, subkey_body, subpacket
from tests.key.total import refusal_of, short

if TYPE_CHECKING:
    from tests.key.smith import Smith

FORGE = Forge()
BLOCK = FORGE.block()


def refused(data: bytes) -> str:
    with pytest.raises(KeyRefused) as caught:
        read_key_block(data)
    assert caught.value.what.isprintable()
    return caught.value.code


@pytest.mark.parametrize(
    ("algorithm", "sub", "name", "bits"),
    [
        ("ed25519", "cv25519", "Ed25519", 255),
        ("nistp256", "nistp256", "NIST P-256", 256),
        ("rsa2048", "rsa2048", "RSA", 2048),
        ("dsa2048", "elg1024", "DSA", 2048),
    ],
)
def test_gnupgs_keys_are_read_as_gnupg_lists_them(smith: Smith, algorithm, sub, name, bits):
    """RFC 9580 §5.5.4.2: the fingerprints computed here are the ones GnuPG prints."""
    primary = smith.primary(algorithm=algorithm)
    smith.subkey(primary, algorithm=sub)
    block = read_key_block(smith.export(primary))
    ours = [block.fingerprint.text, *(sub.key.fingerprint.text for sub in block.subkeys)]
    assert ours == smith.fingerprints(primary)
    assert (block.primary.algorithm_name, block.primary.bits) == (name, bits)
    assert block.primary.created == MADE


def test_every_packet_has_its_place():
    block = read_key_block(BLOCK)
    assert [uid.address for uid in block.user_ids] == ["to@example.org"]
    assert [s.type for s in block.user_ids[0].signatures] == [SignatureType.POSITIVE_CERTIFICATION]
    assert [s.type for s in block.subkeys[0].signatures] == [SignatureType.SUBKEY_BINDING]
    assert block.packets == BLOCK


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("to@example.org", "to@example.org"),
        ("<to@example.org>", "to@example.org"),
        ("Name (comment) <to@example.org>", "to@example.org"),
        ("Zoë <to@example.org>", "to@example.org"),
        ("Name <to@example.org> ", None),
        ("Name <to@example.org> <me@example.net>", None),
        ("<to@example.org> <me@example.net", None),
        ("Name <to@example.org\n>", None),
        ("a\x85b <to@example.org>", None),
        ("a\u2028b <to@example.org>", None),
        ("a\u202eb <to@example.org>", None),
        ("Name", None),
        ("", None),
    ],
)
def test_a_user_id_has_an_address_only_if_it_has_one_reading(text, address):
    block = read_key_block(FORGE.primary() + FORGE.user_id(text))
    assert block.user_ids[0].address == address
    assert block.user_ids[0].text.isprintable()


def test_a_user_id_that_is_not_utf8_has_no_address():
    raw = b"\xff <to@example.org>"
    block = read_key_block(FORGE.primary() + build(Tag.USER_ID, raw))
    assert (block.user_ids[0].address, block.user_ids[0].raw) == (None, raw)


def test_a_revoked_user_id_is_marked():
    text = "Recipient <to@example.org>"
    target = b"\xb4" + len(text).to_bytes(4, "big") + text.encode()
    block = read_key_block(FORGE.primary() + FORGE.user_id(text) + FORGE.sign(0x30, target))
    assert block.user_ids[0].revoked is True


SECRET = bytes([0xC5]) + build(Tag.PUBLIC_KEY, FORGE.body)[1:]
V6 = build(Tag.PUBLIC_KEY, b"\x06" + FORGE.body[1:])
OTHER = Forge()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "KEY-NOT-OPENPGP"),
        (b"not a key", "KEY-NOT-OPENPGP"),
        (BLOCK + b"x", "KEY-NOT-OPENPGP"),
        (BLOCK + OTHER.block(), "KEY-EXTRA-KEY"),
        (BLOCK + OTHER.primary(), "KEY-EXTRA-KEY"),
        (BLOCK + BLOCK, "KEY-EXTRA-KEY"),
        (SECRET, "KEY-SECRET"),
        (BLOCK + SECRET, "KEY-SECRET"),
        (BLOCK + bytes([0xC7]) + build(Tag.PUBLIC_SUBKEY, subkey_body())[1:], "KEY-SECRET"),
        (V6, "KEY-UNSUPPORTED"),
        (
            FORGE.primary() + build(Tag.PUBLIC_SUBKEY, b"\x06" + subkey_body()[1:]),
            "KEY-UNSUPPORTED",
        ),
        (BLOCK + build(Tag.SIGNATURE, b"\x06" + b"\0" * 40), "KEY-UNSUPPORTED"),
        (FORGE.user_id(), "KEY-STRAY-PACKET"),
        (FORGE.subkey(), "KEY-STRAY-PACKET"),
        (FORGE.sign(0x1F), "KEY-STRAY-PACKET"),
        (BLOCK + build(Tag.MARKER, b"PGP"), "KEY-STRAY-PACKET"),
        (BLOCK + build(Tag.TRUST, b"\0"), "KEY-STRAY-PACKET"),
        (BLOCK + build(Tag.PADDING, b"\0"), "KEY-STRAY-PACKET"),
        (BLOCK + build(Tag.LITERAL, b"b\0\0\0\0\0hi"), "KEY-STRAY-PACKET"),
        (BLOCK + bytes([0xC0 | 60, 0]), "KEY-STRAY-PACKET"),
        (BLOCK + FORGE.user_id(), "KEY-STRAY-PACKET"),
        (build(Tag.PUBLIC_KEY, FORGE.body + b"x"), "KEY-MALFORMED"),
        (build(Tag.PUBLIC_KEY, FORGE.body[:-1]), "KEY-TRUNCATED"),
        (build(Tag.PUBLIC_KEY, b""), "KEY-TRUNCATED"),
        (FORGE.primary() + build(Tag.USER_ID, b"x" * 3000), "KEY-MALFORMED"),
        (FORGE.primary() + FORGE.sign(0x1F, more=subpacket(9, b"\0\0\0")), "KEY-MALFORMED"),
        (
            FORGE.primary()
            + FORGE.sign(0x1F, more=subpacket(9, b"\0\0\0\1") + subpacket(9, b"\0\0\0\2")),
            "KEY-MALFORMED",
        ),
        (
            FORGE.primary() + FORGE.sign(0x1F, more=subpacket(27, b"\1") + subpacket(27, b"\2")),
            "KEY-MALFORMED",
        ),
        (FORGE.primary() + FORGE.sign(0x1F, more=b"\0"), "KEY-MALFORMED"),
        (FORGE.primary() + FORGE.sign(0x1F, more=b"\xff\0"), "KEY-TRUNCATED"),
        (FORGE.primary() + FORGE.sign(0x1F, more=b"\x05\x02"), "KEY-TRUNCATED"),
        (FORGE.primary() + build(Tag.SIGNATURE, b"\x03\x06" + b"\0" * 30), "KEY-MALFORMED"),
    ],
    ids=short,
)
def test_what_does_not_belong_is_refused(data, code):
    assert refused(data) == code


def test_two_exported_keys_are_refused(smith: Smith, good):
    assert refused(good + smith.export(smith.pair())) == "KEY-EXTRA-KEY"


def test_an_exported_secret_key_is_refused(smith: Smith):
    primary = smith.pair()
    assert refused(smith.gpg("--export-secret-keys", primary)) == "KEY-SECRET"


def test_a_key_cut_off_at_any_octet_is_refused_or_lacks_its_end():
    """Only a cut between two packets leaves a key, and never one with its binding."""
    for at in range(len(BLOCK)):
        refusal = refusal_of(read_key_block, BLOCK[:at])
        if refusal is None:
            assert not any(sub.signatures for sub in read_key_block(BLOCK[:at]).subkeys)
        else:
            assert refusal.code in {"KEY-NOT-OPENPGP", "KEY-TRUNCATED"}


def test_old_certifications_of_other_people_are_read_and_prove_nothing():
    """RFC 9580 §5.2.2: version 3 signatures."""
    body = b"\x03\x05\x10" + bytes(4) + bytes(8) + b"\x01\x01\xab\xcd\x00\x01\x01"
    packets = FORGE.primary() + FORGE.user_id() + build(Tag.SIGNATURE, body)
    block = read_key_block(packets)
    assert [v.verdict for v in verify(block).every()] == [Verdict.GOOD, Verdict.FOREIGN]


def test_a_picture_is_counted_and_left_alone():
    """RFC 9580 §5.12: user attributes."""
    block = read_key_block(FORGE.primary() + FORGE.user_id() + build(Tag.USER_ATTRIBUTE, b"\1\1"))
    assert block.attributes == 1


@given(st.binary(max_size=300))
def test_any_octets_give_a_key_or_our_refusal(data):
    refusal_of(lambda octets: verify(read_key_block(octets)), data)


@given(st.integers(0, len(BLOCK)), st.integers(0, 40), st.binary(max_size=40))
def test_a_block_changed_anyhow_gives_a_key_or_our_refusal(at, removed, added):
    data = BLOCK[:at] + added + BLOCK[at + removed :]
    refusal_of(lambda octets: verify(read_key_block(octets)), data)


@given(st.integers(0, 60), st.binary(max_size=80))
def test_any_key_material_gives_verdicts_or_our_refusal(algorithm, material):
    body = FORGE.body[:5] + bytes([algorithm]) + material
    forged = FORGE.sign(0x1F, unhashed=b"")
    try:
        block = read_key_block(build(Tag.PUBLIC_KEY, body) + forged)
    except KeyRefused:
        return
    verify(block)


@given(
    st.sampled_from([1, 19, 22, 27]),
    st.lists(st.integers(0, 2**300), min_size=2, max_size=2),
    st.binary(max_size=70),
)
def test_any_numbers_give_verdicts(algorithm, values, numbers):
    """The library must not raise what we do not expect, whatever the key's numbers are."""
    verify(read_key_block(forged_signature(algorithm, values, numbers)))


def test_a_subkey_is_hashed_as_a_key():
    body = subkey_body()
    assert hashed(body)[:3] == b"\x99" + len(body).to_bytes(2, "big")
