"""Open what arrived, to prove that a contender did the work: decrypted, signed, and the bundle in it."""

from __future__ import annotations

import email
import email.policy
import re
from typing import TYPE_CHECKING

from benchmarks.measure import once
from certmail.gnupg.runner import find_gpg, run

if TYPE_CHECKING:
    from benchmarks.peers import Contender
    from benchmarks.place import Place

NOT_DONE = "NOT DONE"

_ARMOR = re.compile(rb"-----BEGIN PGP MESSAGE-----.*?-----END PGP MESSAGE-----", re.DOTALL)


class NotDone(Exception):
    """A contender did not do the work."""


def opened(place: Place, mail: bytes, *, bundle: bytes, signer: str) -> str:
    """Say in words what is in a mail.

    Raises:
        NotDone: it cannot be opened, nobody signed it, or the bundle is not in it.
    """
    message = email.message_from_bytes(mail, policy=email.policy.default)
    plain = b"".join(
        part.get_payload(decode=True) or b"" for part in message.walk() if not part.is_multipart()
    )
    found = _ARMOR.search(plain) or _ARMOR.search(mail)
    if found is None:
        if bundle.splitlines()[3] in mail.replace(b"=\n", b"").replace(b"=0A", b"\n"):
            raise NotDone("it sent the private key in the clear")
        raise NotDone("no OpenPGP message is in the mail")
    result = run(
        find_gpg(None), "--decrypt", "--output", "-",
        home=place.recipient_home, stdin=found[0], env=place.environment, timeout_s=60,
    )  # fmt: skip
    if not result.all("DECRYPTION_OKAY"):
        raise NotDone("the mail cannot be decrypted")
    valid = result.all("VALIDSIG")
    if [status.args[-1] for status in valid] != [place.signers[signer]]:
        raise NotDone("the mail is not signed by the sender's key")
    inside = email.message_from_bytes(result.stdout, policy=email.policy.default)
    parts = [part.get_payload(decode=True) or b"" for part in inside.walk()]
    if not any(part.strip() == bundle.strip() for part in parts):
        raise NotDone("the bundle is not in the mail")
    return "decrypted, signed by the sender's key, the bundle inside"


def proofs(place: Place, those: tuple[Contender, ...], *, signer: str) -> dict[str, str]:
    """Have each contender send one mail to the relay that stores, and say what was in it."""
    bundle = place.bundle()
    said = {}
    for one in those:
        place.storing.forget()
        once(one.on(bundle), env=place.environment, cwd=place.root)
        (mail,) = place.storing.delivered()
        try:
            said[one.name] = opened(place, mail, bundle=bundle.read_bytes(), signer=signer)
        except NotDone as failure:
            said[one.name] = f"{NOT_DONE}: {failure}"
    return said
