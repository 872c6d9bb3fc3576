"""The one root of what certmail says when it will not go on.

Comes in: nothing. Goes out: exceptions that carry a stable code, what is wrong, why it matters,
what to type next, and whether anything has left the machine. One class per family of remedy; the
class owns its exit status. Knows no other room.

Every code is listed with its remedy in ``docs/errors.md``; a code is never renamed or reused.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class Left(Enum):
    """What has left this machine when an error is raised."""

    NOTHING = "nothing has left this machine"
    REFUSED = "the sealed message reached the relay, which did not accept it"
    UNKNOWN = "the sealed message was handed over, and no answer came back"
    SENT = "the sealed message was accepted"


class CertmailError(Exception):
    """A refusal or a failure that the user can act on.

    ``code`` is stable; ``what``, ``why`` and ``next`` are sentences without a final period.
    ``lines`` is an inclusive range of 1-based line numbers of the file at fault, where there is
    one. No field may ever hold a secret: callers quote public values only.
    """

    exit_status: ClassVar[int] = 1

    def __init__(
        self,
        code: str,
        what: str,
        *,
        why: str,
        next: str,
        left: Left = Left.NOTHING,
        file: str | None = None,
        lines: tuple[int, int] | None = None,
    ) -> None:
        """Keep the parts; ``str(error)`` is the code and what is wrong."""
        super().__init__(f"{code}: {what}")
        self.code = code
        self.what = what
        self.why = why
        self.next = next
        self.left = left
        self.file = file
        self.lines = lines


class UsageError(CertmailError):
    """The command line asks for something that cannot be done as asked."""

    exit_status = 2


class BundleError(CertmailError):
    """The PEM bundle cannot be sent as it is."""

    exit_status = 10


class KeyRefused(CertmailError):
    """The recipient's OpenPGP key is not the pinned one, or cannot be used today."""

    exit_status = 11


class SealError(CertmailError):
    """Signing, encrypting or proving the result did not hold."""

    exit_status = 12


class RelayError(CertmailError):
    """The relay is not safe to talk to, or accepted nothing."""

    exit_status = 13


class DeliveryUnknown(CertmailError):
    """The message was handed over and the relay's verdict is not known: do not resend blindly."""

    exit_status = 14


class SecretError(CertmailError):
    """The relay's password could not be had from a safe place."""

    exit_status = 15


class SettingsError(CertmailError):
    """A setting is unknown, malformed or out of bounds."""

    exit_status = 16


class AcmeError(CertmailError):
    """Let's Encrypt by the provider cannot work for a domain."""

    exit_status = 21
