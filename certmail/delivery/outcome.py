"""Put what happened into words: how far it came, what the relay said, what is true now.

In: where the session stood, a reply. Out: a `Receipt`, or the `CertmailError` that says what to do.
Knows RFC 5321 §4.2 (what a reply code means) and RFC 3463 (enhanced codes). A refused login is put
into words by `turned_away`. Opens nothing and reads nothing.

Whether a message was accepted is decided by the stage, never by the kind of exception: until the
final dot is written nothing can be accepted (RFC 5321 §4.1.1.4), from then on only a reply can
tell, and without one nobody knows.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from certmail.delivery.turned_away import turned_away
from certmail.errors import CertmailError, DeliveryUnknown, Left, RelayError
from certmail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from certmail.delivery.auth import Mechanism
    from certmail.delivery.relay import Relay
    from certmail.delivery.replies import Reply
    from certmail.delivery.tls import TlsFacts


class Stage(Enum):
    """How far a delivery has come; the value completes "while …"."""

    CONNECT = "connecting"
    GREETING = "waiting for the greeting"
    EHLO = "saying EHLO"
    STARTTLS = "starting TLS"
    EHLO_INSIDE = "saying EHLO inside TLS"
    SECRET = "reading the password"  # noqa: S105  # a stage, not a password
    AUTH = "logging in"
    MAIL = "naming the sender"
    RCPT = "naming the recipient"
    RSET = "taking sender and recipient back"
    DATA = "asking to send the message"
    BODY = "sending the message"
    VERDICT = "waiting for the verdict"


ASKED: Final = "asked"
NOT_OFFERED: Final = "not offered"
NOT_ASKED: Final = "not asked"

_IN_SIGHT: Final = frozenset({Stage.BODY, Stage.VERDICT})
"""Stages at which the relay has read the sealed message, or some of it."""


@frozen
class Where:
    """Where a session stands: at which relay, at which stage, and how to quote the relay.

    ``mechanism`` is how it logs in, once that is chosen; ``told`` what the relay said in the login
    before it refused it.
    """

    relay: Relay
    stage: Stage
    redact: Callable[[str], str] = str
    mechanism: Mechanism | None = None
    told: str = ""

    @property
    def left(self) -> Left:
        """What has left this machine and cannot be undone, before the verdict is known."""
        return Left.REFUSED if self.stage in _IN_SIGHT else Left.NOTHING


@frozen
class Asked:
    """What was asked for with the envelope, beyond delivery.

    ``requiretls`` and ``dsn`` say "asked", "not offered" (by the relay) or "not asked" (by the
    settings). ``envid`` names the message in every report about it (RFC 3461 §4.4), ``notify`` says
    of what there are to be reports; both are None where no reports were asked for.
    """

    requiretls: str = NOT_OFFERED
    dsn: str = NOT_OFFERED
    envid: str | None = None
    notify: str | None = None


@frozen
class Receipt:
    """What the relay took over, when, and over which connection.

    Says that the relay accepted the message into its own care (RFC 5321 §6.1); says nothing about
    what happens behind it. ``reply`` is the relay's own text, cleaned. ``requiretls``, ``dsn``,
    ``envid`` and ``notify`` are those of `Asked`. Holds nothing secret.
    """

    accepted_at: datetime
    relay: str
    peer: str
    tls: TlsFacts
    mechanism: str | None
    reply: str
    message_id: str
    sha256: str
    size: int
    requiretls: str = NOT_OFFERED
    dsn: str = NOT_OFFERED
    envid: str | None = None
    notify: str | None = None


_ADVICE: Final = {
    "5.7.57": "set the relay's user: this relay takes mail only after a login",
    "5.7.60": "send from an address that this account owns, or have it allowed to send as it",
    "5.3.4": "use a relay that takes larger messages",
    "5.7.30": "set relay.require_tls_path to not-asked: the recipient's server does not know"
    " REQUIRETLS, and the content is encrypted for the recipient either way",
}
"""Enhanced codes that providers use with one meaning each, and the one act that helps."""

_ENVELOPE: Final = frozenset({Stage.MAIL, Stage.RCPT})
"""Many relays, Postfix among them, refuse a sender only once they know the recipient."""

_NEEDS_LOGIN: Final = frozenset({530, 538})
"""RFC 4954 §6: authentication required; encryption required for the mechanism."""

_CLOSING: Final = 421
"""RFC 5321 §3.8: the relay is going away, whatever was asked."""


def refused(where: Where, reply: Reply) -> CertmailError:
    """Turn a reply that is not the wanted one into what the operator needs to know."""
    relay, said = where.relay, reply.text(where.redact)
    if not reply.is_refusal:
        if where.stage is Stage.VERDICT:
            return unknown(relay, f"it answered {said}, which is no verdict")
        return broken(where, f"the reply {said} does not answer what was asked")
    advice = _ADVICE.get(reply.enhanced or "")
    special = None if reply.code == _CLOSING else _refused_specially(where, reply)
    if special is not None:
        return special
    if reply.is_temporary:
        return RelayError(
            "RELAY-TEMPORARY",
            f"{relay} cannot do it now, while {where.stage.value}: {said}",
            why="the relay says that the same may succeed later; it accepted nothing",
            next=advice or "try again in some minutes",
            left=where.left,
        )
    remedy = "ask the relay's administrator, quoting the reply"
    if where.stage in _ENVELOPE:
        remedy = "check that the account may send from this address, and to other domains"
    return RelayError(
        "RELAY-REFUSED",
        f"{relay} refused for good, while {where.stage.value}: {said}",
        why="the same attempt will be refused again; the relay accepted nothing",
        next=advice or remedy,
        left=where.left,
    )


def broken(where: Where, what: str) -> RelayError:
    """Report a relay, or somebody in between, that does not keep to SMTP."""
    return RelayError(
        "RELAY-PROTOCOL",
        f"{where.relay} broke the protocol, while {where.stage.value}: {what}",
        why="a reply that can be read in two ways could turn a refusal into a success",
        next="try again; if it stays, report it to the relay's administrator",
        left=where.left,
    )


def injected(relay: Relay) -> RelayError:
    """Report bytes that somebody put in front of the TLS handshake (RFC 3207 §6)."""
    return RelayError(
        "RELAY-TLS-INJECTION",
        f"something spoke for {relay} outside TLS, without being asked",
        why="bytes put in before the handshake would be taken for the relay's own answers",
        next="use port 465 with TLS from the first byte; suspect the network you are on",
    )


def no_tls(relay: Relay) -> RelayError:
    """Report a relay that does not offer STARTTLS, or whose offer was taken away."""
    return RelayError(
        "RELAY-NO-TLS",
        f"{relay} offers no STARTTLS",
        why="without TLS the password and the message would travel in clear; somebody on the way"
        " may have removed the offer",
        next="use port 465 with TLS from the first byte",
    )


def auth_before_tls(relay: Relay, said: str) -> RelayError:
    """Report a relay that wants the password before there is TLS."""
    return RelayError(
        "RELAY-AUTH-BEFORE-TLS",
        f"{relay} wants a login before it starts TLS: {said}",
        why="the password would travel in clear, which certmail never does",
        next="use port 465 with TLS from the first byte, or another relay",
    )


def too_large(where: Where, what: str) -> RelayError:
    """Report a message over the size that the relay takes (RFC 1870 §4)."""
    return RelayError(
        "RELAY-TOO-LARGE",
        f"the message is too large for {where.relay}: {what}",
        why="the relay takes no message of this size; it accepted nothing",
        next=_ADVICE["5.3.4"],
        left=where.left,
    )


def no_tls_path(relay: Relay) -> RelayError:
    """Report a relay that cannot promise TLS behind itself (RFC 8689 §4.3)."""
    return RelayError(
        "RELAY-NO-TLS-PATH",
        f"{relay} does not offer REQUIRETLS, and the settings demand it",
        why="nothing would oblige the servers behind the relay to use TLS; the content is encrypted"
        " for the recipient all the same",
        next="use a relay that offers REQUIRETLS, or set relay.require_tls_path to when-offered",
    )


def unreachable(relay: Relay, reason: str) -> RelayError:
    """Report that no connection came about."""
    return RelayError(
        "RELAY-UNREACHABLE",
        f"no connection to {relay}: {reason}",
        why="the relay is down, or its name or port is wrong, or a firewall is in between",
        next="check the relay's host and port in the settings, and the network",
    )


def timed_out(where: Where) -> RelayError:
    """Report a wait that ended before the relay did its part."""
    return RelayError(
        "RELAY-TIMEOUT",
        f"{where.relay} took too long, while {where.stage.value}",
        why="the time allowed for this step is over; the relay accepted nothing",
        next="try again; if it stays, check the relay's port and mode",
        left=where.left,
    )


def disconnected(where: Where) -> RelayError:
    """Report a connection that ended before the final dot."""
    return RelayError(
        "RELAY-DISCONNECTED",
        f"{where.relay} closed the connection, while {where.stage.value}",
        why="the final dot was not sent, so the relay accepted nothing",
        next="try again; if it stays, ask the relay's administrator",
        left=where.left,
    )


def unknown(relay: Relay, reason: str) -> DeliveryUnknown:
    """Report that the whole message was handed over and nobody knows its fate (RFC 1047)."""
    return DeliveryUnknown(
        "DELIVERY-UNKNOWN",
        f"{relay} has the whole sealed message and did not say what it did with it: {reason}",
        why="it may be on its way; sending again may deliver it twice, to a service that charges",
        next="ask the relay's administrator, or look into its log for the Message-ID, before you"
        " send again",
        left=Left.UNKNOWN,
    )


def _refused_specially(where: Where, reply: Reply) -> RelayError | None:
    """Give the refusals that have a code of their own."""
    relay, said = where.relay, reply.text(where.redact)
    if where.stage in {Stage.EHLO, Stage.STARTTLS} and reply.code in _NEEDS_LOGIN:
        return auth_before_tls(relay, said)
    if where.stage is Stage.STARTTLS:
        return RelayError(
            "RELAY-STARTTLS-REFUSED",
            f"{relay} offers STARTTLS and refuses it: {said}",
            why="without TLS the password and the message would travel in clear",
            next="use port 465 with TLS from the first byte, or try again later",
        )
    if where.stage is Stage.AUTH:
        told = where.redact(where.told)
        return turned_away(relay, reply, said=said, mechanism=where.mechanism, told=told)
    if reply.enhanced == "5.3.4" or (where.stage is Stage.MAIL and reply.code == 552):  # noqa: PLR2004
        return too_large(where, said)
    return None
