"""Make a signing key in the user's own GnuPG home, when the user has said so.

In: an address, a name, how the key is protected. Out: the new key's fingerprint. GnuPG asks for the
passphrase itself (pinentry); it never comes near this program. The parameters go to GnuPG on its
standard input, one to a line; a name that could end its line cannot come this far.

RSA of 3072 bits, as GnuPG 2.2 makes by default: every OpenPGP program of the last twenty years can
verify it, and nobody here knows which one the provider's support uses. A second key pair for
encryption comes with it, so that the provider can answer encrypted and `encrypt_to_self` works.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NoReturn

from certmail.errors import SealError
from certmail.gnupg.runner import Failure, Gpg, run
from certmail.values import Address, Fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LIFE: Final = "2y"
"""Long enough for several certificates, short enough that a lost key ends by itself."""

TIMEOUT_S: Final = 600.0
"""Somebody invents a passphrase meanwhile, and types it twice."""

_ENDS_A_NAME: Final = frozenset('<>()@"\\')
"""What OpenPGP's convention for user IDs, or a mail program, takes for something else."""


class Protection(Enum):
    """What keeps the secret key from whoever reads the disk."""

    PASSPHRASE = "a passphrase"  # noqa: S105 - words for people
    NONE = "nothing but the file's permissions"


def make_key(
    gpg: Gpg,
    *,
    address: Address,
    name: str,
    protection: Protection,
    home: Path | None,
    env: Mapping[str, str],
) -> Fingerprint:
    """Make a key that signs for ``address`` and lives two years.

    With a passphrase, somebody must be there to type it: the caller has seen to that.

    Raises:
        SealError: ``SIGNER-NOT-MADE``, ``GPG-TIMEOUT``.
    """
    shown = "".join(c for c in name if c.isprintable() and c not in _ENDS_A_NAME).strip()
    parameters = [
        "Key-Type: RSA",
        "Key-Length: 3072",
        "Key-Usage: sign cert",
        "Subkey-Type: RSA",
        "Subkey-Length: 3072",
        "Subkey-Usage: encrypt",
        *([f"Name-Real: {shown}"] if shown else []),
        f"Name-Email: {address}",
        f"Expire-Date: {LIFE}",
        *(["%no-protection"] if protection is Protection.NONE else []),
        "%commit",
    ]
    result = run(
        gpg,
        "--generate-key",
        home=home,
        env=env,
        stdin="\n".join([*parameters, ""]).encode(),
        timeout_s=TIMEOUT_S,
    )
    made = result.first("KEY_CREATED")
    if made is None:
        _refuse(result.failure)
    return Fingerprint(made.args[1])


def _refuse(failure: Failure | None) -> NoReturn:
    reason = (failure or Failure.OTHER).value
    raise SealError(
        "SIGNER-NOT-MADE",
        f"GnuPG has made no key: {reason}",
        why="the provider wants a signed message, so that it knows whose certificate it installs",
        next="make one by hand, and name it: gpg --full-generate-key, then certmail setup"
        " --sign-with FINGERPRINT",
    )
