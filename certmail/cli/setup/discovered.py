"""What the mail domain itself names as its submission servers, shown and confirmed.

Asked only when somebody said so. An answer of the DNS is a hint: it is shown with what stands
behind it, and never taken without a yes; a script takes only what lies in the mail domain or was
validated. Each entry means TLS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from certmail.cli.setup.endpoint import Endpoint
from certmail.errors import RelayError, UsageError
from certmail.providers import of_relay
from certmail.submission import Mode
from certmail.values import Hostname, printable

if TYPE_CHECKING:
    from certmail.cli.setup.book import Book
    from certmail.names.services import Service, Services

LISTED: Final = 4
"""Entries on the screen, three lines each; domains name one or two."""


def discovered(book: Book, domain: str) -> Endpoint | None:
    """Ask the DNS, show what it says, and have one entry chosen; None where none is wanted.

    Raises:
        RelayError: ``SETUP-NOTHING-DISCOVERED``. UsageError: ``SETUP-UNPROVED``, where nobody can
            be asked about an entry that nothing vouches for.
    """
    from certmail.cli.keys_at_hand import World
    from certmail.names.services import discover

    talk = book.talk
    world = book.common.get("world") or World()
    talk.turn(f"What {printable(domain)} names for submission")
    found = discover(Hostname(domain), resolver=world.resolver)
    if not found.entries:
        raise _nothing(found)
    entries = found.entries[:LISTED]
    for number, entry in enumerate(entries, 1):
        talk.say(f"{number}  {_endpoint(entry)}")
        talk.say(_place(entry, domain), indent=3)
        talk.say(f"The answer is {entry.dnssec.value}.", indent=3)
    if found.trouble is not None:
        talk.say(f"Part of it could not be asked: {found.trouble.value}.")
    talk.say()
    talk.say(
        "Compare it with what your provider writes: whoever can change this answer could name a"
        " server of their own, which would get your password."
    )
    talk.say()
    if not talk.asks:
        return _endpoint(_proved(entries[0], domain))
    words = [*map(str, range(1, len(entries) + 1)), "n"]
    first = entries[0]
    word = talk.choose(
        "Number of the one to take, or n for none",
        words,
        flag="--relay-host HOST",
        default="1" if _stands(first) else None,
    )
    return None if word == "n" else _endpoint(entries[int(word) - 1])


def _endpoint(entry: Service) -> Endpoint:
    provider = of_relay(entry.host.text, entry.port)
    return Endpoint(entry.host.text, entry.port, entry.mode, provider)


def _place(entry: Service, domain: str) -> str:
    if entry.inside:
        return f"It lies in {printable(domain)}."
    return f"It lies OUTSIDE {printable(domain)}: is that your provider's name?"


def _stands(entry: Service) -> bool:
    """Tell whether something vouches for the entry besides the answer itself."""
    from certmail.names.ask import Dnssec

    return entry.inside or entry.dnssec is Dnssec.VALIDATED


def _proved(entry: Service, domain: str) -> Service:
    """Let a script take what lies in the mail domain, or was validated (RFC 6186 §4)."""
    if _stands(entry):
        return entry
    mode = f" --relay-mode {entry.mode.value}" if entry.mode is Mode.STARTTLS else ""
    raise UsageError(
        "SETUP-UNPROVED",
        f"{printable(domain)} names {entry.host} port {entry.port}, which lies elsewhere, and"
        " nothing vouches for the answer",
        why="whoever can change the answer could name a server of their own (RFC 6186 §4)",
        next=f"if that is your provider's: --relay-host {entry.host} --relay-port {entry.port}"
        f"{mode}, instead of --discover",
    )


def _nothing(found: Services) -> RelayError:
    domain = printable(found.domain)
    if found.trouble is not None:
        what = f"{domain} could not be asked for its submission server: {found.trouble.value}"
    elif found.refused:
        what = f"{domain} says that it offers no submission"
    else:
        what = f"{domain} names no submission server in the DNS"
    return RelayError(
        "SETUP-NOTHING-DISCOVERED",
        what,
        why="most providers name theirs on a page for mail programs only",
        next="certmail setup --provider NAME, or --relay-host HOST with what your provider writes",
    )
