"""Step two: the key that signs, chosen from the user's own, or made when they say so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from certmail.cli.setup.book import Outcome, Problem, Step
from certmail.cli.setup.talk import missing
from certmail.errors import SealError, UsageError
from certmail.settings.keys import SENDER_ADDRESS, SENDER_KEY, SENDER_NAME
from certmail.values import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certmail.cli.setup.book import Book
    from certmail.gnupg.make_key import Protection
    from certmail.gnupg.roster import Candidate

LISTED: Final = 5
"""Keys on the screen, two lines each; a fingerprint can be typed for any."""

NAME = "signing-key"
TITLE = "Your signing key"

PINENTRY = (
    "GnuPG asks for the key's passphrase itself, in a window or on this terminal (that is"
    " pinentry); certmail never sees it. Over SSH it needs to know the terminal: export"
    " GPG_TTY=$(tty)"
)


def signing(book: Book) -> Step:
    """Settle the signing key."""
    talk = book.talk
    talk.say("Clever Cloud wants a signed message, so that it knows whose certificate it installs.")
    talk.say(PINENTRY)
    talk.say()
    if book.parameters["make_key"]:
        return _make(book)
    candidates = _roster(book)
    usable = [one for one in candidates if one.refusal is None]
    _show(book, candidates)
    named = book.given(SENDER_KEY)
    if named is not None or not talk.asks:
        return _told(book, candidates, usable, named)
    if not usable:
        talk.say("None of your secret keys can sign for this address.")
        if talk.confirm("Make one now", default=True):
            return _make(book)
        return Step(NAME, Outcome.SKIPPED, "", (_none(),))
    by_word = {str(number): one.fingerprint for number, one in enumerate(usable, 1)}
    before = book.settings.get(SENDER_KEY)
    at = next((word for word, fingerprint in by_word.items() if fingerprint == before), None)
    chosen = talk.ask(
        "Number of the key to sign with, its fingerprint, or m to make one",
        flag="--sign-with FINGERPRINT",
        prove=lambda text: None if text == "m" else by_word.get(text) or Fingerprint(text),
        default=at or ("1" if len(usable) == 1 else None),
    )
    if chosen is None:
        return _make(book)
    return _keep(book, chosen)


def _told(
    book: Book, candidates: Sequence[Candidate], usable: Sequence[Candidate], named: str | None
) -> Step:
    """Take the key a flag names, or the one that is set, or the only one that can sign."""
    wanted = book.settings.get(SENDER_KEY) if named is None else Fingerprint(named)
    if wanted is not None:
        return _keep(book, wanted)
    if len(usable) == 1:
        return _keep(book, usable[0].fingerprint)
    if usable:
        raise missing("--sign-with FINGERPRINT")
    if candidates and candidates[0].refusal is not None:
        raise candidates[0].refusal
    raise missing("--sign-with FINGERPRINT (or --make-key)")


def _roster(book: Book) -> tuple[Candidate, ...]:
    from certmail.gnupg.roster import roster

    bench = book.bench()
    return roster(
        bench.gpg, address=book.settings.require(SENDER_ADDRESS), home=None, env=bench.env
    )


def _show(book: Book, candidates: Sequence[Candidate]) -> None:
    """List the keys: numbers for those that can sign, reasons for those that cannot."""
    from certmail.gnupg.roster import Place

    talk = book.talk
    number = 0
    for one in candidates[:LISTED]:
        number += one.refusal is None
        mark = f"{number:>2}" if one.refusal is None else " -"
        ends = f"until {one.expires:%Y-%m-%d}" if one.expires else "without an end"
        card = ", on a smartcard" if one.place is Place.CARD else ""
        talk.say(f"{mark}  {one.fingerprint.grouped()}")
        if one.refusal is None:
            talk.say(f"{one.algorithm}, {ends}{card}; {', '.join(one.user_ids[:2])}", indent=4)
        else:
            talk.say(f"cannot sign for this address: {_why(one)}", indent=4)
    if len(candidates) > LISTED:
        talk.say(f"and {len(candidates) - LISTED} more: gpg --list-secret-keys")
    talk.say()


def _why(one: Candidate) -> str:
    words = {
        "SIGNER-EXPIRED": "expired" + (f" on {one.expires:%Y-%m-%d}" if one.expires else ""),
        "SIGNER-REVOKED": "revoked",
        "SIGNER-ADDRESS": f"it names {', '.join(one.user_ids[:2]) or 'no address'}",
    }
    return words.get(one.refusal.code, one.refusal.what) if one.refusal else ""


def _keep(book: Book, fingerprint: Fingerprint) -> Step:
    """Write the key down, once the search of a send has found it."""
    book.bench().signer_of(fingerprint)
    changed = book.keep({SENDER_KEY: fingerprint.text})
    return Step(NAME, Outcome.DONE if changed else Outcome.KEPT, fingerprint.grouped())


def _make(book: Book) -> Step:
    """Make a key, with the user's word for it, in the user's own home."""
    from certmail.gnupg.make_key import LIFE, Protection, make_key

    talk = book.talk
    address = book.settings.require(SENDER_ADDRESS)
    protection = Protection.NONE if book.parameters["no_passphrase"] else Protection.PASSPHRASE
    _require_pinentry(protection)
    home = os.environ.get("GNUPGHOME") or "~/.gnupg"
    talk.turn("A new signing key")
    talk.say(
        f"A key for <{address}> is made in {home}: RSA of 3072 bits, which every OpenPGP program"
        f" can verify, with a second one for encryption, for {LIFE.removesuffix('y')} years, under"
        f" {protection.value}. A revocation certificate lies beside it. Its public half travels in"
        " each letter: you need not publish it."
    )
    if not talk.confirm("Make it", default=True):
        return Step(NAME, Outcome.SKIPPED, "", (_none(),))
    bench = book.bench()
    made = make_key(
        bench.gpg,
        address=address,
        name=book.settings.get(SENDER_NAME) or "",
        protection=protection,
        home=None,
        env=bench.env,
    )
    talk.say(f"made: {made.grouped()}", indent=2)
    return _keep(book, made)


def _none() -> Problem:
    return Problem(
        "SIGNER-NONE",
        "no key is chosen that could sign for your address",
        "certmail setup --make-key; or --sign-with FINGERPRINT",
        SealError.exit_status,
    )


def _require_pinentry(protection: Protection) -> None:
    """Refuse to ask for a passphrase where nobody could see the question."""
    from certmail.cli.wiring import somebody_there
    from certmail.gnupg.make_key import Protection

    if protection is Protection.PASSPHRASE and not somebody_there():
        raise UsageError(
            "SETUP-NO-PINENTRY",
            "a key with a passphrase was to be made, and nobody can be asked for one here",
            why="GnuPG asks for it in a window or on a terminal (pinentry), and there is neither",
            next="run certmail setup at a terminal; or give --no-passphrase, for a machine on which"
            " nobody but this account can read the files",
        )
