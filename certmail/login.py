"""Try a secret at the relay, and keep it only once the relay took it.

In: a `Relay`, a source of the secret, a keyring entry. Out: what the visit showed, and where the
secret is kept now. Draws nothing and asks nobody: the command line, set-up and a program use the
same act. There is no way to keep a secret that was not tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.delivery.probe import Depth
from certmail.errors import UsageError
from certmail.frozen import frozen
from certmail.office import Once, visit

if TYPE_CHECKING:
    from collections.abc import Callable

    from certmail.delivery.outcome import Stage
    from certmail.delivery.probe import Probed
    from certmail.delivery.relay import Relay, Timeouts
    from certmail.secrets.keyring import KeyringEntry
    from certmail.values import SecretSource


@frozen
class Kept:
    """A login that worked, and the keyring entry that holds its secret now."""

    visit: Probed
    entry: KeyringEntry
    keyring: str


def try_once(
    relay: Relay,
    source: SecretSource,
    *,
    timeouts: Timeouts | None = None,
    progress: Callable[[Stage], None] | None = None,
) -> Probed:
    """Log in once, and leave; nothing is sent, and what worked before is held against the relay.

    Raises:
        UsageError: ``SECRET-NO-LOGIN``. RelayError, SecretError, SettingsError: as a delivery does.
    """
    require_login(relay)
    return visit(relay, depth=Depth.LOGIN, secret=source, timeouts=timeouts, progress=progress)


def try_and_keep(
    relay: Relay,
    source: SecretSource,
    *,
    entry: KeyringEntry,
    timeouts: Timeouts | None = None,
    progress: Callable[[Stage], None] | None = None,
) -> Kept:
    """Log in once with what ``source`` gives, and store that under ``entry`` once it worked.

    The keyring is looked at first: nobody types a password that could then not be kept.

    Raises:
        UsageError, RelayError, SettingsError: as by `try_once`; nothing was stored.
        SecretError: ``SECRET-…``; nothing was stored.
    """
    require_login(relay)
    once = Once(source)
    entry.look()
    found = try_once(relay, once, timeouts=timeouts, progress=progress)
    return Kept(found, entry, entry.store(once.read()))


def require_login(relay: Relay) -> None:
    """Refuse to speak of a secret where there is no login.

    Raises:
        UsageError: ``SECRET-NO-LOGIN``.
    """
    if relay.user is None:
        raise UsageError(
            "SECRET-NO-LOGIN",
            f"the settings name no login for {relay}",
            why="a relay that asks for no login takes no secret",
            next="set relay.user, or do without a secret: certmail config",
        )
