"""A day's work: every command once, in an order in which each has something to say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from certmail.recipient import CLEVER_CLOUD
from certmail.rehearsal.authority import throwaway_authority, throwaway_bundle
from tests.cli.conftest import RENEWED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran, Relay, User

ACCEPT = f"--accept-expired-key={CLEVER_CLOUD.pin}"
"""The copy that comes along has expired; whoever has no newer one gives their word."""

MANY = RENEWED.exists()
"""Nobody gives their word for many at once."""


def day(run: Callable[..., Ran], *, user: User, bundle: Path, relay: Relay) -> dict[str, Ran]:
    """Run every command by ``run``; give what each did, by its words."""
    shop, mail, late = (_another(user.home / name) for name in ("shop.pem", "mail.pem", "late.pem"))
    did: dict[str, Ran] = {}

    def do(*arguments: Any) -> Ran:
        ran = run(*arguments)
        did[" ".join(str(word).replace(str(user.home), "~") for word in arguments)] = ran
        return ran

    port = relay.flags.index("--relay-port") + 1
    nobody = (*relay.flags[:port], "9", *relay.flags[port + 1 :])
    do("outbox", "list")
    do("log")
    do("relay", "list")
    do("send", late, "--yes", ACCEPT, *nobody)
    do("outbox", "retry", ACCEPT, "--now", *relay.flags)
    do("outbox", "retry")
    do("send", bundle, "--yes", ACCEPT, *relay.flags)
    do("check", bundle)
    do("check", bundle, shop)
    do("check", "nowhere.pem")
    do("check", "--no-such-option")
    do("bundle", shop)
    do("upload", shop)
    do("completion", "bash")
    do("preview", bundle, "--output", "message.eml")
    if MANY:
        do("send", shop, mail, "--yes", "--key-file", RENEWED, *relay.flags)
    name = _first_name(user)
    do("outbox", "list")
    do("outbox", "show", name)
    do("outbox", "export", name, "again.eml")
    do("outbox", "drop", "--accepted", "--yes")
    do("log")
    do("log", "--export")
    do("log", "verify")
    do("due", "--days", "3650")
    do("relay", "list")
    do("relay", "accept", "127.0.0.1", "--yes")
    do("verify-key")
    do("verify-key", "--fingerprint", CLEVER_CLOUD.pin.grouped())
    do("key", "export", "--output", "clever-cloud.asc")
    do("key", "refresh", "--from", "clever-cloud.asc")
    do("key", "show")
    do("key", "history")
    do("inspect", f"127.0.0.1:{relay.mailbox.port}", "--bundle", bundle)
    do("rehearse")
    do("config")
    do("key", "verify", "--fingerprint", CLEVER_CLOUD.pin.text.lower())
    do("doctor", "--offline", *relay.flags)
    do("explain")
    do("explain", "KEY-EXPIRED")
    return did


def _another(path: Path) -> Path:
    """Make a bundle; with names enough for any line."""
    names = [f"a-name-of-some-length-{n}.department.{path.stem}.example" for n in range(9)]
    path.touch(mode=0o600)
    path.write_bytes(
        throwaway_bundle(throwaway_authority(datetime.now(UTC)), f"{path.stem}.example", *names)
    )
    return path


def _first_name(user: User) -> str:
    """Look up what the first message is called."""
    from certmail.outbox.store import open_outbox

    with open_outbox(user.home / ".local" / "state" / "certmail" / "outbox") as kept:
        return kept.entries()[0].name
