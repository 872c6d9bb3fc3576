"""The stored copy: whole or not at all, for its owner alone, and never silently lost."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

import certmail.keystore as room
from certmail.errors import KeyRefused
from certmail.keystore import Attempt, Keystore, Part, Stored
from certmail.recipient import CLEVER_CLOUD
from tests.posix import POSIX

NOW = "2026-11-23T12:00:00+00:00"
STORED = Stored(
    key="-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
    parts=(Part("ab" * 32, "revocation of the key", "a source", NOW),),
    attempts=(Attempt(NOW, (("a source", "the pinned key, nothing new"),), ("new",), heard=True),),
    heard_at=NOW,
)


@pytest.fixture
def store(tmp_path) -> Keystore:
    return Keystore(tmp_path / "keys", CLEVER_CLOUD.pin)


def written(store: Keystore, stored: Stored = STORED) -> None:
    with store.locked():
        store.write(stored)


def test_what_is_stored_is_read_again(store):
    assert store.read() is None
    written(store)
    assert store.read() == STORED
    assert store.read().heard.isoformat() == NOW


@POSIX
def test_file_and_folder_are_the_owners_alone(store):
    written(store)
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    store.folder.chmod(0o755)
    written(store)
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert {path.name for path in store.folder.iterdir()} == {store.path.name, "lock"}


def change(**fields):
    return lambda value: json.dumps({**value, **fields})


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: "",
        lambda value: "{",
        lambda value: "[]",
        lambda value: "null",
        lambda value: "\udcff",
        lambda value: "[" * 100_000,
        lambda value: json.dumps(value)[:-40],
        change(schema="certmail.keystore/9"),
        change(fingerprint="0" * 40),
        change(key=7),
        change(parts=[{}]),
        change(parts=[1]),
        change(attempts=[{"at": NOW, "answers": [], "changes": "new", "heard": True}]),
        change(attempts=[{"at": NOW, "answers": ["ab"], "changes": [], "heard": True}]),
        change(attempts=[{"at": NOW, "answers": [], "changes": [], "heard": 1}]),
        change(parts=[{"digest": 1, "words": "", "source": "", "at": NOW}]),
        change(parts=[{"digest": "", "words": "", "source": "", "at": "yesterday"}]),
        change(attempts=[{"at": NOW}]),
        change(attempts=7),
        change(heard_at="2026-11-23T12:00:00"),
        change(heard_at=7),
        lambda value: json.dumps({k: v for k, v in value.items() if k != "parts"}),
    ],
)
def test_a_damaged_file_is_refused_and_not_passed_over(store, damage):
    """It may have held a revocation."""
    written(store)
    text = damage(json.loads(store.path.read_text()))
    store.path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(KeyRefused) as caught:
        store.read()
    assert caught.value.code == "KEY-STORE-DAMAGED"
    aside = store.set_aside()
    assert aside.exists()
    assert store.read() is None


@POSIX
def test_a_link_a_folder_and_a_pipe_are_not_the_file(store, tmp_path):
    store.folder.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("{}")
    for make in (
        lambda: store.path.symlink_to(elsewhere),
        store.path.mkdir,
        lambda: os.mkfifo(store.path),
    ):
        make()
        with pytest.raises(KeyRefused) as caught:
            store.read()
        assert caught.value.code == "KEY-STORE-DAMAGED"
        if store.path.is_dir() and not store.path.is_symlink():
            store.path.rmdir()
        else:
            store.path.unlink()


def test_a_failed_write_leaves_the_old_file(store, monkeypatch):
    written(store)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room.os, "fsync", full)
    with store.locked(), pytest.raises(KeyRefused) as caught:
        store.write(replace(STORED, key="new"))
    assert caught.value.code == "KEY-STORE-UNWRITABLE"
    assert store.read() == STORED
    assert {path.name for path in store.folder.iterdir()} == {store.path.name, "lock"}


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    store = Keystore(tmp_path / "file" / "keys", CLEVER_CLOUD.pin)
    with pytest.raises(KeyRefused) as caught, store.locked():
        raise AssertionError("not reached")
    assert caught.value.code == "KEY-STORE-UNWRITABLE"


def test_two_at_once_wait_for_each_other(store):
    """Each adds a part under the lock; none is lost."""
    written(store, replace(STORED, parts=()))

    def add(number: int) -> None:
        with store.locked():
            stored = store.read()
            part = Part(f"{number:02}", "", "", NOW)
            store.write(replace(stored, parts=(*stored.parts, part)))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {part.digest for part in store.read().parts} == {f"{n:02}" for n in range(12)}


def test_whoever_holds_the_lock_too_long_is_named(store, monkeypatch):
    monkeypatch.setattr(room, "LOCK_TIMEOUT_S", 0.2)
    with store.locked():
        with pytest.raises(KeyRefused) as caught, store.locked():
            raise AssertionError("not reached")
        assert caught.value.code == "KEY-STORE-BUSY"


def test_the_lock_of_a_killed_process_is_gone_with_it(store):
    written(store)
    hold = (
        "import sys, time; from pathlib import Path; from certmail.keystore import Keystore;"
        " from certmail.recipient import CLEVER_CLOUD as C\n"
        "with Keystore(Path(sys.argv[1]), C.pin).locked():\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(store.folder)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
    written(store)
    assert store.read() == STORED
