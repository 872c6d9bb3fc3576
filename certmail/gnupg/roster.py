"""Every secret key of the user's, with what it is and whether it could sign for the sender.

In: the user's GnuPG home and the sender's address. Out: one `Candidate` for each key, the usable
ones first. Whether a key is usable is asked of the very code that a send asks, so that what set-up
offers is what a send takes. Nothing is chosen here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from certmail.errors import SealError
from certmail.frozen import frozen
from certmail.gnupg.signers import SecretKey, as_signer, keys_that, list_secret_keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from certmail.gnupg.runner import Gpg
    from certmail.values import Address, Fingerprint

MAX_KEYS: Final = 50
"""Each usable one is exported and read; who has more names one."""

_ALGORITHMS: Final = {"1": "RSA", "2": "RSA", "3": "RSA", "17": "DSA", "19": "ECDSA", "22": "EdDSA"}
"""RFC 9580 §9.1, and the number of EdDSA in version 4 keys."""


class Place(Enum):
    """Where the half that signs is."""

    HERE = "on this machine"
    CARD = "on a smartcard"
    AWAY = "not on this machine"


@frozen
class Candidate:
    """One secret key. ``refusal`` tells why it cannot sign for the sender; None means that it can.

    Proves what a listing and the key's own packets say, not that a passphrase or a PIN is known.
    """

    fingerprint: Fingerprint
    algorithm: str
    user_ids: tuple[str, ...]
    created: datetime
    expires: datetime | None
    place: Place
    refusal: SealError | None


def roster(
    gpg: Gpg, *, address: Address | None, home: Path | None, env: Mapping[str, str]
) -> tuple[Candidate, ...]:
    """List the secret keys of ``home``, or of the user's own home: usable ones first."""
    keys = list_secret_keys(gpg, home=home, env=env)[:MAX_KEYS]
    found = [_candidate(gpg, key, address=address, home=home, env=env) for key in keys]
    return tuple(sorted(found, key=lambda one: one.refusal is not None))


def _candidate(
    gpg: Gpg,
    key: SecretKey,
    *,
    address: Address | None,
    home: Path | None,
    env: Mapping[str, str],
) -> Candidate:
    place = _place(key.listing)
    refusal: SealError | None = None
    try:
        as_signer(gpg, key, address=address, name=None, home=home, env=env)
        if place is Place.AWAY:
            refusal = _away(key)
    except SealError as error:
        refusal = error
    expires = str(key.listing["expires"])
    return Candidate(
        fingerprint=key.fingerprint,
        algorithm=_algorithm(key.listing),
        user_ids=key.user_ids,
        created=datetime.fromtimestamp(int(key.listing["date"]), UTC),
        expires=datetime.fromtimestamp(int(expires), UTC) if expires else None,
        place=place,
        refusal=refusal,
    )


def _place(listing: Mapping[str, Any]) -> Place:
    """Read field 15 of GnuPG's listing: ``+`` is here, ``#`` is a stub, else a card's number."""
    signing = {fingerprint.text for fingerprint in keys_that(listing, "s")}
    tokens = {str(listing["token"])} if listing["fingerprint"] in signing else set()
    tokens |= {
        str(listing["subkey_info"][key_id]["token"])
        for key_id, _, fingerprint, *_ in listing["subkeys"]
        if fingerprint in signing
    }
    if "+" in tokens or not tokens:
        return Place.HERE
    return Place.AWAY if tokens <= {"#", ""} else Place.CARD


def _algorithm(listing: Mapping[str, Any]) -> str:
    number = str(listing["algo"])
    name = _ALGORITHMS.get(number, f"algorithm {number}")
    return str(listing["curve"]) or f"{name} {listing['length']}"


def _away(key: SecretKey) -> SealError:
    return SealError(
        "SIGNER-CANNOT-SIGN",
        f"the secret half of {key.fingerprint.grouped()} is not on this machine",
        why="GnuPG knows that there is one and has only its place left here",
        next="sign where the secret key is, or bring a signing subkey: gpg --export-secret-subkeys",
    )
