"""Header fields and bodies as they are written, read by the standard library's strict reader."""

from __future__ import annotations

import email
import email.policy
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.message import mime

ADDRESS = "ops@sender.example"

names = st.text(
    st.characters(exclude_categories=("C", "Z")) | st.just(" "), min_size=1, max_size=120
).map(lambda text: " ".join(text.split()) or "x")


def read(*fields: str):
    return email.message_from_bytes(
        "\r\n".join([*fields, "", ""]).encode("ascii"), policy=email.policy.default
    )


@given(names)
def test_a_name_is_read_as_it_was_given(name):
    """By the older reader: the newer one puts a space between two encoded words of a name."""
    field = mime.mailbox("From", display=name, address=ADDRESS)
    value = "".join(field.removeprefix("From: ").splitlines())
    [(encoded, address)] = getaddresses([value])
    assert (str(make_header(decode_header(encoded))), address) == (name, ADDRESS)


@given(names)
def test_the_newer_reader_finds_one_mailbox_and_its_name(name):
    field = mime.mailbox("From", display=name, address=ADDRESS)
    [mailbox] = read(field)["From"].addresses
    assert mailbox.addr_spec == ADDRESS
    assert mailbox.display_name.replace(" ", "") == name.replace(" ", "")


@given(names)
def test_a_text_is_read_as_it_was_given(text):
    assert str(read(mime.unstructured("Subject", text))["Subject"]) == text


@given(names)
def test_no_field_can_be_begun_inside_another(text):
    for field in (
        mime.unstructured("Subject", text),
        mime.mailbox("From", display=text, address=ADDRESS),
    ):
        assert all(line.startswith(" ") for line in field.split("\r\n")[1:])
        assert len(read(field).keys()) == 1


@given(names)
def test_lines_of_encoded_words_keep_within_76(text):
    field = mime.unstructured("Subject", "é " + text)
    assert max(map(len, field.split("\r\n"))) <= 76
    assert all(len(word) <= 75 for word in field.split())


@pytest.mark.parametrize(
    ("display", "written"),
    [
        ("", "From: ops@sender.example"),
        ("Ops Team", "From: Ops Team <ops@sender.example>"),
        ("O'Neil", "From: O'Neil <ops@sender.example>"),
        ("Ops (Paris)", 'From: "Ops (Paris)" <ops@sender.example>'),
        ('a "b" \\c', r'From: "a \"b\" \\c" <ops@sender.example>'),
        ("=?utf-8?q?x?=", "From: =?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <ops@sender.example>"),
        ("Zoë", "From: =?utf-8?b?Wm/Dqw==?= <ops@sender.example>"),
    ],
)
def test_a_name_takes_the_plainest_form_that_holds_it(display, written):
    assert mime.mailbox("From", display=display, address=ADDRESS) == written


def test_a_long_field_is_folded_before_spaces_and_never_behind_its_name():
    long = "a" * 100
    assert mime.unstructured("Subject", f"{long} b {long}").split("\r\n") == [
        f"Subject: {long}",
        " b",
        f" {long}",
    ]


@given(st.binary(max_size=2000))
def test_octets_arrive_as_they_were_given(octets):
    part = mime.attachment(octets, media_type="application/x-pem-file", file_name="a-1.pem")
    message = email.message_from_bytes(part, policy=email.policy.default)
    assert message.get_content() == octets
    assert message.get_filename() == "a-1.pem"
    assert max(map(len, part.split(b"\r\n"))) <= 76


@pytest.mark.parametrize("name", ["", 'a"b', "a\r\nBcc: x", "é.pem", "a b", "a/b", "x" * 81])
def test_a_file_name_that_would_need_more_is_refused(name):
    with pytest.raises(ValueError, match="file name"):
        mime.attachment(b"", media_type="application/pgp-keys", file_name=name)


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), max_size=500))
def test_a_text_arrives_line_by_line(text):
    part = mime.text_part(text)
    message = email.message_from_bytes(part, policy=email.policy.default)
    decoded = message.get_payload(decode=True)
    assert decoded.decode() == text.replace("\n", "\r\n")
    assert max(map(len, part.split(b"\r\n"))) <= 76
    assert max(part) < 128
    assert b"\n" not in part.replace(b"\r\n", b"")


def test_parts_end_where_the_next_one_begins():
    whole = mime.multipart(
        ["Content-Type: multipart/mixed;", ' boundary="=_b"'],
        [mime.text_part("one\n"), mime.attachment(b"two", media_type="a/b", file_name="t")],
        boundary="=_b",
    )
    message = email.message_from_bytes(whole, policy=email.policy.default)
    assert message.defects == []
    assert [part.get_payload(decode=True) for part in message.iter_parts()] == [b"one\r\n", b"two"]
