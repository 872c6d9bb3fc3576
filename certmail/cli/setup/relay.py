"""Step three: the relay, from a preset, from the domain's own records, or as the user says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from certmail import providers
from certmail.cli.setup.book import Outcome, Step
from certmail.cli.setup.endpoint import Endpoint
from certmail.cli.setup.talk import Manner, Talk, missing, proof
from certmail.providers import OTHER, Authority, Provider
from certmail.settings import keys
from certmail.settings.keys import (
    KEYS,
    RELAY_CA_FILE,
    RELAY_HOST,
    RELAY_MODE,
    RELAY_PORT,
    RELAY_USER,
    SECRET_SOURCES,
    SENDER_ADDRESS,
    Key,
)
from certmail.submission import Mode
from certmail.values import printable

if TYPE_CHECKING:
    from certmail.cli.setup.book import Book

NAME = "relay"
TITLE = "The relay: your mail provider's submission server"

_ABOUT_THE_NETWORK: Final = (
    keys.RELAY_TIMEOUT_S,
    keys.RELAY_PROXY,
    keys.RELAY_DSN,
    keys.RELAY_REQUIRE_TLS_PATH,
)
"""What stays when the relay changes; all else of it belongs to one relay alone."""


def relay(book: Book) -> Step:
    """Settle which relay takes the message, and under which login."""
    talk = book.talk
    before = current(book)
    if before is not None and not _is_told(book):
        talk.say(f"set: {before}, user {_user_shown(book)}")
        if talk.confirm("Keep it", default=True):
            # What belongs to it is kept too; a flag about it counts all the same.
            return _write(book, before, talk=Talk(Manner.TOLD))
    return _write(book, _endpoint(book), talk=talk)


def current(book: Book) -> Endpoint | None:
    """Give the relay that is set."""
    host = book.written.get(RELAY_HOST)
    if host is None:
        return None
    port = book.written.require(RELAY_PORT)
    mode = book.written.require(RELAY_MODE)
    return Endpoint(host.text, port, mode, providers.of_relay(host.text, port))


def _is_told(book: Book) -> bool:
    """Tell whether a flag names the relay, so that what is set is no answer."""
    told = any(book.parameters[name] for name in ("provider", "discover"))
    return told or any(key.name in book.flags for key in (RELAY_HOST, RELAY_MODE, RELAY_PORT))


def _endpoint(book: Book) -> Endpoint:
    """Have a relay chosen: by flags, from the list, or typed."""
    from certmail.cli.setup.discovered import discovered

    domain = book.settings.require(SENDER_ADDRESS).domain
    word = "d" if book.parameters["discover"] else book.parameters["provider"]
    if word is None and RELAY_HOST.name in book.flags:
        word = OTHER
    while True:
        word = word or _choose(book, domain)
        if word != "d":
            return _typed(book, providers.named(word))
        found = discovered(book, domain)
        if found is not None:
            return found
        book.talk.turn(TITLE)
        word = None


def _choose(book: Book, domain: str) -> str:
    """Show the list and have one chosen."""
    talk = book.talk
    if not talk.asks:
        raise missing("--provider NAME (or --relay-host HOST)")
    talk.say("Whose server takes the mail that you send from this address?")
    talk.say()
    names = [provider.name for provider in providers.PROVIDERS]
    for number, provider in enumerate(providers.PROVIDERS, 1):
        talk.say(f"{number:>2}  {provider.title}")
    talk.say(" o  another: you give host and port")
    talk.say(f" d  look it up: ask the DNS what {printable(domain)} names for this (RFC 6186)")
    talk.say()
    words = [*map(str, range(1, len(names) + 1)), *names, "o", OTHER, "d"]
    own = providers.of_domain(domain)
    default = str(names.index(own.name) + 1) if own else None
    word = talk.choose("Number or letter", words, flag="--provider NAME", default=default)
    return names[int(word) - 1] if word.isdigit() else {"o": OTHER}.get(word, word)


def _typed(book: Book, provider: Provider | None) -> Endpoint:
    """Take a preset, with what flags say besides; ask for what a preset cannot know."""
    talk = book.talk
    _explain(book, provider)
    host = provider.host if provider else None
    mode = provider.mode if provider else Mode.IMPLICIT
    given = {key: book.given(key) for key in (RELAY_HOST, RELAY_MODE, RELAY_PORT)}
    if host is None or given[RELAY_HOST] is not None:
        host = talk.ask(
            "Host name, as it stands in its certificate",
            flag="--relay-host HOST",
            prove=lambda text: RELAY_HOST.read(text).text,
            given=given[RELAY_HOST],
        )
    if provider is None or given[RELAY_MODE] is not None:
        mode = talk.ask(
            "How TLS begins: implicit (465) or starttls (587)",
            flag="--relay-mode MODE",
            prove=lambda text: RELAY_MODE.read(proof(RELAY_MODE)(text)),
            default=mode.value,
            given=given[RELAY_MODE],
        )
    port = provider.port if provider and mode is provider.mode else mode.default_port
    if provider is None or given[RELAY_PORT] is not None:
        port = talk.ask(
            "Port",
            flag="--relay-port PORT",
            prove=lambda text: RELAY_PORT.read(proof(RELAY_PORT)(text)),
            default=str(port),
            given=given[RELAY_PORT],
        )
    return Endpoint(host, port, mode, provider)


def _explain(book: Book, provider: Provider | None) -> None:
    """Begin a second screen: what this provider wants."""
    talk = book.talk
    if provider is None:
        talk.turn("Another relay")
        talk.say("Your provider writes host, port and kind of TLS on a page for mail programs.")
        return
    talk.turn(provider.title)
    if provider.host is not None:
        talk.say(str(Endpoint(provider.host, provider.port, provider.mode)))
    talk.say(f"wants: {provider.takes}", indent=2)
    if provider.get:
        talk.say(f"get it: {provider.get}", indent=2)
    talk.say(f"user name: {provider.user}", indent=2)
    for note in provider.notes:
        talk.say(note, indent=2)
    talk.say()


def _user_shown(book: Book) -> str:
    user = book.written.get(RELAY_USER)
    if user is None:
        return str(book.settings.require(SENDER_ADDRESS))
    return printable(user) or "none"


def _write(book: Book, endpoint: Endpoint, *, talk: Talk) -> Step:
    """Ask for what belongs to the login, and write the relay down."""
    before = book.written.get(RELAY_HOST)
    same = before is not None and before.text == endpoint.host
    wishes: dict[Key[Any], str | None] = {}
    if not same:
        wishes |= dict.fromkeys(_of_one_relay(), None)
    wishes |= {
        RELAY_HOST: endpoint.host,
        RELAY_MODE: endpoint.mode.value,
        RELAY_PORT: str(endpoint.port),
        RELAY_USER: _user(book, endpoint, same=same, talk=talk),
    }
    own = endpoint.provider is None or endpoint.provider.authority is Authority.OWN
    if own or book.given(RELAY_CA_FILE) is not None:
        wishes[RELAY_CA_FILE] = _ca_file(book, same=same, talk=talk)
        if wishes[RELAY_CA_FILE] is None:
            book.drop(RELAY_CA_FILE)
    for key in KEYS:
        if key.table == "relay" and key not in wishes and key not in SECRET_SOURCES:
            text = book.given(key)
            if text is not None:
                wishes[key] = text
    changed = book.keep(wishes)
    # Refuses what cannot go together before anything is dialled.
    made = book.bench().relay(book.settings.require(SENDER_ADDRESS))
    user = made.user or "no login"
    outcome = Outcome.DONE if changed else Outcome.KEPT
    return Step(NAME, outcome, f"{endpoint}; {printable(user)}")


def _of_one_relay() -> tuple[Key[Any], ...]:
    """List what must not follow to another relay: a password command above all."""
    return tuple(key for key in KEYS if key.table == "relay" and key not in _ABOUT_THE_NETWORK)


def _user(book: Book, endpoint: Endpoint, *, same: bool, talk: Talk) -> str:
    """Ask for the login; the address is what most relays want, and a dash means none."""
    default = str(book.settings.require(SENDER_ADDRESS))
    if endpoint.provider is not None and providers.Wanted.NOTHING in endpoint.provider.wanted:
        default = "-"
    before = book.written.get(RELAY_USER)
    if same and before is not None:
        default = before or "-"
    return talk.ask(
        "User name to log in with (- for none)",
        flag="--relay-user USER",
        prove=lambda text: "" if text == "-" else proof(RELAY_USER)(text),
        default=default,
        given=book.given(RELAY_USER),
    )


def _ca_file(book: Book, *, same: bool, talk: Talk) -> str | None:
    """Ask for the authority of a relay whose certificate no public one has signed."""
    from certmail.settings.resolve import shown

    before = book.written.get(RELAY_CA_FILE) if same else None
    return talk.ask(
        "File with its CA, where no public CA signed it (- for none)",
        flag="--relay-ca-file FILE",
        prove=_readable,
        default=shown(before, key=RELAY_CA_FILE) if before else "-",
        given=book.given(RELAY_CA_FILE),
    )


def _readable(text: str) -> str | None:
    """Take an absolute path of a file that is there."""
    if text in {"", "-"}:
        return None
    path = RELAY_CA_FILE.read(proof(RELAY_CA_FILE)(text)).absolute()
    if not path.is_file():
        raise ValueError("a file that is there")
    return str(path)
