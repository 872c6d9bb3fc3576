"""Comparing by hand: each near miss has words of its own, and near is never enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.errors import KeyRefused
from certmail.key.renew.compare import MISPRINT, compare
from certmail.recipient import CLEVER_CLOUD
from tests.key.total import refusal_of

PIN = CLEVER_CLOUD.pin.text


def code_of(text: str) -> str | None:
    refusal = refusal_of(compare, text, CLEVER_CLOUD)
    return refusal.code if refusal else None


@pytest.mark.parametrize(
    ("text", "remarks"),
    [
        (PIN, 0),
        (PIN.lower(), 1),
        (CLEVER_CLOUD.pin.grouped(), 1),
        (CLEVER_CLOUD.pin.grouped().lower(), 2),
        (f"0x{PIN}", 0),
        (f"OPENPGP4FPR:{PIN}", 0),
        (f"Fingerprint: {PIN}", 1),
        (":".join(PIN[i : i + 2] for i in range(0, 40, 2)), 0),
        (PIN[:20] + "\u00a0" + PIN[20:], 1),
        (f"  {PIN}\n", 0),
    ],
)
def test_the_pin_is_known_in_every_spelling_people_use(text, remarks):
    spelling = compare(text, CLEVER_CLOUD)
    assert (spelling.text, len(spelling.remarks)) == (PIN, remarks)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (MISPRINT, "FINGERPRINT-MISPRINT", "the provider's own page"),
        ("0394 3517 934C 1FA5 ED4E 2F61 218B 86BD 5278 470f", "FINGERPRINT-MISPRINT", "misprint"),
        ("218B86BD5278470F", "FINGERPRINT-MISPRINT", "…5278470F"),
        ("1" + PIN[1:], "FINGERPRINT-NEAR", "digit 1 (1, not 0)"),
        ("11" + PIN[2:], "FINGERPRINT-NEAR", "digit 2 (1, not 3)"),
        (PIN[:-2] + "F0", "FINGERPRINT-NEAR", "swapped"),
        (PIN.replace("0", "O"), "FINGERPRINT-NEAR", "O for 0"),
        (PIN[-16:], "FINGERPRINT-SHORT", "the pin ends like that"),
        (PIN[-8:], "FINGERPRINT-SHORT", "the pin ends like that"),
        ("DEADBEEF", "FINGERPRINT-SHORT", "does not end like that"),
        (PIN[1:], "FINGERPRINT-CUT", "one digit was lost"),
        (PIN[:20] + PIN[21:], "FINGERPRINT-CUT", "one digit was lost"),
        (PIN + "0", "FINGERPRINT-CUT", "one digit was added"),
        (PIN[5:30], "FINGERPRINT-CUT", "a part of the pinned one"),
        ("A" * 40, "FINGERPRINT-OTHER", "is not the fingerprint"),
        ("", "FINGERPRINT-NONE", "empty"),
        ("my key", "FINGERPRINT-NONE", "is not a fingerprint"),
        ("\ufb00" * 20, "FINGERPRINT-NONE", "is not a fingerprint"),
        (PIN[:-1] + "\uff26", "FINGERPRINT-NONE", "is not a fingerprint"),
    ],
)
def test_each_near_miss_is_explained_and_refused(text, code, words):
    with pytest.raises(KeyRefused) as caught:
        compare(text, CLEVER_CLOUD)
    assert caught.value.code == code
    assert words in caught.value.what
    assert PIN[-8:] in caught.value.next.replace(" ", "") + caught.value.why.replace(" ", "") or (
        code == "FINGERPRINT-NEAR"
    )


@given(st.text(max_size=60))
def test_no_other_text_is_the_pin(text):
    bare = "".join(c for c in text if c in "0123456789abcdefABCDEF").upper()
    assert code_of(text) is not None or bare.endswith(PIN)


@given(st.integers(0, 39), st.sampled_from("0123456789ABCDEF"))
def test_one_wrong_digit_is_never_let_pass(at, digit):
    text = PIN[:at] + digit + PIN[at + 1 :]
    assert (code_of(text) is None) == (text == PIN)
