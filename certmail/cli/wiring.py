"""What every command that seals needs, put together once: settings, GnuPG, the key, the clock."""

from __future__ import annotations

import os
import sys
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from certmail.events import Teller
from certmail.frozen import frozen
from certmail.recipient import CLEVER_CLOUD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certmail.cli.keys_at_hand import KeysAtHand, World
    from certmail.delivery.relay import Relay, Timeouts
    from certmail.gnupg.engine import GnuPG
    from certmail.gnupg.homes import Homes
    from certmail.gnupg.runner import Gpg
    from certmail.key.pin import PinnedKey
    from certmail.message.seal import Signer
    from certmail.secrets import Source
    from certmail.settings.resolve import Settings
    from certmail.values import Address, Fingerprint


_tell: Final = Teller(__name__)


@frozen
class Workbench:
    """One run's settings, clock and tools. The clock is read once, but for the dates of letters.

    ``piped_in`` is where the secret comes from by a flag of the command, where there is one.
    """

    settings: Settings
    gpg: Gpg
    at: datetime
    world: World = field(default_factory=lambda: _world(None))
    piped_in: Source | None = None

    @property
    def env(self) -> Mapping[str, str]:
        """The environment; the GnuPG edge passes on what is on its list and nothing else."""
        return os.environ

    def now(self) -> datetime:
        """Read the clock for a letter that is sealed next; a question may have taken an hour.

        Thunderbird calls a signature bad that was made more than an hour from the mail's Date.
        """
        return datetime.now(UTC)

    def key(self) -> PinnedKey:
        """Identify the recipient's key by the best copy that is here; nobody is asked."""
        return self.identify(self.keys_at_hand())

    def keys_at_hand(self) -> KeysAtHand:
        """Unite the copies that are here: the one the settings name, the bundled, the stored."""
        from certmail.cli.keys_at_hand import gather
        from certmail.settings.keys import KEY_FILE

        return gather(self.settings.get(KEY_FILE))

    def identify(self, at_hand: KeysAtHand) -> PinnedKey:
        """Have the united copies judged by both witnesses."""
        from certmail.gnupg.identify import identify_key

        return identify_key(
            at_hand.known.packets(),
            source=at_hand.source(at=self.at),
            recipient=CLEVER_CLOUD,
            gpg=self.gpg,
            env=self.env,
            at=self.at,
        )

    def key_as_of(self, at: datetime) -> PinnedKey:
        """Judge the recipient's key anew, for a run that lasts."""
        return replace(self, at=at).key()

    def signer(self) -> Signer:
        """Find the user's signing key."""
        from certmail.settings.keys import SENDER_KEY

        return self.signer_of(self.settings.get(SENDER_KEY))

    def signer_of(self, fingerprint: Fingerprint | None) -> Signer:
        """Find the key of that fingerprint, or the one that speaks for the sender."""
        from certmail.gnupg.signers import find_signer
        from certmail.settings.keys import SENDER_ADDRESS, SENDER_NAME

        return find_signer(
            self.gpg,
            address=self.settings.get(SENDER_ADDRESS),
            fingerprint=fingerprint,
            name=self.settings.get(SENDER_NAME),
            home=None,
            env=self.env,
        )

    def engine(self, homes: Homes | None = None) -> GnuPG:
        """Give the user's GnuPG; where nobody could answer a pinentry, it fails at once.

        ``homes`` are used again and again, by a batch.
        """
        from certmail.gnupg.engine import GnuPG
        from certmail.settings.keys import GNUPG_SIGN_TIMEOUT_S

        return GnuPG(
            self.gpg,
            self.env,
            sign_timeout_s=float(self.settings.require(GNUPG_SIGN_TIMEOUT_S)),
            pinentry="default" if somebody_there() else "error",
            homes=homes,
        )

    def relay(self, sender: Address) -> Relay:
        """Put the relay together from the settings; the login defaults to the sender's address."""
        from certmail.cli.relay_wiring import relay_of

        return relay_of(self.settings, sender)

    def timeouts(self) -> Timeouts:
        """Bound the delivery as a whole by the user's setting."""
        from certmail.cli.relay_wiring import timeouts_of

        return timeouts_of(self.settings)

    def require_one_source(self) -> None:
        """Refuse two sources of the secret, or one that no login takes, before anything is done."""
        from certmail.cli.secret_source import require_one_source

        require_one_source(self.settings, piped_in=self.piped_in)

    def secret(self, relay: Relay) -> Source | None:
        """Name where the password or token would come from; nothing is read yet."""
        from certmail.cli.secret_source import secret_source

        if relay.user is None:
            return None
        return secret_source(self.settings, relay, piped_in=self.piped_in, env=self.env)


def somebody_there() -> bool:
    """Tell whether a pinentry could be answered: on our terminal, or in a window."""
    return sys.stdin.isatty() or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def read_key(path: Any) -> tuple[bytes, str]:
    """Read the copy of the key to judge, and name it."""
    from certmail.key import bundled

    if path is None:
        return bundled.read_bundled(), bundled.BUNDLED_SOURCE
    return bundled.read_key_file(path), str(path)


def workbench(
    common: Mapping[str, Any], flags: Mapping[str, str], *, piped_in: Source | None = None
) -> Workbench:
    """Read the settings and the clock, and find GnuPG; say whose code runs in here beside ours."""
    from certmail.cli.draw import echo_notices
    from certmail.cli.foreign_code import foreign_code
    from certmail.gnupg.runner import find_gpg
    from certmail.settings.keys import GNUPG_PROGRAM
    from certmail.settings.resolve import load

    echo_notices(foreign_code())
    settings = load(flags=flags, environ=os.environ, config=common["settings_file"])
    _tell("settings read", file=str(settings.path), there="yes" if settings.path.exists() else "no")
    program = settings.get(GNUPG_PROGRAM)
    return Workbench(
        settings=settings,
        gpg=find_gpg(str(program) if program else None),
        at=datetime.now(UTC),
        world=_world(common.get("world")),
        piped_in=piped_in,
    )


def _world(given: World | None) -> World:
    """Give the world the calling program named, or the one outside."""
    from certmail.cli.keys_at_hand import World

    return given or World()
