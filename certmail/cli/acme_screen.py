"""The screen of ``acme-test``: what was asked, what each address said, the verdict, the steps."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

import click

from certmail.cli.draw import draw_findings, width
from certmail.values import printable

if TYPE_CHECKING:
    from certmail.acme.answers import Answer, Asked
    from certmail.acme.judge import Verdict

_SHOWN: Final = {
    "server": "Server",
    "cf-ray": "CF-RAY",
    "cf-cache-status": "CF-Cache-Status",
    "cf-mitigated": "CF-Mitigated",
    "age": "Age",
    "via": "Via",
    "sozu-id": "Sozu-Id",
}
_MAX_HEADER: Final = 40
_MAX_PLACE: Final = 60


def draw(asked: Asked, verdict: Verdict) -> None:
    """Draw all of it."""
    click.echo(f"GET {asked.url}")
    if asked.alias:
        _echo(f"  {asked.domain} is an alias of {asked.alias}", indent=4)
    for heard in asked.heard:
        _echo(f"  {heard.address}  {_said(heard.first)}", indent=6)
        if heard.again is not None:
            _echo(f"    past the cache: {_said(heard.again)}", indent=6)
    click.echo()
    click.echo(draw_findings(verdict.findings), nl=False)
    _echo(_verdict(asked, verdict), indent=0)
    for number, step in enumerate(verdict.steps, 1):
        if verdict.good:
            _echo(step, indent=0)
        else:
            _echo(f"{number:>2}. {step}", indent=4)


def _said(answer: Answer) -> str:
    if answer.silence is not None:
        return answer.silence.value
    said = f"{answer.status}"
    if answer.is_redirect:
        said += (
            f" to {printable(answer.headers.get('location', '') or 'nowhere', limit=_MAX_PLACE)}"
        )
    elif answer.is_right:
        said += ", the word test"
    headers = [
        f"{name}: {printable(answer.headers[key], limit=_MAX_HEADER)}"
        for key, name in _SHOWN.items()
        if key in answer.headers
    ]
    return said + (f"  ({', '.join(headers)})" if headers else "")


def _verdict(asked: Asked, verdict: Verdict) -> str:
    if verdict.good:
        return f"good: Let's Encrypt can reach {asked.domain}"
    right = sum(heard.is_right for heard in asked.heard)
    of = f"; {right} of {len(asked.heard)} right" if asked.heard else ""
    return f"Let's Encrypt cannot work for {asked.domain} as it is{of}"


def _echo(text: str, *, indent: int) -> None:
    rows = textwrap.wrap(
        text,
        width=width(),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    click.echo("\n".join(rows))
