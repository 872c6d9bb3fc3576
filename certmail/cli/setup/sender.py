"""Step one: whose mail it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.cli.options import GNUPG, KEY, SENDER
from certmail.cli.setup.book import Outcome, Step
from certmail.cli.setup.talk import proof
from certmail.errors import CertmailError
from certmail.settings.keys import SENDER_ADDRESS, SENDER_KEY, SENDER_NAME
from certmail.values import Address, printable

if TYPE_CHECKING:
    from certmail.cli.setup.book import Book

NAME = "sender"
TITLE = "Your address"


def sender(book: Book) -> Step:
    """Settle the sender's address and name."""
    talk = book.talk
    talk.say(
        "The message goes out under this address, and Clever Cloud answers to it. Your signing key"
        " must name it, and your relay must let you send as it."
    )
    before = book.settings.get(SENDER_ADDRESS)
    known = _addresses(book) if before is None and talk.asks else ()
    if known:
        talk.say()
        talk.say("Your secret keys speak for:")
        for address in known:
            talk.say(address, indent=2)
    talk.say()
    address = talk.ask(
        "Your address",
        flag="--from ADDRESS",
        prove=_address,
        default=str(before) if before else (known[0] if len(known) == 1 else None),
        given=book.given(SENDER_ADDRESS),
    )
    name = talk.ask(
        "Name shown beside it (- for none)",
        flag="--sender-name NAME",
        prove=lambda text: text if text in {"", "-"} else proof(SENDER_NAME)(text),
        default=book.settings.get(SENDER_NAME) or "",
        given=book.given(SENDER_NAME),
    )
    if name in {"", "-"}:
        book.drop(SENDER_NAME)
    others = {
        key: text
        for key in (*SENDER, *KEY, *GNUPG)
        if key not in (SENDER_ADDRESS, SENDER_NAME, SENDER_KEY)
        and (text := book.given(key)) is not None
    }
    changed = book.keep(
        {
            SENDER_ADDRESS: address,
            SENDER_NAME: name if name not in {"", "-"} else None,
            **others,
        }
    )
    return Step(NAME, Outcome.DONE if changed else Outcome.KEPT, address)


def _address(text: str) -> str:
    """Take an address that can be answered from outside; others are well-formed and of no use."""
    address = Address(text)
    if "." not in address.domain:
        raise ValueError("an address that Clever Cloud could answer to, like ops@example.org")
    return address.text


def _addresses(book: Book) -> tuple[str, ...]:
    """Give the addresses of the user's keys, as a suggestion: a home that fails suggests none."""
    from certmail.cli.setup.talk import LISTED
    from certmail.gnupg.signers import list_secret_keys

    try:
        bench = book.bench()
        keys = list_secret_keys(bench.gpg, home=None, env=bench.env)
    except CertmailError:
        return ()
    found = []
    for key in keys:
        for user_id in key.user_ids:
            inside = user_id[user_id.rfind("<") + 1 :].removesuffix(">")
            try:
                found.append(printable(Address(inside).text))
            except CertmailError:
                continue
    return tuple(dict.fromkeys(found))[:LISTED]
