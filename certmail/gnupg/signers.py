"""Find the secret key that may sign for the sender.

In: the sender's address or the signing key's fingerprint, and the user's GnuPG home. Out: a
`Signer`, or what to do about it. python-gnupg lists the secret keys; which addresses a key speaks
for is read from its own packets, since listings are made for people. Nothing is ever picked from
several: the user names the key.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NoReturn

import gnupg

from certmail.errors import SealError
from certmail.frozen import frozen
from certmail.gnupg.runner import Gpg, child_environment, run
from certmail.gnupg.surroundings import agent_socket, require_shallow
from certmail.key.packets import KeyBlock, read_key_block
from certmail.message.seal import Signer
from certmail.values import Address, Fingerprint, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LIST_OPTIONS: Final = (
    "--no-options",
    "--disable-dirmngr",
    "--no-auto-key-locate",
    "--no-auto-check-trustdb",
)
"""A listing must neither read the user's options nor touch the network."""

LIST_TIMEOUT_S: Final = 60.0

# The wrapper logs what it reads and writes at DEBUG, the first octets of keys among it.
logging.getLogger("gnupg").setLevel(logging.WARNING)


@frozen
class SecretKey:
    """One secret key as GnuPG lists it, with the addresses its own packets speak for."""

    fingerprint: Fingerprint
    validity: str
    can_sign: bool
    user_ids: tuple[str, ...]
    listing: Mapping[str, Any]


def list_secret_keys(gpg: Gpg, *, home: Path | None, env: Mapping[str, str]) -> list[SecretKey]:
    """List the secret keys of ``home``, or of the user's own home.

    Raises:
        SealError: ``GPG-FAILED``.
    """
    try:
        wrapper = gnupg.GPG(
            gpgbinary=gpg.path,
            gnupghome=str(home) if home else None,
            options=list(LIST_OPTIONS),
            env=child_environment(env, home=home),
            encoding="utf-8",
        )
    except (OSError, ValueError):  # a line that GnuPG rejects in /etc/gnupg/gpg.conf, for one
        raise SealError(
            "GPG-FAILED",
            "GnuPG does not even tell how it is set up",
            why="it is asked which secret keys there are to sign with",
            next="gpg --list-secret-keys shows what it complains about",
        ) from None
    wrapper.decode_errors = "replace"
    return [
        SecretKey(
            fingerprint=Fingerprint(key["fingerprint"]),
            validity=str(key["trust"]),
            # A capital S says that the key as a whole can sign today.
            can_sign="S" in str(key["cap"]),
            user_ids=tuple(printable(str(uid)) for uid in key["uids"]),
            listing=key,
        )
        for key in wrapper.list_keys(secret=True)
        if key["type"] == "sec"
    ]


def find_signer(
    gpg: Gpg,
    *,
    address: Address | None,
    fingerprint: Fingerprint | None,
    name: str | None,
    home: Path | None,
    env: Mapping[str, str],
) -> Signer:
    """Find the one key that signs for ``address``.

    With ``fingerprint`` (of the primary key or a subkey) that key is taken; otherwise the one key
    with a user ID for ``address``. Without an address, the key's only one is taken.

    Raises:
        SealError: ``SIGNER-NONE``, ``SIGNER-NOT-FOUND``, ``SIGNER-AMBIGUOUS``, ``SIGNER-ADDRESS``,
            ``SIGNER-EXPIRED``, ``SIGNER-REVOKED``, ``SIGNER-CANNOT-SIGN``, ``GPG-AGENT-SOCKET``.
    """
    keys = list_secret_keys(gpg, home=home, env=env)
    if not keys:
        if home is None:
            # Without its agent GnuPG lists no secret key, and says nothing.
            require_shallow(agent_socket(gpg, env))
        _refuse_none(address)
    if fingerprint is not None:
        chosen = _by_fingerprint(keys, fingerprint)
    else:
        chosen = _by_address(keys, address)
    return as_signer(gpg, chosen, address=address, name=name, home=home, env=env)


def as_signer(
    gpg: Gpg,
    key: SecretKey,
    *,
    address: Address | None,
    name: str | None,
    home: Path | None,
    env: Mapping[str, str],
) -> Signer:
    """Prove that ``key`` may sign for ``address``.

    Raises:
        SealError: ``SIGNER-ADDRESS``, ``SIGNER-EXPIRED``, ``SIGNER-REVOKED``,
            ``SIGNER-CANNOT-SIGN``, ``SIGNER-NOT-FOUND``.
    """
    _require_usable(key)
    block, public_key = _export(gpg, key.fingerprint, home=home, env=env)
    speaker, user_id = _speaker(block, address)
    return Signer(
        address=speaker,
        name=name if name is not None else _name_of(user_id),
        fingerprint=key.fingerprint,
        signing_keys=keys_that(key.listing, "s"),
        public_key=public_key,
        encryption_key=next(iter(reversed(keys_that(key.listing, "e"))), None),
    )


def _by_fingerprint(keys: Sequence[SecretKey], fingerprint: Fingerprint) -> SecretKey:
    for key in keys:
        subkeys = [str(sub[2]) for sub in key.listing["subkeys"]]
        if fingerprint.text in (key.fingerprint.text, *subkeys):
            return key
    raise SealError(
        "SIGNER-NOT-FOUND",
        f"there is no secret key {fingerprint.grouped()} in your GnuPG home",
        why="the message is signed with a key of yours, and only with the one you named",
        next="gpg --list-secret-keys --with-subkey-fingerprint",
    )


def _by_address(keys: Sequence[SecretKey], address: Address | None) -> SecretKey:
    alive = [key for key in keys if key.validity not in set("redin")]
    if address is None:
        candidates = alive or list(keys)
    else:
        candidates = [k for k in keys if any(_speaks_for(u, address) for u in k.user_ids)]
        # One expired predecessor beside its successor is no ambiguity.
        candidates = [k for k in candidates if k in alive] or candidates
    if not candidates:
        raise SealError(
            "SIGNER-ADDRESS",
            f"none of your secret keys has the user ID <{address}>",
            why="the recipient trusts the signature only if the key speaks for the sender",
            next=f"gpg --quick-add-uid FINGERPRINT '{address}', or set sender.address to an"
            " address of your key",
        )
    if len(candidates) > 1:
        listed = ", ".join(key.fingerprint.text for key in candidates[:5])
        raise SealError(
            "SIGNER-AMBIGUOUS",
            f"several of your secret keys could sign: {listed}",
            why="certmail never picks one of many",
            next=f"certmail send BUNDLE --sign-with {candidates[0].fingerprint}",
        )
    return candidates[0]


def _require_usable(key: SecretKey) -> None:
    """Refuse a key that GnuPG would refuse, in words (validity letters of its listing)."""
    shown = key.fingerprint.grouped()
    if "r" in key.validity:
        raise SealError(
            "SIGNER-REVOKED",
            f"your signing key {shown} is revoked",
            why="nobody would accept its signature",
            next="certmail send BUNDLE --sign-with FINGERPRINT, with a key that is not revoked",
        )
    if "e" in key.validity:
        raise SealError(
            "SIGNER-EXPIRED",
            f"your signing key {shown} has expired",
            why="the recipient could not accept its signature",
            next=f"gpg --quick-set-expire {key.fingerprint} 1y",
        )
    if not key.can_sign or set(key.validity) & set("din"):
        raise SealError(
            "SIGNER-CANNOT-SIGN",
            f"your key {shown} cannot sign today",
            why="no live part of it has the capability to sign, or it is disabled",
            next=f"gpg --quick-add-key {key.fingerprint} default sign 1y",
        )


def _export(
    gpg: Gpg, fingerprint: Fingerprint, *, home: Path | None, env: Mapping[str, str]
) -> tuple[KeyBlock, bytes]:
    """Export the public half without other people's certifications or pictures."""
    result = run(
        gpg,
        "--export-options",
        "export-minimal,no-export-attributes",
        "--export",
        fingerprint.text,
        home=home,
        env=env,
        timeout_s=LIST_TIMEOUT_S,
    )
    block = read_key_block(result.stdout)
    if block.primary.fingerprint != fingerprint:
        raise SealError(
            "SIGNER-NOT-FOUND",
            f"GnuPG exported {block.primary.fingerprint.grouped()} when asked for your key",
            why="the key that signs must be the key that was named",
            next="gpg --list-secret-keys --with-subkey-fingerprint",
        )
    return block, result.stdout


def _speaker(block: KeyBlock, address: Address | None) -> tuple[Address, str]:
    """Give the address the key speaks for, and the user ID that says so."""
    spoken = [(uid.address, uid.text) for uid in block.user_ids if uid.address and not uid.revoked]
    if address is not None:
        for own, text in spoken:
            if address.same_mailbox(own):
                return address, text
    elif len({own for own, _ in spoken}) == 1:
        return Address(spoken[0][0]), spoken[0][1]
    listed = ", ".join(f"<{printable(own)}>" for own, _ in spoken[:5]) or "no address"
    raise SealError(
        "SIGNER-ADDRESS",
        f"your signing key speaks for {listed}"
        + (f", not for <{address}>" if address else ", and no sender address is set"),
        why="the recipient trusts the signature only if the key speaks for the sender",
        next="certmail send BUNDLE --from ADDRESS, with an address of the key; or"
        f" gpg --quick-add-uid {block.primary.fingerprint} 'Name <ADDRESS>'",
    )


def keys_that(listing: Mapping[str, Any], capability: str) -> tuple[Fingerprint, ...]:
    """List the primary and subkeys with a capability that are neither expired nor revoked."""
    found = []
    if capability in str(listing["cap"]):
        found.append(Fingerprint(listing["fingerprint"]))
    for key_id, _, fingerprint, *_ in listing["subkeys"]:
        info = listing["subkey_info"][key_id]
        if capability in str(info["cap"]) and not set(str(info["trust"])) & set("redin"):
            found.append(Fingerprint(fingerprint))
    return tuple(found)


def _speaks_for(user_id: str, address: Address) -> bool:
    inside = user_id[user_id.rfind("<") + 1 : -1] if user_id.endswith(">") else user_id
    return address.same_mailbox(inside)


def _name_of(user_id: str) -> str:
    """Take the name out of ``Name (comment) <address>``."""
    return printable(user_id.partition("<")[0].partition("(")[0].strip())


def _refuse_none(address: Address | None) -> NoReturn:
    who = f"'Your Name <{address}>'" if address else "'Your Name <you@example.org>'"
    raise SealError(
        "SIGNER-NONE",
        "there is no secret key in your GnuPG home to sign with",
        why="the provider wants a signed message, so that it knows whose certificate it installs",
        next=f"gpg --quick-generate-key {who} default default 2y",
    )
