"""Choose how to log in: one mechanism, tried once, with a secret that is read last.

In: what the relay listed inside TLS, what the settings demand, the kind of secret there is. Out: a
`Mechanism`, or the refusal that says what the relay offers instead. Knows RFC 4954 §3 (what AUTH
lists). What is said in each mechanism is `exchange`'s and `scram`'s.

A relay that refuses a login is not asked again with another mechanism: three tries lock an account.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NoReturn

from certmail.errors import RelayError, SecretError
from certmail.submission import Login
from certmail.values import SecretKind, printable

if TYPE_CHECKING:
    from collections.abc import Collection

    from certmail.delivery.relay import Relay


class Mechanism(Enum):
    """The mechanisms certmail speaks, each by its name in IANA's registry; LOGIN is unwritten.

    SCRAM keeps the password from the relay and has the relay prove that it knows it. The others
    show the secret to the relay; TLS keeps it from everybody else.
    """

    SCRAM_SHA_256_PLUS = "SCRAM-SHA-256-PLUS"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    PLAIN = "PLAIN"
    LOGIN = "LOGIN"
    OAUTHBEARER = "OAUTHBEARER"
    XOAUTH2 = "XOAUTH2"

    @property
    def kind(self) -> SecretKind:
        """What kind of secret it takes."""
        tokens = {Mechanism.OAUTHBEARER, Mechanism.XOAUTH2}
        return SecretKind.TOKEN if self in tokens else SecretKind.PASSWORD

    @property
    def is_scram(self) -> bool:
        """Whether the password stays here and the relay has to prove that it knows it."""
        return self in {Mechanism.SCRAM_SHA_256, Mechanism.SCRAM_SHA_256_PLUS}


_STRONGEST_FIRST: Final = {
    SecretKind.PASSWORD: (Mechanism.SCRAM_SHA_256, Mechanism.PLAIN, Mechanism.LOGIN),
    SecretKind.TOKEN: (Mechanism.OAUTHBEARER, Mechanism.XOAUTH2),
}
"""What `Login.AUTO` looks for. SCRAM-SHA-256-PLUS is not among them: see
``docs/decisions/0008-channel-binding.md``."""

_TO_NAME: Final = {
    SecretKind.PASSWORD: "a password",
    SecretKind.TOKEN: "a token",
}


def choose(offered: Collection[str], *, relay: Relay, kind: SecretKind) -> Mechanism:
    """Pick the mechanism from what the relay listed inside TLS.

    Raises:
        RelayError: ``RELAY-AUTH-NOT-OFFERED``, ``RELAY-AUTH-MECHANISM``.
        SecretError: ``SECRET-KIND``.
    """
    require_fitting(relay.login, kind)
    names = {name.upper() for name in offered}
    if not names:
        raise RelayError(
            "RELAY-AUTH-NOT-OFFERED",
            f"{relay} offers no login, and the settings name the user {relay.user}",
            why="the relay would take the message from nobody in particular, or refuse it later",
            next="check host and port: submission is on 465 or 587; port 25 has no logins",
        )
    fitting = [mechanism for mechanism in _wanted(relay, kind) if mechanism.value in names]
    if not fitting:
        _refuse_offer(names, relay=relay, kind=kind)
    return fitting[0]


def expected_kind(relay: Relay) -> SecretKind:
    """Tell what kind of secret the settings of ``relay`` ask for; a password unless they say."""
    return SecretKind.PASSWORD if relay.login is Login.AUTO else _named(relay.login).kind


def require_fitting(login: Login, kind: SecretKind) -> None:
    """Refuse, before anything is dialled, a login that cannot take the secret there is.

    Raises:
        SecretError: ``SECRET-KIND``.
    """
    if login is not Login.AUTO and _named(login).kind is not kind:
        refuse_kind(_named(login), kind)


def refuse_kind(mechanism: Mechanism, kind: SecretKind) -> NoReturn:
    """Refuse to send a token as a password, or a password as a token."""
    raise SecretError(
        "SECRET-KIND",
        f"{mechanism.value} takes {_TO_NAME[mechanism.kind]}, and what there is is"
        f" {_TO_NAME[kind]}",
        why="whoever gets the one could use it for more than the other was meant for",
        next="set relay.auth to what fits the secret, or take the source of the secret out of the"
        " settings: certmail config",
    )


def _wanted(relay: Relay, kind: SecretKind) -> tuple[Mechanism, ...]:
    """Give the mechanisms to look for, the strongest first."""
    if relay.login is Login.AUTO:
        return _STRONGEST_FIRST[kind]
    return (_named(relay.login),)


def _named(login: Login) -> Mechanism:
    return Mechanism(login.value.upper())


def _refuse_offer(names: set[str], *, relay: Relay, kind: SecretKind) -> NoReturn:
    """Say what the relay offers instead of what would do, and what to set for it."""
    listed = printable(", ".join(sorted(names)))
    wanted = " or ".join(mechanism.value for mechanism in _wanted(relay, kind))
    other = next(iter(set(SecretKind) - {kind}))
    takes_other = any(m.value in names for m in Mechanism if m.kind is other)
    if relay.login is not Login.AUTO:
        act = "set relay.auth to auto, or ask the provider which logins there are"
    elif takes_other and kind is SecretKind.PASSWORD:
        act = "set relay.token_command to a command that prints an OAuth token for this relay"
    elif takes_other:
        act = "use a password: take relay.token_command out of the settings"
    else:
        act = "ask the provider for an app password or another relay"
    raise RelayError(
        "RELAY-AUTH-MECHANISM",
        f"{relay} does not offer {wanted}; it offers: {listed}",
        why=f"certmail has {_TO_NAME[kind]} to log in with, and tries no login that takes"
        " anything else",
        next=act,
    )
