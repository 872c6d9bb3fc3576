"""Somebody with canaries for a key and a password, whose commands are watched call by call."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import PASSWORD, Relay, User, bundle, relay, relay_files, renewed, user
from tests.cli.story import ACCEPT
from tests.leaks.law import (
    Allowed,
    Secrets,
    breaches,
    lying_in,
    pieces_of_bundle,
    pieces_of_password,
)
from tests.leaks.trace import Traced, traced

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["bundle", "relay", "relay_files", "renewed", "user"]


CAT = {("cat", "certmail")}
"""The password's way from the command that prints it."""


@dataclass
class Watched:
    """A user whose every command is run under strace, and judged."""

    user: User
    root: Path
    relay: Relay
    bundles: list[bytes] = field(default_factory=list)
    passwords: list[str] = field(default_factory=lambda: [PASSWORD])
    given: set[Path] = field(default_factory=set)
    runs: int = 0

    def give(self, name: str, octets: bytes, *, bundle: bytes | None = None) -> Path:
        """Lay a file into the home that may hold what is secret."""
        path = self.user.home / name
        path.touch(mode=0o600)
        path.write_bytes(octets)
        self.given.add(path)
        if bundle is not None:
            self.bundles.append(bundle)
        return path

    @property
    def secrets(self) -> Secrets:
        return Secrets(
            {piece: of for pem in self.bundles for piece, of in pieces_of_bundle(pem).items()},
            {
                piece: of
                for word in self.passwords
                for piece, of in pieces_of_password(word).items()
            },
        )

    def run(self, *words: str | Path, stdin: bytes = b"") -> Traced:
        """Run a command and write down all that it does."""
        self.runs += 1
        return traced(
            [sys.executable, "-m", "certmail", *map(str, words)],
            env=self.user.environment(),
            cwd=self.user.home,
            stdin=stdin,
            notes=self.root / f"notes-{self.runs}",
        )

    def broken(
        self,
        done: Traced,
        *,
        wrote: tuple[Path, ...] = (),
        dials: tuple[int, ...] | None = None,
        password: set[tuple[str, str]] = CAT,
    ) -> list[str]:
        """Say what broke the law: in what was done, what was printed, and what lies on the disk."""
        ports = (self.relay.mailbox.port,) if dials is None else dials
        allowed = Allowed(wrote, [("127.0.0.1", port) for port in ports], password)
        return [
            *breaches(done, self.secrets, allowed),
            *(f"{of} on the screen" for of in self.secrets.found_in(done.out + done.err)),
            *lying_in([self.user.home, self.tmp], self.secrets, but=[*self.given, *wrote]),
            *(f"{path} was left behind" for path in self.tmp.iterdir()),
        ]

    @property
    def tmp(self) -> Path:
        """Where temporary files go."""
        return self.root / "t"


@pytest.fixture
def watched(sender, bundle_pem, relay) -> Iterator[Watched]:
    # A short name, as in /tmp: GnuPG's sockets would not fit into one of pytest's.
    with tempfile.TemporaryDirectory(prefix="lk", dir="/tmp") as folder:
        root = Path(folder)
        user = User(root / "home", sender.home, {"TMPDIR": str(root / "t")})
        user.home.mkdir()
        found = Watched(user, root, relay)
        found.tmp.mkdir(mode=0o700)
        found.give("bundle.pem", bundle_pem, bundle=bundle_pem)
        yield found


SEND = ("-vv", "--debug", "send", "--yes", ACCEPT)
