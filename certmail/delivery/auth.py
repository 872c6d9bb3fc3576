"""Log in: one mechanism, tried once, with a password that was read last.

In: what the relay listed inside TLS, a user, a `Secret`. Out: the lines to send. Knows RFC 4954
(AUTH), RFC 4616 (PLAIN) and the unwritten LOGIN. Opens no connection: `smtp` sends the lines, and
only after it has proved the TLS connection.

No mechanism here keeps the password from the relay; TLS keeps it from everybody else. A relay that
refuses a login is not asked again with another mechanism: three tries lock an account.
"""

from __future__ import annotations

import base64
import binascii
from enum import Enum
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from certmail.errors import RelayError, SecretError
from certmail.values import Secret, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from certmail.delivery.relay import Relay

MAX_COMMAND_OCTETS: Final = 512
"""RFC 5321 §4.5.3.1.4, CRLF included; a longer initial response goes on a line of its own."""


class SecretSource(Protocol):
    """Where the password comes from. Read once, after TLS is proved, or not at all."""

    def read(self) -> Secret:
        """Give the password, or raise a SecretError."""


class Mechanism(Enum):
    """The mechanisms certmail speaks, in the order it prefers them."""

    PLAIN = "PLAIN"
    LOGIN = "LOGIN"


def choose(offered: Collection[str], *, relay: Relay) -> Mechanism:
    """Pick the mechanism from what the relay listed inside TLS.

    Raises:
        RelayError: ``RELAY-AUTH-NOT-OFFERED``, ``RELAY-AUTH-MECHANISM``.
    """
    names = {name.upper() for name in offered}
    if not names:
        raise RelayError(
            "RELAY-AUTH-NOT-OFFERED",
            f"{relay} offers no login, and the settings name the user {relay.user}",
            why="the relay would take the message from nobody in particular, or refuse it later",
            next="check host and port: submission is on 465 or 587; port 25 has no logins",
        )
    for mechanism in Mechanism:
        if mechanism.value in names:
            return mechanism
    listed = printable(", ".join(sorted(names)))
    raise RelayError(
        "RELAY-AUTH-MECHANISM",
        f"{relay} offers only logins that certmail does not speak: {listed}",
        why="certmail speaks PLAIN and LOGIN, inside TLS",
        next="ask the provider for an app password or another relay",
    )


def lines(mechanism: Mechanism, *, user: str, secret: Secret) -> tuple[bytes, ...]:
    """Give the lines of the exchange; the relay must ask for each one after the first.

    Deviation: RFC 4616 §2 would have the password prepared with SASLprep. It is sent as it is,
    like other mail programs do: preparing changes passwords that providers compare byte by byte.

    Raises:
        SecretError: ``SECRET-EMPTY``, ``SECRET-MALFORMED``.
    """
    password = _octets(secret)
    if mechanism is Mechanism.LOGIN:
        return b"AUTH LOGIN", base64.b64encode(user.encode()), base64.b64encode(password)
    response = base64.b64encode(b"\x00" + user.encode() + b"\x00" + password)
    at_once = b"AUTH PLAIN " + response
    if len(at_once) + 2 <= MAX_COMMAND_OCTETS:
        return (at_once,)
    return b"AUTH PLAIN", response


def is_challenge(text: str) -> bool:
    """Tell whether ``text`` may follow 334: base64, possibly empty (RFC 4954 §4)."""
    try:
        base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return False
    return True


def redactor(*, user: str, secret: Secret) -> Callable[[str], str]:
    """Give a function that takes the credentials out of a text, in every form they were sent."""
    password = secret.reveal()
    forms = {password} - {""}
    for octets in (password.encode(), f"\x00{user}\x00{password}".encode()):
        encoded = base64.b64encode(octets).decode("ascii")
        forms |= {encoded, encoded.rstrip("=")} - {""}
    ordered = sorted(forms, key=len, reverse=True)

    def redact(text: str) -> str:
        for form in ordered:
            text = text.replace(form, "<redacted>")
        return text

    return redact


def _octets(secret: Secret) -> bytes:
    """Give the password as it is sent; RFC 4616 §2 forbids NUL in it."""
    text = secret.reveal()
    if not text:
        raise SecretError(
            "SECRET-EMPTY",
            "the password for the relay is empty",
            why="an empty password is never right and counts as a failed login",
            next="store the password again",
        )
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in text):  # noqa: PLR2004
        _refuse_malformed("holds a control character")
    try:
        return text.encode()
    except UnicodeEncodeError:
        _refuse_malformed("is not text")


def _refuse_malformed(what: str) -> NoReturn:
    raise SecretError(
        "SECRET-MALFORMED",
        f"the password for the relay {what}",
        why="it could not have been typed, so it would be refused; each refusal counts",
        next="store the password again, without a line break at its end",
    ) from None
