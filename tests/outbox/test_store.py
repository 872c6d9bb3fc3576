"""What is kept, which state may follow which, and who may touch a message."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from certmail.durable import StateError
from certmail.errors import DeliveryUnknown, UsageError
from certmail.message.record import read_record, record
from certmail.outbox.states import MAY_FOLLOW, MEANS, PENDING, State
from certmail.outbox.store import Again, open_outbox
from tests.posix import IS_ROOT, POSIX

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def box(tmp_path):
    with open_outbox(tmp_path / "outbox") as box:
        yield box


@pytest.fixture(scope="module")
def facts(sealed, letter):
    return record(sealed, letter)


@pytest.fixture
def kept(box, sealed, facts):
    return add(box, sealed, facts)


def add(box, sealed, facts, again=Again.RESUME):
    return box.add(sealed, facts, label="a.pem", relay="smtps://r:465", at=NOW, again=again)


def bring(box, number: int, state: State) -> None:
    """Walk the shortest allowed way to ``state``."""
    ways = {
        State.PREPARED: (),
        State.SENDING: (State.SENDING,),
        State.WAITING: (State.WAITING,),
        State.REFUSED: (State.SENDING, State.REFUSED),
        State.DOT_SENT: (State.SENDING, State.DOT_SENT),
        State.ACCEPTED: (State.SENDING, State.DOT_SENT, State.ACCEPTED),
        State.UNKNOWN: (State.SENDING, State.DOT_SENT, State.UNKNOWN),
    }
    for step in ways[state]:
        box.move(number, step, at=NOW)


def test_what_is_kept_is_the_sealed_bytes_and_nothing_else(box, kept, sealed):
    assert box.wire(kept.number) == sealed.wire()
    assert (kept.state, kept.attempts) == (State.PREPARED, 0)


def test_every_state_means_something_and_says_what_to_do(kept):
    for state in State:
        assert MEANS[state]
        assert "{" not in replace(kept, state=state).next


@pytest.mark.parametrize(
    ("before", "after"),
    list(itertools.product([s for s in State if s is not State.DROPPED], State)),
    ids=lambda state: state.name,
)
def test_only_an_allowed_state_follows(box, kept, before, after):
    bring(box, kept.number, before)
    if after in MAY_FOLLOW[before]:
        box.move(kept.number, after, at=NOW)
        wanted = after
        if before is State.UNKNOWN and after in {State.WAITING, State.REFUSED}:
            wanted = State.UNKNOWN
        assert box.entry(kept.number).state is wanted
    else:
        with pytest.raises(StateError) as refused:
            box.move(kept.number, after, at=NOW)
        assert refused.value.code == "OUTBOX-STATE"
        assert box.entry(kept.number).state is before


def test_no_way_leads_from_the_dot_to_a_retry_without_a_verdict():
    assert State.SENDING not in MAY_FOLLOW[State.DOT_SENT]
    assert State.SENDING not in MAY_FOLLOW[State.ACCEPTED]
    assert State.UNKNOWN not in PENDING


def test_doubt_outlives_a_second_attempt(box, kept):
    bring(box, kept.number, State.UNKNOWN)
    box.move(kept.number, State.SENDING, at=NOW)
    box.move(kept.number, State.WAITING, at=NOW, code="RELAY-TEMPORARY")
    assert box.entry(kept.number).state is State.UNKNOWN
    bring(box, kept.number, State.ACCEPTED)
    assert box.entry(kept.number).state is State.ACCEPTED


def test_what_a_dead_process_left_is_told_apart_by_the_dot(box, kept, tmp_path):
    for state, found in ((State.SENDING, State.WAITING), (State.DOT_SENT, State.UNKNOWN)):
        bring(box, kept.number, state)
        [entry] = box.recover(at=NOW)
        assert entry.state is found


def test_what_a_living_process_sends_is_left_alone(box, kept, tmp_path):
    bring(box, kept.number, State.SENDING)
    assert box.claim(kept.number)
    script = (
        "import sys, pathlib, datetime\n"
        "from certmail.outbox.store import open_outbox\n"
        "with open_outbox(pathlib.Path(sys.argv[1])) as box:\n"
        "    print(len(box.recover(at=datetime.datetime.now(datetime.UTC))), box.claim(1))\n"
    )

    def other() -> str:
        return subprocess.run(
            [sys.executable, "-c", script, tmp_path / "outbox"],
            capture_output=True, text=True, check=True, timeout=30,
        ).stdout.strip()  # fmt: skip

    assert other() == "0 False"
    box.give_back(kept.number)
    assert other() == "1 True"


def test_a_claim_is_taken_once_also_among_threads(box, kept):
    won = []
    threads = [
        threading.Thread(target=lambda: won.append(box.claim(kept.number))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


@pytest.mark.parametrize("state", [State.PREPARED, State.WAITING, State.REFUSED])
def test_a_certificate_that_waits_is_gone_on_with_or_replaced(box, kept, sealed, facts, state):
    bring(box, kept.number, state)
    other = replace(facts, sha256="0" * 64)
    assert add(box, sealed, other).number == kept.number
    newer = add(box, sealed, other, Again.REPLACE)
    assert newer.number != kept.number
    assert box.entry(kept.number).state is State.DROPPED


def test_a_certificate_that_was_accepted_needs_a_word_to_go_again(box, kept, sealed, facts):
    bring(box, kept.number, State.ACCEPTED)
    other = replace(facts, sha256="0" * 64)
    for again in (Again.RESUME, Again.REPLACE):
        with pytest.raises(UsageError) as refused:
            add(box, sealed, other, again)
        assert refused.value.code == "OUTBOX-ALREADY-SENT"
    assert add(box, sealed, other, Again.EVEN_ACCEPTED).number != kept.number


@pytest.mark.parametrize("again", Again, ids=lambda again: again.name)
def test_a_certificate_in_doubt_is_never_sealed_anew(box, kept, sealed, facts, again):
    bring(box, kept.number, State.UNKNOWN)
    with pytest.raises(DeliveryUnknown) as refused:
        add(box, sealed, replace(facts, sha256="0" * 64), again)
    assert refused.value.code == "OUTBOX-STILL-UNKNOWN"


def test_two_processes_that_keep_one_certificate_keep_it_once(box, sealed, facts):
    """Looking and keeping are one transaction."""
    numbers = []
    threads = [
        threading.Thread(
            target=lambda n=n: numbers.append(
                add(box, sealed, replace(facts, sha256=f"{n:064x}")).number
            )
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == 1


def test_a_dropped_message_has_no_bytes_and_may_come_again(box, kept, sealed, facts):
    box.drop(kept.number, at=NOW)
    with pytest.raises(UsageError) as gone:
        box.wire(kept.number)
    assert gone.value.code == "OUTBOX-DROPPED"
    assert add(box, sealed, facts).state is State.PREPARED


def test_a_message_that_was_replaced_names_the_newer_one(box, kept, sealed, facts):
    """To seal it anew would be to send the certificate twice."""
    newer = add(box, sealed, replace(facts, sha256="0" * 64), Again.REPLACE)
    with pytest.raises(UsageError) as gone:
        box.wire(kept.number)
    assert gone.value.code == "OUTBOX-DROPPED"
    assert gone.value.next == f"certmail outbox show {newer.name}"
    box.drop(newer.number, at=NOW)
    assert add(box, sealed, facts).said is None


def test_no_relay_can_say_that_a_message_was_replaced(box, kept):
    """What it said would be shown as a command to type."""
    box.move(kept.number, State.WAITING, at=NOW, said="replaced by x; rm -r")
    box.drop(kept.number, at=NOW)
    with pytest.raises(UsageError) as gone:
        box.wire(kept.number)
    assert gone.value.next == "certmail send BUNDLE seals it anew"


def test_what_was_accepted_stays_known_when_its_bytes_are_dropped(box, kept):
    bring(box, kept.number, State.ACCEPTED)
    box.drop(kept.number, at=NOW)
    assert (box.entry(kept.number).state, box.entry(kept.number).kept) == (State.ACCEPTED, False)


def test_a_verdict_that_missed_the_log_is_known(box, kept):
    bring(box, kept.number, State.SENDING)
    box.move(kept.number, State.DOT_SENT, at=NOW)
    box.move(kept.number, State.ACCEPTED, at=NOW, facts={"reply": "250 ok"}, unlogged=1)
    assert [entry.facts for entry in box.unlogged()] == [{"reply": "250 ok"}]
    box.logged(kept.number)
    assert box.unlogged() == []


@pytest.mark.parametrize("name", ["", "abc", "xyz1", "'; --", "....", "ABCDEF%"])
def test_a_name_that_is_none_is_refused(box, kept, name):
    with pytest.raises(UsageError) as refused:
        box.find(name)
    assert refused.value.code == "OUTBOX-NO-SUCH"


def test_a_name_that_fits_two_is_refused(box, sealed, facts):
    for number, digit in enumerate("12"):
        other = replace(facts, sha256="abcd" + digit * 60, certificate_sha256=f"{number:064x}")
        add(box, sealed, other)
    with pytest.raises(UsageError) as refused:
        box.find("abcd")
    assert refused.value.code == "OUTBOX-AMBIGUOUS"
    assert box.find("abcd1").sha256 == "abcd" + "1" * 60


def test_a_file_that_is_no_outbox_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "outbox").mkdir()
    file = tmp_path / "outbox" / "outbox.sqlite3"
    file.write_bytes(b"not a database at all" * 500)
    with pytest.raises(StateError) as refused, open_outbox(tmp_path / "outbox"):
        pass
    assert refused.value.code == "OUTBOX-DAMAGED"
    assert file.read_bytes().startswith(b"not a database")


def test_an_outbox_of_a_newer_certmail_is_refused(tmp_path):
    with open_outbox(tmp_path / "outbox"):
        pass
    base = sqlite3.connect(tmp_path / "outbox" / "outbox.sqlite3")
    base.execute("PRAGMA user_version = 99")
    base.close()
    with pytest.raises(StateError) as refused, open_outbox(tmp_path / "outbox"):
        pass
    assert refused.value.code == "OUTBOX-NEWER"


@pytest.mark.parametrize("column", ["state", "record", "created_at", "facts"])
def test_a_row_that_somebody_edited_is_refused(box, kept, tmp_path, column):
    base = sqlite3.connect(tmp_path / "outbox" / "outbox.sqlite3")
    base.execute(f"UPDATE message SET {column} = 'nonsense'")
    base.commit()
    base.close()
    with pytest.raises(StateError) as refused:
        box.entries()
    assert refused.value.code == "OUTBOX-DAMAGED"


def test_a_commit_is_durable_by_the_settings_of_the_file(box):
    [mode] = box._base.execute("PRAGMA journal_mode").fetchone()
    [level] = box._base.execute("PRAGMA synchronous").fetchone()
    assert (mode, level) == ("wal", 2)


@POSIX
def test_files_are_for_their_owner_alone(box, kept, tmp_path):
    folder = tmp_path / "outbox"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}


@pytest.mark.skipif(not IS_ROOT, reason="giving a folder away takes root")
def test_a_folder_of_somebody_else_is_refused(tmp_path):
    os.chown(tmp_path, 12345, -1)
    with pytest.raises(StateError) as refused, open_outbox(tmp_path):
        pass
    assert refused.value.code == "STATE-FOREIGN"


def test_a_record_written_before_serials_were_kept_is_read(facts):
    parts = json.loads(facts.to_json())
    assert parts.pop("certificate_serial") == facts.certificate_serial
    read = read_record(json.dumps(parts), sha256=facts.sha256)
    assert read == replace(facts, certificate_serial=None)


def test_a_retry_is_due_when_it_was_said(box, kept):
    later = NOW + timedelta(minutes=5)
    box.move(kept.number, State.WAITING, at=NOW, again_at=later)
    assert box.entry(kept.number).again_at == later
