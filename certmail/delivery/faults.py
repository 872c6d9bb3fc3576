"""Tell faults on the wire apart: who broke what, and at which stage.

In: an exception from asyncio, ssl or aiosmtplib, and where the session stood. Out: the
`CertmailError` in the operator's terms. What the relay broke comes before what broke because of
it; foreign exceptions end here, since they may quote what a relay echoed.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from aiosmtplib import SMTPResponseException

from certmail.delivery import dial, outcome, tls
from certmail.delivery.outcome import Stage
from certmail.delivery.replies import Fault, Reply, ReplyFault
from certmail.submission import Mode
from certmail.values import printable

if TYPE_CHECKING:
    from certmail.delivery.outcome import Where
    from certmail.errors import CertmailError

_BEFORE_TLS: Final = frozenset({Stage.GREETING, Stage.EHLO, Stage.STARTTLS})


def explain(
    fault: Exception, *, where: Where, broken: ReplyFault | None, last: Reply | None
) -> CertmailError:
    """Put ``fault`` into words.

    ``broken`` is what the relay did against the protocol, where it did; ``last`` is its last
    reply, if the last command was answered.
    """
    if broken is not None:
        return _explain_broken(broken, where)
    if isinstance(fault, ssl.SSLError):
        return _explain_tls(fault, where)
    if isinstance(fault, SMTPResponseException) and last is not None:
        return outcome.refused(where, last)
    if isinstance(fault, TimeoutError):
        return outcome.timed_out(where)
    return _explain_end(fault, where, last)


def why_no_verdict(fault: BaseException, *, broken: ReplyFault | None) -> str:
    """Say what ended the wait for the verdict."""
    if broken is not None:
        return str(broken)
    if isinstance(fault, TimeoutError):
        return "no reply came in the time allowed"
    if isinstance(fault, OSError):
        return "the connection ended"
    return "the wait was interrupted"


_CUT_OFF: Final = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
"""What ends a connection that was there, if only for a handshake; a refused dial is none."""


def _explain_broken(broken: ReplyFault, where: Where) -> CertmailError:
    """Tell a relay that says good-bye unasked from one that cannot be believed."""
    if broken.reply is not None and broken.reply.is_refusal:
        return outcome.refused(where, broken.reply)
    clear = where.relay.mode is Mode.STARTTLS and where.stage in _BEFORE_TLS
    if clear and broken.fault is Fault.UNASKED:
        return outcome.injected(where.relay)
    return outcome.broken(where, str(broken))


def _explain_end(fault: Exception, where: Where, last: Reply | None) -> CertmailError:
    """Tell a connection that never was from a handshake cut off and from one that ended later."""
    dialling = where.stage is Stage.CONNECT
    if dialling and not isinstance(fault, _CUT_OFF):
        return outcome.unreachable(where.relay, printable(dial.reason(fault)))
    # A 220 to STARTTLS was the last that was said in clear: what failed is the handshake.
    shaking_hands = where.stage is Stage.STARTTLS and last is not None
    if shaking_hands or (dialling and where.relay.mode is Mode.IMPLICIT):
        return tls.handshake_failed(where.relay, "the relay closed the connection")
    return outcome.disconnected(where)


def _explain_tls(fault: ssl.SSLError, where: Where) -> CertmailError:
    """Tell bytes put in after the relay's 220 from an honest handshake that failed."""
    if where.stage is Stage.STARTTLS and fault.reason == "WRONG_VERSION_NUMBER":
        return outcome.injected(where.relay)
    return tls.explain(fault, relay=where.relay)
