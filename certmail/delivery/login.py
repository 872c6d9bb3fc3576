"""Carry a login over SMTP: base64, line lengths, and who may speak when.

In: an `Exchange` and a way to say a line. Out: nothing, or why there is no login. Knows RFC 4954 §4
(AUTH): initial responses, challenges, the "*" that cancels.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from typing import TYPE_CHECKING, Final

from certmail.delivery import exchange as said
from certmail.delivery.auth import Mechanism
from certmail.delivery.exchange import MAX_RESPONSE_OCTETS, Exchange, Unexpected
from certmail.errors import CertmailError, SecretError
from certmail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from certmail.delivery.relay import Relay
    from certmail.delivery.replies import Reply
    from certmail.values import Secret

MAX_COMMAND_OCTETS: Final = 512
"""RFC 5321 §4.5.3.1.4, CRLF included; a longer initial response goes on a line of its own."""

CHALLENGE: Final = 334
LOGGED_IN: Final = 235

_CANCEL: Final = b"*"
_RUN: Final = re.compile(r"[A-Za-z0-9+/=._~-]{12,}", re.ASCII)
"""A piece of a secret that is long enough to be told from an ordinary word."""


@frozen
class Refused:
    """The reply that is no success, and what the relay said about it in the exchange."""

    reply: Reply
    told: str


def begin(
    mechanism: Mechanism, *, relay: Relay, user: str, secret: Secret, end_point: bytes | None
) -> Exchange:
    """Prepare a login. ``end_point`` binds -PLUS to the relay's certificate.

    Raises:
        SecretError: ``SECRET-EMPTY``, ``SECRET-MALFORMED``, ``SECRET-KIND``, ``SECRET-TOO-LONG``.
    """
    exchange = _exchange(mechanism, relay=relay, user=user, secret=secret, end_point=end_point)
    longest = max(len(secret.reveal().encode()), len(exchange.first or b""))
    if len(base64.b64encode(bytes(longest))) + 2 > MAX_RESPONSE_OCTETS:
        raise SecretError(
            "SECRET-TOO-LONG",
            f"the {secret.kind.value} for the relay does not fit into a line of a login",
            why=f"a line holds {MAX_RESPONSE_OCTETS} octets in base64 (RFC 4954 §4.3)",
            next="look at what the command or file gives: perhaps more than the secret alone",
        )
    return exchange


def _exchange(
    mechanism: Mechanism, *, relay: Relay, user: str, secret: Secret, end_point: bytes | None
) -> Exchange:
    match mechanism:
        case Mechanism.PLAIN:
            return said.plain(user=user, secret=secret)
        case Mechanism.LOGIN:
            return said.login(user=user, secret=secret)
        case Mechanism.OAUTHBEARER:
            return said.oauthbearer(user=user, secret=secret, relay=relay)
        case Mechanism.XOAUTH2:
            return said.xoauth2(user=user, secret=secret)
        case Mechanism.SCRAM_SHA_256 | Mechanism.SCRAM_SHA_256_PLUS:
            # Its library costs as much as the rest of a login.
            from certmail.delivery.scram import Scram  # noqa: PLC0415 - see above

            return Scram(mechanism, relay=relay, user=user, secret=secret, end_point=end_point)


async def converse(
    mechanism: Mechanism, exchange: Exchange, *, say: Callable[[bytes], Awaitable[Reply]]
) -> Refused | None:
    """Log in once; give the refusal, or None once the relay let us in.

    RFC 4954 §4: an initial response that makes the command too long waits for an empty challenge.

    Raises:
        Unexpected: the relay broke the protocol; an exchange that would go on has been cancelled.
        RelayError: what the exchange found out.
    """
    command, held = f"AUTH {mechanism.value}".encode(), exchange.first
    if held is not None:
        at_once = command + b" " + (base64.b64encode(held) or b"=")
        if len(at_once) + 2 <= MAX_COMMAND_OCTETS:
            command, held = at_once, None
    reply = await say(command)
    while reply.code == CHALLENGE:
        try:
            challenge = _challenge(reply)
            response, held = (exchange.answer(challenge), None) if held is None else (held, None)
        except (Unexpected, CertmailError):
            with contextlib.suppress(CertmailError):
                await say(_CANCEL)
            raise
        reply = await say(base64.b64encode(response))
    if reply.code != LOGGED_IN:
        return Refused(reply, exchange.told)
    if held is not None:
        raise Unexpected("it lets us in before anything was said")
    exchange.accept()
    return None


def redactor(exchange: Exchange, *, user: str, secret: Secret) -> Callable[[str], str]:
    """Give a function that takes the secret out of a text: whole, in every form it was sent.

    A long piece of a form goes too: a relay may break what it quotes into lines, or cut it.
    """
    text = secret.reveal()
    octets = (text.encode(), exchange.first or b"", f"\x00{user}\x00{text}".encode())
    encoded = {base64.b64encode(each).decode("ascii") for each in octets}
    whole = {text, *encoded, *(form.rstrip("=") for form in encoded)} - {""}
    ordered = sorted(whole, key=len, reverse=True)

    def is_piece(run: str) -> bool:
        return any(run in form for form in ordered)

    def redact(said: str) -> str:
        for form in ordered:
            said = said.replace(form, "<redacted>")
        return _RUN.sub(lambda run: "<redacted>" if is_piece(run[0]) else run[0], said)

    return redact


def _challenge(reply: Reply) -> bytes:
    """Read a challenge: one line of base64, possibly empty (RFC 4954 §4)."""
    if len(reply.lines) != 1:
        raise Unexpected("its challenge has several lines")
    try:
        return base64.b64decode(reply.lines[0].encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise Unexpected("its challenge is not base64") from None
