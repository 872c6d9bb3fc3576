"""Step four: the secret, tried at the relay before it is kept anywhere."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from certmail import providers
from certmail.cli.secret_source import kind_of, named_source
from certmail.cli.setup.book import Outcome, Step
from certmail.cli.setup.talk import missing, proof
from certmail.errors import SecretError
from certmail.frozen import frozen
from certmail.providers import Wanted
from certmail.settings import keys
from certmail.settings.keys import SECRET_SOURCES, SENDER_ADDRESS
from certmail.values import printable

if TYPE_CHECKING:
    from certmail.cli.setup.book import Book
    from certmail.delivery.outcome import Stage
    from certmail.delivery.probe import Probed
    from certmail.delivery.relay import Relay
    from certmail.secrets import Source
    from certmail.settings.keys import Key

NAME = "secret"
LIVE = "live-test"
TITLE = "The relay's password, and a test of it"

_FLAGS: Final = "--password-stdin (or --relay-password-command, --relay-password-file)"

_NOTHING_THERE: Final = frozenset(
    {"SECRET-MISSING", "SECRET-KEYRING-NONE", "SECRET-KEYRING-UNSAFE"}
)


class Way(Enum):
    """Where a secret may be; the value is the letter to type."""

    KEEP = "k"
    KEYRING = "1"
    COMMAND = "2"
    FILE = "3"
    TOKEN = "4"  # noqa: S105 - what is typed
    NOWHERE = "n"


_WORDS: Final = {
    Way.KEYRING: "type it now; the system's keyring keeps it once the relay has taken it",
    Way.COMMAND: "a command prints it, for example: pass show mail/ops",
    Way.FILE: "a file of mode 0600 holds it",
    Way.TOKEN: "a command prints an OAuth2 token",
    Way.NOWHERE: "it is kept nowhere: type it at each send",
}

_ASKED_FOR: Final[dict[Way, tuple[Key[object], str]]] = {
    Way.COMMAND: (keys.RELAY_PASSWORD_COMMAND, "The command (no shell runs it)"),
    Way.FILE: (keys.RELAY_PASSWORD_FILE, "The file, by its whole path"),
    Way.TOKEN: (keys.RELAY_TOKEN_COMMAND, "The command (no shell runs it)"),
}


@frozen
class _Chosen:
    """A source to try, in words that may be shown, and whether the keyring is to keep it.

    ``named`` is the setting that names it, where one does.
    """

    shown: str
    outcome: Outcome
    source: Source
    keep: bool = False
    named: Key[object] | None = None


def login(book: Book) -> tuple[Step, ...]:
    """Settle the secret and try it: the relay is visited up to the login, and nothing is sent."""
    relay = book.bench().relay(book.settings.require(SENDER_ADDRESS))
    if relay.user is None:
        book.talk.say("The relay asks for no login, so there is no password to keep.")
        return Step(NAME, Outcome.KEPT, "none: the relay asks for no login"), _without(book, relay)
    _explain(book, relay)
    chosen = _choose(book, relay)
    if _is_skipped(book):
        kept_nowhere = chosen.keep and chosen.outcome is Outcome.DONE
        untried = Step(NAME, Outcome.SKIPPED, "kept nowhere, since it was not tried at the relay")
        return (
            untried if kept_nowhere else Step(NAME, chosen.outcome, chosen.shown),
            Step(LIVE, Outcome.SKIPPED),
        )
    return _try(book, relay, chosen)


def _try(book: Book, relay: Relay, chosen: _Chosen) -> tuple[Step, ...]:
    """Log in once; what was typed is kept only then."""
    from certmail.login import try_and_keep, try_once
    from certmail.secrets import from_keyring

    timeouts = book.bench().timeouts()
    shown = chosen.shown
    if chosen.keep:
        kept = try_and_keep(
            relay,
            chosen.source,
            entry=from_keyring(relay, kind_of(book.settings)),
            timeouts=timeouts,
            progress=_Progress(book, relay),
        )
        probed, shown = kept.visit, f"the system's keyring ({kept.keyring})"
    else:
        probed = try_once(relay, chosen.source, timeouts=timeouts, progress=_Progress(book, relay))
    book.talk.say(f"taken: {_said(probed)}", indent=2)
    if chosen.named is None:
        # Only now: a place that worked is not forgotten for one that may not.
        _write(book, None)
    if chosen.keep:
        book.talk.say(f"kept: {shown}", indent=2)
    return Step(NAME, chosen.outcome, shown), Step(LIVE, Outcome.DONE, _said(probed))


def _without(book: Book, relay: Relay) -> Step:
    """Visit a relay that asks for no login."""
    from certmail import office
    from certmail.delivery.probe import Depth

    if _is_skipped(book):
        return Step(LIVE, Outcome.SKIPPED)
    probed = office.visit(
        relay,
        depth=Depth.LOGIN,
        timeouts=book.bench().timeouts(),
        progress=_Progress(book, relay),
    )
    book.talk.say(_said(probed), indent=2)
    return Step(LIVE, Outcome.DONE, _said(probed))


def _is_skipped(book: Book) -> bool:
    return LIVE in book.parameters["skip"]


class _Progress:
    """Says once that the relay is being asked; a password prompt may follow."""

    def __init__(self, book: Book, relay: Relay) -> None:
        self._book, self._relay, self._told = book, relay, False

    def __call__(self, stage: Stage) -> None:
        del stage
        if not self._told:
            self._told = True
            place = f"{self._relay.host} port {self._relay.port}"
            self._book.talk.say(f"asking {place}; nothing is sent …", indent=2)


def _said(probed: Probed) -> str:
    by = f"login by {probed.mechanism}" if probed.mechanism else "no login asked for"
    return f"{probed.tls.version}, certificate verified, {by}"


def _explain(book: Book, relay: Relay) -> None:
    """Say what this provider takes, before somebody types what it does not."""
    provider = providers.of_relay(relay.host.text, relay.port)
    talk = book.talk
    who = f"{printable(str(relay.user))} logs in at {relay.host}."
    if provider is None:
        talk.say(who)
        return
    talk.say(f"{who} {provider.title} takes {provider.takes}.")
    if provider.get:
        talk.say(f"Get it: {provider.get}")
    if provider.wanted == (Wanted.TOKEN,):
        talk.say("A password will be refused. docs/secrets.md tells how to get tokens.")


def _choose(book: Book, relay: Relay) -> _Chosen:
    """Have a place chosen; what a flag says, what is set and what is kept need no answer."""
    from certmail.secrets import from_standard_input

    told = next((key for key in SECRET_SOURCES if key.name in book.flags), None)
    if book.parameters["password_stdin"]:
        source = from_standard_input(kind_of(book.settings))
        return _Chosen("given on standard input", Outcome.DONE, source, keep=True)
    if told is not None:
        return _named(book, relay, told, book.given(told))
    named = named_source(book.written)
    trouble = None if named is not None else _look(book, relay)
    if book.talk.asks:
        return _asked(book, relay, named, trouble)
    if trouble is not None:
        raise missing(_FLAGS) if trouble.code in _NOTHING_THERE else trouble
    return _kept(book, relay, named)


def _asked(
    book: Book, relay: Relay, named: Key[object] | None, trouble: SecretError | None
) -> _Chosen:
    """Ask, with what is there already as the answer of Enter."""
    from certmail.secrets import from_prompt

    talk = book.talk
    talk.say()
    ways = [way for way in _ways(relay) if way is not Way.KEYRING or _has_keyring(trouble)]
    if trouble is None:
        talk.say(f"{Way.KEEP.value}  keep {_kept(book, relay, named).shown}")
        ways = [Way.KEEP, *ways]
    for way in ways:
        if way in _WORDS:
            talk.say(f"{way.value}  {_WORDS[way]}")
    if not _has_keyring(trouble) and trouble is not None:
        talk.say(f"No keyring can keep it: {trouble.what}.")
    talk.say("For a unit of systemd, docs/secrets.md tells how to hand it over.")
    talk.say()
    word = talk.choose(
        "Where is it",
        [way.value for way in ways],
        flag=_FLAGS,
        default=_likely(relay, ways).value,
    )
    way = Way(word)
    if way is Way.KEEP:
        return _kept(book, relay, named)
    if way in _ASKED_FOR:
        key, question = _ASKED_FOR[way]
        text = talk.ask(question, flag=key.flag, prove=proof(key))
        return _named(book, relay, key, text)
    prompt = from_prompt(relay, kind_of(book.settings))
    if way is Way.KEYRING:
        return _Chosen("typed", Outcome.DONE, prompt, keep=True)
    return _Chosen("kept nowhere; certmail asks at each send", Outcome.DONE, prompt)


def _ways(relay: Relay) -> list[Way]:
    """List the ways to what the provider takes; another relay may take anything."""
    provider = providers.of_relay(relay.host.text, relay.port)
    if provider is None:
        return list(_WORDS)
    tokens = Wanted.TOKEN in provider.wanted
    passwords = set(provider.wanted) - {Wanted.TOKEN, Wanted.NOTHING}
    return [way for way in _WORDS if (tokens if way is Way.TOKEN else passwords)]


def _likely(relay: Relay, ways: list[Way]) -> Way:
    """Guess what Enter should mean: what is there, what the provider takes first, the keyring."""
    provider = providers.of_relay(relay.host.text, relay.port)
    if Way.KEEP in ways:
        return Way.KEEP
    if provider is not None and provider.wanted[0] is Wanted.TOKEN:
        return Way.TOKEN
    return Way.KEYRING if Way.KEYRING in ways else Way.COMMAND


def _has_keyring(trouble: SecretError | None) -> bool:
    """Tell whether an entry could be stored: one is there, or only this one is missing."""
    return trouble is None or trouble.code == "SECRET-MISSING"


def _look(book: Book, relay: Relay) -> SecretError | None:
    """Tell why the usual places give no secret without a question; None where they do."""
    from certmail.secrets import from_keyring
    from certmail.secrets.credential import USUAL_NAME, credential

    if credential(USUAL_NAME, book.bench().env).is_there:
        return None
    try:
        from_keyring(relay, kind_of(book.settings)).read()
    except SecretError as error:
        return error
    return None


def _kept(book: Book, relay: Relay, named: Key[object] | None) -> _Chosen:
    """Take what is set, or what the usual places hold."""
    source = book.bench().secret(relay)
    if source is None:
        raise TypeError("a relay with a user has a source")
    shown = source.place if named is not None else "what the keyring holds"
    return _Chosen(shown, Outcome.KEPT, source, named=named)


def _named(book: Book, relay: Relay, key: Key[object], text: str | None) -> _Chosen:
    """Write down the one setting that names the place."""
    changed = _write(book, key, text)
    chosen = _kept(book, relay, key)
    outcome = Outcome.DONE if changed else Outcome.KEPT
    return _Chosen(chosen.shown, outcome, chosen.source, named=key)


def _write(book: Book, key: Key[object] | None, text: str | None = None) -> bool:
    """Name one place, or none, and take every other out: two would be refused."""
    wishes: dict[Key[object], str | None] = dict.fromkeys(SECRET_SOURCES, None)
    if key is not None:
        wishes[key] = text
    return bool(book.keep(wishes))
