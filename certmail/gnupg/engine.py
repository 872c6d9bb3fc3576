"""GnuPG behind the seal's port: sign in the user's home, verify and encrypt elsewhere.

In: the letter's bytes, a `Signer`, a `PinnedKey`. Out: OpenPGP packets, which the seal reads again.
Knows GnuPG's command line and status lines; what a verdict is, it does not know.

Signing runs in the user's home because that is where the agent, the smartcard and the pinentry
are, and under none of the user's options. Verifying and encrypting run in throw-away homes that
hold one public key each, so that no group, trust, default recipient or key server has anything to
choose from; what the system's own configuration could still add fails there, or is found when the
packets are read.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NoReturn

from certmail.errors import SealError
from certmail.frozen import frozen
from certmail.gnupg.failure import Failure, why_failed
from certmail.gnupg.homes import Homes, throwaway_home
from certmail.gnupg.runner import Gpg, Result, run
from certmail.key.bare import asks_for_ocb, bare
from certmail.key.pin import PinnedKey, Usability
from certmail.values import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from certmail.message.seal import Signer

LOCAL_TIMEOUT_S: Final = 60.0
"""For steps that ask nobody; a machine that cannot encrypt in a minute is broken."""

_QUIET: Final = ("--no-encrypt-to", "--no-comments", "--no-emit-version", "-z", "0")
_ISOLATED: Final = ("--no-autostart", "--no-auto-check-trustdb", "--trust-model", "always")


@frozen
class GnuPG:
    """One user's GnuPG.

    ``signing_home`` is None for the user's own. ``sign_timeout_s`` bounds the wait for a pinentry
    or a touch on a card. ``pinentry`` is a mode of GnuPG's: ``default`` asks, ``error`` fails at
    once where nobody could answer. ``homes`` are used for what is done apart from the user's home;
    without them each step has one of its own.
    """

    gpg: Gpg
    env: Mapping[str, str]
    signing_home: Path | None = None
    sign_timeout_s: float = 120.0
    pinentry: str = "default"
    homes: Homes | None = field(default=None, compare=False)

    def sign(self, entity: bytes, *, signer: Signer) -> bytes:
        """Sign ``entity``; the result is one OpenPGP message, binary and uncompressed.

        Raises:
            SealError: ``SIGN-…`` with what GnuPG says went wrong.
        """
        result = run(
            self.gpg,
            *_QUIET,
            "--pinentry-mode",
            self.pinentry,
            "--no-auto-check-trustdb",
            # The user's or the system's preference must not weaken the hash.
            "--digest-algo",
            "SHA512",
            # An order, unlike --default-key, which is a wish.
            "--local-user",
            signer.fingerprint.text,
            "--set-filename",
            "",
            "--output",
            "-",
            "--sign",
            home=self.signing_home,
            stdin=entity,
            env=self.env,
            timeout_s=self.sign_timeout_s,
        )
        created = result.all("SIG_CREATED")
        made_by = [status.args[-1] for status in created]
        expected = [key.text for key in signer.signing_keys]
        if result.returncode != 0 or not result.stdout or len(made_by) != 1:
            _explain_signing(result, signer)
        if made_by[0] not in expected:
            raise SealError(
                "SEAL-SIGNER",
                f"GnuPG signed with {made_by[0]} instead of your key {signer.fingerprint}",
                why="a configuration chose another key than the one you named",
                next="look for local-user or default-key in /etc/gnupg/gpg.conf",
            )
        return result.stdout

    def verify(self, signed: bytes, *, signer: Signer) -> Fingerprint:
        """Verify in a home with the signer's public key alone; give the key that signed.

        Raises:
            SealError: ``SEAL-SIGNATURE-BAD``.
        """
        with self._home() as home:
            result = run(
                self.gpg,
                *_ISOLATED,
                *_keyring(home, signer.public_key),
                "--verify",
                home=home,
                stdin=signed,
                env=self.env,
                timeout_s=LOCAL_TIMEOUT_S,
            )
        valid = result.all("VALIDSIG")
        spoilt = [word for word in _SPOILT if result.first(word)]
        if (
            result.returncode != 0
            or spoilt
            or len(result.all("GOODSIG")) != 1
            or len(valid) != 1
            or valid[0].args[-1] != signer.fingerprint.text
        ):
            raise SealError(
                "SEAL-SIGNATURE-BAD",
                "the signature just made does not verify as one by your key",
                why="GnuPG says " + (", ".join(spoilt).lower() or "that it is not a good one"),
                next=f"gpg --list-keys --with-subkey-fingerprint {signer.fingerprint}",
            )
        return Fingerprint(valid[0].args[0])

    def encrypt(self, signed: bytes, *, to: PinnedKey, also: Signer | None) -> bytes:
        """Encrypt signed packets as they are, so that one OpenPGP message results.

        Raises:
            SealError: ``SEAL-ENCRYPTION-FAILED``.
        """
        recipients = [f"{to.encryption_subkey.text}!"]
        packets, unsigned = _without_ocb(to.packets)
        readers = [packets]
        if also is not None and also.encryption_key is not None:
            readers.append(also.public_key)
            recipients.append(f"{also.encryption_key.text}!")
        with self._home() as home:
            result = run(
                self.gpg,
                *_QUIET,
                *_ISOLATED,
                *_keyring(home, *readers),
                *_clock(to),
                *unsigned,
                "--no-throw-keyids",
                "--cipher-algo",
                "AES256",
                # The input is an OpenPGP message already: wrapped in a literal packet it would be
                # an attachment to open by hand; as it is, it is RFC 3156 §6.2.
                "--no-literal",
                "--no-armor",
                *(part for recipient in recipients for part in ("--recipient", recipient)),
                "--output",
                "-",
                "--encrypt",
                home=home,
                stdin=signed,
                env=self.env,
                timeout_s=LOCAL_TIMEOUT_S,
            )
        spoilt = [
            word for word in ("INV_RECP", "NO_RECP", "FAILURE", "ERROR") if result.first(word)
        ]
        if (
            result.returncode != 0
            or spoilt
            or len(result.all("BEGIN_ENCRYPTION")) != 1
            or len(result.all("END_ENCRYPTION")) != 1
            or not result.stdout
        ):
            raise SealError(
                "SEAL-ENCRYPTION-FAILED",
                f"GnuPG did not encrypt to {to.encryption_subkey.grouped()}",
                why="it reports "
                + (", ".join(spoilt).lower() or f"exit {result.returncode}")
                + "; a recipient or group in the system's gpg.conf has this effect",
                next="look into /etc/gnupg/gpg.conf for recipient, group or encrypt-to",
            )
        return result.stdout

    def _home(self) -> AbstractContextManager[Path]:
        return throwaway_home() if self.homes is None else self.homes.lend()


_SPOILT: Final = ("BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "NO_PUBKEY", "NODATA")


def _without_ocb(packets: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Give the key in a form for which GnuPG writes a packet of type 18, and the options for that.

    The user IDs may go unsigned into a home where nobody else's are: who stands behind them was
    proved when the key was pinned, by GnuPG too, and the subkey is chosen by its fingerprint.
    """
    if not asks_for_ocb(packets):
        return packets, ()
    return bare(packets), ("--allow-non-selfsigned-uid",)


def _keyring(home: Path, *keys: bytes) -> tuple[str, ...]:
    """Lay public keys into a home as the only keyring; give the options that say so.

    Transferable public keys in a row are a keyring (RFC 9580 §10.1, and what GnuPG calls
    ``pubring.gpg``): nothing has to be imported first. The packets were read before, and every step
    names its key by the whole fingerprint.
    """
    file = home / "only.gpg"
    file.write_bytes(b"".join(keys))
    return "--no-default-keyring", "--keyring", str(file)


def _clock(key: PinnedKey) -> tuple[str, ...]:
    """Set the clock of the encryption alone inside the life of an expired copy.

    GnuPG does not encrypt to an expired key. The result shows what a message would look like; it is
    delivered only where an operator has accepted that very expiry. Nothing is ever signed under
    this clock.
    """
    if key.usability is not Usability.EXPIRED:
        return ()
    return ("--faked-system-time", f"{_within(key):%Y%m%dT%H%M%S}!")


def _within(key: PinnedKey) -> datetime:
    """Give the last second of its life: also a key of a few hours, or one renewed late, has it."""
    ends = [when for when in (key.expires, key.subkey_expires) if when is not None]
    return min(ends) - timedelta(seconds=1)


def _explain_signing(result: Result, signer: Signer) -> NoReturn:
    """Say why nothing was signed, from status codes and never from English text."""
    shown = signer.fingerprint.grouped()
    by_hand = f"echo | gpg --sign --local-user {signer.fingerprint} >/dev/null"
    code, what, next_step = {
        Failure.NO_PINENTRY: (
            "SIGN-NO-PINENTRY",
            f"GnuPG needs the passphrase of {shown} and has nobody to ask",
            f"run certmail on a terminal, or unlock the key first: {by_hand}",
        ),
        Failure.CANCELLED: (
            "SIGN-CANCELLED",
            f"the passphrase for {shown} was not given",
            "run the command again and enter the passphrase",
        ),
        Failure.TIMED_OUT: (
            "SIGN-CANCELLED",
            f"nobody answered the passphrase prompt for {shown} in time",
            "run the command again and enter the passphrase",
        ),
        Failure.BAD_PASSPHRASE: (
            "SIGN-BAD-PASSPHRASE",
            f"the passphrase or PIN for {shown} was wrong",
            "run the command again",
        ),
        Failure.NO_SECRET_KEY: (
            "SIGN-NO-SECRET-KEY",
            f"the secret half of {shown} is not at hand",
            "insert the smartcard that holds it; then gpg --card-status",
        ),
        Failure.NO_CARD: (
            "SIGN-NO-CARD",
            f"the smartcard that holds {shown} is not there",
            "insert it; then gpg --card-status",
        ),
        Failure.CARD_BLOCKED: (
            "SIGN-CARD-BLOCKED",
            "the PIN of the smartcard is blocked",
            "gpg --card-edit, then admin, passwd, unblock PIN",
        ),
        Failure.NO_AGENT: (
            "SIGN-NO-AGENT",
            "the gpg-agent, which holds your secret keys, does not answer",
            "gpgconf --kill gpg-agent, then run the command again",
        ),
    }.get(
        why_failed(result.status) or Failure.OTHER,
        ("SIGN-FAILED", f"GnuPG did not sign with {shown}", by_hand),
    )
    raise SealError(code, what, why="an unsigned message is never sent", next=next_step)
