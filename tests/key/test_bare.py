"""What GnuPG may see of a key that would have it write a form not all programs read."""

from __future__ import annotations

import os

import pytest

from certmail.gnupg.homes import throwaway_home
from certmail.gnupg.runner import run
from certmail.key.bare import asks_for_ocb, bare
from certmail.key.framing import Tag, split
from tests.key.forge import Forge, subpacket
from tests.readers.advertiser import Advertiser


@pytest.mark.parametrize(
    ("features", "asked"), [(b"\x01", False), (b"\x09", False), (b"\x03", True), (b"\x0b", True)]
)
def test_only_the_bit_of_gnupgs_own_form_asks_for_it(features, asked):
    """RFC 9580 §5.2.3.32: the form of the RFC, 0x08, is one that GnuPG does not write."""
    assert asks_for_ocb(Advertiser(wishes=subpacket(30, features)).public()) is asked


def test_a_key_without_features_asks_for_nothing():
    assert not asks_for_ocb(Forge().block())
    assert not asks_for_ocb(Advertiser(wishes=subpacket(30, b"")).public())


def test_the_bare_key_keeps_keys_user_ids_and_the_binding_as_they_were():
    whole = Advertiser().public()
    kept = [packet.body for packet in split(bare(whole))]
    primary, user_id, certification, subkey, binding = [packet.body for packet in split(whole)]
    assert kept == [primary, user_id, subkey, binding]
    assert certification not in bare(whole)


def test_a_direct_signature_that_asks_is_left_out_as_well():
    forge = Forge()
    direct = forge.sign(0x1F, more=subpacket(30, b"\x03"))
    block = forge.primary() + direct + forge.user_id() + forge.subkey()
    assert asks_for_ocb(block)
    assert [p.tag for p in split(bare(block))] == [
        *(Tag.PUBLIC_KEY, Tag.USER_ID, Tag.PUBLIC_SUBKEY, Tag.SIGNATURE)
    ]


def preferences(gpg, key: Advertiser, packets: bytes, *options: str) -> str:
    """Ask GnuPG what it takes the owner's wishes to be: letters, then features."""
    with throwaway_home() as home:
        run(
            gpg, *options, "--no-autostart", "--import",
            home=home, stdin=packets, env=os.environ, timeout_s=60,
        )  # fmt: skip
        listed = run(
            gpg, *options, "--no-autostart", "--with-colons", "--command-fd", "0",
            "--edit-key", key.fingerprint, "pref",
            home=home, stdin=b"quit\n", env=os.environ, timeout_s=60,
        ).stdout.decode()  # fmt: skip
    (user_id,) = [line.split(":") for line in listed.splitlines() if line.startswith("uid:")]
    return user_id[12]


def test_gnupg_sees_the_wish_in_the_whole_key_and_none_in_the_bare_one(gpg):
    """GnuPG 2.4 shows the flag that it goes by as "aead"; 2.2 shows its neighbours in the octet."""
    key = Advertiser()
    whole = preferences(gpg, key, key.public())
    assert whole.startswith("S9")
    assert ("aead" if gpg.version >= (2, 3) else "mdc") in whole
    left = preferences(gpg, key, bare(key.public()), "--allow-non-selfsigned-uid")
    assert not {"S9", "mdc", "aead"} & set(left.replace(",", " ").split())
