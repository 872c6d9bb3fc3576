"""What a domain promises about TLS through MTA-STS.

In: a mail domain. Out: its `Sts`. Knows RFC 8461: the record (§3.1), the policy (§3.2), how it is
fetched (§3.3) and how its patterns match (§4.1). The policy counts only because it comes over HTTPS
with a certificate that verifies; redirects are not followed.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final

from certmail import __version__
from certmail.frozen import frozen
from certmail.names.ask import NoAnswer, Trouble, strings
from certmail.values import printable
from certmail.web import fetch as web
from certmail.web.failure import NotFetched, Reason
from certmail.web.fetch import HTTPS, Limits, Ports, Reach

if TYPE_CHECKING:
    from certmail.names.ask import Inquiry
    from certmail.values import Hostname

FETCH_S: Final = 5.0
MAX_OCTETS: Final = 64 * 1024
"""RFC 8461 §3.3 suggests 64 kilobytes; ours hold the handshake too."""

MAX_AGE_S: Final = 31_557_600
"""RFC 8461 §3.2: about a year."""

MAX_PATTERNS: Final = 64

_RECORD: Final = re.compile(r"v=STSv1[ \t]*(?:;|$)", re.ASCII)
_ID: Final = re.compile(r"(?:^|;)[ \t]*id=([A-Za-z0-9]{1,32})[ \t]*(?:;|$)", re.ASCII)
_FIELD: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*(.*?)[ \t]*", re.ASCII)
_PATTERN: Final = re.compile(r"(?:\*\.)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.?", re.ASCII)


class StsMode(Enum):
    """How strictly senders take the policy (RFC 8461 §5)."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


@frozen
class Policy:
    """What a policy says: the hosts that may take the mail, and for how long to believe it."""

    mode: StsMode
    patterns: tuple[str, ...]
    max_age_s: int

    def covers(self, host: str) -> bool:
        """Tell whether ``host`` matches a pattern; ``*.`` stands for one label (§4.1)."""
        below = host.partition(".")[2]
        return any(
            below == pattern[2:] if pattern.startswith("*.") else host == pattern
            for pattern in self.patterns
        )


@frozen
class Sts:
    """What a domain says. ``announced`` is the record's id; None where there is no record.

    ``trouble`` says, as a clause, why there is no policy although one is announced, or why nobody
    knows.
    """

    announced: str | None = None
    policy: Policy | None = None
    trouble: str | None = None


def sts_of(domain: Hostname, inquiry: Inquiry, *, reach: Reach, seconds: float = FETCH_S) -> Sts:
    """Ask for the record and, where there is one, fetch the policy."""
    try:
        found = inquiry.ask(f"_mta-sts.{domain}", "TXT")
    except NoAnswer as fault:
        return Sts(trouble=fault.trouble.value)
    announced = [text for record in found.records if _RECORD.match(text := strings(record))]
    if not announced:
        return Sts()
    # RFC 8461 §3.1: with more than one record "senders MUST assume the recipient domain does not
    # have an available MTA-STS Policy".
    match = _ID.search(announced[0]) if len(announced) == 1 else None
    if match is None:
        return Sts(trouble="its record is malformed, so that senders ignore it")
    limits = Limits(schemes=HTTPS, seconds=seconds, octets=MAX_OCTETS, ports=Ports.OF_THE_SCHEME)
    try:
        body = web.fetch(
            f"https://mta-sts.{domain}/.well-known/mta-sts.txt",
            limits=limits,
            reach=reach,
            headers={"User-Agent": f"certmail/{__version__}", "Accept": "text/plain"},
        )
        return Sts(match[1], read_policy(body))
    except NotFetched as failure:
        return Sts(match[1], trouble=_words(failure))
    except ValueError as fault:
        return Sts(match[1], trouble=f"its policy is malformed: {fault}")


def read_policy(octets: bytes) -> Policy:
    """Read a policy (§3.2).

    Raises:
        ValueError: with a clause that says what is wrong.
    """
    fields: dict[str, str] = {}
    patterns: list[str] = []
    for line in octets.decode("utf-8", "replace").splitlines():
        match = _FIELD.fullmatch(line)
        if match is None:
            if line.strip():
                raise ValueError("a line is no field")
        elif match[1] == "mx":
            patterns.append(_pattern(match[2]))
        else:
            # §3.2: "all entries except for the first MUST be ignored", but for mx.
            fields.setdefault(match[1], match[2])
    if fields.get("version") != "STSv1":
        raise ValueError("it does not say version STSv1")
    try:
        mode = StsMode(fields.get("mode"))
    except ValueError:
        raise ValueError("it has no mode that senders know") from None
    age = fields.get("max_age", "")
    if not re.fullmatch(r"[0-9]{1,10}", age, re.ASCII) or int(age) > MAX_AGE_S:
        raise ValueError("it does not say how long it holds")
    if not patterns and mode is not StsMode.NONE:
        raise ValueError("it names no host")
    if len(patterns) > MAX_PATTERNS:
        raise ValueError("it names too many hosts")
    return Policy(mode, tuple(patterns), int(age))


def _pattern(text: str) -> str:
    if not _PATTERN.fullmatch(text):
        raise ValueError("a host in it is no host name")
    return text.lower().removesuffix(".")


def _words(failure: NotFetched) -> str:
    """Say what happened instead of a policy."""
    if failure.reason is Reason.STATUS and failure.status:
        return f"its policy cannot be fetched: the answer is status {failure.status}"
    detail = printable(failure.detail, limit=60)
    plain = {
        Reason.TIMEOUT: Trouble.TIMEOUT.value,
        Reason.TLS: "the certificate does not verify" + (f" ({detail})" if detail else ""),
        Reason.TOO_LARGE: "it is too large",
        Reason.PRIVATE: "its host is one of a private network",
        Reason.UNRESOLVED: "its host has no address",
    }
    return f"its policy cannot be fetched: {plain.get(failure.reason, 'no connection')}"
