"""Open a delivered mail as the recipient would, who never met the sender.

In: the message as it arrived and the recipient's GnuPG home. Out: what was found inside, and who
signed it. Shares no code with the sealing: the mail is parsed by the standard library and opened
through python-gnupg, in another home, with another key.
"""

from __future__ import annotations

import email
import email.policy
import logging
from contextlib import suppress
from dataclasses import field
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final

import gnupg

from certmail.errors import SealError
from certmail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

logging.getLogger("gnupg").setLevel(logging.WARNING)

_LOOK_AT_GNUPG: Final = "gpgconf --check-programs, and certmail doctor; then certmail rehearse"
_OPTIONS: Final = ["--no-options", "--disable-dirmngr", "--no-auto-key-locate"]


@frozen
class Opened:
    """What the recipient holds after opening the mail."""

    subject: str
    text: str
    attachment: bytes = field(repr=False)
    signed_by: str
    signature: str
    gnupg: str


class ReaderError(Exception):
    """What was delivered is not what was sent: certmail's fault, which a rehearsal is to find."""


def make_key(home: Path, *, program: str, name: str, address: str, env: Mapping[str, str]) -> str:
    """Make an unprotected key that dies in a day; give its fingerprint.

    Raises:
        SealError: ``REHEARSAL-NO-KEY``.
    """
    tool = _tool(home, program=program, env=env)
    wishes = tool.gen_key_input(
        key_type="EDDSA",
        key_curve="ed25519",
        key_usage="sign",
        subkey_type="ECDH",
        subkey_curve="cv25519",
        subkey_usage="encrypt",
        name_real=name,
        name_email=address,
        expire_date="1d",
        no_protection=True,
    )
    fingerprint = ""
    # GnuPG may end before it has read what it was told.
    with suppress(BrokenPipeError):
        fingerprint = str(tool.gen_key(wishes).fingerprint or "")
    if not fingerprint:
        raise SealError(
            "REHEARSAL-NO-KEY",
            "GnuPG made no key for the rehearsal",
            why="the rehearsal signs with a key of its own and encrypts to another, so that yours"
            " and the provider's are left alone",
            next=_LOOK_AT_GNUPG,
        )
    return fingerprint


def export_key(home: Path, fingerprint: str, *, program: str, env: Mapping[str, str]) -> bytes:
    """Export the public half, armored."""
    return str(_tool(home, program=program, env=env).export_keys(fingerprint)).encode("ascii")


def revoked_copy(
    home: Path, fingerprint: str, *, elsewhere: Path, program: str, env: Mapping[str, str]
) -> bytes:
    """Give the key as its owner would publish it after revoking it; the key itself stays as it is.

    GnuPG wrote the revocation when it made the key, with a colon in front so that nobody imports
    it by mistake. It is put together in the empty home ``elsewhere``.
    """
    certificate = home / "openpgp-revocs.d" / f"{fingerprint}.rev"
    revocation = certificate.read_text().replace(":-----BEGIN", "-----BEGIN")
    tool = _tool(elsewhere, program=program, env=env)
    tool.import_keys(export_key(home, fingerprint, program=program, env=env).decode("ascii"))
    tool.import_keys(revocation)
    return export_key(elsewhere, fingerprint, program=program, env=env)


def open_mail(content: bytes, *, home: Path, program: str, env: Mapping[str, str]) -> Opened:
    """Decrypt, take the sender's key from inside, and verify the signature with it.

    Raises:
        SealError: ``REHEARSAL-NOT-OPENED``. ReaderError: it is no encrypted mail.
    """
    outer = _message(content)
    if outer.get_content_type() != "multipart/encrypted":
        raise ReaderError("the delivered mail is not multipart/encrypted")
    sealed = list(outer.iter_parts())[-1].get_content()
    tool = _tool(home, program=program, env=env)
    inner = _message(_decrypted(tool, sealed).data)
    body = inner.get_body(preferencelist=("plain",))
    bundle, public_key = (part.get_content() for part in inner.iter_attachments())
    tool.import_keys(public_key)
    # Again, now that the key which the letter brought along is there to verify with.
    second = _decrypted(tool, sealed)
    return Opened(
        subject=str(inner["Subject"]),
        text=str(body.get_content()) if body is not None else "",
        attachment=bundle,
        signed_by=str(second.pubkey_fingerprint or ""),
        signature=str(second.status or "") if second.valid else "not valid",
        gnupg=".".join(str(number) for number in tool.version),
    )


def _decrypted(tool: gnupg.GPG, sealed: bytes) -> gnupg.Crypt:
    # GnuPG may end before it has read what it was given.
    with suppress(BrokenPipeError):
        opened = tool.decrypt(sealed)
        if opened.data:
            return opened
    raise SealError(
        "REHEARSAL-NOT-OPENED",
        "GnuPG did not open the mail with the throw-away key of its reader",
        why="what the reader cannot open here, the provider might not open either",
        next=_LOOK_AT_GNUPG,
    )


def _tool(home: Path, *, program: str, env: Mapping[str, str]) -> gnupg.GPG:
    tool = gnupg.GPG(gpgbinary=program, gnupghome=str(home), options=_OPTIONS, env=dict(env))
    tool.encoding = "utf-8"
    return tool


def _message(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not isinstance(message, EmailMessage):  # pragma: no cover - the policy's own class
        raise ReaderError("not a message")
    return message
