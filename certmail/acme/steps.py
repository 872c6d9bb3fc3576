"""What to do, in order: the provider's page-rule steps, and the other ways to a certificate.

From the provider's document about TLS certificates, sections *Let's Encrypt* and *Cloudflare*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from certmail.acme.trouble import PAGE_RULE
from certmail.bundle.findings import Severity
from certmail.recipient import UPLOAD_FORM

if TYPE_CHECKING:
    from collections.abc import Iterable

    from certmail.bundle.findings import Finding

THREE_DAYS: Final = (
    "Clever Cloud tries Let's Encrypt only in the first 3 days after a domain is added; if they"
    " are over, ask the support to start it again."
)
BETTER: Final = (
    "Let's Encrypt by Clever Cloud is free and renews itself: nothing has to be uploaded or sent"
    " for this domain. It does not make wildcard certificates."
)
OWN: Final = (
    f"If none of this can be changed, bring a certificate of your own: certmail upload BUNDLE"
    f" checks it for the form at {UPLOAD_FORM}."
)


def steps(findings: Iterable[Finding], *, domain: str) -> tuple[str, ...]:
    """List what to do about errors, in the order in which it is done."""
    wrong = [finding for finding in findings if finding.severity is Severity.ERROR]
    ruled = {trouble.value for trouble in PAGE_RULE}
    acts = list(dict.fromkeys(one.next for one in wrong if one.code not in ruled))
    if any(one.code in ruled for one in wrong):
        acts += page_rule(domain)
    sentences = [act[:1].upper() + act[1:].removesuffix(".") + "." for act in acts]
    return (*sentences, f"Run it again: certmail acme-test {domain}", THREE_DAYS, OWN)


def page_rule(domain: str) -> tuple[str, ...]:
    """Give the document's steps at Cloudflare."""
    return (
        (
            f"At Cloudflare, define a page rule for http://{domain}/.well-known/acme-challenge*"
            " that bypasses the SSL/TLS policy for this path"
        ),
        "In the same rule, disable the cache (cache level: bypass)",
        (
            "Turn off Cloudflare's redirection from HTTP to HTTPS (Always Use HTTPS); “Force HTTPS”"
            " in the information tab of your application at Clever Cloud does it instead"
        ),
    )
