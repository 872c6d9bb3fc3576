from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certmail.bundle import pem
from certmail.bundle.check import Verdict, check
from tests.bundle import make, vectors

GRAM = 16
BODY_LINE = re.compile(rb"[A-Za-z0-9+/]{20,}={0,2}")
TRICKS = [
    b"-----BEGIN ",
    b"-----END ",
    b"PRIVATE KEY-----",
    b"CERTIFICATE-----",
    b"-----",
    b"--",
    b"\\n",
    b"\r",
    b"\n",
    b" ",
    b'"',
    b"> ",
    b"=",
    b":",
    b"\xef\xbb\xbf",
    b"\xc2\xa0",
    b"\xe2\x80\x93",
    b"\xff",
    b"\0",
    b"Proc-Type: 4,ENCRYPTED\n",
    b"subject=",
    b"{",
]


def grams(data: bytes) -> frozenset[str]:
    """Collect every run of 16 characters of base64 in a file."""
    return frozenset(
        run[at : at + GRAM].decode()
        for run in BODY_LINE.findall(data)
        for at in range(len(run) - GRAM + 1)
    )


def leaks(told: str, secret: frozenset[str]) -> set[str]:
    return {told[at : at + GRAM] for at in range(len(told) - GRAM + 1)} & secret


def judge(data: bytes) -> str:
    return shown(check(data, at=make.AT))


def shown(verdict: Verdict) -> str:
    """Give everything that could be shown of a verdict."""
    texts = [f"{f.code} {f.lines} {f.what} {f.why} {f.next}" for f in verdict.findings]
    return "\n".join([*texts, repr(verdict)])


def test_truncated_at_every_offset_it_is_told_and_nothing_of_the_key_is_shown():
    data = make.key_pem() + make.leaf_pem()
    secret = grams(make.key_pem())
    told = "\n".join(judge(data[:end]) for end in range(len(data)))
    assert leaks(told, secret) == set()


def test_cut_in_front_at_every_offset_it_is_told_and_nothing_of_the_key_is_shown():
    data = make.key_pem() + make.leaf_pem()
    secret = grams(make.key_pem())
    told = "\n".join(judge(data[start:]) for start in range(1, len(make.key_pem())))
    assert leaks(told, secret) == set()


@pytest.mark.parametrize("vector", vectors.ALL, ids=lambda vector: vector.name)
def test_no_defect_makes_a_finding_show_the_key(vector):
    """The loaders of other libraries put the whole key into their error for a lost dash."""
    assert leaks(shown(vector.verdict), grams(vector.data)) == set()


@pytest.mark.parametrize("line", range(1, 28))
def test_a_key_line_moved_into_its_boundary_is_not_shown(line):
    rows = make.bundle().split(b"\n")
    rows[0] += b" " + rows.pop(line)
    data = b"\n".join(rows)
    assert leaks(judge(data), grams(make.key_pem())) == set()
    rows[0] = rows[0].replace(b"KEY-----", b"KEY--")
    assert leaks(judge(b"\n".join(rows)), grams(make.key_pem())) == set()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=4096))
def test_any_octets_give_a_scan(data):
    scan = pem.scan(data)
    assert scan.legible or scan.findings


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*TRICKS, b"MIIE", b"A" * 64]), max_size=60).map(b"".join))
def test_any_mix_of_the_parts_of_pem_gives_a_scan(data):
    scan = pem.scan(data)
    assert scan.legible or scan.findings


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5500), st.integers(0, 90), st.sampled_from(TRICKS)),
        min_size=1,
        max_size=5,
    )
)
def test_a_bundle_mutated_anywhere_is_judged_and_its_key_not_shown(changes):
    """Whatever is cut out and put in, a verdict comes and no piece of the key with it."""
    data = make.bundle()
    for at, cut, put in changes:
        data = data[:at] + put + data[at + cut :]
    assert leaks(judge(data), grams(make.key_pem())) == set()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 1600), st.integers(0, 255))
def test_any_octet_of_a_body_changed_is_judged(at, octet):
    """DER that is foul in one octet ends in a finding or in another certificate, not in a raise."""
    for good, wrap in (
        (make.pkcs8_der(make.rsa_key("leaf")), _with_key_body),
        (make.der_of(make.leaf()), _with_leaf_body),
    ):
        foul = bytearray(good)
        foul[at % len(foul)] = octet
        judge(wrap(bytes(foul)))


def _with_key_body(octets: bytes) -> bytes:
    return make.with_key(make.armor("PRIVATE KEY", octets))


def _with_leaf_body(octets: bytes) -> bytes:
    return make.key_pem() + make.armor("CERTIFICATE", octets) + make.chain_pem()


FLOODS = {
    "begin_lines": b"-----BEGIN CERTIFICATE-----\n",
    "end_lines": b"-----END CERTIFICATE-----\n",
    "begin_without_line_ends": b"-----BEGIN CERTIFICATE-----",
    "begin_words": b"BEGIN ",
    "dashes": b"-",
    "pairs_of_dashes": b"--BEGIN",
    "spaces": b"- ",
    "letters": b"A",
    "escapes": b"\\n",
    "quotes": b'"',
    "greater_than": b"> ",
    "headers": b"A:\n",
    "blank_lines": b"\n ",
    "stray_bodies": b"A" * 64 + b"\n",
    "labels": b"-----BEGIN " + b"A " * 30,
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_ends_under_the_caps(flood):
    """1 MiB of it would take hours if any step were quadratic."""
    start = b"-----BEGIN CERTIFICATE-----\n"
    size = 2**20 - len(start)
    data = start + (flood * (size // len(flood)))
    scan = pem.scan(data)
    assert len(scan.blocks) <= pem.MAX_BLOCKS
    assert len(scan.findings) <= pem.MAX_BLOCKS


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
def test_twice_the_octets_take_at_most_twice_the_steps(flood):
    start = b"-----BEGIN CERTIFICATE-----\n"
    few, many = (steps(start + flood * (size // len(flood))) for size in (20_000, 40_000))
    assert many <= 2 * few + 500


def steps(data: bytes) -> int:
    """Count the calls a scan makes."""
    count = 0

    def tick(*_) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(tick)
    try:
        pem.scan(data)
    finally:
        sys.setprofile(before)
    return count
