"""Make real keys with the real GnuPG, in a home of its own that is gone afterwards."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

MADE = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""When the keys are made, as far as they know."""

LATER = datetime(2026, 7, 1, tzinfo=UTC)
"""When most tests look at them."""


class Smith:
    """A GnuPG home in which keys are made; use as a context manager."""

    def __enter__(self) -> Self:
        self.home = Path(tempfile.mkdtemp(prefix="kt-", dir="/tmp"))
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(
            ["gpgconf", "--homedir", self.home, "--kill", "all"], check=True, capture_output=True
        )
        while self.home.exists():  # the agent is still removing its sockets
            shutil.rmtree(self.home, ignore_errors=True)

    def gpg(self, *args: str | Path, stdin: bytes = b"", at: datetime | None = MADE) -> bytes:
        clock = [] if at is None else ["--faked-system-time", f"{at:%Y%m%dT%H%M%S}!"]
        unattended = ["--batch", "--yes", "--passphrase", "", "--pinentry-mode", "loopback"]
        if "--command-fd" in args:
            unattended = ["--no-tty", *unattended[1:]]
        done = subprocess.run(
            ["gpg", "--homedir", self.home, "--no-options", "--quiet", *unattended, *clock, *args],
            input=stdin,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise AssertionError(done.stderr.decode("utf-8", "replace"))
        return done.stdout

    def primary(
        self,
        user_id: str = "Recipient <to@example.org>",
        *,
        algorithm: str = "ed25519",
        usage: str = "sign cert",
        expire: str = "0",
        at: datetime = MADE,
    ) -> str:
        """Make a primary key and give its fingerprint."""
        before = set(self.fingerprints())
        self.gpg("--quick-generate-key", user_id, algorithm, usage, expire, at=at)
        (new,) = set(self.fingerprints()) - before
        return new

    def subkey(
        self, primary: str, *, algorithm: str = "cv25519", expire: str = "0", at: datetime = MADE
    ) -> str:
        """Add an encryption subkey and give its fingerprint."""
        before = set(self.fingerprints(primary))
        self.gpg("--quick-add-key", primary, algorithm, "encr", expire, at=at)
        (new,) = set(self.fingerprints(primary)) - before
        return new

    def pair(self, **options: str) -> str:
        """Make a primary key with one encryption subkey."""
        primary = self.primary(**options)
        self.subkey(primary)
        return primary

    def export(self, *fingerprints: str) -> bytes:
        return self.gpg("--export", *fingerprints)

    def fingerprints(self, *which: str) -> list[str]:
        try:
            listing = self.gpg("--with-colons", "--with-subkey-fingerprint", "--list-keys", *which)
        except AssertionError:  # an empty home has no keys to list
            return []
        records = [line.split(b":") for line in listing.split(b"\n")]
        wanted = ("pub",) if not which else ("pub", "sub")
        found, kind = [], ""
        for record in records:
            if record[0] in {b"pub", b"sub"}:
                kind = record[0].decode()
            elif record[0] == b"fpr" and kind in wanted:
                found.append(record[9].decode())
        return found
