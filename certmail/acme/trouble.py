"""What is wrong with one address's answer, from its status, its headers and its body alone.

Comes in: what an address said. Goes out: one word for the first cause in its way, or none. What to
say about it stands in ``words``.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from certmail.acme.answers import OK, Silence

if TYPE_CHECKING:
    from certmail.acme.answers import Answer, Heard

_STRICT: Final = frozenset({502, 520, 525, 526})
"""What Cloudflare says where it wants TLS from a server that has no certificate yet."""

_ORIGIN: Final = frozenset({504, 521, 522, 523, 524, 530})
"""What Cloudflare says where it does not reach the server at all."""


class Trouble(Enum):
    """One cause, with its code; in the order in which they are mended."""

    PRIVATE = "ACME-PRIVATE"
    SILENT = "ACME-SILENT"
    CLOUDFLARE_CHALLENGE = "ACME-CLOUDFLARE-CHALLENGE"
    CLOUDFLARE_STRICT = "ACME-CLOUDFLARE-STRICT"
    CLOUDFLARE_ORIGIN = "ACME-CLOUDFLARE-ORIGIN"
    REDIRECT_CLOUDFLARE = "ACME-REDIRECT-CLOUDFLARE"
    REDIRECT_HTTPS = "ACME-REDIRECT-HTTPS"
    REDIRECT_ELSEWHERE = "ACME-REDIRECT-ELSEWHERE"
    CACHED_WRONG = "ACME-CACHED-WRONG"
    CACHED_RIGHT = "ACME-CACHED-RIGHT"
    STATUS = "ACME-STATUS"
    BODY = "ACME-BODY"


PAGE_RULE: Final = frozenset({Trouble.CLOUDFLARE_STRICT, Trouble.REDIRECT_CLOUDFLARE})
"""What the provider's page rule for Cloudflare mends."""


def trouble(heard: Heard, *, domain: str) -> Trouble | None:
    """Name what is wrong at one address; None where it is right, or this machine has no way."""
    if heard.first.silence is Silence.NO_ROUTE or heard.is_right:
        return None
    if heard.first.is_right:
        return Trouble.CACHED_RIGHT
    if heard.again is not None and heard.again.is_right:
        return Trouble.CACHED_WRONG
    return _of(heard.fresh, domain)


def _of(answer: Answer, domain: str) -> Trouble:
    if answer.silence is not None:
        return Trouble.PRIVATE if answer.silence is Silence.PRIVATE else Trouble.SILENT
    own = _of_cloudflare(answer) if answer.through_cloudflare else None
    if own is not None:
        return own
    if answer.is_redirect:
        return _of_redirect(answer, domain)
    return Trouble.BODY if answer.status == OK else Trouble.STATUS


def _of_cloudflare(answer: Answer) -> Trouble | None:
    if answer.header("cf-mitigated") == "challenge":
        return Trouble.CLOUDFLARE_CHALLENGE
    if answer.status in _STRICT:
        return Trouble.CLOUDFLARE_STRICT
    return Trouble.CLOUDFLARE_ORIGIN if answer.status in _ORIGIN else None


def _of_redirect(answer: Answer, domain: str) -> Trouble:
    if answer.leads_to(domain) != "https":
        return Trouble.REDIRECT_ELSEWHERE
    own = answer.made_by_cloudflare
    return Trouble.REDIRECT_CLOUDFLARE if own else Trouble.REDIRECT_HTTPS
