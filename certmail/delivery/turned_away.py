"""Put a refused login into words, with the one act that helps.

In: the relay's reply, the mechanism, what was told in the exchange. Out: a `RelayError`. Knows RFC
4954 §6 (AUTH replies), RFC 5248's registry of enhanced codes, and what providers mean by theirs:
only what is known for certain is translated. Opens nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from certmail.errors import RelayError
from certmail.values import SecretKind

if TYPE_CHECKING:
    from certmail.delivery.auth import Mechanism
    from certmail.delivery.relay import Relay
    from certmail.delivery.replies import Reply

_MAKE_ONE_FOR_APPS: Final = (
    "the provider wants an app password: make one in the account's security settings, then"
    " certmail secret set"
)
_TOKENS_ONLY: Final = (
    "the provider takes no passwords here: set relay.token_command (docs/secrets.md), or have"
    " the administrator switch on authenticated SMTP with passwords"
)

_BY_WORDS: Final = (
    # Microsoft says 5.7.139 to different things, and tells them apart in words only.
    (
        "5.7.139",
        r"SmtpClientAuthentication is disabled",
        "switch on authenticated SMTP for this mailbox, or have the administrator do it",
    ),
    (
        "5.7.139",
        r"basic authentication is disabled",
        _TOKENS_ONLY,
    ),
    ("5.7.139", r"user credentials were incorrect", "give the password again: certmail secret set"),
    (
        "5.7.139",
        r"",
        "have the mailbox's administrator switch on authenticated SMTP for it, or allow this login",
    ),
    ("5.7.9", r"", _MAKE_ONE_FOR_APPS),
    (
        "5.7.14",
        r"accounts\.google\.com",
        "log in to the account with a web browser, then try again",
    ),
    ("5.7.13", r"", "ask the provider why the account is disabled"),
)
"""Enhanced code, words of the reply, and the act; the first that fits."""

_APPS_ONLY: Final = frozenset(
    {"smtp.gmail.com", "smtp.mail.yahoo.com", "smtp.mail.me.com", "smtp.fastmail.com"}
)
"""Relays of providers that take no account passwords, only app passwords."""

_NO_SUCH_MECHANISM: Final = 504


def turned_away(
    relay: Relay, reply: Reply, *, said: str, mechanism: Mechanism | None, told: str
) -> RelayError:
    """Tell a wrong secret from a relay that cannot say (RFC 4954 §6).

    ``said`` is the reply, cleaned; ``told`` what the relay said before it in the exchange.
    """
    said = f"{said} ({told})" if told else said
    if reply.is_temporary:
        return RelayError(
            "RELAY-AUTH-TEMPORARY",
            f"{relay} cannot check the login now: {said}",
            why="the relay did not say that the login is wrong",
            next="try again in some minutes",
        )
    if reply.code == _NO_SUCH_MECHANISM:
        return RelayError(
            "RELAY-AUTH-MECHANISM",
            f"{relay} does not take the login mechanism that it offered: {said}",
            why="certmail tries one mechanism once, so that a wrong guess cannot lock the account",
            next="ask the relay's administrator which mechanisms really work, and set relay.auth",
        )
    by = f" by {mechanism.value}" if mechanism else ""
    return RelayError(
        "RELAY-AUTH-REFUSED",
        f"{relay} refused the login of {relay.user}{by}: {said}",
        why="the user or the secret is wrong, or the account may not log in this way; certmail"
        " tried once",
        next=_act(relay, reply, mechanism),
    )


def _act(relay: Relay, reply: Reply, mechanism: Mechanism | None) -> str:
    """Give the one act that helps, as far as it is known."""
    words = " ".join(reply.lines)
    for code, pattern, act in _BY_WORDS:
        if reply.enhanced == code and re.search(pattern, words, re.IGNORECASE):
            return act
    if mechanism is not None and mechanism.kind is SecretKind.TOKEN:
        return (
            "run the token command by hand: the token may be too old, or made for another user or"
            " another purpose than sending mail"
        )
    if relay.host.text in _APPS_ONLY:
        return _MAKE_ONE_FOR_APPS
    act = "check relay.user, and give the password again: certmail secret set"
    if mechanism is not None and mechanism.is_scram:
        act += "; if both are right, the account may lack SCRAM: set relay.auth to plain"
    return act
