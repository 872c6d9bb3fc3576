"""One case, one mode, one program: what it did wrong, in a few words, or nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.control.clients import ASCII_PASSWORD, CLIENTS, HANG_S, Claim, Errand
from tests.delivery.cases import CASES, Case, Family, Truth
from tests.delivery.hostile import PASSWORD, HostileRelay
from tests.delivery.message import sealed

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import trustme

    from certmail.submission import Mode
    from tests.control.clients import Said

COMPARED = tuple(case for case in CASES if not case.wishes and not case.ours)
"""What other programs can be shown: cases that need no wish of certmail's."""

HARMLESS = {"EHLO", "HELO", "STARTTLS", "QUIT", "RSET", "NOOP"}


@dataclass(frozen=True)
class World:
    """What all runs share."""

    ca_file: Path
    context: Callable[[Callable[[trustme.CA], ssl.SSLContext]], ssl.SSLContext]


def judge(case: Case, mode: Mode, program: str, world: World) -> list[str]:
    """Let ``program`` meet the relay of ``case``, and list what it got wrong."""
    acts = {
        point: act.replace(PASSWORD.encode(), ASCII_PASSWORD.encode())
        if isinstance(act, bytes)
        else act
        for point, act in case.acts.items()
    }
    relay = HostileRelay(
        mode,
        world.context(case.context),
        acts,
        mechanisms=case.mechanisms,
        offers=case.offers,
        password=ASCII_PASSWORD,
    )
    message = sealed(octets=case.octets)
    with relay:
        began = time.monotonic()
        said = CLIENTS[program](Errand(mode, relay.port, world.ca_file, message))
        took_s = time.monotonic() - began
    return [*_heard(case, relay), *_claimed(case, said, took_s)]


def _heard(case: Case, relay: HostileRelay) -> Iterator[str]:
    """Look at what the relay heard."""
    in_clear = set(relay.in_clear)
    if "AUTH" in in_clear:
        yield "password in clear"
    if in_clear & {"MAIL", "DATA"}:
        yield "message in clear"
    before_login = case.family in {Family.TLS, Family.CLEAR} and not case.heard
    inside = {heard.verb for heard in relay.heard if heard.inside}
    if before_login and inside - HARMLESS:
        yield "goes on, and logs in"
    logins = sum(heard.line.upper().startswith(b"AUTH ") for heard in relay.heard)
    if logins > 1:
        yield f"{logins} logins"
    if relay.connections > 1:
        yield f"{relay.connections} connections"
    if relay.messages and case.heard < HEARD_BY_THE_TEXT and not before_login:
        yield "hands the message over all the same"


HEARD_BY_THE_TEXT = 5


def _claimed(case: Case, said: Said, took_s: float) -> Iterator[str]:
    """Look at what the program says of it."""
    if said.claim is Claim.HUNG or took_s >= HANG_S:
        yield f"no end after {HANG_S:.0f} s"
    elif case.truth is not Truth.ACCEPTED and said.claim is Claim.ACCEPTED:
        yield "says: sent"
    elif case.truth is Truth.ACCEPTED and said.claim is not Claim.ACCEPTED:
        yield "says: not sent"
    elif case.truth is Truth.UNKNOWN and said.claim is Claim.FAILED:
        yield "says: failed, like before the dot"
    if said.strange:
        yield said.strange
    if "\x1b" in said.output:
        yield "passes escapes to the screen"
    if ASCII_PASSWORD in said.output:
        yield "shows the password"
