"""Every octet belongs to one packet (RFC 9580 §4.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.key.framing import MAX_PACKETS, Damage, Fault, Tag, build, split


def fault_of(data: bytes) -> Fault:
    with pytest.raises(Damage) as caught:
        split(data)
    assert str(caught.value).isprintable()
    return caught.value.fault


@pytest.mark.parametrize("size", [0, 1, 191, 192, 8383, 8384, 70000])
def test_current_lengths_are_read_as_they_are_written(size):
    """RFC 9580 §4.2.1.1, §4.2.1.2 and §4.2.1.3."""
    (packet,) = split(build(Tag.USER_ID, b"x" * size))
    assert (packet.tag, len(packet.body)) == (Tag.USER_ID, size)


@pytest.mark.parametrize(
    "head", [b"\xb4\x03", b"\xb5\x00\x03", b"\xb6\x00\x00\x00\x03"], ids=["one", "two", "four"]
)
def test_legacy_lengths_are_read(head):
    """RFC 9580 §4.2.2."""
    (packet,) = split(head + b"abc")
    assert (packet.tag, packet.body) == (Tag.USER_ID, b"abc")


def test_partial_lengths_are_put_together():
    """RFC 9580 §4.2.1.4."""
    data = b"\xcb\xe9" + b"a" * 512 + b"\xe1" + b"bb" + b"\x01c"
    (packet,) = split(data)
    assert packet.body == b"a" * 512 + b"bbc"


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"hello", Fault.NOT_OPENPGP),
        (b"\xb4\x00\x00", Fault.NOT_OPENPGP),
        (b"\xb7abc", Fault.INDETERMINATE),
        (b"\x80\x00", Fault.MALFORMED),
        (b"\xc0\x00", Fault.MALFORMED),
        (b"\xb4", Fault.TRUNCATED),
        (b"\xb4\x05abc", Fault.TRUNCATED),
        (b"\xcd\xff\x00\x00", Fault.TRUNCATED),
        (b"\xcd\xff\xff\xff\xff\xff", Fault.TRUNCATED),
        (b"\xcd\xe9" + b"a" * 512 + b"\x00", Fault.PARTIAL),
        (b"\xcb\xe8" + b"a" * 256 + b"\x00", Fault.PARTIAL),
        (b"\xcb\xe9" + b"a" * 512, Fault.TRUNCATED),
        (b"\xb4\x00" * (MAX_PACKETS + 1), Fault.TOO_MANY),
    ],
)
def test_what_does_not_fit_is_named(data, fault):
    assert fault_of(data) == fault


@given(st.binary(max_size=400))
def test_any_octets_are_packets_to_the_last_or_damage(data):
    try:
        packets = split(data)
    except Damage:
        return
    assert sum(len(packet.body) for packet in packets) < len(data) or not data


@given(st.lists(st.tuples(st.sampled_from(list(Tag)), st.binary(max_size=300)), max_size=6))
def test_what_is_built_is_split_again(parts):
    packets = split(b"".join(build(tag, body) for tag, body in parts))
    assert [(packet.tag, packet.body) for packet in packets] == parts
