"""Pieces of the page for approval: tables, trees, bars and lists. Draws; decides nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from certmail.bundle import idn
from certmail.bundle.facts import common_name
from certmail.cli.life import Standing, life
from certmail.cli.markup import Markup, grouped, tag, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from certmail.bundle.facts import CertificateFacts, KeyFacts
    from certmail.bundle.findings import Finding
    from certmail.message.preview import Attachment

_CLASSES: Final = {
    Standing.GOOD: "good",
    Standing.SOON: "soon",
    Standing.OVER: "over",
    Standing.NOT_YET: "over",
}


def table(rows: Iterable[tuple[str, str]], *, caption: str) -> Markup:
    """Lay out labels and values; the caption is for those who hear the page."""
    body = (tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in rows)
    return tag("table", tag("tbody", *body), aria_label=caption)


def mime_tree(rows: Sequence[tuple[int, str, int]]) -> Markup:
    """Draw MIME parts as a tree. Rows are depth, media type and octets, in order."""
    return tag("ul", *_branches(rows, depth=0), class_="tree")


def _branches(rows: Sequence[tuple[int, str, int]], *, depth: int) -> list[Markup]:
    """Make an item of each row at a depth, with what lies deeper below it."""
    starts = [index for index, row in enumerate(rows) if row[0] == depth]
    items: list[Markup] = []
    for start, end in pairwise([*starts, len(rows)]):
        _, media_type, octets = rows[start]
        below = _branches(rows[start + 1 : end], depth=depth + 1)
        title = (tag("code", media_type), " ", tag("span", f"{octets} octets", class_="size"))
        items.append(tag("li", *title, *([tag("ul", *below)] if below else [])))
    return items


def file_of(part: Attachment) -> Markup:
    """Show an attachment as the recipient finds it."""
    return tag(
        "div",
        tag("p", tag("code", part.file_name)),
        tag("p", f"{part.media_type}, {part.octets} octets, {part.role}", class_="note"),
        tag("ul", *(tag("li", line) for line in part.lines)),
        class_="file",
    )


def life_bar(begins: datetime, ends: datetime | None, *, at: datetime, of: str) -> Markup:
    """Draw a life from its first to its last day with today's mark, and say what is left."""
    if ends is None:
        return tag("p", f"from {begins:%Y-%m-%d}, without an end")
    seen = life(begins, ends, at=at)
    kind = _CLASSES[seen.standing]
    today = f"{seen.share * 100:.2f}%"
    bar = tag(
        "svg",
        tag("rect", x="0", y="3", width="100%", height="10", rx="3", class_="to-come"),
        tag("rect", x="0", y="3", width=today, height="10", rx="3", class_="passed"),
        tag("line", x1=today, x2=today, y1="-1", y2="17", class_="today"),
        role="img",
        aria_label=f"life of the {of}: {round(seen.share * 100)} percent are over, {seen.said}",
        class_=kind,
    )
    return tag(
        "div",
        tag("time", f"{begins:%Y-%m-%d}", datetime=f"{begins:%Y-%m-%d}"),
        bar,
        tag("time", f"{ends:%Y-%m-%d}", datetime=f"{ends:%Y-%m-%d}"),
        tag("span", seen.said, class_=f"left {kind}-text"),
        class_="life",
    )


def chain(key: KeyFacts, certificates: Sequence[CertificateFacts], *, at: datetime) -> Markup:
    """Draw the key, the certificate that belongs to it, and each issuer below what it signed."""
    top = certificates[-1]
    end = (
        Markup("")
        if top.self_signed
        else tag(
            "ol",
            tag("li", f"issued by {common_name(top.issuer)}, which is not in the bundle",
                class_="note"),
        )
    )  # fmt: skip
    for index in range(len(certificates) - 1, -1, -1):
        kind = "intermediate" if index else "your certificate"
        end = tag("ol", _certificate(certificates[index], end, kind=kind, at=at))
    holds = together(
        tag("span", f"Private key, {key.algorithm} {key.bits}", class_="name"),
        tag("span", "not shown", class_="kind"),
        tag("p", "its public half has SHA-256 ", tag("span", grouped(key.spki_sha256),
            class_="mono"), class_="note"),
    )  # fmt: skip
    return tag("ol", tag("li", holds, end), class_="chain")


def _certificate(one: CertificateFacts, below: Markup, *, kind: str, at: datetime) -> Markup:
    name = common_name(one.subject)
    return tag(
        "li",
        tag("span", name, class_="name"),
        tag("span", kind, class_="kind"),
        tag("p", ", ".join(idn.both(n) for n in one.names)) if one.names else Markup(""),
        life_bar(one.not_before, one.not_after, at=at, of=f"certificate {name}"),
        tag("p", f"{one.key_algorithm} {one.key_bits or ''}, SHA-256 ".replace(" ,", ","),
            tag("span", grouped(one.sha256), class_="mono"), class_="note"),
        below,
    )  # fmt: skip


def finding(one: Finding, *, kind: str) -> Markup:
    """Show one finding: what, why, next."""
    return tag(
        "li",
        tag("p", tag("b", kind.capitalize()), " ", tag("span", one.code, class_="code")),
        tag("p", f"{one.what}."),
        tag("p", f"Why: {one.why}.", class_="note"),
        tag("p", f"Next: {one.next}", class_="note"),
        class_=kind,
    )


def command(line: str) -> Markup:
    """Show a command to type."""
    return tag("pre", tag("code", f"$ {line}"))
