"""What the seal proves, and in which words it refuses, without asking GnuPG for anything."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.errors import CertmailError, SealError
from certmail.key.framing import Tag, build
from certmail.message.seal import (
    HASHES,
    Copy,
    SealedMessage,
    parse_sealed,
    recall,
    seal,
)
from certmail.values import Address, Fingerprint
from tests.fuzz.of_keys import encrypted
from tests.fuzz.of_mail import AT, pinned, sealed, signature

SUBKEY = pinned().encryption_subkey.key_id
OTHER = Fingerprint("AB" * 20)


def code_of(**changed) -> str:
    with pytest.raises(SealError) as caught:
        replace(sealed(), **changed)
    return caught.value.code


def outer(**changed) -> str:
    return code_of(outer=replace(sealed().outer, **changed))


def test_a_message_to_somebody_else_is_refused():
    assert outer(recipient=Address("ssl@clever-cloud.example")) == "SEAL-RECIPIENT"


@pytest.mark.parametrize(
    "changed",
    [
        {"message_id": f"<{'0f' * 16}@sender.example>x"},
        {"message_id": f"x<{'0f' * 16}@sender.example>"},
        {"message_id": f"<{'0f' * 16}@sender.example>\r\nBcc: x@y.example"},
        {"message_id": f"<{'0f' * 16}@{'a' * 254}>"},
        {"message_id": f"<{'0f' * 15}@sender.example>"},
        {"date": "Mon, 23 Nov 2026 12:00:00 +0000x"},
        {"date": "Mon, 23 Nov 2026 12:00:00 +0100"},
        {"date": "Mon, 23 Nov 2026 12:00:00 +0000\r\nX: y"},
        {"date": "Mon, 23 Nov 2026 12:00:00 +0000\n"},
        {"date": "Tag, 23 Nov 2026 12:00:00 +0000"},
        {"subject": "shop.example"},
    ],
    ids=repr,
)
def test_a_header_that_is_not_of_our_form_is_refused(changed):
    """Whatever stands there travels in the clear."""
    assert outer(**changed) == "SEAL-HEADERS"


@pytest.mark.parametrize(
    "boundary", ["=_" + "5a" * 16 + "x", "=_" + "5a" * 15, "", "=_" + "G" * 32]
)
def test_a_boundary_that_is_not_of_our_form_is_refused(boundary):
    assert code_of(boundary=boundary) == "SEAL-HEADERS"


def test_a_message_that_nothing_vouches_for_is_refused():
    assert code_of(signature=None) == "SEAL-UNSIGNED"
    assert code_of(signature=object()) == "SEAL-UNSIGNED"


def test_readers_are_the_pinned_subkey_and_who_was_asked_for():
    to_other = encrypted(OTHER.key_id)
    session = to_other[: to_other.index(bytes([0xC0 | Tag.SEIPD]))]
    both = session + encrypted(SUBKEY)
    assert code_of(packets=to_other) == "SEAL-RECIPIENT"
    assert code_of(packets=both) == "SEAL-RECIPIENT"
    assert code_of(copy_for=OTHER) == "SEAL-RECIPIENT"
    asked = replace(sealed(), packets=both, copy_for=OTHER)
    assert sorted(asked.prove().key_ids) == sorted([SUBKEY, OTHER.key_id])


def test_packets_and_public_keys_are_not_shown(signer):
    assert "packets" not in repr(sealed())
    assert "public_key" not in repr(signer)


def test_the_hashes_are_those_of_rfc_9580():
    """RFC 9580 §9.5; SHA-256 or better."""
    assert HASHES == {8: "SHA-256", 9: "SHA-384", 10: "SHA-512"}
    for name in HASHES.values():
        assert recall(signer=OTHER, key=OTHER, hash_name=name, created=AT).hash_name == name
    for name in ("SHA-1", "MD5", "RIPEMD160", "SHA-224", "sha-256", ""):
        with pytest.raises(SealError) as caught:
            recall(signer=OTHER, key=OTHER, hash_name=name, created=AT)
        assert caught.value.code == "SEAL-SIGNATURE-WEAK"


def test_the_wire_form_ends_its_parts_as_rfc_2046_has_it():
    wire = sealed().wire()
    boundary = sealed().boundary.encode()
    assert wire.count(b"\r\n--" + boundary + b"\r\n") == 2
    assert wire.endswith(b"-----END PGP MESSAGE-----\r\n\r\n--" + boundary + b"--\r\n")
    assert parse_sealed(wire, pinned=pinned(), signature=signature(), copy_for=None) == sealed()


@given(
    st.binary(min_size=42, max_size=3000),
    st.binary(min_size=16, max_size=16).map(bytes.hex),
    st.sampled_from(["ops@sender.example", "a.b+c@x-y.example", "o@" + "d" * 60 + ".example"]),
)
def test_any_sealed_message_is_read_back_from_its_wire_form(ciphertext, random, sender):
    session = encrypted(SUBKEY)
    packets = session[: session.index(bytes([0xC0 | Tag.SEIPD]))]
    packets += build(Tag.SEIPD, b"\x01" + ciphertext)
    headers = replace(
        sealed().outer, sender=Address(sender), message_id=f"<{random}@sender.example>"
    )
    message = replace(sealed(), packets=packets, boundary=f"=_{random}", outer=headers)
    again = parse_sealed(message.wire(), pinned=pinned(), signature=signature(), copy_for=None)
    assert (again, again.wire(), again.sha256) == (message, message.wire(), message.sha256)


@pytest.mark.parametrize("octet", [b"\xe9", b"\xff", b"\x80"])
@pytest.mark.parametrize("field", [b"From: ", b"To: ", b"Message-ID: "])
def test_an_octet_that_is_not_ascii_in_a_header_is_refused(field, octet):
    wire = sealed().wire().replace(field, field + octet, 1)
    with pytest.raises(CertmailError):
        parse_sealed(wire, pinned=pinned(), signature=signature(), copy_for=None)


# Engines that do nothing


class Nothing:
    """Signs with GnuPG, and encrypts nothing: what it gives has the form alone."""

    def __init__(self, real) -> None:
        self.real = real

    def sign(self, entity, *, signer):
        return self.real.sign(entity, signer=signer)

    def verify(self, signed, *, signer):
        return self.real.verify(signed, signer=signer)

    def encrypt(self, signed, *, to, also):
        session = encrypted(to.encryption_subkey.key_id)
        session = session[: session.index(bytes([0xC0 | Tag.SEIPD]))]
        return session + build(Tag.SEIPD, b"\x01" + self.left(signed))

    def left(self, signed):
        return signed


class OneLine(Nothing):
    """Leaves one line of what it was given, among noise."""

    def __init__(self, real, line) -> None:
        super().__init__(real)
        self.line = line

    def left(self, signed):
        return b"c" * 30 + self.line + b"c" * 30


def plaintext_code(letter, pinned, signer, engine) -> str:
    with pytest.raises(SealError) as caught:
        seal(letter, pinned=pinned, signer=signer, engine=engine, copy=Copy.NONE)
    return caught.value.code


def test_a_message_in_which_the_letter_can_be_read_is_refused(letter, pinned, signer, engine):
    """Only the canary sees it: form and addressee are right."""
    assert plaintext_code(letter, pinned, signer, Nothing(engine)) == "SEAL-PLAINTEXT"


def test_one_line_of_the_bundle_is_enough_as_it_is_and_as_it_travels(
    letter, pinned, signer, engine
):
    """In the letter the bundle is an attachment in base64: its own lines do not stand there."""
    pem = letter.bundle.pem.splitlines()[3]
    encoded = base64.encodebytes(letter.bundle.pem).splitlines()[3]
    assert pem not in letter.entity
    assert encoded in letter.entity
    for line in (pem, encoded):
        assert plaintext_code(letter, pinned, signer, OneLine(engine, line)) == "SEAL-PLAINTEXT"
    made = seal(
        letter, pinned=pinned, signer=signer, engine=OneLine(engine, pem[:39]), copy=Copy.NONE
    )
    assert made.prove().key_ids == (pinned.encryption_subkey.key_id,)


def test_a_copy_for_a_sender_who_cannot_read_one_is_refused_before_anything_is_signed(
    letter, pinned, signer
):
    signer = replace(signer, encryption_key=None)
    with pytest.raises(SealError) as caught:
        seal(letter, pinned=pinned, signer=signer, engine=None, copy=Copy.FOR_SENDER)
    assert caught.value.code == "SIGNER-NO-ENCRYPTION"


def test_a_sender_who_wants_no_copy_needs_no_key_for_one(letter, pinned, signer, engine):
    signer = replace(signer, encryption_key=None)
    made = seal(letter, pinned=pinned, signer=signer, engine=engine, copy=Copy.NONE)
    assert isinstance(made, SealedMessage)
    assert made.copy_for is None
