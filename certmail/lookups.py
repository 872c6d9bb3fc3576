"""The edge that asks CAs what they have revoked, when the user asks for that.

Comes in: questions. Goes out: answers, unread. Bounded in time and size; no redirect is followed,
nothing but the question is sent, and the whole round ends by one deadline. Certificates name plain
http here, on purpose: the answers are signed, and the core verifies that. A certificate comes from
a stranger, so only addresses of the public network are asked.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from certmail import __version__
from certmail.bundle.further import Answer, Kind, Question
from certmail.web.failure import NotFetched, Reason
from certmail.web.fetch import SIGNED, Limits, Reach, fetch

if TYPE_CHECKING:
    from collections.abc import Iterable

TIMEOUT_S: Final = 15.0
MAX_OCTETS: Final = 16 * 2**20
"""The lists of large CAs have some megabytes."""

_HEADERS: Final = {"User-Agent": f"certmail/{__version__}"}
_OCSP: Final = {**_HEADERS, "Content-Type": "application/ocsp-request"}


def ask(
    questions: Iterable[Question], *, timeout_s: float = TIMEOUT_S, reach: Reach | None = None
) -> tuple[Answer, ...]:
    """Ask each question once, one after the other, all before the deadline.

    Without ``reach``, the proxies of the environment are used.
    """
    deadline = time.monotonic() + timeout_s
    reach = reach or Reach(env=os.environ)
    return tuple(_ask(question, deadline, reach) for question in questions)


def _ask(question: Question, deadline: float, reach: Reach) -> Answer:
    left = deadline - time.monotonic()
    if left <= 0:
        return Answer(question, None, "no time was left")
    limits = Limits(schemes=SIGNED, seconds=left, octets=MAX_OCTETS)
    headers = _OCSP if question.kind is Kind.OCSP else _HEADERS
    try:
        octets = fetch(
            question.url, limits=limits, reach=reach, headers=headers, body=question.body
        )
    except NotFetched as failure:
        return Answer(question, None, _reason(failure))
    return Answer(question, octets)


def _reason(failure: NotFetched) -> str:
    match failure.reason:
        case Reason.STATUS:
            return failure.detail or f"HTTP status {failure.status}"
        case Reason.TOO_LARGE:
            return f"more than {MAX_OCTETS} octets"
        case Reason.TIMEOUT:
            return "no answer in time"
        case Reason.PRIVATE:
            return "a host of a private network or of this machine, which is not asked"
        case Reason.PROXY:
            return "the proxy that the environment names is not one certmail can use"
        case _:
            return "no connection"
