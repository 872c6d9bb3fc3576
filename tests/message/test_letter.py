"""The inner entity: what the recipient reads, whatever people are called and write."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certmail.bundle.check import check
from certmail.errors import SealError
from certmail.message import mime
from certmail.message.letter import MAX_REQUEST_CHARACTERS, Request, Sender, compose
from certmail.recipient import CLEVER_CLOUD
from certmail.rehearsal.authority import throwaway_authority, throwaway_bundle
from certmail.values import Address, Fingerprint

WHO = Sender(
    Address("ops@sender.example"),
    "Operator",
    Fingerprint("00112233445566778899AABBCCDDEEFF00112233"),
    b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n",
)
AT = datetime.now(UTC)


@pytest.fixture(scope="module")
def checked():
    return check(throwaway_bundle(throwaway_authority(AT), "shop.example"), at=AT).checked


def written(checked, *, sender=WHO, request=None, remarks=()):
    return compose(
        checked,
        sender=sender,
        recipient=CLEVER_CLOUD,
        request=request or Request(),
        at=AT,
        remarks=remarks,
    )


def read(letter):
    return email.message_from_bytes(letter.entity, policy=email.policy.default)


def test_the_entity_is_crlf_and_seven_bit(checked):
    entity = written(checked, sender=replace(WHO, name="Éléonore Müller-Ångström")).entity
    assert b"\n" not in entity.replace(b"\r\n", b"")
    assert max(entity) < 128


@pytest.mark.parametrize(
    "name",
    ["", "Operator", "Éléonore Müller", 'O\'Neil, "Ops" <boss>', "名前 太郎", "x" * 200, "a\tb"],
)
def test_any_senders_name_is_a_display_name_and_nothing_more(checked, name):
    message = read(written(checked, sender=replace(WHO, name=name)))
    [address] = message["From"].addresses
    assert address.addr_spec == "ops@sender.example"
    assert len(message.get_all("From")) == 1


def test_inner_headers_are_protected_and_say_what_was_outside(checked):
    letter = written(checked)
    message = read(letter)
    parameters = dict(message["Content-Type"].params)
    assert (parameters["hp"], parameters["protected-headers"]) == ("cipher", "v1")
    outer = [" ".join(str(value).split()) for value in message.get_all("HP-Outer")]
    assert outer == [f"{name}: {value}" for name, value in letter.outer.fields()]
    assert str(message["Subject"]) == "TLS certificate for shop.example"
    assert "HP-Outer: Subject: [...]" in letter.entity.decode()


def test_the_date_gives_no_time_zone_away(checked):
    assert written(checked).outer.date.endswith("+0000")


def test_no_two_letters_share_an_id(checked):
    one, two = written(checked), written(checked)
    assert one.outer.message_id != two.outer.message_id
    assert one.reference != two.reference
    assert one.reference not in one.outer.message_id


def test_there_is_no_html(checked):
    assert [part.get_content_type() for part in read(written(checked)).walk()] == [
        "multipart/mixed",
        "text/plain",
        "application/x-pem-file",
        "application/pgp-keys",
    ]


def test_a_support_engineer_finds_what_to_act_on(checked):
    text = written(checked, request=Request("orga_1", "app_2", "Ana", "soon")).text
    for said in ("shop.example", "orga_1", "app_2", "Ana", "soon", "Valid until", "Serial"):
        assert said in text
    assert checked.leaf.sha256[:2] + ":" in text


def test_remarks_reach_the_recipient(checked):
    assert "confirmed by telephone" in written(checked, remarks=("confirmed by telephone",)).text


def test_an_endless_note_is_refused(checked):
    with pytest.raises(SealError) as refusal:
        written(checked, request=Request(note="x" * (MAX_REQUEST_CHARACTERS + 1)))
    assert refusal.value.code == "REQUEST-TOO-LONG"


def test_certificates_with_odd_names_get_a_file_name_that_every_system_takes(checked):
    for name, expected in {
        "*.shop.example": "wildcard.shop.example.pem",
        "xn--caf-dma.example": "xn--caf-dma.example.pem",
        "2001:db8::1": "2001-db8--1.pem",
        "a" * 63 + ".example": "a" * 60 + ".pem",
        "..": "bundle.pem",
    }.items():
        leaf = replace(checked.leaf, names=(name,))
        other = object.__new__(type(checked))
        for field in ("pem", "chain", "key", "at", "domains"):
            object.__setattr__(other, field, getattr(checked, field))
        object.__setattr__(other, "leaf", leaf)
        [bundle, _] = read(written(other)).iter_attachments()
        assert bundle.get_filename() == expected


anything = st.text(max_size=300)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(note=anything, contact=anything, name=st.text(max_size=80).filter(str.isprintable))
def test_whatever_people_write_the_bundle_arrives_byte_for_byte(checked, note, contact, name):
    letter = written(
        checked, sender=replace(WHO, name=name), request=Request(note=note, contact=contact)
    )
    [bundle, key] = read(letter).iter_attachments()
    assert bundle.get_content() == checked.pem
    assert key.get_content() == WHO.public_key
    assert read(letter).get_body().get_content().replace("\r\n", "\n") == letter.text


def _swap(function, change):
    """Give what the writer would give, changed."""

    def changed(*args, **kwargs):
        return change(function(*args, **kwargs))

    return changed


@pytest.mark.parametrize(
    ("written_by", "change"),
    [
        ("attachment", lambda part: part.replace(b"A", b"B", 1)),
        ("attachment", lambda part: part.replace(b"application/x-pem-file", b"text/plain")),
        ("attachment", lambda part: part.replace(b"application/pgp-keys", b"application/pdf")),
        ("attachment", lambda part: part.replace(b"LS0t", b"LS0", 1)),
        ("text_part", lambda part: part.replace(b"Hello", b"Hallo")),
        ("text_part", lambda part: part.replace(b"Hello", "Hellö".encode())),
        ("text_part", lambda part: part.replace(b"Hello,", b"Hello," + b" " * 999)),
        ("mailbox", lambda field: field.replace("ops@", "oops@")),
        ("mailbox", lambda field: field.replace("From", "Sender")),
        ("mailbox", lambda field: field.replace("ops@", "boss@sender.example, ops@")),
        ("mailbox", lambda field: f"{field}\r\nBcc: spy@sender.example"),
        ("unstructured", lambda field: field.replace("Subject: TLS", "Subject: SSL")),
        ("unstructured", lambda field: field.replace("To: ssl", "To: tls")),
        ("unstructured", lambda field: field.replace("HP-Outer: Date", "HP-Outer: Later")),
        ("multipart", lambda entity: entity.replace(b"\r\n--=_", b"\r\n-=_", 2)),
        ("multipart", lambda entity: entity[: entity.rindex(b"\r\n--=_")]),
        ("multipart", lambda entity: entity.replace(b"\r\n", b"\n", 1)),
        ("multipart", lambda entity: b"Bcc: spy@sender.example\r\n" + entity),
    ],
)
def test_a_letter_that_reads_otherwise_than_it_was_meant_is_not_signed(
    checked, monkeypatch, written_by, change
):
    monkeypatch.setattr(mime, written_by, _swap(getattr(mime, written_by), change))
    with pytest.raises(SealError) as refusal:
        written(checked)
    assert refusal.value.code == "LETTER-DISTORTED"
