"""Step six: seal for real, and send nothing: what a send would hand over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from certmail.cli.setup.book import Outcome, Step

if TYPE_CHECKING:
    from certmail.cli.setup.book import Book
    from certmail.cli.wiring import Workbench
    from certmail.walk import Sealing

NAME = "preview"
TITLE = "A preview"

_NAMES: Final = ("www.example.org", "example.org")
"""What the throw-away certificate is for: names that belong to nobody (RFC 2606 §3)."""


def preview(book: Book) -> Step:
    """Sign and encrypt a bundle as a send would; no transport is in reach here."""
    talk = book.talk
    path = book.parameters["bundle"]
    if "preview" in book.parameters["skip"]:
        return Step(NAME, Outcome.SKIPPED)
    what = f"{path}" if path else "a throw-away bundle"
    talk.say(
        f"Now {what} is checked, signed with your key and encrypted, for real, and goes nowhere."
        " GnuPG may ask for your passphrase."
    )
    if not talk.confirm("Go on", default=True):
        return Step(NAME, Outcome.SKIPPED)
    sealing = _seal(book, path)
    sealed = sealing.sealed
    talk.say()
    rows = (
        ("signed by", sealed.signature.signer.grouped()),
        (
            "encrypted to",
            f"{sealed.pinned.encryption_subkey.key_id}, Clever Cloud, and nobody else",
        ),
        ("seen outside", "sender, recipient, time and size; the subject is [...]"),
        ("size", f"{len(sealed.wire())} octets"),
    )
    for label, value in rows:
        talk.say(f"{label:<13} {value}", indent=2)
    shown = f"{what}: {len(sealed.wire())} octets, signed and encrypted"
    return Step(NAME, Outcome.DONE, shown)


def _seal(book: Book, path: str | None) -> Sealing:
    from certmail.cli.key_for_send import key_at_hand
    from certmail.walk import Order, seal_bundle

    bench = book.bench()
    return seal_bundle(
        Order(_pem(bench, path), at=bench.at),
        pinned=key_at_hand(bench).pinned,
        signer=bench.signer,
        engine=bench.engine(),
    )


def _pem(bench: Workbench, path: str | None) -> bytes:
    """Read the bundle that was named, or make one that is worth nothing."""
    if path is None:
        from certmail.rehearsal.authority import throwaway_authority, throwaway_bundle

        return throwaway_bundle(throwaway_authority(bench.at), *_NAMES)
    from certmail.cli import inputs

    nothing: dict[str, Any] = {}
    return inputs.take(inputs.Inputs.of(path, nothing), at=bench.at).pem
