"""Whatever happens to a bundle: nothing is lost, nothing is shown, and once is enough."""

from __future__ import annotations

import os
import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from certmail.bundle import pem
from certmail.bundle.assemble.arrange import arrange
from certmail.bundle.assemble.gather import gather
from certmail.bundle.assemble.items import Unrepairable
from certmail.bundle.repair import repair
from certmail.errors import BundleError
from tests.bundle import make
from tests.bundle.make import AT, pem_of

TIMES = int(os.environ.get("CERTMAIL_EXAMPLES", "1"))
"""How many times more examples than in the everyday run."""

WORD = 16
TRICKS = [
    b"\r\n", b"\n", b"\r", b"\\n", b" ", b"  ", b"\n\n", b"\t", b"-", b"--", b"\xc2\xa0", b"'",
    b'"', b"> ", b"# x\n", b"\xef\xbb\xbf", b"\x1a", b"-----", b"\xe2\x80\x93", b"KEY='",
]  # fmt: skip

DAMAGE = [
    lambda data: data.replace(b"\n", b"\r\n"),
    lambda data: data.replace(b"\n", b"\r"),
    lambda data: data.replace(b"\n", b"\\n"),
    lambda data: data.replace(b"\n", b" "),
    lambda data: data.replace(b"\n", b"\n\n"),
    lambda data: data.replace(b"-----\n-----", b"----------"),
    lambda data: b"".join(b"    " + row + b"\n" for row in data.splitlines()),
    lambda data: b"\xef\xbb\xbf" + data,
    lambda data: b"some text\n" + data + b"\nmore text",
    lambda data: data.replace(b"-----BEGIN", b"--BEGIN"),
    lambda data: data.rstrip(),
    lambda data: data.decode("latin-1").encode("utf-16"),
]


def grams(secret: bytes) -> set[str]:
    body = re.sub(rb"-----[^-]+-----|\s", b"", secret).decode()
    return {body[at : at + WORD] for at in range(len(body) - WORD + 1)}


def shown(refusal: BundleError) -> str:
    findings = getattr(refusal, "findings", ())
    return repr((refusal.args, refusal.what, refusal.why, refusal.next, findings))


def must_not_leak(what: object) -> None:
    text = shown(what) if isinstance(what, BundleError) else repr(what)
    assert not [gram for gram in grams(make.key_pem()) if gram in text]


def parts() -> dict[str, bytes]:
    return {
        "key": make.key_pem(),
        "leaf": make.leaf_pem(),
        "lower": pem_of(make.lower().certificate),
        "upper": pem_of(make.upper().certificate),
        "root": pem_of(make.root().certificate),
    }


@settings(max_examples=30 * TIMES, deadline=None)
@given(
    st.permutations(["key", "leaf", "lower", "upper"]),
    st.lists(st.sampled_from(["leaf", "lower", "upper", "root", "key"]), max_size=3),
    st.lists(st.sampled_from(range(len(DAMAGE))), max_size=2, unique=True),
)
def test_any_order_and_any_common_damage_leads_to_the_one_canonical_bundle(order, more, damage):
    """Some pairs of damages cannot be told apart any more: those are refused, never guessed."""
    data = b"".join(parts()[name] for name in (*order, *more))
    for number in damage:
        data = DAMAGE[number](data)
    try:
        repaired = repair(data, at=AT)
    except Unrepairable as refusal:
        must_not_leak(refusal)
        if len(damage) < 2:
            raise
        return
    assert make.bundle() == repaired.pem
    assert repair(repaired.pem, at=AT).changes == ()
    assert bool(repaired.changes) == (data != make.bundle())


@settings(max_examples=150 * TIMES, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5500), st.integers(0, 60), st.sampled_from(TRICKS)),
        min_size=1,
        max_size=4,
    )
)
def test_a_bundle_mutated_anywhere_is_repaired_without_loss_or_refused_without_leak(changes):
    data = make.bundle()
    for at, cut, put in changes:
        data = data[:at] + put + data[at + cut :]
    try:
        repaired = repair(data, at=AT)
    except BundleError as refusal:
        must_not_leak(refusal)
        return
    known = {block.der for block in pem.scan(make.bundle()).blocks}
    assert {block.der for block in pem.scan(repaired.pem).blocks} <= known
    assert repair(repaired.pem, at=AT).pem == repaired.pem
    must_not_leak(repaired)


@settings(max_examples=150 * TIMES, deadline=None)
@given(st.binary(max_size=600))
def test_any_octets_are_repaired_or_refused(data):
    for octets in (data, b"\x30\x82" + data, make.key_pem() + data):
        try:
            found = gather(octets, name="x")
            arrange(found.items, at=AT)
        except BundleError:
            continue


@settings(max_examples=60 * TIMES, deadline=None)
@example(270, 0)  # a number with a zero too many in front
@given(st.integers(0, 1200), st.integers(0, 255))
def test_any_octet_of_a_body_changed_is_arranged(at, octet):
    """Certificates and keys that are foul inside are written as they stand, for the check."""
    for good, label in (
        (make.der_of(make.leaf()), "CERTIFICATE"),
        (make.pkcs8_der(make.rsa_key("leaf")), "PRIVATE KEY"),
        (make.traditional_der(make.rsa_key("leaf")), "RSA PRIVATE KEY"),
    ):
        foul = bytearray(good)
        foul[at % len(foul)] = octet
        found = gather(make.bundle() + make.armor(label, bytes(foul)), name="x")
        written = arrange(found.items, at=AT).pem
        assert pem.scan(written).legible
