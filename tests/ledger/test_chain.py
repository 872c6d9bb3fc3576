"""A log in which an edit shows, and which a crash does not spoil."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certmail.durable import StateError
from certmail.errors import Left
from certmail.ledger.chain import MAX_LINE_OCTETS, NOTHING_BEFORE, Ledger
from certmail.ledger.expiry import due

NOW = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(tmp_path / "log")


@pytest.fixture
def full(ledger) -> Ledger:
    for number in range(5):
        ledger.append({"outcome": "accepted", "message_sha256": f"{number}", "attempt": 1})
    return ledger


def lines(ledger) -> list[bytes]:
    return ledger._log.read_bytes().splitlines(keepends=True)


def test_each_line_carries_the_hash_of_the_one_before(full):
    records = list(full.records())
    assert [record["n"] for record in records] == [1, 2, 3, 4, 5]
    assert records[0]["previous"] == NOTHING_BEFORE
    assert full.verify().good
    assert len({record["previous"] for record in records}) == 5


def test_an_empty_log_holds(ledger):
    verdict = ledger.verify()
    assert (verdict.good, verdict.count, verdict.head) == (True, 0, NOTHING_BEFORE)


@pytest.mark.parametrize("victim", range(5))
def test_a_changed_line_shows(full, victim):
    kept = lines(full)
    kept[victim] = kept[victim].replace(b'"accepted"', b'"refused"')
    full._log.write_bytes(b"".join(kept))
    assert not full.verify().good


@pytest.mark.parametrize("victim", range(5))
def test_a_line_taken_out_shows(full, victim):
    kept = lines(full)
    del kept[victim]
    full._log.write_bytes(b"".join(kept))
    assert not full.verify().good


def test_lines_that_changed_places_show(full):
    kept = lines(full)
    kept[1], kept[2] = kept[2], kept[1]
    full._log.write_bytes(b"".join(kept))
    assert full.verify().line == 2


@pytest.fixture(scope="module")
def short(tmp_path_factory) -> Ledger:
    ledger = Ledger(tmp_path_factory.mktemp("log"))
    for number in range(3):
        ledger.append({"outcome": "accepted", "number": number, "name": "shop.example"})
    return ledger


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_bit_that_flips_shows(short, place, bit):
    whole = short._log.read_bytes()
    octets = bytearray(whole)
    octets[place % len(octets)] ^= 1 << bit
    try:
        short._log.write_bytes(octets)
        assert not short.verify().good
    finally:
        short._log.write_bytes(whole)


def test_a_log_rewritten_as_a_whole_is_found_by_a_hash_kept_elsewhere(full, tmp_path):
    noted = full.verify().head
    forged = Ledger(tmp_path / "forged")
    for number in range(5):
        forged.append({"outcome": "refused", "message_sha256": f"{number}", "attempt": 1})
    assert forged.verify().good
    assert not forged.verify(known=noted).good
    full.append({"outcome": "accepted"})
    assert full.verify(known=noted).good


def test_a_log_without_its_head_is_neither_good_nor_written_to(full):
    full._head.unlink()
    assert not full.verify().good
    with pytest.raises(StateError) as refused:
        full.append({})
    assert refused.value.code == "LOG-DAMAGED"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"count": 5}',
        b'{"count": 1e999, "octets": 10, "sha256": "x"}',
        b'{"count": NaN, "octets": 10, "sha256": "x"}',
        b'{"count": "5", "octets": 10, "sha256": "x"}',
        b'{"count": 5, "octets": -1, "sha256": "x"}',
        b'{"count": -1, "octets": 1, "sha256": "x"}',
        b'{"count": 5, "octets": 1.5, "sha256": "x"}',
        b'{"count": true, "octets": 1, "sha256": "x"}',
        b'{"count": 5, "octets": 1, "sha256": null}',
    ],
)
def test_a_head_that_certmail_did_not_write_is_damage(full, head):
    full._head.write_bytes(head)
    for act in (full.verify, full.require_writable, lambda: full.append({})):
        with pytest.raises(StateError) as refused:
            act()
        assert refused.value.code == "LOG-DAMAGED"


def test_half_a_line_from_a_crash_is_taken_away(full):
    with full._log.open("ab") as log:
        log.write(b'{"half": ')
    assert full.verify().good
    full.append({"outcome": "accepted"})
    assert (full.verify().good, full.verify().count) == (True, 6)


def test_a_whole_line_that_was_not_counted_before_a_crash_is_taken_in(full):
    head = full._head.read_bytes()
    full.append({"outcome": "accepted"})
    full._head.write_bytes(head)
    assert full.verify().good
    full.append({"outcome": "accepted"})
    assert (full.verify().good, full.verify().count) == (True, 7)


def test_a_line_put_at_the_end_by_hand_is_not_taken_in(full):
    with full._log.open("ab") as log:
        log.write(json.dumps({"n": 6, "previous": "0" * 64}).encode() + b"\n")
    assert not full.verify().good
    with pytest.raises(StateError) as refused:
        full.append({})
    assert refused.value.code == "LOG-DAMAGED"


@pytest.mark.parametrize(
    "more",
    [b'{"n":6,\r"previous":""}\n', b"\r\n", b"x" * MAX_LINE_OCTETS, b"x" * MAX_LINE_OCTETS + b"\n"],
    ids=["return in a line", "line of another system", "endless", "too long"],
)
def test_what_is_no_half_line_is_not_taken_for_one(full, more):
    """Else it would be taken away by the next receipt, and the log hold again."""
    with full._log.open("ab") as log:
        log.write(more)
    before = full._log.read_bytes()
    assert not full.verify().good
    with pytest.raises(StateError) as refused:
        full.append({"outcome": "accepted"})
    assert refused.value.code == "LOG-DAMAGED"
    assert full._log.read_bytes() == before


def test_two_processes_and_many_threads_write_whole_lines(ledger, tmp_path):
    script = (
        "import sys, pathlib\nfrom certmail.ledger.chain import Ledger\n"
        "ledger = Ledger(pathlib.Path(sys.argv[1]))\n"
        "for number in range(20): ledger.append({'number': number})\n"
    )
    command = [sys.executable, "-c", script, tmp_path / "log"]
    others = [subprocess.Popen(command) for _ in range(2)]
    threads = [
        threading.Thread(target=lambda: [ledger.append({"here": 1}) for _ in range(5)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait(timeout=30) for other in others] == [0, 0]
    assert (ledger.verify().good, ledger.verify().count) == (True, 60)


def test_a_writer_killed_at_any_moment_leaves_a_log_that_holds(ledger, tmp_path):
    script = (
        "import sys, pathlib\nfrom certmail.ledger.chain import Ledger\n"
        "ledger = Ledger(pathlib.Path(sys.argv[1]))\n"
        "while True: ledger.append({'filler': 'x' * 5000}); print(flush=True)\n"
    )
    for pause in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", script, tmp_path / "log"], stdout=subprocess.PIPE
        )
        for _ in range(1 + pause * 3):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
        assert ledger.verify().good
    count = ledger.verify().count
    ledger.append({})
    assert ledger.verify().count in {count + 1, count + 2}


def test_a_verdict_that_cannot_be_written_says_what_has_left(full, tmp_path):
    full._head.write_text("nonsense")
    with pytest.raises(StateError) as refused:
        full.append({}, left=Left.SENT)
    assert refused.value.left is Left.SENT


def test_a_verdict_is_found_by_message_and_attempt(full):
    assert full.holds("3", 1)
    assert not full.holds("3", 2)


def sent(names, ends, outcome="accepted", **more):
    return {
        "outcome": outcome,
        "names": names,
        "certificate_ends": ends.isoformat(),
        "certificate_sha256": f"{names}{ends}",
        "certificate_serial": "0a",
        "message_id": "<x@y>",
        "at": NOW.isoformat(),
        **more,
    }


def test_what_ends_soon_and_was_not_renewed_is_due():
    soon, later = NOW + timedelta(days=10), NOW + timedelta(days=100)
    records = [
        sent(["a.example", "b.example"], soon),
        sent(["a.example"], later),
        sent(["c.example"], soon, outcome="refused"),
        sent(["d.example"], NOW - timedelta(days=3)),
        sent(["e.example"], NOW - timedelta(days=200)),
        {"outcome": "accepted"},
        sent(["f.example"], soon, certificate_ends="never"),
    ]
    found = due(records, at=NOW, days=30)
    assert [one.names for one in found] == [("d.example",), ("b.example",)]
    assert [one.names for one in due(records, at=NOW, days=200)] == [
        ("d.example",), ("b.example",), ("a.example",),
    ]  # fmt: skip


def test_a_log_line_holds_no_control_characters(ledger):
    ledger.append({"reply": "250 \x1b[31m\u202e ok"})
    assert all(32 <= octet < 127 for octet in ledger._log.read_bytes().rstrip(b"\n"))
