"""The same targets, fed what has the shape of their language and something wrong with it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certmail.key import armor
from certmail.key.framing import Tag, build, split
from certmail.settings.keys import KEYS
from tests.fuzz.of_keys import PUBLISHED, forge, recipient
from tests.fuzz.targets import TARGETS

SOME = settings(max_examples=60, deadline=None)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
@SOME
@given(data=st.data())
def test_a_good_input_with_pieces_cut_out_and_put_in(target, data):
    octets = data.draw(st.sampled_from(target.seeds()[:12]))
    piece = st.binary(max_size=8)
    if target.words:
        piece |= st.sampled_from(target.words)
    for at, cut, put in data.draw(
        st.lists(st.tuples(st.integers(0, len(octets)), st.integers(0, 40), piece), max_size=5)
    ):
        octets = octets[:at] + put + octets[at + cut :]
    target.within_time(octets)


@pytest.mark.parametrize("name", ["record", "keystore", "ratchet", "document"])
@SOME
@given(data=st.data())
def test_a_good_document_with_another_value_somewhere(name, data):
    """Any value of JSON in the place of any other: of another kind, too large, too deep."""
    target = TARGETS[name]
    whole = json.loads(target.seeds()[0])
    place = whole
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if isinstance(inner, dict | list) and inner and data.draw(st.booleans()):
            place = inner
            continue
        place[key] = data.draw(JSON)
        break
    target.within_time(json.dumps(whole).encode())


OCTETS = st.binary(max_size=80)
PACKET = st.tuples(st.sampled_from(list(Tag)), OCTETS).map(lambda packet: build(*packet)) | (
    st.sampled_from(split(forge().block())).map(lambda packet: build(Tag(packet.tag), packet.body))
)


@SOME
@given(st.lists(PACKET, max_size=10).map(b"".join), st.binary(max_size=3))
def test_any_packets_in_any_order(packets, behind):
    TARGETS["packets"].within_time(packets + behind)
    TARGETS["copy"].within_time(packets + behind)
    TARGETS["armor"].within_time(armor.encode(armor.PUBLIC_KEY_BLOCK, packets) + behind)


@SOME
@given(st.integers(0, 6), st.integers(0, 400), st.integers(0, 255))
def test_a_signature_with_one_octet_changed_is_no_statement(which, at, octet):
    """What is changed in a key's own block is refused or left aside, and never believed."""
    packets = list(split(forge().block()))
    victim = packets[which % len(packets)]
    body = bytearray(victim.body)
    body[at % len(body)] = octet
    changed = [build(Tag(p.tag), bytes(body) if p is victim else p.body) for p in packets]
    TARGETS["copy"].within_time(b"".join(changed))
    assert recipient().pin.text == forge().fingerprint


CODE = st.sampled_from(["250", "220", "421", "550", "354", "199", "600", "25"])
LINE = st.tuples(
    CODE,
    st.sampled_from(["-", " ", "", "\t", "--"]),
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r", ""]),
).map(lambda parts: "".join(parts).encode())


@SOME
@given(st.lists(LINE, max_size=8).map(b"".join))
def test_any_lines_are_the_same_reply_however_they_arrive(octets):
    TARGETS["replies"].within_time(octets)


NAME = st.sampled_from([key.name for key in KEYS]) | st.sampled_from(
    ["relay", "relay.x", '"relay.host"', "relay.host.deep", "sender.password"]
)
VALUE = (
    st.sampled_from(
        ["1", "-1", "true", "1979-05-27", '"""a\nb"""', "[1, [2]]", "{ a = 1 }", "inf", "0x10"]
    )
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=20).map(
        lambda text: json.dumps(text, ensure_ascii=False)
    )
    | st.integers(1, 300).map(lambda depth: "[" * depth + "]" * depth)
)


@SOME
@given(st.lists(st.tuples(NAME, VALUE).map(" = ".join), max_size=4), st.integers(0, 2))
def test_any_values_of_any_settings(lines, blank):
    TARGETS["settings"].within_time(("\n" * (blank + 1)).join(lines).encode())


TAGS = st.sampled_from(
    [
        "<html>",
        "<br>",
        "<pre>",
        "</pre>",
        "<script>",
        "</script>",
        "<style",
        "&#61;",
        "&nbsp;",
        "<",
        ">",
        "<!--",
        "&",
        "<p ",
        "\u200b",
        "\u00a0",
    ]
)


@SOME
@given(st.data())
def test_a_page_with_tags_anywhere_in_its_key(data):
    text = data.draw(st.sampled_from(TARGETS["page"].seeds())).decode("utf-8", "replace")
    for at in data.draw(st.lists(st.integers(0, len(text)), max_size=6)):
        text = text[:at] + data.draw(TAGS) + text[at:]
    TARGETS["page"].within_time(text.encode())


FLOODS = (
    b"<", b"<a", b"</script", b"<script>", b"&#", b"> ", b"\n", b"a\n", b"Comment: x\n",
    b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\na\n",
)  # fmt: skip


@pytest.mark.parametrize("flood", FLOODS, ids=repr)
def test_a_page_of_a_megabyte_is_read_in_seconds(flood):
    """A source is anybody; a page made for it must not hold a refresh up."""
    begin = b"<html>" + PUBLISHED.read_bytes().replace(b"-----END", b"-----end")
    TARGETS["page"].within_time(begin + flood * (2**20 // len(flood)))
    sixty = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n" * 60
    TARGETS["page"].within_time(sixty + flood * (2**20 // len(flood)))
