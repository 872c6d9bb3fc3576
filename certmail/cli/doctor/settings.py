"""The settings, and where the relay's password would come from."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from certmail.cli.doctor.look import Seen, Skipped, ok
from certmail.settings.resolve import Source, load
from certmail.values import printable

if TYPE_CHECKING:
    from certmail.cli.doctor.case import Case


def settings(case: Case) -> Seen:
    """Read the settings as every command does; what is unknown or malformed is refused."""
    config = case.wish.common["settings_file"]
    case.settings = found = load(flags=case.wish.flags, environ=case.env, config=config)
    rows = [row.origin.source for row in found.rows() if row.origin is not None]
    shown = printable(str(found.path), limit=200)
    try:
        mode = stat.S_IMODE(found.path.stat().st_mode)
    except OSError:
        place = f"no file ({shown})"
    else:
        place = f"{shown}, mode {mode:03o}, {_count(rows.count(Source.FILE))}"
    others = [
        f"{rows.count(source)} by {words}"
        for source, words in ((Source.ENVIRONMENT, "variables"), (Source.FLAG, "flags"))
        if source in rows
    ]
    return ok("; ".join([place, *others]))


def password(case: Case) -> Seen:
    """See whether the place that the password would come from is there; nothing is read."""
    relay = case.relay
    if relay is None:
        raise Skipped("needs relay.host")
    if relay.user is None:
        return ok("none: the relay is used without a login")
    source = case.relay_bench().secret(relay)
    return ok("none is asked for" if source is None else source.foresee())


def _count(number: int) -> str:
    return "1 setting" if number == 1 else f"{number} settings"
