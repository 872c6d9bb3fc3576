"""The outbox: sealed bytes and state in one SQLite file; neither is there without the other.

In: a `SealedMessage` with its `SealRecord`, and each step before it is done. Out: `Entry` values
and the bytes, exactly as they were sealed. Knows SQLite and nothing of relays. Plaintext has no
way in: what is kept is what `SealedMessage.wire` renders.

Every transition is one transaction that is on the disk when the call returns (``synchronous`` is
FULL: a power cut is the judge). Who is sending a message holds a claim on its
number; the system ends the claim when the process ends, and what was left behind is told apart by
its state: before the final dot nothing was accepted, after it nobody knows.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from contextlib import contextmanager, suppress
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NoReturn

from certmail.durable import Claims, StateError, private_folder, refuse_busy, sync_folder
from certmail.errors import CertmailError, DeliveryUnknown, Left, UsageError
from certmail.events import Teller
from certmail.message.record import read_record
from certmail.outbox.states import (
    FILE_NAME,
    IN_FLIGHT,
    MAY_FOLLOW,
    MIN_NAME,
    RETRIED,
    SHOWN_NAME,
    Entry,
    State,
)
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from certmail.message.record import SealRecord
    from certmail.message.seal import SealedMessage

_tell: Final = Teller(__name__)

SCHEMA: Final = 1
ALREADY_SENT: Final = "OUTBOX-ALREADY-SENT"
BALLAST_OCTETS: Final = 256 * 1024
"""Room that is given back when the disk is full, so that a verdict can still be written down."""

_REPLACED_BY: Final = "replaced by "
"""What is said of a message in whose place another was put, before the SHA-256 of that one."""

CACHE_KIB: Final = 512
"""Of pages that are held in memory: those of a few messages, where no page is needed for long."""

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS message (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  sha256 TEXT NOT NULL UNIQUE,
  wire BLOB,
  record TEXT NOT NULL,
  certificate TEXT NOT NULL,
  label TEXT NOT NULL,
  relay TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at TEXT NOT NULL,
  changed_at TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  again_at TEXT,
  code TEXT,
  said TEXT,
  facts TEXT NOT NULL DEFAULT '{}',
  unlogged INTEGER NOT NULL DEFAULT 0,
  doubt INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS by_certificate ON message (certificate);
CREATE INDEX IF NOT EXISTS by_state ON message (state);
"""

# Once in doubt, a message stays so until it is accepted or dropped: that a second attempt was
# refused says nothing about the first.
_MOVE: Final = """
UPDATE message SET
  state = CASE WHEN doubt AND ?1 IN ('waiting', 'refused') THEN 'unknown' ELSE ?1 END,
  doubt = CASE ?1 WHEN 'unknown' THEN 1 WHEN 'accepted' THEN 0 ELSE doubt END,
  changed_at = ?2, attempts = attempts + ?3, again_at = ?4, code = ?5, said = ?6,
  facts = coalesce(?7, facts), unlogged = ?8
WHERE number = ?9 AND state IN (SELECT value FROM json_each(?10))
"""

_COLUMNS: Final = (
    "number, sha256, label, state, record, relay, created_at, changed_at, attempts, again_at,"
    " code, said, facts, wire IS NOT NULL"
)


class Again(Enum):
    """What to do with a certificate of which the outbox holds a message already."""

    RESUME = "go on with what was not accepted; refuse what was, or may have been"
    REPLACE = "put the new message in the place of what was not accepted"
    EVEN_ACCEPTED = "as REPLACE, and also beside what was accepted"


class Outbox:
    """One user's outbox. Made by `open_outbox`; safe for several threads and processes."""

    def __init__(self, folder: Path) -> None:
        """Open the folder's outbox, or begin one."""
        self._folder = private_folder(folder)
        self._path = self._folder / FILE_NAME
        self._guard = threading.RLock()
        self._logged: list[int] = []
        self._claims = Claims(self._folder / "claims")
        try:
            self._base = self._connect()
        except BaseException:
            self._claims.close()
            raise
        self._keep_ballast()

    def close(self) -> None:
        """Let go of everything; what was being sent counts as left behind."""
        with self._guard:
            with suppress(StateError):
                self._flush_logged()
            self._base.close()
            self._claims.close()

    def require_free(self, record: SealRecord, *, again: Again) -> None:
        """Refuse early what `add` would refuse: before anybody is asked.

        Raises:
            As `add`.
        """
        for before in self.of_certificate(record.certificate_sha256):
            self._is_open(before, again, sha256=record.sha256)

    def add(
        self,
        sealed: SealedMessage,
        record: SealRecord,
        *,
        label: str,
        relay: str,
        at: datetime,
        again: Again,
    ) -> Entry:
        """Keep a sealed message before anything is offered, unless its certificate is there.

        Looking and keeping are one transaction, so that two processes cannot both send one
        certificate. With ``Again.RESUME`` what waits there is given instead; with
        ``Again.REPLACE`` it is dropped, since it was not accepted.

        Raises:
            StateError: ``STATE-UNWRITABLE``, ``STATE-BUSY``, ``OUTBOX-IN-FLIGHT``.
            UsageError: ``OUTBOX-ALREADY-SENT``. DeliveryUnknown: ``OUTBOX-STILL-UNKNOWN``.
        """
        wire, now = sealed.wire(), at.isoformat()
        taken: list[int] = []
        try:
            return self._add(
                wire, record, label=label, relay=relay, now=now, again=again, taken=taken
            )
        finally:
            for number in taken:
                self.give_back(number)

    def _add(
        self,
        wire: bytes,
        record: SealRecord,
        *,
        label: str,
        relay: str,
        now: str,
        again: Again,
        taken: list[int],
    ) -> Entry:
        with self._transaction() as base:
            for before in self.of_certificate(record.certificate_sha256):
                if before.sha256 == record.sha256 and before.state in RETRIED:
                    return before
                if not self._is_open(before, again, sha256=record.sha256):
                    continue
                if again is Again.RESUME:
                    return before
                if not self.claim(before.number):
                    raise in_flight(before)
                taken.append(before.number)
                base.execute(
                    "UPDATE message SET wire = NULL, state = ?, changed_at = ?, said = ?"
                    " WHERE number = ?",
                    (State.DROPPED.value, now, f"{_REPLACED_BY}{record.sha256}", before.number),
                )
            base.execute(
                "INSERT INTO message (sha256, wire, record, certificate, label, relay, state,"
                " created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (sha256) DO UPDATE SET wire = excluded.wire, state = excluded.state,"
                " changed_at = excluded.changed_at, code = NULL, said = NULL, doubt = 0"
                " WHERE state = 'dropped'",
                (
                    record.sha256, wire, record.to_json(), record.certificate_sha256,
                    printable(label, limit=400), relay, State.PREPARED.value, now, now,
                ),
            )  # fmt: skip
        kept = self.find(record.sha256)
        _tell("kept", number=kept.number, name=kept.name, state=kept.state, octets=len(wire))
        return kept

    def find(self, name: str) -> Entry:
        """Find a message by the beginning of its SHA-256.

        Raises:
            UsageError: ``OUTBOX-NO-SUCH``, ``OUTBOX-AMBIGUOUS``.
        """
        word = name.lower()
        if len(word) < MIN_NAME or set(word) - set("0123456789abcdef"):
            _refuse_unknown(name)
        rows = self._rows("sha256 >= ? AND sha256 < ? LIMIT 2", (word, word + "g"))
        if not rows:
            _refuse_unknown(name)
        if len(rows) > 1:
            raise UsageError(
                "OUTBOX-AMBIGUOUS",
                f"more than one message in the outbox begins with {printable(name)}",
                why="the act is meant for one message",
                next="certmail outbox list, and give more digits",
            )
        return rows[0]

    def entry(self, number: int) -> Entry:
        """Give the message with this number as it stands now."""
        [found] = self._rows("number = ?", (number,))
        return found

    def entries(self, *states: State) -> list[Entry]:
        """List messages in the order they came; those in ``states``, or all but the dropped."""
        if not states:
            return self._rows("state != ? ORDER BY number", (State.DROPPED.value,))
        wanted = json.dumps([state.value for state in states])
        return self._rows("state IN (SELECT value FROM json_each(?)) ORDER BY number", (wanted,))

    def of_certificate(self, sha256: str) -> list[Entry]:
        """List what was ever kept for one certificate, the dropped left out."""
        return self._rows(
            "certificate = ? AND state != ? ORDER BY number", (sha256, State.DROPPED.value)
        )

    def with_sha256(self, sha256: str) -> list[Entry]:
        """Give what was kept for one sealed message, the dropped too: one entry or none."""
        return self._rows("sha256 = ?", (sha256,))

    def wire(self, number: int) -> bytes:
        """Give the sealed bytes, exactly as they were offered before.

        Raises:
            UsageError: ``OUTBOX-DROPPED``.
        """
        with self._guard, _in_words(self._path):
            row = self._base.execute(
                "SELECT wire, CASE state WHEN 'dropped' THEN said END FROM message"
                " WHERE number = ?",
                (number,),
            ).fetchone()
        if row is None or row[0] is None:
            raise _dropped(row[1] if row else None)
        return bytes(row[0])

    def claim(self, number: int) -> bool:
        """Claim a message for this process; tell whether nobody else is at it."""
        return self._claims.take(number)

    def give_back(self, number: int) -> None:
        """End the claim."""
        self._claims.give_back(number)

    def give_back_all(self) -> None:
        """End every claim of this process."""
        self._claims.give_back_all()

    def move(
        self,
        number: int,
        to: State,
        *,
        at: datetime,
        code: str | None = None,
        said: str | None = None,
        facts: Mapping[str, object] | None = None,
        again_at: datetime | None = None,
        unlogged: int = 0,
        left: Left = Left.NOTHING,
    ) -> None:
        """Bring a message into a state, durably; refused if that state may not follow.

        Raises:
            StateError: ``STATE-UNWRITABLE``, ``STATE-BUSY``, ``OUTBOX-STATE``.
        """
        before = [state.value for state, following in MAY_FOLLOW.items() if to in following]
        begins = 1 if to is State.SENDING else 0
        arguments = (
            to.value, at.isoformat(), begins, again_at.isoformat() if again_at else None,
            code, said, None if facts is None else json.dumps(facts, sort_keys=True),
            unlogged, number, json.dumps(before),
        )  # fmt: skip

        def act(base: sqlite3.Connection) -> int:
            return base.execute(_MOVE, arguments).rowcount

        if self._persist(act, left=left) != 1:
            raise StateError(
                "OUTBOX-STATE",
                f"the message is {self.entry(number).state.value} and cannot become {to.value}",
                why="another process has changed it meanwhile",
                next="certmail outbox list",
                left=left,
            )
        _tell("moved", number=number, to=to, code=code)

    def drop(self, number: int, *, at: datetime) -> None:
        """Forget the sealed bytes; of an accepted message the fact remains."""
        with self._transaction() as base:
            base.execute(
                "UPDATE message SET wire = NULL, doubt = 0, changed_at = ?,"
                " said = CASE WHEN state IN ('accepted', 'dropped') THEN said END,"
                " state = CASE state WHEN 'accepted' THEN state ELSE 'dropped' END"
                " WHERE number = ?",
                (at.isoformat(), number),
            )

    def recover(self, *, at: datetime) -> list[Entry]:
        """Settle what a process left behind when it ended; give what was found.

        Raises:
            StateError: ``STATE-UNWRITABLE``, ``STATE-BUSY``.
        """
        found = []
        for entry in self.entries(*IN_FLIGHT):
            if not self.claim(entry.number):
                continue  # somebody is at it
            try:
                now = self.entry(entry.number)
                if now.state is State.SENDING:
                    self.move(
                        now.number, State.WAITING, at=at, code="OUTBOX-INTERRUPTED",
                        said="the process ended before the final dot; nothing was accepted",
                    )  # fmt: skip
                elif now.state is State.DOT_SENT:
                    said = "the process ended after the final dot and before the verdict"
                    code = "DELIVERY-UNKNOWN"
                    known = {"outcome": "unknown", "stage": "verdict", "code": code, "reply": said}
                    self.move(
                        now.number, State.UNKNOWN, at=at, code=code, said=said,
                        facts={**now.facts, **known}, unlogged=now.attempts,
                    )  # fmt: skip
                found.append(self.entry(entry.number))
            finally:
                self.give_back(entry.number)
        return found

    def unlogged(self) -> list[Entry]:
        """List verdicts that may not have reached the log, since a process ended in between."""
        return [e for e in self._rows("unlogged > 0", ()) if e.number not in self._logged]

    def logged(self, number: int) -> None:
        """Remember that the log has the verdict; written with the next few, being no secret."""
        with self._guard:
            self._logged.append(number)
            if len(self._logged) >= _FLUSH_AT:
                self._flush_logged()

    def _is_open(self, before: Entry, again: Again, *, sha256: str) -> bool:
        """Tell whether an earlier message must be resumed or replaced; refuse what may not be."""
        if before.state is State.ACCEPTED:
            if again is not Again.EVEN_ACCEPTED or before.sha256 == sha256:
                raise already_sent(before)
            return False
        if before.state in IN_FLIGHT:
            if not self.claim(before.number):
                raise in_flight(before)
            self.give_back(before.number)
        if before.state in {State.UNKNOWN, State.DOT_SENT}:
            raise still_unknown(before)
        # SENDING without a sender: it was left behind before the dot.
        return True

    def _flush_logged(self) -> None:
        if not self._logged:
            return
        with self._transaction() as base:
            base.executemany(
                "UPDATE message SET unlogged = 0 WHERE number = ?", [(n,) for n in self._logged]
            )
        self._logged.clear()

    def _rows(self, where: str, arguments: Any) -> list[Entry]:
        with self._guard, _in_words(self._path):
            rows = self._base.execute(
                f"SELECT {_COLUMNS} FROM message WHERE {where}",  # noqa: S608 - all of it is ours
                arguments,
            ).fetchall()
        return [_entry(row) for row in rows]

    def _persist(self, act: Any, *, left: Left) -> int:
        """Run one transaction; give the disk its ballast back when it is full."""
        try:
            with self._transaction() as base:
                return int(act(base))
        except StateError as error:
            if error.code != "STATE-UNWRITABLE":
                raise
        with suppress(OSError):
            (self._folder / "ballast").unlink()
        try:
            with self._transaction() as base:
                return int(act(base))
        except StateError as error:
            error.left = left
            raise

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard, _in_words(self._path):
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise

    def _connect(self) -> sqlite3.Connection:
        with _in_words(self._path):
            try:
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
                sync_folder(self._folder)
            except OSError as error:
                raise sqlite3.OperationalError(error.strerror) from None
            base = sqlite3.connect(
                self._path, timeout=30, isolation_level=None, check_same_thread=False
            )
            try:
                base.execute("PRAGMA journal_mode = WAL")
                base.execute("PRAGMA synchronous = FULL")
                base.execute("PRAGMA secure_delete = ON")
                base.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
                [version] = base.execute("PRAGMA user_version").fetchone()
                if version > SCHEMA:
                    _refuse_newer(self._path)
                if version < SCHEMA:
                    base.executescript(
                        f"BEGIN IMMEDIATE;{_TABLE}PRAGMA user_version = {SCHEMA};COMMIT;"
                    )
            except BaseException:
                base.close()
                raise
        return base

    def _keep_ballast(self) -> None:
        ballast = self._folder / "ballast"
        with suppress(OSError):
            if not ballast.exists():
                with os.fdopen(
                    os.open(ballast, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
                ) as out:
                    out.write(bytes(BALLAST_OCTETS))


_FLUSH_AT: Final = 50


@contextmanager
def open_outbox(folder: Path) -> Iterator[Outbox]:
    """Open the outbox for as long as the block lasts.

    Raises:
        StateError: ``STATE-UNWRITABLE``, ``STATE-FOREIGN``, ``OUTBOX-DAMAGED``, ``OUTBOX-NEWER``.
    """
    outbox = Outbox(folder)
    try:
        yield outbox
    finally:
        outbox.close()


def in_flight(entry: Entry) -> StateError:
    """Report a message that another process is sending."""
    return StateError(
        "OUTBOX-IN-FLIGHT",
        f"another certmail is sending {entry.name} at this moment",
        why="two processes that send one message would send it twice",
        next="wait until it has ended; certmail outbox show " + entry.name,
    )


def already_sent(entry: Entry) -> UsageError:
    """Report a certificate that was accepted before."""
    return UsageError(
        ALREADY_SENT,
        f"this certificate was accepted on {entry.changed_at:%Y-%m-%d %H:%M} UTC"
        f" as {entry.record.message_id}",
        why="sending it once more makes a second request, to a service that charges",
        next="nothing, if one request is enough; else certmail send BUNDLE --again",
    )


def still_unknown(entry: Entry) -> DeliveryUnknown:
    """Report a certificate of which nobody knows whether it was accepted."""
    return DeliveryUnknown(
        "OUTBOX-STILL-UNKNOWN",
        f"the message {entry.name} was handed over on {entry.changed_at:%Y-%m-%d %H:%M} UTC and"
        " no verdict came back",
        why="it may be on its way; a second one may reach a service that charges",
        next=f"look into the relay's log for {entry.record.message_id}; then certmail outbox drop"
        f" {entry.name}, or certmail outbox retry {entry.name} --resend-unknown",
        left=Left.UNKNOWN,
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    """Read one row; what does not fit was changed by somebody else."""
    (
        number, sha256, label, state, record, relay, created_at, changed_at, attempts, again_at,
        code, said, facts, kept,
    ) = row  # fmt: skip
    try:
        return Entry(
            number=number,
            sha256=sha256,
            label=label,
            state=State(state),
            record=read_record(record, sha256=sha256),
            relay=relay,
            created_at=datetime.fromisoformat(created_at),
            changed_at=datetime.fromisoformat(changed_at),
            attempts=attempts,
            again_at=datetime.fromisoformat(again_at) if again_at else None,
            code=code,
            said=said,
            facts=json.loads(facts),
            kept=bool(kept),
        )
    except (ValueError, TypeError, CertmailError):
        _refuse_damaged("one of its rows cannot be read")


def _dropped(said: str | None) -> UsageError:
    """Say who took the bytes away, and what there is instead."""
    if said is not None and said.startswith(_REPLACED_BY):
        newer = said.removeprefix(_REPLACED_BY)[:SHOWN_NAME]
        return UsageError(
            "OUTBOX-DROPPED",
            "another send put a newer message in the place of this one",
            why="a certificate is sent once, and the newer message has it",
            next=f"certmail outbox show {newer}",
        )
    return UsageError(
        "OUTBOX-DROPPED",
        "the sealed bytes of this message were dropped",
        why="only the facts about it are left",
        next="certmail send BUNDLE seals it anew",
    )


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Put what SQLite raises into words."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in {
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
        }:
            refuse_busy(path)
        raise StateError(
            "STATE-UNWRITABLE",
            f"{printable(str(path), limit=400)} cannot be written: {printable(str(error))}",
            why="what happens to a message is written down before it happens, so that a crash"
            " neither loses it nor sends it twice",
            next="make the folder writable and give the disk some room; XDG_STATE_HOME moves it",
        ) from None
    except sqlite3.DatabaseError as error:
        _refuse_damaged(printable(str(error)))


def _refuse_damaged(reason: str) -> NoReturn:
    raise StateError(
        "OUTBOX-DAMAGED",
        f"the outbox cannot be read: {reason}",
        why="without it nobody knows which message was handed over",
        next="keep the file for inspection: move the folder certmail/outbox of your state folder"
        " aside, and hold certmail log against the relay's log before you send again",
    ) from None


def _refuse_newer(path: Path) -> NoReturn:
    raise StateError(
        "OUTBOX-NEWER",
        f"{printable(str(path), limit=400)} was written by a newer certmail",
        why="this one does not know what its states mean",
        next="install the newer certmail again",
    )


def _refuse_unknown(name: str) -> NoReturn:
    raise UsageError(
        "OUTBOX-NO-SUCH",
        f"no message in the outbox begins with {printable(name)}",
        why=f"messages are named by the first {MIN_NAME} or more digits of their SHA-256",
        next="certmail outbox list",
    )
