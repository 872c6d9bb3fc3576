"""What is asked for with the envelope, beyond delivery: TLS on the whole way, and reports.

In: a `Relay`'s wishes and what it offers inside TLS. Out: `Asked`, and the parameters of MAIL and
RCPT that say so. Knows RFC 8689 §4.3 (REQUIRETLS) and RFC 3461 §4 (delivery status notifications).
Sends nothing.

A report quotes headers only (RET=HDRS, RFC 3461 §4.3): the message is encrypted, and returning it
would still be a second copy on the way. NOTIFY=SUCCESS is never sent unless asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from certmail.delivery.outcome import ASKED, NOT_ASKED, NOT_OFFERED, Asked
from certmail.submission import Reports, TlsPath

if TYPE_CHECKING:
    from collections.abc import Callable

    from certmail.delivery.relay import Relay

_NOTIFY: Final = {
    Reports.FAILURE: "FAILURE,DELAY",
    Reports.SUCCESS: "SUCCESS,FAILURE,DELAY",
}


def ask(relay: Relay, *, message_id: str, offers: Callable[[str], bool]) -> Asked:
    """Settle what is asked of ``relay`` for the message named ``message_id``.

    The envelope's identifier is the random part of the Message-ID: 32 hex digits, which need no
    xtext (RFC 3461 §4) and are the same whenever the same sealed message is offered again.
    """
    requiretls = _state(relay.tls_path is not TlsPath.NOT_ASKED, offers("requiretls"))
    dsn = _state(relay.reports is not Reports.NOT_ASKED, offers("dsn"))
    if dsn != ASKED:
        return Asked(requiretls, dsn)
    envid = message_id.strip("<>").partition("@")[0]
    return Asked(requiretls, dsn, envid, _NOTIFY[relay.reports])


def mail(asked: Asked) -> tuple[bytes, ...]:
    """Give the parameters of MAIL (RFC 8689 §2, RFC 3461 §4.3 and §4.4)."""
    reports = (b"RET=HDRS", b"ENVID=%s" % asked.envid.encode("ascii")) if asked.envid else ()
    return (*reports, b"REQUIRETLS") if asked.requiretls == ASKED else reports


def rcpt(asked: Asked) -> tuple[bytes, ...]:
    """Give the parameters of RCPT (RFC 3461 §4.1)."""
    return (b"NOTIFY=%s" % asked.notify.encode("ascii"),) if asked.notify else ()


def _state(wanted: bool, offered: bool) -> str:  # noqa: FBT001  # two facts, side by side
    if not wanted:
        return NOT_ASKED
    return ASKED if offered else NOT_OFFERED
