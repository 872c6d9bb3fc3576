"""A record is what certmail wrote about this very message, or it is no evidence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.errors import SealError
from certmail.message.record import read_record
from tests.fuzz.of_mail import SHA256, seal_record

WRITTEN = json.loads(seal_record().to_json())


def change(**fields):
    return json.dumps({**WRITTEN, **fields})


def refused(text: str, sha256: str = SHA256) -> str:
    with pytest.raises(SealError) as caught:
        read_record(text, sha256=sha256)
    return caught.value.code


def test_what_was_written_is_read_again():
    assert read_record(seal_record().to_json(), sha256=SHA256) == seal_record()


def test_a_record_from_before_serials_were_kept_is_read():
    older = {name: part for name, part in WRITTEN.items() if name != "certificate_serial"}
    assert read_record(json.dumps(older), sha256=SHA256).certificate_serial is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        json.dumps({**WRITTEN, "more": "x"}),
        json.dumps({name: part for name, part in WRITTEN.items() if name != "names"}),
        change(schema="certmail.sealed/2"),
        change(sha256="cd" * 32),
        change(signer="not a fingerprint"),
        change(signing_key=7),
        change(hash_name="SHA-1"),
        change(signed_at="2026-11-23T12:00:00"),
        change(signed_at="yesterday"),
        change(checked_at="yesterday"),
        change(checked_at="2026-11-23T12:00:00"),
        change(certificate_ends="2026-11-23T12:00:00"),
        change(certificate_ends="2026-11-23T12:00:00+01:00"),
        change(copy_for="not a fingerprint"),
        change(copy_for=["98" * 20]),
        change(names="shop.example"),
        change(names={"shop.example": 1}),
        change(names=["shop.example", 7]),
        change(names=None),
        change(certificate_serial=0),
        change(certificate_serial=[]),
    ],
    ids=lambda text: text[-30:] if len(text) < 40 else None,
)
def test_any_other_record_is_damaged(text):
    assert refused(text) == "SEAL-RECORD-DAMAGED"


def test_the_record_of_another_message_is_none_of_this_one():
    assert refused(seal_record().to_json(), sha256="cd" * 32) == "SEAL-RECORD-DAMAGED"


@given(
    st.sampled_from(sorted(WRITTEN)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=5,
    ),
)
def test_any_value_in_any_place_is_kept_as_it_was_or_refused(name, value):
    text = change(**{name: value})
    try:
        found = read_record(text, sha256=SHA256)
    except SealError:
        return
    assert json.loads(found.to_json()) == json.loads(text)
