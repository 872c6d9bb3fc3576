"""``certmail acme-test``: tell whether Let's Encrypt, as the provider runs it, reaches a domain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import plain_options
from certmail.cli.command import Command
from certmail.cli.json_output import echo_json, finding_as_json
from certmail.errors import AcmeError, SettingsError, UsageError
from certmail.values import Hostname, printable

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.acme.answers import Answer, Asked
    from certmail.acme.judge import Verdict
    from certmail.cli.keys_at_hand import World

ACME_REFUSED: Final = AcmeError.exit_status

_MAX_TIMEOUT_S: Final = 60
_MAX_SHOWN: Final = 200
_ALIAS_S: Final = 3.0


@click.command("acme-test", cls=Command)
@click.argument("domain")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.IntRange(1, _MAX_TIMEOUT_S),
    default=10,
    show_default=True,
    metavar="S",
    help="Give each address so many seconds.",
)
@plain_options.json_option
@click.pass_obj
def acme_test(common: dict[str, Any], /, domain: str, timeout_s: int, *, as_json: bool) -> int:
    """Test whether Let's Encrypt, as Clever Cloud runs it, can reach DOMAIN.

    Asks each address of DOMAIN for http://DOMAIN/.well-known/acme-challenge/test, over IPv4 and
    IPv6, and wants 200 and the word test. Says what stands in the way, and what to do about it at
    Cloudflare or elsewhere. Follows no redirect; sends nothing. Ends with 21 where Let's Encrypt
    cannot work.
    """
    from certmail.acme.judge import judge
    from certmail.challenge import ask
    from certmail.cli.check_json import moment_of

    name = _domain(domain)
    world = common.get("world")
    at = moment_of(None)
    asked = ask(name, timeout_s=float(timeout_s), reach=world.reach if world else None)
    _require_way(asked)
    asked = replace(asked, alias=_alias(name, world))
    verdict = judge(asked)
    if as_json:
        echo_json("certmail.acme-test/1", **_as_json(asked, verdict, at=at))
    else:
        from certmail.cli.acme_screen import draw

        draw(asked, verdict)
    return 0 if verdict.good else ACME_REFUSED


def _domain(text: str) -> Hostname:
    """Read a domain, also from a link and in any script.

    Raises:
        UsageError: ``ACME-DOMAIN``. AcmeError: ``ACME-WILDCARD``.
    """
    from certmail.bundle.idn import to_ascii
    from certmail.web.addresses import require_public_name
    from certmail.web.failure import NotFetched

    bare = text.strip().removeprefix("http://").removeprefix("https://").partition("/")[0]
    if bare.startswith("*."):
        raise AcmeError(
            "ACME-WILDCARD",
            f"{printable(bare)} is a wildcard, and Clever Cloud makes none with Let's Encrypt",
            why="a wildcard is proved through the DNS, and the provider proves domains over HTTP",
            next="get a wildcard certificate yourself, for example by certbot's DNS challenge with"
            " --key-type rsa, then: certmail upload --lineage /etc/letsencrypt/live/NAME",
        )
    try:
        name = Hostname(to_ascii(bare) or bare)
        require_public_name(name.text)
    except (SettingsError, NotFetched):
        name = None
    if name is None or name.is_ip:
        raise UsageError(
            "ACME-DOMAIN",
            f"{printable(text)} is not a public domain name",
            why="Let's Encrypt makes certificates for names that the whole Internet can look up",
            next="give a name like www.example.org, without a port",
        )
    return name


def _alias(domain: Hostname, world: World | None) -> str:
    """Find the name at the end of the domain's CNAME records: evidence, so its lack is no matter.

    A world of its own that has no resolver is not left for the system's.
    """
    from certmail.names.ask import Inquiry, NoAnswer, Resolver

    resolver = Resolver() if world is None else world.resolver
    if resolver is None:
        return ""
    try:
        canonical = Inquiry(resolver, _ALIAS_S).ask(domain.text, "A").canonical.lower()
    except NoAnswer:
        return ""
    return "" if canonical == domain.text else printable(canonical, limit=260)


def _require_way(asked: Asked) -> None:
    """Refuse to judge from a machine that reached nobody for reasons of its own.

    Raises:
        UsageError: ``ACME-OFFLINE``.
    """
    from certmail.acme.answers import Silence

    if asked.heard and all(heard.first.silence is Silence.NO_ROUTE for heard in asked.heard):
        raise UsageError(
            "ACME-OFFLINE",
            f"none of the addresses of {asked.domain} can be reached from this machine",
            why="it has no way to them; this says nothing about the domain",
            next=f"certmail acme-test {asked.domain}, from a machine on the Internet",
        )


def _as_json(asked: Asked, verdict: Verdict, *, at: datetime) -> dict[str, Any]:
    from certmail.bundle.idn import to_unicode

    return {
        "domain": asked.domain,
        "domain_read": to_unicode(asked.domain) or asked.domain,
        "url": asked.url,
        "alias": asked.alias or None,
        "at": at.isoformat(),
        "good": verdict.good,
        "exit_status": 0 if verdict.good else ACME_REFUSED,
        "addresses": [
            {
                "address": heard.address,
                "family": heard.family,
                "good": heard.is_right,
                "answer": _answer_as_json(heard.first),
                "past_the_cache": None if heard.again is None else _answer_as_json(heard.again),
            }
            for heard in asked.heard
        ],
        "not_asked": list(asked.unasked),
        "findings": [finding_as_json(finding) for finding in verdict.findings],
        "steps": list(verdict.steps),
    }


def _answer_as_json(answer: Answer) -> dict[str, Any]:
    return {
        "status": answer.status or None,
        "headers": {n: printable(v, limit=_MAX_SHOWN) for n, v in answer.headers.items()},
        "body": printable(answer.body.decode("utf-8", "replace"), limit=_MAX_SHOWN),
        "cut": answer.cut,
        "right": answer.is_right,
        "silence": answer.silence.name.lower() if answer.silence else None,
    }
