"""The log of receipts: one JSON object a line, each carrying the hash of the line before.

In: public facts of one delivery. Out: the same facts, numbered and chained, on disk before the call
returns; and whether the chain still holds. Knows JSON and SHA-256; not what the facts mean.

A line that is changed or taken out breaks the hash that the next line carries. Lines taken off the
end leave a log that is shorter than ``receipts.head`` says. Whoever rewrites the log, its head and
everything behind an edit is found only by a hash that was kept elsewhere: `Verdict.head`.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, Final, NoReturn

from certmail.durable import (
    StateError,
    locked,
    private_folder,
    refuse_unwritable,
    replace,
    sync_folder,
)
from certmail.errors import Left
from certmail.events import Teller
from certmail.frozen import frozen
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_tell: Final = Teller(__name__)

SCHEMA: Final = "certmail.receipt/1"
NOTHING_BEFORE: Final = "0" * 64
"""What the first line carries instead of a hash."""

MAX_LINE_OCTETS: Final = 256 * 1024
"""A certificate can carry thousands of names, and no more."""


@frozen
class Head:
    """How long the log is, and the hash of its last line."""

    count: int
    octets: int
    sha256: str


@frozen
class Verdict:
    """What a look at the whole log came to. ``line`` is the first line at fault."""

    count: int
    head: str
    fault: str | None = None
    line: int | None = None

    @property
    def good(self) -> bool:
        """Whether nothing was changed, taken out or put in."""
        return self.fault is None


_EMPTY: Final = Head(0, 0, NOTHING_BEFORE)


class Ledger:
    """One user's log of receipts."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is opened before it is needed."""
        self._folder = folder
        self._log = folder / "receipts.jsonl"
        self._head = folder / "receipts.head"

    def require_writable(self) -> None:
        """Refuse before anything is sent what could not be written down after it.

        Raises:
            StateError: ``STATE-UNWRITABLE``, ``STATE-FOREIGN``, ``LOG-DAMAGED``.
        """
        private_folder(self._folder)
        with locked(self._folder / "lock"):
            self._settle()

    def append(self, facts: Mapping[str, Any], *, left: Left = Left.NOTHING) -> str:
        """Add a line and give its hash; it is on the disk when this returns.

        Raises:
            StateError: ``STATE-UNWRITABLE``, ``STATE-BUSY``, ``LOG-DAMAGED``.
        """
        try:
            if not self._folder.is_dir():
                private_folder(self._folder)
            with locked(self._folder / "lock"):
                head = self._settle()
                line = _line({**facts, "n": head.count + 1, "previous": head.sha256})
                self._write(line, at=head.octets)
                sha256 = _sha256(line)
                self._put_head(Head(head.count + 1, head.octets + len(line), sha256))
        except StateError as error:
            error.left = left
            raise
        _tell("written down", line=head.count + 1, sha256=sha256)
        return sha256

    def records(self) -> Iterator[dict[str, Any]]:
        """Read the log from its beginning; a line that cannot be read is passed over."""
        for line in self._lines():
            read = _read(line)
            if read is not None:
                yield read

    def holds(self, message_sha256: str, attempt: int) -> bool:
        """Tell whether the verdict on one attempt stands in the log."""
        return any(
            record.get("message_sha256") == message_sha256 and record.get("attempt") == attempt
            for record in self.records()
        )

    def verify(self, *, known: str | None = None) -> Verdict:
        """Follow the chain from its beginning; ``known`` is a hash that must stand in it."""
        previous, count, octets, seen = NOTHING_BEFORE, 0, 0, known in (None, NOTHING_BEFORE)
        hashes = {0: NOTHING_BEFORE}
        head = self._read_head()
        for line in self._lines():
            record = _read(line)
            if _is_half(line):
                break
            fault = _fault(line, record, number=count + 1, previous=previous)
            if fault is not None:
                return Verdict(count, previous, fault, count + 1)
            previous, count, octets = _sha256(line), count + 1, octets + len(line)
            seen = seen or previous == known
            if head is not None and count == head.count:
                hashes[count] = previous
        if head is not None and (octets < head.octets or hashes.get(head.count) != head.sha256):
            missing = head.count - count
            fault = (
                f"{missing} lines at the end are missing"
                if missing > 0
                else "the last lines are not those that were written"
            )
            return Verdict(count, previous, fault, count + (1 if missing > 0 else 0))
        if head is None and count:
            return Verdict(count, previous, "the file that tells its length is missing", count)
        if not seen:
            return Verdict(count, previous, f"no line has the hash {printable(known or '')}", None)
        return Verdict(count, previous)

    def _settle(self) -> Head:
        """Find the end of the log; mend what a crash left and refuse what was changed."""
        head = self._read_head()
        try:
            size = self._log.stat().st_size
        except FileNotFoundError:
            size = 0
        except OSError as error:
            refuse_unwritable(self._log, error)
        if head is None:
            if size:
                _refuse_damaged("the file that tells its length is missing")
            head = _EMPTY
        if size < head.octets:
            _refuse_damaged("lines at its end are missing")
        if size == head.octets:
            return head
        return self._take_in(head)

    def _take_in(self, head: Head) -> Head:
        """Take in lines that were written before a crash and not counted yet."""
        for line in list(self._lines(behind=head.octets)):
            if _is_half(line):
                os.truncate(self._log, head.octets)
                break
            if _fault(line, _read(line), number=head.count + 1, previous=head.sha256):
                _refuse_damaged("a line was put at its end")
            head = Head(head.count + 1, head.octets + len(line), _sha256(line))
        self._put_head(head)
        return head

    def _write(self, line: bytes, *, at: int) -> None:
        """Put the line at the end, or leave the log as it was."""
        try:
            fresh = not self._log.exists()
            descriptor = os.open(
                self._log, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600
            )
            try:
                os.lseek(descriptor, at, os.SEEK_SET)
                view = memoryview(line)
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, at)
                raise
            finally:
                os.close(descriptor)
            if fresh:
                sync_folder(self._folder)
        except OSError as error:
            refuse_unwritable(self._log, error)

    def _put_head(self, head: Head) -> None:
        text = json.dumps({"count": head.count, "octets": head.octets, "sha256": head.sha256})
        replace(self._head, text.encode() + b"\n")

    def _read_head(self) -> Head | None:
        try:
            head = _head(json.loads(self._head.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            refuse_unwritable(self._head, error)
        except (ValueError, TypeError, KeyError, RecursionError):
            _refuse_damaged("the file that tells its length cannot be read")
        return head

    def _lines(self, *, behind: int = 0) -> Iterator[bytes]:
        """Read line by line, as they are written: a carriage return ends none."""
        try:
            with self._log.open("rb") as log:
                log.seek(behind)
                while line := log.readline(MAX_LINE_OCTETS):
                    yield line
        except FileNotFoundError:
            return
        except OSError as error:
            refuse_unwritable(self._log, error)


def _head(parts: Any) -> Head:
    """Take what certmail writes there; anything else is a ValueError, TypeError or KeyError."""
    count, octets, sha256 = parts["count"], parts["octets"], parts["sha256"]
    if type(count) is not int or type(octets) is not int or not isinstance(sha256, str):
        raise TypeError("not a head")
    if count < 0 or octets < 0:
        raise ValueError("less than nothing")
    return Head(count, octets, sha256)


def _line(record: Mapping[str, Any]) -> bytes:
    """Write one record in the one form whose hash counts: sorted, ASCII, no spaces."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return text.encode("ascii") + b"\n"


def _is_half(line: bytes) -> bool:
    """Tell whether a process ended while it wrote this; then nobody was told that it is there."""
    return not line.endswith(b"\n") and len(line) < MAX_LINE_OCTETS


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _fault(line: bytes, record: dict[str, Any] | None, *, number: int, previous: str) -> str | None:
    """Say what is wrong with one line, given the one before."""
    if record is None:
        return "it is not a record"
    if record.get("previous") != previous:
        return "it does not carry the hash of the line before: one of the two was changed"
    if record.get("n") != number:
        return f"it is numbered {printable(str(record.get('n')))} and stands at {number}"
    if line != _line(record):
        return "it is not written as certmail writes it"
    return None


def _sha256(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _refuse_damaged(reason: str) -> NoReturn:
    raise StateError(
        "LOG-DAMAGED",
        f"the log of receipts was changed: {reason}",
        why="a receipt written behind a changed line would vouch for it",
        next="certmail log verify; keep the folder certmail/log of your state folder for inspection"
        " by moving it aside, and a new log begins",
    ) from None
