"""What is said in a login, once a mechanism is chosen: PLAIN, LOGIN, OAUTHBEARER and XOAUTH2.

In: a user and a `Secret`. Out: an `Exchange`, which answers the relay's challenges and says whether
a success may be believed. Knows RFC 4616 (PLAIN), RFC 7628 (OAUTHBEARER), RFC 6750 §2.1 (tokens)
and the unwritten LOGIN and XOAUTH2. Knows neither base64 nor SMTP: `login` carries what is said.
"""

from __future__ import annotations

import json
import re
from dataclasses import field
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from certmail.delivery.auth import Mechanism, refuse_kind
from certmail.errors import SecretError
from certmail.frozen import slotted
from certmail.values import SecretKind, printable

if TYPE_CHECKING:
    from certmail.delivery.relay import Relay
    from certmail.values import Secret

MAX_RESPONSE_OCTETS: Final = 12288
"""RFC 4954 §4.3: what a line of an exchange may hold, in base64 and with its CRLF."""

_MAX_TOLD: Final = 200

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)
"""RFC 6750 §2.1: ``b64token``. Nothing in it ends a field of the response."""


class Unexpected(Exception):  # internal, becomes a RelayError
    """The relay said something that has no place in the mechanism."""


class Exchange(Protocol):
    """One login, from the client's side."""

    @property
    def first(self) -> bytes | None:
        """What the client says first; None where the relay speaks first."""

    @property
    def told(self) -> str:
        """What the relay said about a refusal, cleaned; empty where it said nothing."""

    def answer(self, challenge: bytes) -> bytes:
        """Answer a challenge, or raise `Unexpected` or a RelayError."""

    def accept(self) -> None:
        """Believe a success, or raise `Unexpected` or a RelayError."""


@slotted
class Scripted:
    """An exchange whose lines are known from the start: PLAIN and LOGIN."""

    first: bytes | None = field(repr=False)
    answers: list[bytes] = field(repr=False)
    told: str = ""

    def answer(self, challenge: bytes) -> bytes:
        """Give the next line; what is asked is never looked at, relays word it as they like."""
        del challenge
        if not self.answers:
            raise Unexpected("it asks for something that no login has")
        return self.answers.pop(0)

    def accept(self) -> None:
        """Refuse a success before the secret was said."""
        if self.answers:
            raise Unexpected("it lets us in before the password was said")


@slotted
class Bearer:
    """An exchange that shows a token: OAUTHBEARER and XOAUTH2.

    A relay that does not take the token says why in a challenge of its own, and refuses once that
    is answered (RFC 7628 §3.2.3).
    """

    first: bytes = field(repr=False)
    acknowledgement: bytes
    told: str = ""
    _failed: bool = False

    def answer(self, challenge: bytes) -> bytes:
        """Take down why the token is not taken, and have the refusal said."""
        if self._failed:
            raise Unexpected("it asks for something that no login has")
        self._failed = True
        self.told = _reason(challenge)
        return self.acknowledgement

    def accept(self) -> None:
        """Refuse a success that follows an error."""
        if self._failed:
            raise Unexpected("it refuses the token and lets us in all the same")


def plain(*, user: str, secret: Secret) -> Exchange:
    """Say user and password at once (RFC 4616 §2): authzid, NUL, authcid, NUL, password.

    Deviation: RFC 4616 §2 would have the password prepared with SASLprep. It is sent as it is,
    like other mail programs do: preparing changes passwords that providers compare byte by byte.

    Raises:
        SecretError: ``SECRET-EMPTY``, ``SECRET-MALFORMED``, ``SECRET-KIND``.
    """
    require_kind(secret, Mechanism.PLAIN)
    return Scripted(b"\x00" + user.encode() + b"\x00" + password_octets(secret), [])


def login(*, user: str, secret: Secret) -> Exchange:
    """Say the user, then the password, each when asked.

    Raises:
        SecretError: as by `plain`.
    """
    require_kind(secret, Mechanism.LOGIN)
    return Scripted(None, [user.encode(), password_octets(secret)])


def oauthbearer(*, user: str, secret: Secret, relay: Relay) -> Exchange:
    """Show a token with the user, host and port it is meant for (RFC 7628 §3.1).

    Raises:
        SecretError: ``SECRET-EMPTY``, ``SECRET-MALFORMED``, ``SECRET-KIND``.
    """
    require_kind(secret, Mechanism.OAUTHBEARER)
    # RFC 5801 §4: a comma or an equals sign of the name is spelled out in the GS2 header.
    name = user.replace("=", "=3D").replace(",", "=2C")
    fields = (
        f"n,a={name},",
        f"host={relay.host}",
        f"port={relay.port}",
        f"auth=Bearer {_token(secret)}",
    )
    return Bearer("".join(f"{text}\x01" for text in (*fields, "")).encode(), b"\x01")


def xoauth2(*, user: str, secret: Secret) -> Exchange:
    """Show a token with the user, as Google and Microsoft have it.

    Raises:
        SecretError: as by `oauthbearer`.
    """
    require_kind(secret, Mechanism.XOAUTH2)
    said = f"user={user}\x01auth=Bearer {_token(secret)}\x01\x01"
    return Bearer(said.encode(), b"")


def require_kind(secret: Secret, mechanism: Mechanism) -> None:
    """Refuse a secret of the other kind at the last moment, whatever was settled before.

    Raises:
        SecretError: ``SECRET-KIND``.
    """
    if secret.kind is not mechanism.kind:
        refuse_kind(mechanism, secret.kind)


def password_octets(secret: Secret) -> bytes:
    """Give the password as it is sent; RFC 4616 §2 forbids NUL in it.

    Raises:
        SecretError: ``SECRET-EMPTY``, ``SECRET-MALFORMED``.
    """
    text = _filled(secret)
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in text):  # noqa: PLR2004
        refuse_malformed(secret, "holds a control character")
    try:
        return text.encode()
    except UnicodeEncodeError:
        refuse_malformed(secret, "is not text")


def refuse_malformed(secret: Secret, what: str) -> NoReturn:
    """Refuse a secret that cannot be right, before a try is spent on it."""
    raise SecretError(
        "SECRET-MALFORMED",
        f"the {secret.kind.value} for the relay {what}",
        why="it could not be right, so it would be refused; each refusal counts",
        next="give it again, without a line break at its end: certmail secret set, or mend the"
        " command or file it comes from",
    ) from None


def _filled(secret: Secret) -> str:
    text = secret.reveal()
    if not text:
        raise SecretError(
            "SECRET-EMPTY",
            f"the {secret.kind.value} for the relay is empty",
            why="an empty one is never right and counts as a failed login",
            next="give it again: certmail secret set, or mend the command or file it comes from",
        )
    return text


def _token(secret: Secret) -> str:
    """Give a token that ends no field: a stray control character would begin another one."""
    text = _filled(secret)
    if secret.kind is not SecretKind.TOKEN or not _TOKEN.fullmatch(text):
        refuse_malformed(secret, "holds a character that no OAuth token has (RFC 6750 §2.1)")
    return text


def _reason(challenge: bytes) -> str:
    """Read why a token is not taken (RFC 7628 §3.2.2: JSON); foreign text, so it is cleaned."""
    try:
        said = json.loads(challenge)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(said, dict):
        return ""
    parts = [f"{name} {said[name]}" for name in ("status", "scope") if _is_short(said.get(name))]
    return printable(", ".join(parts), limit=_MAX_TOLD)


def _is_short(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_TOLD
