"""Every copy of the recipient's key that is at hand, put together; and how to get newer ones.

Wires the sources, the store and the key room. What any copy is worth the key room decides; here
copies are only fetched, united and kept.
"""

from __future__ import annotations

import os
from dataclasses import field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from certmail.errors import KeyRefused
from certmail.frozen import frozen
from certmail.key import armor, bundled
from certmail.key.renew.life import Holding, Notice, carried_by, changes
from certmail.key.renew.reading import read_copy, read_whole
from certmail.key.renew.statements import KnownKey, merge
from certmail.keystore import (
    MAX_ATTEMPTS,
    STORED_SOURCE,
    Attempt,
    Keystore,
    Part,
    Stored,
    usual_folder,
)
from certmail.recipient import CLEVER_CLOUD
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from certmail.gnupg.runner import Gpg
    from certmail.key.pin import KeyReport
    from certmail.keysources.ask import Answer
    from certmail.keysources.fetch import Network
    from certmail.keysources.places import Places, Source
    from certmail.names.ask import Resolver
    from certmail.web.fetch import Reach

_MAX_ANSWER: Final = 300
_SAME_OCCASION: Final = timedelta(days=1)
"""An owner who renews a key signs its parts one after the other."""


@frozen
class World:
    """Where the sources are and whom to trust on the way; only a calling program fills it.

    ``reach`` is how ``acme-test`` comes to a domain. ``resolver`` is whom it asks for an alias, and
    ``doctor`` about the recipient's domain; ``look_up`` is how ``doctor`` looks up the relay's
    name, and ``at`` what it takes for the time.
    """

    places: Places | None = None
    network: Network | None = None
    reach: Reach | None = None
    resolver: Resolver | None = None
    look_up: Callable[[str, int], Sequence[str]] | None = None
    at: datetime | None = None


@frozen
class KeysAtHand:
    """The copies that are here, united."""

    holdings: tuple[Holding, ...]
    known: KnownKey
    stored: Stored | None

    @property
    def heard(self) -> datetime | None:
        """When a source of the network last had the pinned key."""
        return self.stored.heard if self.stored else None

    def is_stale(self, *, at: datetime, max_age_days: int) -> bool:
        """Whether nobody has been asked for too long; a clock that ran backwards counts as long."""
        if self.heard is None:
            return True
        return not timedelta(0) <= at - self.heard <= timedelta(days=max_age_days)

    def source(self, *, at: datetime) -> str:
        """Name the copy that tells what counts."""
        return carried_by(self.known, self.holdings, at=at)

    def examine(self, *, gpg: Gpg, env: Mapping[str, str], at: datetime) -> KeyReport:
        """Judge what is known, by both witnesses."""
        from certmail.gnupg.identify import examine_key

        return examine_key(
            self.known.packets(),
            source=self.source(at=at),
            recipient=CLEVER_CLOUD,
            gpg=gpg,
            env=env,
            at=at,
        )


@frozen
class Heard:
    """What one source came to: its own words, and what it knows of the pinned key."""

    source: Source
    words: str
    known: KnownKey | None
    failure: KeyRefused | None
    news: frozenset[str] = frozenset()
    confirms: bool = False
    """Whether it is of the network and its copy is no older than what was known before."""


@frozen
class Refreshed:
    """A refresh: what each source said, what is new, and what is at hand now."""

    heard: tuple[Heard, ...]
    changes: tuple[str, ...]
    now: KeysAtHand
    unsaved: KeyRefused | None = None
    set_aside: Path | None = None
    answered: bool = field(default=False)


def keystore() -> Keystore:
    """Give the store of this user."""
    return Keystore(usual_folder(), CLEVER_CLOUD.pin)


def gather(key_file: Path | None) -> KeysAtHand:
    """Read the copies that are here: the one named, the one that comes along, the stored one.

    Raises:
        KeyRefused: where the named or the stored one is not what it should be.
    """
    return _gather(key_file, keystore().read())


def _gather(key_file: Path | None, stored: Stored | None) -> KeysAtHand:
    holdings = []
    if key_file is not None:
        copy = read_whole(bundled.read_key_file(key_file), recipient=CLEVER_CLOUD)
        holdings.append(Holding(str(key_file), copy.known))
    own = read_copy(bundled.read_bundled(), recipient=CLEVER_CLOUD)
    holdings.append(Holding(bundled.BUNDLED_SOURCE, own.known))
    if stored is not None:
        holdings.append(Holding(STORED_SOURCE, _read_stored(stored)))
    first, *others = (holding.known for holding in holdings)
    return KeysAtHand(tuple(holdings), merge(first, *others), stored)


def _read_stored(stored: Stored) -> KnownKey:
    """Verify the stored copy again; what is noted as known must be in it."""
    try:
        known = read_copy(stored.key.encode(), recipient=CLEVER_CLOUD).known
    except KeyRefused as refusal:
        raise _damaged(refusal.what) from None
    if not {part.digest for part in stored.parts} <= known.digests:
        raise _damaged("a statement of the key that was stored is missing")
    return known


def _damaged(reason: str) -> KeyRefused:
    shown = printable(str(keystore().path), limit=400)
    return KeyRefused(
        "KEY-STORE-DAMAGED",
        f"the stored copy of the key, {shown}, cannot be used: {reason}",
        why="it may have told that the key is revoked, so it is not simply passed over",
        next="certmail key refresh, which sets the damaged file aside and asks every source",
    )


def refresh(
    sources: tuple[Source, ...],
    *,
    given: tuple[tuple[Source, bytes], ...] = (),
    key_file: Path | None,
    world: World,
    at: datetime,
    progress: Callable[[Heard], None],
) -> Refreshed:
    """Ask ``sources``, unite what they and ``given`` bytes say with what is here, and keep it."""
    store = keystore()
    aside: Path | None = None
    try:
        before = gather(key_file)
    except KeyRefused as refusal:
        if refusal.code != "KEY-STORE-DAMAGED":
            raise
        aside = store.set_aside()
        before = gather(key_file)
    by_source: dict[Source, Heard] = {}

    def hear(source: Source, body: bytes | None, failure: Exception | None) -> None:
        if source not in by_source:
            by_source[source] = _hear(source, body, failure, known=before.known)
            progress(by_source[source])

    for source, body in given:
        hear(source, body, None)
    # Each answer is told as it comes; those who never answered are told at the end.
    for answer in _ask(sources, world=world, progress=lambda a: hear(a.source, a.body, a.failure)):
        hear(answer.source, answer.body, answer.failure)
    heard = [by_source[source] for source in (*(s for s, _ in given), *sources)]
    answered = any(found.confirms for found in heard)
    learnt = tuple(found for found in heard if found.known is not None)
    after, unsaved = _keep(
        store, before, learnt, heard, key_file=key_file, answered=answered, at=at
    )
    return Refreshed(
        heard=tuple(heard),
        changes=changes(before.known, after.known, at=at),
        now=after,
        unsaved=unsaved,
        set_aside=aside,
        answered=answered,
    )


def _ask(
    sources: tuple[Source, ...], *, world: World, progress: Callable[[Answer], None]
) -> tuple[Answer, ...]:
    from certmail.keysources.ask import ask
    from certmail.keysources.fetch import Network

    network = world.network or Network(env=os.environ)
    return ask(sources, network=network, progress=progress)


def _hear(
    source: Source, body: bytes | None, failure: Exception | None, *, known: KnownKey
) -> Heard:
    """Read one answer and put it into words."""
    if body is None:
        refusal = failure if isinstance(failure, KeyRefused) else None
        words = f"{_short(refusal.what, source)} [{refusal.code}]" if refusal else "no answer"
        return Heard(source, words[:_MAX_ANSWER], None, refusal)
    try:
        copy = read_copy(body, recipient=CLEVER_CLOUD, primary=known.primary)
    except KeyRefused as refusal:
        return Heard(source, f"{refusal.what} [{refusal.code}]"[:_MAX_ANSWER], None, refusal)
    news = copy.known.digests - known.digests
    lacks = known.digests - copy.known.digests
    lost = [s for s in known.revocations if s.digest in lacks]
    many = f"{len(news)} new statement{'s' if len(news) > 1 else ''} of the key"
    older = _newest(copy.known) < _newest(known) - _SAME_OCCASION
    told = [many if news else "the pinned key, nothing new"]
    if older:
        told.append("an older copy than the one known here")
    if lost:
        told.append("it leaves out a revocation that is known here")
    told += copy.ignored
    confirms = "://" in source.url and not older
    return Heard(source, "; ".join(told)[:_MAX_ANSWER], copy.known, None, news, confirms)


def _newest(known: KnownKey) -> datetime:
    """Tell when the owner last said anything, as far as this copy knows."""
    made = [s.signature.created for s in known.statements if s.signature.created is not None]
    return max(made, default=known.primary.created)


def _short(what: str, source: Source) -> str:
    """Leave out the name of the source, which stands in front of the words anyway."""
    host = source.url.partition("://")[2].partition("/")[0]
    return what.removeprefix(source.name).removeprefix(host).lstrip()


def _keep(
    store: Keystore,
    before: KeysAtHand,
    learnt: tuple[Heard, ...],
    heard: list[Heard],
    *,
    key_file: Path | None,
    answered: bool,
    at: datetime,
) -> tuple[KeysAtHand, KeyRefused | None]:
    """Unite and write, under the lock; what cannot be written is at hand for this run at least."""
    told = [found.known for found in learnt if found.known is not None]
    try:
        with store.locked():
            current = _gather(key_file, store.read())
            known = merge(before.known, current.known, *told)
            stored = _stored(current, known, learnt, heard, answered=answered, at=at)
            stored = _with_changes(stored, changes(before.known, known, at=at))
            store.write(stored)
            return _gather(key_file, stored), None
    except KeyRefused as unsaved:
        if not unsaved.code.startswith("KEY-STORE-"):
            raise
        holdings = before.holdings + tuple(
            Holding(found.source.name, found.known) for found in learnt if found.known is not None
        )
        in_memory = _stored(before, before.known, learnt, heard, answered=answered, at=at)
        return KeysAtHand(holdings, merge(before.known, *told), in_memory), unsaved


def _stored(
    current: KeysAtHand,
    known: KnownKey,
    learnt: tuple[Heard, ...],
    heard: list[Heard],
    *,
    answered: bool,
    at: datetime,
) -> Stored:
    """Write down what is known, who told each part first, and how this refresh went."""
    old = current.stored
    noted = {part.digest: part for part in (old.parts if old else ())}
    told = [
        *((h.name, h.known) for h in current.holdings if h.name != STORED_SOURCE),
        *((found.source.name, found.known) for found in learnt if found.known is not None),
    ]
    now = at.isoformat()
    for statement in known.statements:
        source = next((name for name, k in told if statement.digest in k.digests), "unknown")
        noted.setdefault(statement.digest, Part(statement.digest, statement.words, source, now))
    attempt = Attempt(now, tuple((f.source.name, f.words) for f in heard), (), answered)
    return Stored(
        key=armor.encode("PGP PUBLIC KEY BLOCK", known.packets()).decode("ascii"),
        parts=tuple(part for digest, part in noted.items() if digest in known.digests),
        attempts=(*(old.attempts if old else ()), attempt)[-MAX_ATTEMPTS:],
        heard_at=now if answered else (old.heard_at if old else None),
    )


def _with_changes(stored: Stored, news: tuple[str, ...]) -> Stored:
    from dataclasses import replace

    *earlier, last = stored.attempts
    return replace(stored, attempts=(*earlier, replace(last, changes=news)))


def sources_of(world: World) -> tuple[Source, ...]:
    """List the places that the program knows."""
    from certmail.keysources.places import Places

    return (world.places or Places()).sources(CLEVER_CLOUD)


def stale_notice(at_hand: KeysAtHand, *, why: str) -> Notice:
    """Say that nobody was asked whether the key is revoked, since when, and why not."""
    since = f"since {at_hand.heard:%Y-%m-%d}" if at_hand.heard else "yet"
    because = f" ({why})" if why else ""
    return Notice(
        "KEY-NOT-REFRESHED",
        f"no source has confirmed the key {since}{because}: a revocation would not be noticed",
        "certmail key refresh",
    )
