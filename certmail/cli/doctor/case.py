"""What one examination knows: what was asked for, what time is left, and what was found so far.

Looks read what those before them found, and add what they find. What is not there makes the looks
that need it say so.
"""

from __future__ import annotations

import os
import time
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from certmail.cli.doctor.look import Skipped
from certmail.cli.wiring import Workbench
from certmail.frozen import frozen, slotted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from certmail.cli.keys_at_hand import World
    from certmail.delivery.probe import Depth, Probed
    from certmail.delivery.relay import Relay
    from certmail.errors import CertmailError
    from certmail.gnupg.runner import Gpg
    from certmail.gnupg.surroundings import Home
    from certmail.message.seal import Signer
    from certmail.names.ask import Inquiry
    from certmail.names.mail import Route
    from certmail.settings.resolve import Settings
    from certmail.values import Address


T = TypeVar("T")

LEAST_S: Final = 0.5
"""What a look gets that is begun at the very end."""


@frozen(kw_only=True)
class Wish:
    """What was asked for. ``depth`` None leaves the relay alone, as ``--offline`` does."""

    common: Mapping[str, Any]
    flags: Mapping[str, str]
    depth: Depth | None
    seconds: float


@slotted
class Case:
    """One examination."""

    wish: Wish
    at: datetime
    world: World
    began: float = field(default_factory=time.monotonic)
    settings: Settings | None = None
    gpg: Gpg | None = None
    home: Home | None = None
    agent_hangs: bool = False
    signer: Signer | None = None
    relay: Relay | None = None
    reachable: bool = False
    probed: Probed | None = None
    stopped: CertmailError | None = None
    names: Inquiry | None = None
    route: Route | None = None
    passed: list[tuple[datetime, str]] = field(default_factory=list)
    """Instants that have certainly passed, and who says so."""

    @property
    def env(self) -> Mapping[str, str]:
        """The environment."""
        return os.environ

    @property
    def left_s(self) -> float:
        """The seconds that are left of the whole examination."""
        return max(0.0, self.began + self.wish.seconds - time.monotonic())

    def within(self, seconds: float) -> float:
        """Give ``seconds``, or what is left of the whole; never nothing, which ends no wait."""
        return max(LEAST_S, min(seconds, self.left_s))

    def require_settings(self) -> Settings:
        """Give the settings, or skip."""
        return _there(self.settings, "the settings")

    def require_gpg(self) -> Gpg:
        """Give GnuPG, or skip."""
        return _there(self.gpg, "GnuPG")

    def require_relay(self) -> Relay:
        """Give the relay, or skip."""
        self.require_online()
        return _there(self.relay, "relay.host")

    def require_online(self) -> None:
        """Skip where the network is to be left alone."""
        if self.wish.depth is None:
            raise Skipped("not with --offline")

    def bench(self) -> Workbench:
        """Give what every command that seals works with."""
        return Workbench(self.require_settings(), self.require_gpg(), self.at, self.world)

    def relay_bench(self) -> Workbench:
        """Give the same for the relay and its password, which need no GnuPG."""
        from certmail.gnupg.runner import Gpg

        gpg = self.gpg or Gpg("gpg", ())
        return Workbench(self.require_settings(), gpg, self.at, self.world)

    def sender(self) -> Address | None:
        """Give the sender's address, as far as anything tells it."""
        from certmail.settings.keys import SENDER_ADDRESS

        return self.signer.address if self.signer else self.require_settings().get(SENDER_ADDRESS)

    def has_passed(self, at: datetime, words: str) -> None:
        """Remember an instant that has certainly passed."""
        self.passed.append((at, words))


def _there(found: T | None, name: str) -> T:
    if found is None:
        raise Skipped(f"needs {name}")
    return found
