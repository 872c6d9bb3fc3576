"""Keep something on disk so that neither a crash nor a second process spoils it.

In: a folder of our own, bytes. Out: folders of mode 0700, files that are whole or not there, locks
that the system releases when their holder dies, however it dies. Knows files; not what is kept in
them. Rooms that keep state share it, since a lock with two spellings is none.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import field
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

from certmail.errors import CertmailError, Left
from certmail.frozen import slotted
from certmail.values import printable

if sys.platform == "win32":  # pragma: no cover - the other branch is the one the tests run on
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_PATIENCE_S: Final = 30.0
"""How long to wait for another certmail to write its line."""

_PAUSE_S: Final = 0.02


class StateError(CertmailError):
    """What certmail remembers cannot be read or written."""

    exit_status: ClassVar[int] = 17


def private_folder(path: Path) -> Path:
    """Make ``path`` a folder of ours that nobody else can look into, and prove it writable.

    Raises:
        StateError: ``STATE-UNWRITABLE``, ``STATE-FOREIGN``.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
        if sys.platform != "win32":
            if found.st_uid != os.geteuid():
                _refuse_foreign(path)
            if stat.S_IMODE(found.st_mode) & 0o077:
                path.chmod(0o700)
        _prove_writable(path, (found.st_dev, found.st_ino))
    except OSError as error:
        refuse_unwritable(path, error)
    return path


@lru_cache(maxsize=64)
def _prove_writable(path: Path, which: tuple[int, int]) -> None:
    """Write something into a folder, once in a run for each: later writes speak for themselves."""
    del which
    probe = path / f".probe.{os.getpid()}.{threading.get_ident()}"
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, b"\0")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable; Windows does so by itself and cannot be asked."""
    if sys.platform == "win32":  # pragma: no cover
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes) -> None:
    """Put ``content`` under ``path``: after a crash the old or the new is there, whole.

    Raises:
        StateError: ``STATE-UNWRITABLE``.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        try:
            # What a crash of an earlier process left is removed, and nobody's link is followed.
            partial.unlink(missing_ok=True)
            with os.fdopen(
                os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
            ) as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        refuse_unwritable(path, error)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold ``path`` locked against every other holder, in this process or another.

    Raises:
        StateError: ``STATE-UNWRITABLE``, ``STATE-BUSY``.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        refuse_unwritable(path, error)
    try:
        until = time.monotonic() + LOCK_PATIENCE_S
        while not _take_file(descriptor):
            if time.monotonic() > until:
                refuse_busy(path)
            time.sleep(_PAUSE_S)
        yield
    finally:
        os.close(descriptor)


class Claims:
    """Which numbers this process has claimed; a claim ends with the process, however it ends.

    One byte of one file stands for each number, so that thousands need no thousand files. Such
    locks belong to the process, and closing the file once ends all of them: so every `Claims` of a
    process shares one descriptor for a file, and one set that answers for its threads.
    """

    def __init__(self, path: Path) -> None:
        """Open the file that carries the locks; nothing is ever written into it."""
        try:
            self._file = _ClaimFile.open(path)
        except OSError as error:
            refuse_unwritable(path, error)
        self._held: set[int] = set()

    def take(self, number: int) -> bool:
        """Claim ``number``; tell whether it was free."""
        with _GUARD:
            if number in self._file.held or not _take_byte(self._file.descriptor, number):
                return False
            self._file.held.add(number)
            self._held.add(number)
            return True

    def give_back(self, number: int) -> None:
        """End the claim on ``number``, if it is held here."""
        with _GUARD:
            if number in self._held:
                self._held.discard(number)
                self._file.held.discard(number)
                _release_byte(self._file.descriptor, number)

    def give_back_all(self) -> None:
        """End every claim held here and keep the file open."""
        for number in list(self._held):
            self.give_back(number)

    def close(self) -> None:
        """End every claim held here; the last to close closes the file."""
        self.give_back_all()
        self._file.leave()


_GUARD: Final = threading.RLock()
_CLAIM_FILES: Final[dict[tuple[int, int, int], _ClaimFile]] = {}
"""By process, device and inode: a child that was forked holds none of its parent's locks."""


@slotted
class _ClaimFile:
    """One open file of locks, for as long as anybody in this process uses it."""

    place: tuple[int, int, int]
    descriptor: int
    held: set[int] = field(default_factory=set)
    users: int = 0

    @staticmethod
    def open(path: Path) -> _ClaimFile:
        """Give the file that is open already, or open it."""
        with _GUARD:
            with suppress(FileNotFoundError):
                shared = _CLAIM_FILES.get(_place(path.stat()))
                if shared is not None:
                    shared.users += 1
                    return shared
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            made = _ClaimFile(_place(os.fstat(descriptor)), descriptor, users=1)
            _CLAIM_FILES[made.place] = made
            return made

    def leave(self) -> None:
        """Close it with the last user."""
        with _GUARD:
            self.users -= 1
            if not self.users:
                os.close(self.descriptor)
                _CLAIM_FILES.pop(self.place, None)


def _place(found: os.stat_result) -> tuple[int, int, int]:
    return os.getpid(), found.st_dev, found.st_ino


if sys.platform == "win32":  # pragma: no cover

    def _take_file(descriptor: int) -> bool:
        return _take_byte(descriptor, 0)

    def _take_byte(descriptor: int, number: int) -> bool:
        os.lseek(descriptor, number, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _release_byte(descriptor: int, number: int) -> None:
        os.lseek(descriptor, number, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:

    def _take_file(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _take_byte(descriptor: int, number: int) -> bool:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except OSError:
            return False
        return True

    def _release_byte(descriptor: int, number: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, number)


def refuse_unwritable(path: Path, error: OSError, *, left: Left = Left.NOTHING) -> NoReturn:
    """Say that state cannot be kept, and what has left the machine by now."""
    raise StateError(
        "STATE-UNWRITABLE",
        f"{printable(str(path), limit=400)} cannot be written: {error.strerror or 'it failed'}",
        why="what happens to a message is written down before it happens, so that a crash neither"
        " loses it nor sends it twice",
        next="make the folder writable and give the disk some room; XDG_STATE_HOME moves it",
        left=left,
    ) from None


def refuse_busy(path: Path) -> NoReturn:
    """Say that another process does not let go."""
    raise StateError(
        "STATE-BUSY",
        f"{printable(str(path), limit=400)} is in the hands of another process",
        why="two processes that write at once would spoil what is remembered",
        next="wait until the other certmail has ended, then run the command again",
    ) from None


def _refuse_foreign(path: Path) -> NoReturn:
    raise StateError(
        "STATE-FOREIGN",
        f"{printable(str(path), limit=400)} belongs to somebody else",
        why="whoever owns the folder can change what certmail remembers",
        next="run certmail as the owner of the folder, or set XDG_STATE_HOME to one of your own",
    ) from None
