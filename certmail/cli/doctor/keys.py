"""The two keys of a send: the one that signs and the one that it is encrypted to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.cli.doctor.look import Seen, Skipped, note, ok
from certmail.gnupg.roster import roster
from certmail.settings.keys import KEY_MAX_AGE_DAYS

if TYPE_CHECKING:
    from certmail.cli.doctor.case import Case


def signer(case: Case) -> Seen:
    """Find the signing key as a send does, and see that it can sign today."""
    bench = case.bench()
    if case.agent_hangs:
        raise Skipped("needs the agent")
    found = bench.signer()
    keys = roster(bench.gpg, address=found.address, home=None, env=bench.env)
    one = next((key for key in keys if key.fingerprint == found.fingerprint), None)
    if one is None:
        case.signer = found
        return ok(f"{found.fingerprint.grouped()} signs for <{found.address}>")
    case.has_passed(one.created, "your signing key was made")
    if one.refusal is not None:
        raise one.refusal
    case.signer = found
    ends = f"until {one.expires:%Y-%m-%d}" if one.expires else "no expiry"
    return ok(
        f"{one.algorithm}, {one.place.value}, {ends}; signs for <{found.address}>;"
        f" {found.fingerprint.grouped()}"
    )


def recipient(case: Case) -> list[Seen]:
    """Judge the recipient's key by the best copy that is here."""
    from certmail.cli.key_for_send import key_at_hand
    from certmail.key.pin import require_usable

    key = key_at_hand(case.bench())
    require_usable(key.pinned)
    ends = f"until {key.pinned.expires:%Y-%m-%d}" if key.pinned.expires else "without end"
    seen = [ok(f"the pinned one, by {key.pinned.source}; can be encrypted to {ends}")]
    return seen + [note(each.what, code=each.code, next=each.next) for each in key.notices]


def freshness(case: Case) -> Seen:
    """Tell when somebody was last asked for a newer copy, or a revocation."""
    from certmail.cli.keys_at_hand import stale_notice

    bench = case.bench()
    at_hand = bench.keys_at_hand()
    if at_hand.heard is not None:
        case.has_passed(at_hand.heard, "a newer copy of the key was looked for")
    if at_hand.is_stale(at=bench.at, max_age_days=bench.settings.require(KEY_MAX_AGE_DAYS)):
        notice = stale_notice(at_hand, why="a send will look for a newer copy")
        return note(notice.what, code=notice.code, next=notice.next)
    return ok(f"a newer copy was last looked for on {at_hand.heard:%Y-%m-%d}")
