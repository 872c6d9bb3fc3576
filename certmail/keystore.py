"""The stored copy of the pinned key: one file in the user's data folder, with where it came from.

Comes in: what is known of the key, as bytes, and who told it. Goes out: the same, later. One JSON
file holds the armored copy and the provenance of each part, so that the two always agree; it is
replaced whole, under a lock, for the user's eyes only. What is read is believed no more than any
other copy: its signatures are verified again each time. The copy that comes with certmail is never
written. Knows files, not OpenPGP, and not the clock.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

from certmail.errors import KeyRefused
from certmail.frozen import frozen
from certmail.places import data_folder
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from certmail.values import Fingerprint

SCHEMA: Final = "certmail.keystore/1"
STORED_SOURCE: Final = "the stored copy"

MAX_OCTETS: Final = 4 * 1024 * 1024
MAX_ATTEMPTS: Final = 50
"""So many refreshes are remembered; older ones are forgotten."""

LOCK_TIMEOUT_S: Final = 20.0
"""A refresh holds the lock for the moment of writing only."""


@frozen
class Part:
    """One statement of the key: its name, its words, and who told it first, and when."""

    digest: str
    words: str
    source: str
    at: str


@frozen
class Attempt:
    """One refresh: when, what each source answered, and what was new."""

    at: str
    answers: tuple[tuple[str, str], ...]
    changes: tuple[str, ...]
    heard: bool
    """Whether any source of the network had the pinned key."""


@frozen
class Stored:
    """What is kept: the armored copy, where its parts came from, and the last refreshes."""

    key: str = field(repr=False)
    parts: tuple[Part, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    heard_at: str | None = None

    @property
    def heard(self) -> datetime | None:
        """When a source of the network last had the pinned key."""
        return datetime.fromisoformat(self.heard_at) if self.heard_at else None


@frozen
class Keystore:
    """The folder of stored copies, and the one for this key."""

    folder: Path
    fingerprint: Fingerprint

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"{self.fingerprint}.json"

    def read(self) -> Stored | None:
        """Read what is stored; None where nothing is.

        Raises:
            KeyRefused: ``KEY-STORE-DAMAGED``: it may have held a revocation, so it is not passed
                over.
        """
        try:
            descriptor = os.open(
                self.path,
                os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0),
            )
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self._refuse_damaged(error.strerror or "it cannot be opened")
        try:
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    self._refuse_damaged("it is not a regular file")
                data = file.read(MAX_OCTETS + 1)
        except OSError as error:
            self._refuse_damaged(error.strerror or "it cannot be read")
        try:
            return _parse(data, fingerprint=self.fingerprint)
        except (ValueError, TypeError, KeyError, RecursionError):
            self._refuse_damaged("it is not what certmail wrote")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock: nobody else reads, merges and writes meanwhile.

        Raises:
            KeyRefused: ``KEY-STORE-BUSY``, ``KEY-STORE-UNWRITABLE``.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if sys.platform != "win32":
                self.folder.chmod(0o700)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            self._refuse_unwritable(error)
        try:
            if not _lock(descriptor):
                raise KeyRefused(
                    "KEY-STORE-BUSY",
                    "another certmail is writing the stored copy of the key",
                    why="two at once could lose what one of them has learnt",
                    next="wait for it to end, then run the command again",
                )
            yield
        finally:
            os.close(descriptor)

    def write(self, stored: Stored) -> None:
        """Replace the file, whole or not at all; the lock must be held.

        Raises:
            KeyRefused: ``KEY-STORE-UNWRITABLE``.
        """
        partial = self.path.with_suffix(".partial")
        text = _spell(stored, fingerprint=self.fingerprint)
        try:
            partial.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(partial, flags, 0o600), "wb") as out:
                out.write(text.encode())
                out.flush()
                os.fsync(out.fileno())
            partial.replace(self.path)
            _sync_folder(self.folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            self._refuse_unwritable(error)

    def set_aside(self) -> Path:
        """Move a damaged file out of the way, so that a refresh can begin anew.

        Raises:
            KeyRefused: ``KEY-STORE-UNWRITABLE``.
        """
        aside = self.path.with_suffix(".damaged")
        try:
            self.path.replace(aside)
        except OSError as error:
            self._refuse_unwritable(error)
        return aside

    def _refuse_damaged(self, reason: str) -> NoReturn:
        raise KeyRefused(
            "KEY-STORE-DAMAGED",
            f"the stored copy of the key, {self._shown()}, cannot be read: {reason.lower()}",
            why="it may have told that the key is revoked, so it is not simply passed over",
            next="certmail key refresh, which sets the damaged file aside and asks every source",
        ) from None

    def _refuse_unwritable(self, error: OSError) -> NoReturn:
        raise KeyRefused(
            "KEY-STORE-UNWRITABLE",
            f"the stored copy of the key, {self._shown()}, cannot be written:"
            f" {printable((error.strerror or 'no reason given').lower())}",
            why="what was learnt about the key would be forgotten",
            next="make the folder yours and writable, then certmail key refresh",
        ) from None

    def _shown(self) -> str:
        return printable(str(self.path), limit=400)


def usual_folder() -> Path:
    """Tell where stored copies lie."""
    return data_folder() / "keys"


def _spell(stored: Stored, *, fingerprint: Fingerprint) -> str:
    value = {"schema": SCHEMA, "fingerprint": fingerprint.text, **asdict(stored)}
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _parse(data: bytes, *, fingerprint: Fingerprint) -> Stored:
    """Read the file's text; any other form is a ValueError, TypeError or KeyError."""
    if len(data) > MAX_OCTETS:
        raise ValueError("too large")
    value = json.loads(data.decode())
    if value["schema"] != SCHEMA or value["fingerprint"] != fingerprint.text:
        raise ValueError("another file")
    stored = Stored(
        key=_text(value["key"]),
        parts=tuple(Part(**_texts(part)) for part in _list(value["parts"])),
        attempts=tuple(_attempt(attempt) for attempt in _list(value["attempts"])),
        heard_at=None if value["heard_at"] is None else _instant(value["heard_at"]),
    )
    for instant in (*(p.at for p in stored.parts), *(a.at for a in stored.attempts)):
        _instant(instant)
    return stored


def _attempt(value: dict[str, Any]) -> Attempt:
    if not isinstance(value["heard"], bool):
        raise TypeError("neither heard nor not")
    return Attempt(
        at=_text(value["at"]),
        answers=tuple((_text(name), _text(said)) for name, said in map(_list, value["answers"])),
        changes=tuple(_text(change) for change in _list(value["changes"])),
        heard=value["heard"],
    )


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return {name: _text(part) for name, part in value.items()}


def _instant(value: object) -> str:
    """Prove an instant in UTC."""
    text = _text(value)
    if datetime.fromisoformat(text).utcoffset() != UTC.utcoffset(None):
        raise ValueError("not an instant in UTC")
    return text


def _lock(descriptor: int) -> bool:
    """Take the lock, or give up when its time is over."""
    end = time.monotonic() + LOCK_TIMEOUT_S
    while not _try_lock(descriptor):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _sync_folder(folder: Path) -> None:
        del folder

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _sync_folder(folder: Path) -> None:
        """Make the new name last; without it a crash could bring the old file back."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
