from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.bundle import der
from certmail.bundle.der import Shape
from tests.bundle import make
from tests.bundle.make import rsa_key


@given(st.binary(max_size=300))
def test_any_octets_have_a_shape(octets):
    assert isinstance(der.shape(octets), Shape)
    assert isinstance(der.children(octets), tuple)


@given(st.binary(max_size=80), st.sampled_from([0x02, 0x04, 0x30]))
def test_an_element_is_read_as_it_was_written(content, tag):
    written = make.tlv(tag, content)
    read = der.element(written + b"more")
    assert read is not None
    assert (read.tag, read.content, read.end) == (tag, content, len(written))


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x30", b"\x30\x80\0\0", b"\x30\x81\x05abcde", b"\x30\x82\0\x80", b"\x30\x85" + bytes(9),
     b"\x3f\x01\0", b"\x30\x02a"],
    ids=["nothing", "no_length", "indefinite", "long_form_of_a_short_length", "leading_zero",
         "five_octets_of_length", "high_tag", "beyond_the_end"],
)  # fmt: skip
def test_what_is_not_der_is_none(octets):
    assert der.element(octets) is None


@pytest.mark.parametrize(
    "octets", [b"\x02\x00", b"\x02\x01\x80", b"\x02\x02\x00\x01", b"\x04\x01a"]
)
def test_a_number_that_is_negative_padded_or_none_is_not_read(octets):
    part = der.element(octets)
    assert part is not None
    assert der.number(part) is None


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("06092a864886f70d010101", "1.2.840.113549.1.1.1"),
        ("06032b6570", "1.3.101.112"),
        ("0603883703", "2.999.3"),
        ("0600", None),
        ("060180", None),
        ("0401aa", None),
    ],
)
def test_an_identifier_is_read_as_dotted_text(octets, text):
    part = der.element(bytes.fromhex(octets))
    assert part is not None
    assert der.identifier(part) == text


def test_keys_and_certificates_are_told_by_their_shape():
    """RFC 5958 §2 and RFC 8017 §A.1.2 look different from outside."""
    key = rsa_key("leaf")
    assert der.shape(make.pkcs8_der(key)) is Shape.PKCS8
    assert der.shape(make.traditional_der(key)) is Shape.PKCS1
    assert der.shape(make.pkcs8_der(make.ec_key())) is Shape.PKCS8
    assert der.shape(make.traditional_der(make.ec_key())) is Shape.SEC1
    assert der.shape(make.traditional_der(make.dsa_key())) is Shape.DSA
    assert der.shape(make.der_of(make.leaf())) is Shape.CERTIFICATE


@pytest.mark.parametrize("bits", [2048, 4096])
def test_the_public_key_we_write_is_the_one_certificates_carry(bits):
    key = rsa_key("leaf") if bits == 2048 else rsa_key("large", 4096)
    numbers = key.public_key().public_numbers()
    theirs = make.public_der(key)
    assert der.rsa_public_key(numbers.n, numbers.e) == theirs
