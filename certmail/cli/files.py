"""Files that commands read and write: bundles in, sealed messages in and out, records both ways.

A bundle is read once, whole, into memory, so that what is checked is what is sealed. What is
written is sealed already, but for the one bundle that the user asks for: plaintext goes into that
file and nowhere else.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, Final, NoReturn

import click

from certmail.errors import BundleError, CertmailError, SealError, UsageError
from certmail.values import printable

if TYPE_CHECKING:
    from pathlib import Path

MAX_BUNDLE_OCTETS: Final = 2**20
"""A bundle is a few kilobytes; a megabyte is something else."""

MAX_SEALED_OCTETS: Final = 8 * 2**20


def read_bundle(path: str) -> bytes:
    """Read a bundle from a file, or from standard input for ``-``.

    Raises:
        BundleError: ``BUNDLE-UNREADABLE``, ``BUNDLE-TOO-LARGE``.
    """
    if path == "-":
        if sys.stdin.isatty():
            raise UsageError(
                "BUNDLE-FROM-TERMINAL",
                "standard input is a terminal",
                why="a private key pasted into a terminal stays in its scroll-back",
                next="certmail check FILE, or pipe the bundle in",
            )
        data = sys.stdin.buffer.read(MAX_BUNDLE_OCTETS + 1)
    else:
        try:
            data = _read_regular(path, limit=MAX_BUNDLE_OCTETS)
        except OSError as error:
            _refuse_unreadable(path, error.strerror or "it cannot be read")
    if len(data) > MAX_BUNDLE_OCTETS:
        raise BundleError(
            "BUNDLE-TOO-LARGE",
            f"{printable(path, limit=400)} is larger than {MAX_BUNDLE_OCTETS} octets",
            why="a bundle is a key and a few certificates, some kilobytes in all",
            next="name the PEM file that holds key, certificate and intermediates",
            file=printable(path, limit=400),
        )
    return data


def mode_of(path: str | None) -> int | None:
    """Give the permission bits of a file; None where the system or the file has none."""
    if path is None or path == "-" or os.name != "posix":
        return None
    try:
        # Not by a Path: a check of one file would need it for nothing else.
        return stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116
    except (OSError, ValueError):
        return None


def read_sealed(path: str) -> bytes:
    """Read a sealed message that ``certmail preview --output`` wrote.

    Raises:
        SealError: ``SEAL-FILE-UNREADABLE``.
    """
    reason = f"it is larger than {MAX_SEALED_OCTETS} octets"
    try:
        data = _read_regular(path, limit=MAX_SEALED_OCTETS)
    except OSError as error:
        data, reason = b"", error.strerror or "it cannot be read"
    if not data or len(data) > MAX_SEALED_OCTETS:
        raise SealError(
            "SEAL-FILE-UNREADABLE",
            f"{printable(path, limit=400)} cannot be read: {reason}",
            why="the sealed message to send is in that file",
            next="certmail preview BUNDLE --output FILE.eml",
            file=printable(path, limit=400),
        )
    return data


def write_sealed(path: str, wire: bytes) -> None:
    """Write a sealed message to a new file, whole or not at all, for the user's eyes only.

    Raises:
        UsageError: ``OUTPUT-EXISTS``, ``OUTPUT-UNWRITABLE``.
    """
    _keep(path, wire, what="sealed message")


def write_page(path: str, page: str) -> None:
    """Write the page of a preview, as `write_sealed` does a message."""
    _keep(path, page.encode(), what="page")


def require_absent(path: str, *, what: str = "page") -> None:
    """Miss a free name before anything is signed, not after.

    Raises:
        UsageError: ``OUTPUT-EXISTS``.
    """
    if os.path.lexists(path):
        _refuse_existing(path, what)


def _keep(path: str, content: bytes, *, what: str) -> None:
    from pathlib import Path

    try:
        _write_new(Path(path), content)
    except FileExistsError:
        _refuse_existing(path, what)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a path"
        raise UsageError(
            "OUTPUT-UNWRITABLE",
            f"{printable(path, limit=400)} cannot be written: {printable(reason)}",
            why=f"the {what} was to be kept there",
            next="give a path in a folder that you can write to",
            file=printable(path, limit=400),
        ) from None


def _refuse_existing(path: str, what: str) -> NoReturn:
    raise UsageError(
        "OUTPUT-EXISTS",
        f"{printable(path, limit=400)} exists already",
        why=f"a {what} that somebody has reviewed is never overwritten",
        next="give another name, or remove the file first",
        file=printable(path, limit=400),
    ) from None


def write_bundle(path: str, pem: bytes) -> None:
    """Write a bundle to a new file, whole or not at all, for the user's eyes only.

    Raises:
        UsageError: ``BUNDLE-OUTPUT-EXISTS``, ``BUNDLE-OUTPUT-UNWRITABLE``.
    """
    from pathlib import Path

    try:
        _write_new(Path(path), pem)
    except FileExistsError:
        raise UsageError(
            "BUNDLE-OUTPUT-EXISTS",
            f"{printable(path, limit=400)} exists already",
            why="a file that may hold the only copy of a key is never overwritten",
            next="give another name; or --in-place, to replace the file that was read",
            file=printable(path, limit=400),
        ) from None
    except (OSError, ValueError) as error:
        _refuse_output(path, error)


def replace_bundle(path: str, pem: bytes, *, before: bytes, backup: str | None) -> None:
    """Replace a bundle by its repaired form in one step, keeping its owner.

    ``before`` is what was read; if the file holds anything else by now, nothing is written.

    Raises:
        UsageError: ``BUNDLE-CHANGED``, ``BUNDLE-IN-PLACE``, ``BUNDLE-OUTPUT-EXISTS``,
            ``BUNDLE-OUTPUT-UNWRITABLE``.
    """
    from pathlib import Path

    target = Path(path)
    if target.is_symlink():
        raise UsageError(
            "BUNDLE-IN-PLACE",
            f"{printable(path, limit=400)} is a link",
            why="the program that made the link expects its own file at the other end",
            next="certmail bundle FILE --output NEW, and leave the original as it is",
            file=printable(path, limit=400),
        )
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        owner = target.stat()
        if _read_regular(path, limit=MAX_BUNDLE_OCTETS) != before:
            raise UsageError(
                "BUNDLE-CHANGED",
                f"{printable(path, limit=400)} was changed while it was being repaired",
                why="somebody else writes to it, and their work would be lost",
                next="run the command again when nobody else writes to it",
                file=printable(path, limit=400),
            )
        if backup is not None:
            write_bundle(backup, before)
        _write_new(partial, pem)
        _give_to(partial, owner)
        partial.replace(target)
    except (OSError, ValueError) as error:
        _refuse_output(path, error)
    finally:
        partial.unlink(missing_ok=True)


def _give_to(path: Path, owner: os.stat_result) -> None:
    """Keep the owner and group, where the system has them and we may."""
    if hasattr(os, "chown"):
        mine = path.stat()
        if (mine.st_uid, mine.st_gid) != (owner.st_uid, owner.st_gid):
            os.chown(path, owner.st_uid, owner.st_gid)


def _refuse_output(path: str, fault: Exception) -> NoReturn:
    reason = getattr(fault, "strerror", None) or "it is not a path"
    raise UsageError(
        "BUNDLE-OUTPUT-UNWRITABLE",
        f"{printable(path, limit=400)} cannot be written: {printable(reason)}",
        why="the bundle was to be kept there; nothing was changed",
        next="give a path in a folder that you can write to",
        file=printable(path, limit=400),
    ) from None


def record_path(sha256: str) -> Path:
    """Tell where the record of a sealed message lies."""
    from certmail.places import state_folder

    return state_folder() / "sealed" / f"{sha256}.json"


def write_record(sha256: str, text: str) -> None:
    """Keep a record of public facts, in a folder of the user's own.

    Raises:
        UsageError: ``RECORD-UNWRITABLE``.
    """
    path = record_path(sha256)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(path, text.encode())
    except FileExistsError:
        return  # the same message has the same record
    except OSError as error:
        raise UsageError(
            "RECORD-UNWRITABLE",
            f"{printable(str(path), limit=400)} cannot be written: {error.strerror}",
            why="without its record a sealed message cannot be sent later",
            next="make the folder writable, or send without --output",
            file=printable(str(path), limit=400),
        ) from None


def read_record_text(sha256: str) -> str:
    """Find the record of a sealed message.

    Raises:
        SealError: ``SEAL-UNKNOWN``.
    """
    try:
        return _read_regular(str(record_path(sha256)), limit=2**16).decode()
    except (OSError, UnicodeDecodeError):
        raise SealError(
            "SEAL-UNKNOWN",
            "this installation has no record of having sealed that message",
            why="from outside nobody can see whether a message is signed and what it holds;"
            " the record made when it was sealed is the evidence",
            next="certmail preview BUNDLE --output FILE.eml here, then send that file",
        ) from None


def with_file(error: CertmailError, path: str) -> CertmailError:
    """Add to an error the name of the file it is about, as the user typed it."""
    if error.file is None and path != "-":
        error.file = printable(path, limit=400)
    return error


def _read_regular(path: str, *, limit: int) -> bytes:
    """Read up to ``limit`` octets and one more; a folder, pipe or device is refused unopened."""
    # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    with os.fdopen(descriptor, "rb") as stream:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(0, "it is not a regular file")
        return stream.read(limit + 1)


def _write_new(path: Path, content: bytes) -> None:
    """Create ``path`` with mode 0600 and all of ``content``, or leave nothing."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        # A link, unlike a rename, fails where something stands already.
        os.link(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _refuse_unreadable(path: str, reason: str) -> NoReturn:
    shown = click.format_filename(path, shorten=False)
    raise BundleError(
        "BUNDLE-UNREADABLE",
        f"{printable(shown, limit=200)} cannot be read: {reason}",
        why="the private key, certificate and intermediates are to come from that file",
        next="certmail check FILE, with the path of a PEM file you can read",
        file=None,
    ) from None
