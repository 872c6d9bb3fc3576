"""GnuPG on this machine: the program, the homes, the agent, the pinentry."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Final

from certmail.cli.doctor.look import Seen, Skipped, note, ok
from certmail.cli.foreign_code import foreign_code
from certmail.errors import SealError
from certmail.gnupg.homes import throwaway_home
from certmail.gnupg.runner import child_environment, find_gpg
from certmail.gnupg.surroundings import (
    ASK_S,
    Agent,
    AgentState,
    HomeState,
    Pinentry,
    ask_agent,
    find_home,
    find_pinentry,
    ignored_options,
    require_shallow,
)
from certmail.settings.keys import GNUPG_PROGRAM
from certmail.values import printable

if TYPE_CHECKING:
    from pathlib import Path

    from certmail.cli.doctor.case import Case

ANSWER_S: Final = 10.0
"""For GnuPG to say its version, on a machine under load."""

MAX_NAMED: Final = 6
"""Options of gpg.conf that are named; the rest are counted."""

_TEXT_FLAVOURS: Final = frozenset({"curses", "tty"})


def gnupg(case: Case) -> Seen:
    """Find GnuPG, and its version."""
    program = case.require_settings().get(GNUPG_PROGRAM)
    case.gpg = find_gpg(str(program) if program else None, timeout_s=case.within(ANSWER_S))
    return ok(f"{printable(case.gpg.path, limit=200)}, version {_dotted(case.gpg.version)}")


def home(case: Case) -> Seen:
    """Look at the user's GnuPG home, where the signing key lives."""
    case.home = found = find_home(case.require_gpg(), case.env)
    shown = _shown(found.path)
    if found.state is HomeState.ABSENT:
        return note(f"{shown} does not exist yet; GnuPG makes it with the first key")
    if found.state is not HomeState.THERE:
        raise SealError(
            "GPG-USER-HOME",
            f"{shown} is {found.state.value}",
            why="your signing key is looked for there",
            next=f"ls -ld {shlex.quote(shown)}; GNUPGHOME names another folder",
        )
    if not found.ours:
        return note(
            f"{shown} belongs to another user",
            next="run certmail as the owner of the key, or set GNUPGHOME to a folder of your own",
        )
    if found.is_open:
        return note(
            f"{shown} is open to others (mode {found.mode:03o})",
            next=f"chmod 700 {shlex.quote(shown)}",
        )
    mode = "" if found.mode is None else f", mode {found.mode:03o}"
    return ok(f"{shown}, yours alone{mode}" if mode else shown)


def throwaway(case: Case) -> Seen:
    """Make and remove a throw-away home, as each send does for encrypting."""
    case.require_gpg()
    with throwaway_home(case.env) as path:
        parent = path.parent
    return ok(f"can be made and removed in {_shown(parent)}")


def agent(case: Case) -> Seen:
    """Ask the agent, which holds the secret keys; one that does not run is not started."""
    gpg = case.require_gpg()
    found = ask_agent(gpg, case.env, timeout_s=case.within(ASK_S))
    require_shallow(found.socket)
    if found.state is AgentState.SILENT:
        case.agent_hangs = True
        raise SealError(
            "SIGN-NO-AGENT",
            "the gpg-agent is there and does not answer",
            why="it holds your secret keys",
            next="gpgconf --kill gpg-agent",
        )
    return _agent(found, _dotted(gpg.version))


def _agent(found: Agent, version: str) -> Seen:
    if found.state is AgentState.UNASKED:
        return note("gpg-connect-agent is not there, so the agent cannot be asked")
    if found.state is AgentState.ABSENT:
        return ok("not running; GnuPG starts it when a key is needed")
    if found.version != version:
        return note(
            f"answers, of version {found.version}; gpg is {version}",
            next="gpgconf --kill gpg-agent",
        )
    return ok(f"answers, version {found.version}")


def pinentry(case: Case) -> Seen:
    """Find the program that asks for a passphrase, and whether it could ask anybody here."""
    gpg = case.require_gpg()
    if case.home is None:
        raise Skipped("needs the GnuPG home")
    found = find_pinentry(gpg, case.env, case.home.path, timeout_s=case.within(ASK_S))
    where = f", named in {_shown(found.chosen_in)}" if found.chosen_in else ""
    if not found.flavour:
        named = found.program or "no pinentry"
        return note(
            f"{named}{where}: cannot be run, so no passphrase can be asked for",
            code="SIGN-NO-PINENTRY",
            next=f"mend pinentry-program in {_shown(found.chosen_in)}"
            if found.chosen_in
            else "install a pinentry package of your system",
        )
    how = _asks(found, child_environment(case.env, home=None))
    if how is None:
        return note(
            f"{found.program} ({found.flavour}): nobody can be asked here, there is neither a"
            " terminal nor a display; a key without passphrase or one that is unlocked will do",
            code="SIGN-NO-PINENTRY",
        )
    return ok(f"{found.program} ({found.flavour}){where}; {how}")


def _asks(found: Pinentry, env: dict[str, str]) -> str | None:
    """Say how a passphrase would be asked for; None where it cannot be."""
    first, _, second = found.flavour.partition(":")
    display = env.get("WAYLAND_DISPLAY") or env.get("DISPLAY")
    terminal = env.get("GPG_TTY")
    if first not in _TEXT_FLAVOURS and (display or os.name == "nt" or first == "mac"):
        return "asks in a window" + (f" on {printable(display)}" if display else "")
    if {first, second} & _TEXT_FLAVOURS and terminal:
        return f"asks on {printable(terminal)}"
    return None


def options(case: Case) -> Seen:
    """Name the options of the user's that certmail does not use."""
    case.require_gpg()
    if case.home is None:
        raise Skipped("needs the GnuPG home")
    found = ignored_options(case.home.path)
    if not found:
        return ok("none that certmail would have to leave out")
    named = ", ".join(found[:MAX_NAMED])
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return note(f"certmail signs and encrypts without your {named}{more}")


def environment(case: Case) -> list[Seen]:
    """Name the variables that bring other code into this process; of none nothing is said."""
    return [
        note(notice.what, next=notice.next, code=notice.code) for notice in foreign_code(case.env)
    ]


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _shown(path: Path) -> str:
    return printable(str(path), limit=200)
