"""The reader alone: whole, octet by octet, truncated at each place, with more behind it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from certmail.delivery.replies import (
    MAX_LINE_OCTETS,
    MAX_REPLY_OCTETS,
    Fault,
    Reply,
    ReplyFault,
    ReplyReader,
)

GREETING = b"250-relay.example.org at your service\r\n250-SIZE 35882577\r\n250 SMTPUTF8\r\n"
READ = Reply(250, ("relay.example.org at your service", "SIZE 35882577", "SMTPUTF8"))


def test_a_code_alone_is_a_reply_without_text():
    """RFC 5321 §4.2: a client takes it, though a server should not send it."""
    assert ReplyReader().feed(b"250\r\n") == (Reply(250, ("",)), b"250\r\n")


def test_octets_that_are_no_utf_8_are_replaced():
    assert ReplyReader().feed(b"550 \xff\r\n") == (Reply(550, ("\ufffd",)), b"550 \xff\r\n")


def test_a_whole_reply_is_read_and_its_octets_given_on():
    """RFC 5321 §4.2."""
    assert ReplyReader().feed(GREETING) == (READ, GREETING)


def test_a_reply_is_the_same_octet_by_octet():
    reader = ReplyReader()
    read = [reader.feed(GREETING[i : i + 1]) for i in range(len(GREETING))]
    assert read == [None] * (len(GREETING) - 1) + [(READ, GREETING)]


def test_a_truncated_reply_is_not_yet_one():
    for end in range(len(GREETING)):
        assert ReplyReader().feed(GREETING[:end]) is None


@pytest.mark.parametrize("more", [b"2", b"\r\n", b"250 ok\r\n", b"\x00"])
def test_what_follows_a_reply_was_not_asked_for(more):
    with pytest.raises(ReplyFault) as caught:
        ReplyReader().feed(GREETING + more)
    assert caught.value.fault is Fault.UNASKED
    assert caught.value.reply == READ


def test_a_reader_reads_one_reply_after_the_other():
    reader = ReplyReader()
    assert reader.feed(b"220 a\r\n") == (Reply(220, ("a",)), b"220 a\r\n")
    assert reader.feed(b"250 b\r\n") == (Reply(250, ("b",)), b"250 b\r\n")


def test_one_code_for_all_lines():
    """RFC 5321 §4.2.1: "the reply code on each of the lines MUST be the same"."""
    with pytest.raises(ReplyFault) as caught:
        ReplyReader().feed(b"550-no\r\n250 ok\r\n")
    assert caught.value.fault is Fault.MIXED


@pytest.mark.parametrize(
    "octets",
    [b"250 " + b"x" * MAX_LINE_OCTETS, b"250-x\r\n" * (MAX_REPLY_OCTETS // 7 + 1)],
    ids=["line", "lines"],
)
def test_a_reply_has_a_bound(octets):
    """RFC 5321 §4.5.3.1.5: a line has 512 octets; four times that is patience enough."""
    with pytest.raises(ReplyFault) as caught:
        ReplyReader().feed(octets)
    assert caught.value.fault is Fault.TOO_LONG


def told(octets: bytes) -> Fault | None:
    try:
        ReplyReader().feed(octets)
    except ReplyFault as fault:
        return fault.fault
    return None


def test_a_reply_may_be_as_long_as_the_bound_and_no_octet_longer():
    """A line has 2048 octets with its end, a reply 16384; both count before a line has ended."""
    assert told(b"250 " + b"x" * 2042 + b"\r\n") is None
    assert told(b"250 " + b"x" * 2043 + b"\r\n") is Fault.TOO_LONG
    assert told(b"250-a\r\n250 " + b"x" * 2044) is None
    assert told(b"250-a\r\n250 " + b"x" * 2045) is Fault.TOO_LONG
    lines = 15 * (b"250-" + b"x" * 1018 + b"\r\n")
    assert told(lines + b"250 " + b"x" * 1018 + b"\r\n") is None
    assert told(lines + b"250 " + b"x" * 1019 + b"\r\n") is Fault.TOO_LONG


@pytest.mark.parametrize(
    ("code", "is_refusal", "is_temporary"),
    [(399, False, False), (400, True, True), (499, True, True), (500, True, False)],
)
def test_the_first_digit_tells_a_refusal(code, is_refusal, is_temporary):
    """RFC 5321 §4.2.1."""
    reply = Reply(code, ("",))
    assert (reply.is_refusal, reply.is_temporary) == (is_refusal, is_temporary)


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_says_what_was_broken(fault):
    assert str(ReplyFault(fault)) == fault.value


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\n\r"])
def test_a_line_ends_with_cr_and_lf(end):
    """RFC 5321 §2.3.8."""
    assert told(b"250 ok" + end + b"250 ok\r\n") is Fault.MALFORMED


LINES = st.lists(
    st.tuples(st.sampled_from(["250", "550", "25"]), st.sampled_from("- x"), st.text(max_size=9)),
    max_size=4,
).map(lambda lines: "".join(f"{a}{b}{c}\r\n" for a, b, c in lines).encode())


def outcome(chunks) -> object:
    """Feed a reader; give the reply with its octets, the fault, or None where more is wanted."""
    reader = ReplyReader()
    for chunk in chunks:
        try:
            read = reader.feed(chunk)
        except ReplyFault as fault:
            return fault.fault
        if read is not None:
            return read
    return None


@given(LINES | st.just(GREETING), st.lists(st.integers(0, 80)))
def test_however_a_reply_is_cut_up_it_is_the_same(octets, cuts):
    """What is behind a reply that has ended is looked at with the next command."""
    ends = [end for end in range(len(octets)) if isinstance(outcome([octets[:end]]), tuple)]
    octets = octets[: ends[0]] if ends else octets
    places = [0, *sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
    assert outcome(octets[a:b] for a, b in pairwise(places)) == outcome([octets])


@given(st.lists(st.binary(max_size=40)))
@example([b"250 ok\r\n"])
@example([b"250-\r\n", b"250 \r\n"])
def test_any_octets_give_a_reply_or_a_fault(chunks):
    reader = ReplyReader()
    for chunk in chunks:
        try:
            read = reader.feed(chunk)
        except ReplyFault:
            return
        if read is not None:
            assert 200 <= read[0].code <= 559
            assert read[0].text().isprintable()


@pytest.mark.parametrize(
    ("line", "enhanced"),
    [
        ("5.7.8 no", "5.7.8"),
        ("5.7.139", "5.7.139"),
        ("5.7.8, no", None),
        ("1.2.3 no", None),
        ("5.7 no", None),
        ("no 5.7.8", None),
    ],
)
def test_an_enhanced_code_begins_the_text(line, enhanced):
    """RFC 2034 §4."""
    assert Reply(550, (line,)).enhanced == enhanced


def test_a_reply_is_redacted_before_it_is_cut():
    """A password that stands across the cut would otherwise show its beginning."""
    reply = Reply(550, ("x" * 190 + "secret-password",))
    shown = reply.text(lambda text: text.replace("secret-password", "<redacted>"))
    assert "secret" not in shown


def test_a_reply_is_shown_to_two_hundred_characters():
    assert len(Reply(550, ("x" * 500,)).text()) == 200
