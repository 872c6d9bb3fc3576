"""What is said about each trouble: code, what, why, next.

Comes in: a trouble, where it was met, an answer that shows it. Goes out: a finding. Headers and
bodies are quoted in printable form and cut.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from certmail.acme.answers import Silence
from certmail.acme.known import CNAMES
from certmail.acme.trouble import Trouble
from certmail.bundle.findings import error
from certmail.values import printable

if TYPE_CHECKING:
    from certmail.acme.answers import Answer
    from certmail.bundle.findings import Finding

POINT: Final = (
    f"point the domain to Clever Cloud with a CNAME, like {CNAMES[0]} for Paris; the console shows"
    " yours under domain names"
)
_RULE: Final = "add the page rule of the steps below at Cloudflare"
_NEEDS: Final = "Let's Encrypt must read its challenge there over plain HTTP"
_SHOWN: Final = 60


class Whose(Enum):
    """Whose an address is, as far as is known here."""

    THE_PROVIDERS = auto()
    UNKNOWN = auto()


def finding(trouble: Trouble, answer: Answer, *, where: str, domain: str, whose: Whose) -> Finding:
    """Say what was met at ``where``: one address, or several that say the same."""
    words = _WORDS | _AT_THE_PROVIDER if whose is Whose.THE_PROVIDERS else _WORDS
    what, why, next_ = words[trouble]
    seen = {
        "where": where,
        "domain": domain,
        "status": answer.status,
        "server": _server(answer),
        "there": printable(answer.headers.get("location", "") or "nowhere", limit=_SHOWN),
        "body": _body(answer),
        "silence": _silence(answer),
        "past": f" ({answer.status})" if answer.status else "",
    }
    return error(
        trouble.value, None, what.format(**seen), why=why.format(**seen), next=next_.format(**seen)
    )


def _server(answer: Answer) -> str:
    named = answer.headers.get("server", "").strip()
    return f" (Server: {printable(named, limit=40)})" if named else ""


def _silence(answer: Answer) -> str:
    said = (answer.silence or Silence.BROKEN).value
    return f"{said} ({printable(answer.detail)})" if answer.detail else said


def _body(answer: Answer) -> str:
    packed = answer.header("content-encoding")
    if packed not in {"", "identity"}:
        return f"a body packed as {printable(packed, limit=20)}"
    if not answer.body.strip():
        return "an empty body"
    text = printable(answer.body.decode("utf-8", "replace").strip(), limit=_SHOWN)
    return f"the body “{text}”" + (" and more" if answer.cut else "")


_WORDS: Final = {
    Trouble.PRIVATE: (
        "{domain} leads to {where}, which is of a private network",
        (
            "Let's Encrypt asks from the Internet and cannot reach it; a resolver of a company may"
            " also answer otherwise than the world's"
        ),
        "publish public addresses for {domain}, or run this from a machine outside",
    ),
    Trouble.SILENT: (
        "{where}, port 80: {silence}",
        _NEEDS + "; HTTPS alone is not enough",
        "open port 80 at that address, or " + POINT,
    ),
    Trouble.CLOUDFLARE_CHALLENGE: (
        "{where}: Cloudflare answers {status} with a challenge for browsers",
        "Let's Encrypt is no browser and cannot pass it",
        "exclude /.well-known/acme-challenge* from the rule or the mode that challenges visitors",
    ),
    Trouble.CLOUDFLARE_STRICT: (
        "{where}: Cloudflare answers {status}",
        (
            "its SSL/TLS mode is strict: it wants a certificate of the server behind, which is to"
            " get its first one by this very way"
        ),
        _RULE,
    ),
    Trouble.CLOUDFLARE_ORIGIN: (
        "{where}: Cloudflare answers {status}, since it does not reach the server behind",
        _NEEDS + ", and Cloudflare has nobody to fetch it from",
        "in Cloudflare's DNS, " + POINT,
    ),
    Trouble.REDIRECT_CLOUDFLARE: (
        "{where}: Cloudflare redirects to HTTPS ({status})",
        _NEEDS + "; over HTTPS, Cloudflare wants the certificate that is still to come",
        _RULE + ", and turn off its redirect to HTTPS",
    ),
    Trouble.REDIRECT_HTTPS: (
        "{where}: the application or its server redirects to HTTPS ({status}){server}",
        _NEEDS + "; what answers there is not the provider's load balancer",
        (
            "leave /.well-known/acme-challenge* out of the redirect; Clever Cloud's “Force HTTPS”,"
            " in the application's information tab, does not stand in the way"
        ),
    ),
    Trouble.REDIRECT_ELSEWHERE: (
        "{where}: redirects to {there} ({status}){server}",
        _NEEDS + ", and who answers there is another server",
        POINT + "; a registrar's web redirection cannot be used for this name",
    ),
    Trouble.CACHED_WRONG: (
        "{where}: an old answer comes out of a cache; asked past the cache, the answer is right",
        "a cached answer can hide a challenge that is there",
        "purge the cache for /.well-known/acme-challenge*, and let it cache nothing of that path",
    ),
    Trouble.CACHED_RIGHT: (
        "{where}: the right answer comes out of a cache; past the cache, it is another one{past}",
        "each challenge has a path of its own, which no cache holds",
        "purge the cache for /.well-known/acme-challenge*, then run this again to see the cause",
    ),
    Trouble.STATUS: (
        "{where}: answers {status}{server}",
        (
            "the provider's load balancers answer 200 with the word test: another server answers,"
            " or the domain is not added to an application there"
        ),
        "add the domain to your application in the console, and " + POINT,
    ),
    Trouble.BODY: (
        "{where}: answers 200 with {body}{server}",
        (
            "the provider's load balancers answer with the word test and nothing else, so another"
            " server or an application answers in their place"
        ),
        POINT,
    ),
}

_SHOULD: Final = (
    "for a domain that it serves, a load balancer of Clever Cloud's answers 200 with the word test"
)
_ADDED: Final = (
    "look in the console whether the domain is added to an application, spelled as here; if it is,"
    " ask the support"
)
_AT_THE_PROVIDER: Final = {
    Trouble.SILENT: (
        "{where}, a load balancer of Clever Cloud's, port 80: {silence}",
        _NEEDS,
        "try again later, and look at the provider's status page; the way there may be closed here",
    ),
    Trouble.REDIRECT_HTTPS: (
        "{where}: the application at Clever Cloud redirects to HTTPS ({status}){server}",
        _NEEDS,
        (
            "leave /.well-known/acme-challenge* out of the application's redirect; “Force HTTPS” in"
            " its information tab does it instead"
        ),
    ),
    Trouble.STATUS: ("{where}: answers {status}{server}", _SHOULD, _ADDED),
    Trouble.BODY: ("{where}: answers 200 with {body}{server}", _SHOULD, _ADDED),
}
"""What is said otherwise where the address is known for the provider's."""
