"""The key a send may use: the best copy, refreshed when needed; or why not, in one screen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli.accept_option import ASK
from certmail.cli.draw import echo_notices
from certmail.cli.json_output import notices_as_json
from certmail.cli.keys_at_hand import (
    Heard,
    KeysAtHand,
    Refreshed,
    refresh,
    sources_of,
    stale_notice,
)
from certmail.cli.loudness import aside, is_hushed
from certmail.cli.progress import Awaited
from certmail.errors import KeyRefused, UsageError
from certmail.frozen import frozen
from certmail.key.pin import PinnedKey, Usability, require_usable
from certmail.key.renew.acceptance import LAST_DIGITS, Acceptance, Given, accept_expired
from certmail.key.renew.life import Notice, ends_soon
from certmail.settings import keys

if TYPE_CHECKING:
    from certmail.cli.wiring import Workbench
    from certmail.keysources.places import Source

_FINAL: Final = frozenset({"KEY-REVOKED", "KEY-FROM-FUTURE"})
"""What no newer copy can heal: a revocation stays, and a wrong clock is wrong for every copy."""


@frozen
class KeyForSend:
    """The key to encrypt to, what the operator should know of it, and what they accepted."""

    pinned: PinnedKey
    notices: tuple[Notice, ...] = ()
    accepted: Acceptance | None = None

    @property
    def verdict(self) -> str:
        """Say in one line whether it can be encrypted to."""
        if self.accepted is None:
            return "can be encrypted to today"
        return f"EXPIRED on {self.accepted.expired:%Y-%m-%d}, used on your word"

    def as_json(self) -> dict[str, Any]:
        """Give what a preview's or a receipt's JSON says beside the key."""
        return {
            "key_notices": notices_as_json(self.notices),
            "accepted_expired_key": {
                "fingerprint": self.accepted.fingerprint.text,
                "expired": self.accepted.expired.isoformat(),
                "given": self.accepted.given.name.lower(),
            }
            if self.accepted
            else None,
        }

    def draw(self) -> None:
        """Say it on the terminal, where notices go."""
        echo_notices(self.notices)


def key_at_hand(bench: Workbench) -> KeyForSend:
    """Give the best copy that is here, expired or not, for a preview: nobody is asked."""
    at_hand = bench.keys_at_hand()
    pinned = bench.identify(at_hand)
    return KeyForSend(pinned, _soon(pinned, bench))


def key_for_send(bench: Workbench, parameters: dict[str, Any]) -> KeyForSend:
    """Give the key to send to: fresh enough, and usable, or expired and accepted.

    Raises:
        KeyRefused: ``KEY-STALE``, ``ACCEPT-…``, or what is wrong with the best copy, with what each
            source answered and the ways on.
    """
    at_hand = bench.keys_at_hand()
    pinned, refusal = _judge(bench, at_hand)
    if refusal is not None and refusal.code in _FINAL:
        raise refusal
    max_age_days = bench.settings.require(keys.KEY_MAX_AGE_DAYS)
    stale = at_hand.is_stale(at=bench.at, max_age_days=max_age_days)
    done: Refreshed | None = None
    notices: list[Notice] = []
    why = _why_not_asked(bench, parameters)
    if (refusal is not None or stale) and why is None:
        done = _refresh(bench)
        at_hand = done.now
        pinned, refusal = _judge(bench, at_hand)
        stale = not done.answered
        if done.unsaved is not None:
            notices.append(Notice(done.unsaved.code, done.unsaved.what, done.unsaved.next))
    if refusal is not None and refusal.code in _FINAL:
        raise refusal
    if stale:
        notices.append(stale_notice(at_hand, why=why or "no source answered with the key"))
    if stale and parameters.get("require_fresh"):
        raise _stale(notices[-1], done, told=not is_hushed())
    if refusal is None and pinned is not None:
        if parameters.get("accept_expired_key") not in {None, ASK}:
            _require_same(pinned, parameters["accept_expired_key"])
        return KeyForSend(pinned, (*notices, *_soon(pinned, bench)))
    accepted = _accept(pinned, parameters)
    if pinned is None or accepted is None:
        raise _no_way(refusal, done, why, told=not is_hushed()) from None
    return KeyForSend(pinned, (*notices, _accepted_notice(accepted)), accepted)


def _judge(bench: Workbench, at_hand: KeysAtHand) -> tuple[PinnedKey | None, KeyRefused | None]:
    """Give the key, and why it cannot be encrypted to today."""
    pinned: PinnedKey | None = None
    try:
        pinned = bench.identify(at_hand)
        require_usable(pinned)
    except KeyRefused as refusal:
        return pinned, refusal
    return pinned, None


def _why_not_asked(bench: Workbench, parameters: dict[str, Any]) -> str | None:
    if parameters.get("offline"):
        return "--offline was given"
    if bench.settings.require(keys.KEY_REFRESH) is keys.KeyRefresh.NEVER:
        return "key.refresh is never"
    return None


def _refresh(bench: Workbench) -> Refreshed:
    done = refresh_aloud(bench, sources_of(bench.world))
    for change in done.changes:
        aside(f"  {change}")
    return done


def refresh_aloud(
    bench: Workbench,
    sources: tuple[Source, ...],
    *,
    given: tuple[tuple[Source, bytes], ...] = (),
) -> Refreshed:
    """Refresh, and show who is awaited and what each source came to, as it comes."""
    aside("Looking for a newer copy of the key:")
    with Awaited(source.name for source in sources) as awaited:

        def heard(one: Heard) -> None:
            awaited.came(one.source.name)
            _say(one)

        return refresh(
            sources,
            given=given,
            key_file=bench.settings.get(keys.KEY_FILE),
            world=bench.world,
            at=bench.at,
            progress=heard,
        )


def _say(heard: Heard) -> None:
    mark = "ok" if heard.known is not None else "--"
    aside(f"  {mark} {heard.source.name}: {heard.words}")


def _soon(pinned: PinnedKey, bench: Workbench) -> tuple[Notice, ...]:
    soon = ends_soon(pinned, within_days=bench.settings.require(keys.KEY_WARN_DAYS))
    return (soon,) if soon else ()


def _require_same(pinned: PinnedKey, written: str) -> None:
    """Refuse a wrong fingerprint in a script, also on the day when none is needed."""
    if "".join(written.split()).upper() != pinned.fingerprint.text:
        raise KeyRefused(
            "ACCEPT-FINGERPRINT",
            "the fingerprint behind --accept-expired-key is not that of the key",
            why=f"the key has {pinned.fingerprint.grouped()}",
            next="confirm it with Clever Cloud, then give the 40 digits",
        )


def _accept(pinned: PinnedKey | None, parameters: dict[str, Any]) -> Acceptance | None:
    """Take the operator's word for an expired key, where they offer it."""
    offered = parameters.get("accept_expired_key")
    if offered is None or pinned is None or pinned.usability is not Usability.EXPIRED:
        return None
    if offered != ASK:
        return accept_expired(pinned, words=offered, given=Given.WRITTEN)
    if not sys.stdin.isatty() or not sys.stderr.isatty() or parameters["as_json"]:
        raise UsageError(
            "ACCEPT-NOBODY",
            "there is no terminal to type the fingerprint's last digits on",
            why="an expired key is used only when somebody has looked at its fingerprint",
            next="certmail send BUNDLE --accept-expired-key=FINGERPRINT, with all 40 digits",
        )
    ends = min(end for end in (pinned.expires, pinned.subkey_expires) if end is not None)
    click.echo(
        f"The best copy of the key expired on {ends:%Y-%m-%d}. Its owner may have stopped using it;"
        " ask\nClever Cloud whether they still read mail encrypted to"
        f"\n  {pinned.fingerprint.grouped()}",
        err=True,
    )
    typed = click.prompt(
        f"If they do, type the last {LAST_DIGITS} digits they gave you",
        default="",
        show_default=False,
        err=True,
    )
    return accept_expired(pinned, words=typed, given=Given.TYPED)


def _accepted_notice(accepted: Acceptance) -> Notice:
    return Notice(
        "KEY-EXPIRED-ACCEPTED",
        f"the key expired on {accepted.expired:%Y-%m-%d} and is used on your word"
        f" ({accepted.given.value}); the message says so",
        "ask Clever Cloud for a renewed copy, then certmail key refresh",
    )


def _stale(notice: Notice, done: Refreshed | None, *, told: bool) -> KeyRefused:
    heard = "" if told else _answers(done)
    return KeyRefused(
        "KEY-STALE",
        notice.what,
        why=f"--require-fresh was given{heard}",
        next="look at the network, then certmail key refresh; or send without --require-fresh",
    )


def _no_way(
    refusal: KeyRefused | None, done: Refreshed | None, why: str | None, *, told: bool
) -> KeyRefused:
    """Say what is wrong with the best copy, what each source answered, and the two ways on."""
    if refusal is None:
        raise TypeError("a key that is neither usable nor refused")
    asked = _answers(done) or f"; no source was asked: {why}"
    if done is not None and told:
        asked = "; no source has a newer copy (see above)"
    ways = "(1) certmail key refresh --from FILE, or certmail send --key-file FILE …, with a newer"
    ways += " copy of the same key from Clever Cloud"
    if refusal.code in {"KEY-EXPIRED", "KEY-SUBKEY-EXPIRED"}:
        ways += (
            "; (2) confirm the fingerprint with Clever Cloud, then certmail send BUNDLE"
            " --accept-expired-key"
        )
    else:
        ways += "; (2) use the upload form, https://api.clever-cloud.com/v2/certificates/new"
    return KeyRefused(refusal.code, refusal.what, why=f"{refusal.why}{asked}", next=ways)


def _answers(done: Refreshed | None) -> str:
    if done is None:
        return ""
    listed = "; ".join(f"{heard.source.name}: {heard.words}" for heard in done.heard)
    return f". Asked just now: {listed}"
