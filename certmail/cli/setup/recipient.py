"""Step five: the copy of Clever Cloud's key, and a look for a newer one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.cli.setup.book import Outcome, Problem, Step
from certmail.errors import KeyRefused
from certmail.settings import keys

if TYPE_CHECKING:
    from certmail.cli.setup.book import Book
    from certmail.key.pin import PinnedKey

NAME = "recipient-key"
TITLE = "Clever Cloud's key"


def recipient(book: Book) -> Step:
    """Show the best copy that is here, and ask the usual places for a newer one if need be."""
    from certmail.cli.key_for_send import key_at_hand, refresh_aloud
    from certmail.cli.keys_at_hand import sources_of
    from certmail.key.pin import require_usable

    talk, bench = book.talk, book.bench()
    at_hand = bench.keys_at_hand()
    pinned = key_at_hand(bench).pinned
    refusal = _refusal(pinned)
    talk.say("The message is encrypted to this key and to no other; its fingerprint is pinned:")
    talk.say(pinned.fingerprint.grouped(), indent=2)
    talk.say(f"best copy: {pinned.source}", indent=2)
    talk.say(_life(pinned, refusal), indent=2)
    stale = at_hand.is_stale(
        at=bench.at, max_age_days=bench.settings.require(keys.KEY_MAX_AGE_DAYS)
    )
    if refusal is None and not stale:
        return Step(NAME, Outcome.KEPT, _life(pinned, None))
    sources = sources_of(bench.world)
    talk.say()
    talk.say(
        f"A newer copy is looked for at {len(sources)} places, over https: the provider's"
        " documentation, key servers, its Web Key Directory. Only what the pinned key itself has"
        " signed is taken."
    )
    if not _may_ask(book) or not talk.confirm("Look for a newer copy now", default=True):
        if refusal is not None:
            return Step(NAME, Outcome.FAILED, _life(pinned, refusal), (Problem.of(refusal),))
        return Step(NAME, Outcome.KEPT, f"{_life(pinned, None)}; not confirmed lately")
    done = refresh_aloud(bench, sources)
    pinned = bench.identify(done.now)
    try:
        require_usable(pinned)
    except KeyRefused as error:
        talk.trouble(error)
        return Step(NAME, Outcome.FAILED, _life(pinned, error), (_no_way(error),))
    talk.say(f"best copy: {pinned.source}: {_life(pinned, None)}", indent=2)
    heard = "" if done.answered else "; no source has confirmed it"
    return Step(NAME, Outcome.DONE, f"{_life(pinned, None)}{heard}")


def _may_ask(book: Book) -> bool:
    """Tell whether the network may be asked: by default as for a send."""
    if book.parameters["offline"]:
        return False
    return book.talk.asks or (book.settings.require(keys.KEY_REFRESH) is not keys.KeyRefresh.NEVER)


def _refusal(pinned: PinnedKey) -> KeyRefused | None:
    from certmail.key.pin import require_usable

    try:
        require_usable(pinned)
    except KeyRefused as error:
        return error
    return None


def _life(pinned: PinnedKey, refusal: KeyRefused | None) -> str:
    if refusal is not None and refusal.code == "KEY-EXPIRED" and pinned.expires:
        return f"EXPIRED on {pinned.expires:%Y-%m-%d}"
    if refusal is not None:
        return refusal.what
    ends = f"until {pinned.expires:%Y-%m-%d}" if pinned.expires else "without an end"
    return f"can be encrypted to, {ends}"


def _no_way(error: KeyRefused) -> Problem:
    return Problem(
        error.code,
        error.what,
        "certmail key refresh --from FILE, with a newer copy from Clever Cloud; or the upload form",
        error.exit_status,
    )
