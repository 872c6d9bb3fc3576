"""Other people's programs open what certmail sends, and are not fooled by what it never would."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import chain

import pytest

from certmail.key import armor
from certmail.message.seal import Copy
from tests.conftest import exported
from tests.readers import openpgp
from tests.readers.everybody import READERS, chosen
from tests.readers.mail import tried, watched
from tests.readers.reading import Sign, judge, run
from tests.readers.recipes import RECIPES, Form, Names, Recipe, Signing, Size, To

pytestmark = pytest.mark.peer

# Signed by a person who signs nothing else: no reader has met that key.
STRANGERS = Recipe(Signing.P256, Size.TINY, Names.PLAIN, To.CV25519)


@pytest.fixture(scope="session")
def altered(workshop, stranger, gpg):
    """One bit is changed near the end of the ciphertext."""
    message = workshop.message(STRANGERS, Form.COMBINED)
    packets = bytearray(armor.decode_message(message.ciphertext))
    packets[-9] ^= 1
    return replace(
        message,
        variant="-altered",
        signer_public=exported(gpg, stranger),
        mail=message.mail.replace(
            message.ciphertext.strip(), armor.encode("PGP MESSAGE", bytes(packets)).strip()
        ).replace(b"Message-ID: <", b"Message-ID: <altered-"),
    )


@pytest.fixture(scope="session")
def stranger_signed(workshop, stranger, gpg):
    """The reader holds another key than the one that signed."""
    message = workshop.message(STRANGERS, Form.COMBINED)
    other = exported(gpg, stranger)
    return replace(message, variant="-stranger", signer_public=other, signer=stranger.fingerprint)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.package)
def test_a_reader_opens_what_is_sent_and_nothing_else(
    reader, workshop, altered, stranger_signed, tmp_path
):
    """It decrypts, finds the right signer, the very octets of the bundle, and the subject."""
    reader.version()
    messages = [workshop.message(recipe, Form.COMBINED) for recipe in chosen(reader)]
    *readings, broken, unknown = reader.read([*messages, altered, stranger_signed], tmp_path)
    for message, reading in zip(messages, readings, strict=True):
        found = judge(message, reading, reader.signs)
        assert all(found.values()), (message.name, found, reading.said)
    assert not judge(altered, broken, reader.signs)[Sign.OPENED], broken.said
    assert broken.signed_by is None
    assert unknown.signed_by is None, unknown.said
    # Whoever never met the sender finds the key where the letter says that it is.
    assert unknown.offered in {None, True}, unknown.said


def test_every_message_has_two_readers_and_every_trait_a_message():
    counts = Counter(chain.from_iterable(chosen(reader) for reader in READERS))
    assert set(counts) == set(RECIPES)
    assert min(counts.values()) >= 2
    for trait, kind in (("signing", Signing), ("size", Size), ("names", Names), ("to", To)):
        assert {getattr(recipe, trait) for recipe in RECIPES} == set(kind)
    assert {recipe.copy for recipe in RECIPES} == set(Copy)


@pytest.mark.parametrize("reader", [openpgp.GnuPG(), openpgp.Sqop()], ids=lambda r: r.package)
def test_the_sender_opens_the_copy(reader, workshop, tmp_path):
    messages = [workshop.for_the_sender(r) for r in RECIPES if r.copy is Copy.FOR_SENDER]
    for message, reading in zip(messages, reader.read(messages, tmp_path), strict=True):
        assert all(judge(message, reading, reader.signs).values()), (message.name, reading.said)


def test_a_reader_that_turned_outside_would_be_seen(tmp_path):
    """192.0.2.1 is nobody's (RFC 5737), and where it is tried there is no network."""
    connect = "import socket; socket.socket().connect_ex(('192.0.2.1', 80))"
    run(*watched(tmp_path / "trace"), "python3", "-c", connect)
    assert len(tried(tmp_path / "trace")) == 1
