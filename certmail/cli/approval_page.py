"""The page for the colleague who must approve: one HTML file that needs nothing and asks nothing.

In: an `Approval`. Out: the page's text. There is no script, no form, no reference to anything
outside; the page's own policy forbids them, and names its one style sheet by digest. Every text
goes through `markup.tag`, which escapes it: a certificate's name is a stranger's.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from certmail.bundle.findings import Severity
from certmail.cli.approval_parts import (
    chain,
    command,
    file_of,
    finding,
    life_bar,
    mime_tree,
    table,
)
from certmail.cli.markup import Markup, grouped, style_element, tag, together

if TYPE_CHECKING:
    from certmail.cli.approval import Approval
    from certmail.message.preview import Outside


def approval_page(seen: Approval) -> str:
    """Draw the page."""
    body = tag(
        "div",
        _header(seen),
        tag("main", _views(seen), _key(seen), _chain(seen), _findings(seen), _sending(seen)),
        _footer(seen),
        class_="page",
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy()),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="robots", content="noindex"),
        tag("title", f"To approve: {_subject(seen)}"),
        style_element(style_sheet()),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', body), lang='en')}\n"


@cache
def style_sheet() -> str:
    """Read the style sheet that comes with the package."""
    return Path(__file__).with_name("approval.css").read_text(encoding="utf-8")


def policy() -> str:
    """Give the page's policy: nothing is loaded, and one style sheet counts, by its digest."""
    digest = base64.b64encode(hashlib.sha256(style_sheet().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _subject(seen: Approval) -> str:
    return dict(seen.inside.headers).get("Subject", "")


def _header(seen: Approval) -> Markup:
    return tag(
        "header",
        tag(
            "p",
            tag("b", "certmail preview"),
            f", made on {seen.at:%A %d %B %Y} at {seen.at:%H:%M} UTC. Nothing has been sent.",
            class_="eyebrow",
        ),
        tag("h1", _subject(seen)),
        tag(
            "p",
            f"From {seen.sender} to {seen.pinned.recipient.name}"
            f" <{seen.pinned.recipient.address}>, signed and encrypted. Below is what is in it,"
            " who could read it, and what speaks for and against sending it.",
            class_="lede",
        ),
        _verdict(seen),
    )


def _verdict(seen: Approval) -> Markup:
    warnings = sum(1 for found in seen.findings if found.severity is Severity.WARNING)
    if seen.refusal is not None:
        kind, sign, said = "bad", "✗", "Today this would be refused"
        why = f"{_sentence(seen.refusal.what)} Next: {seen.refusal.next}"
    elif warnings:
        kind, sign = "warn", "!"
        said = f"This can be sent, with {warnings} warning{'s' if warnings > 1 else ''}"
        why = "Read the findings below before you say yes."
    else:
        kind, sign, said = "good", "✓", "This can be sent"
        why = "Key, bundle and sealed message were each proved; nothing was found against them."
    return tag(
        "div",
        tag("span", sign, class_="sign", aria_hidden="true"),
        tag("strong", said),
        tag("p", why),
        class_=f"verdict {kind}",
        role="note",
    )


def _section(title: str, *parts: Markup, name: str) -> Markup:
    return tag("section", tag("h2", title, id=name), *parts, aria_labelledby=name)


def _views(seen: Approval) -> Markup:
    return _section(
        "One message, two readers",
        tag("div", _outside(seen.outside), _inside(seen), class_="views"),
        name="views",
    )


def _outside(view: Outside) -> Markup:
    _, _, sealed_octets = view.tree[-1]
    readers = tag(
        "ul",
        *(
            tag("li", tag("span", grouped(reader.key_id), class_="mono"), " ", reader.who)
            for reader in view.readers
        ),
        class_="tree",
    )
    return tag(
        "article",
        tag("h2", "What anybody on the way sees"),
        tag("p", "Every relay, every backup, everybody who listens.", class_="who"),
        table(view.headers, caption="The headers of the sealed message"),
        tag("h3", "Structure"),
        mime_tree(view.tree),
        tag("h3", "Can be opened by"),
        readers,
        tag(
            "p",
            f"and by nobody else: {len(view.readers)} read back from the finished packets.",
            class_="note",
        ),
        tag("h3", "The whole message"),
        table(
            (("Size", f"{view.octets} octets"), ("Protected by", view.integrity)),
            caption="Size and protection",
        ),
        tag("p", tag("span", "SHA-256", class_="note")),
        tag("p", grouped(view.sha256), class_="mono"),
        tag("h3", "The content"),
        tag("p", tag("span", f"{sealed_octets} octets, sealed"), class_="sealed"),
        class_="card view outside",
    )


def _inside(seen: Approval) -> Markup:
    view = seen.inside
    return tag(
        "article",
        tag("h2", "What the recipient reads"),
        tag("p", f"{seen.pinned.recipient.name}, after opening it.", class_="who"),
        table(view.headers, caption="The headers inside"),
        tag("h3", "Text"),
        tag("pre", view.text.strip()),
        tag("h3", "Attachments"),
        *(file_of(part) for part in view.attachments),
        tag("h3", "Structure"),
        mime_tree(view.tree),
        tag("h3", "Signed by"),
        tag("p", grouped(seen.signature.signer.text, by=4), class_="mono"),
        tag(
            "p",
            f"{seen.signature.hash_name}, {seen.signature.created:%Y-%m-%d %H:%M} UTC; verified"
            " before encryption.",
            class_="note",
        ),
        class_="card view inside",
    )


def _key(seen: Approval) -> Markup:
    key = seen.pinned
    lives = (
        ("primary key", f"{key.algorithm} {key.bits}", key.created, key.expires),
        ("encryption subkey", f"{key.subkey_algorithm} {key.subkey_bits}", key.subkey_created,
         key.subkey_expires),
    )  # fmt: skip
    facts = (
        ("User ID", key.user_id),
        (
            "pin",
            f"the fingerprint equals the pin of {key.recipient.name}, which stands in the code",
        ),
        ("Proof", "its own signatures were verified by two implementations, which agree"),
        ("Verdict", key.usability.value if seen.refusal is None else "a send would refuse it"),
        ("Copy", key.source),
    )
    return _section(
        "The recipient's key",
        tag(
            "div",
            tag(
                "div",
                tag(
                    "div",
                    tag("h3", "Fingerprint"),
                    tag("p", grouped(key.fingerprint.text, by=4), class_="mono digest"),
                    tag("h3", "Encrypts with"),
                    tag("p", grouped(key.encryption_subkey.text, by=4), class_="mono"),
                    *(
                        together(
                            tag("h3", f"Life of the {name}, {kind.replace('_', ' ')}"),
                            life_bar(begins, ends, at=seen.at, of=name),
                        )
                        for name, kind, begins, ends in lives
                    ),
                ),
                tag("div", table(facts, caption="Facts of the key"), *_notices(seen)),
                class_="split",
            ),
            class_="card",
        ),
        name="key",
    )


def _notices(seen: Approval) -> list[Markup]:
    if not seen.notices:
        return []
    rows = (
        tag("li", tag("p", f"{notice.what}."), tag("p", f"Next: {notice.next}", class_="note"))
        for notice in seen.notices
    )
    return [tag("h3", "Notices"), tag("ul", *rows, class_="findings")]


def _chain(seen: Approval) -> Markup:
    asked = (
        tag("p", f"Asked to cover: {', '.join(seen.domains)}. It does.", class_="note")
        if seen.domains
        else tag("p", "No name was asked for with --domain.", class_="note")
    )
    return _section(
        "The certificate chain",
        tag("div", chain(seen.key, seen.certificates, at=seen.at), asked, class_="card"),
        name="chain",
    )


def _findings(seen: Approval) -> Markup:
    parts: list[Markup] = []
    for severity, found in groupby(seen.findings, key=lambda one: one.severity):
        parts += [finding(one, kind=severity.value) for one in found]
    body = (
        tag("ul", *parts, class_="findings")
        if parts
        else tag("p", "The check of the bundle found nothing to tell.")
    )
    changed = [
        tag("h3", "Changed before the check"),
        tag("ul", *(tag("li", t) for t in seen.changes)),
    ]
    return _section(
        "Findings",
        tag("div", body, *(changed if seen.changes else ()), class_="card"),
        name="findings",
    )


def _sending(seen: Approval) -> Markup:
    relay = (
        f"The relay {seen.relay} is dialled"
        if seen.relay
        else "The relay is dialled (none is set yet: relay.host)"
    )
    address = seen.pinned.recipient.address
    steps = (
        "The recipient's key is judged again, for that day.",
        f"{relay}; its certificate must verify and TLS must be 1.2 or newer.",
        "Only then is the relay's password read, and offered once.",
        f"The message is handed over from {seen.sender} to {address}, and to nobody else.",
        "What the relay answers is written into the log. Nothing is offered twice unasked.",
    )
    return _section(
        "When it is sent",
        tag(
            "div",
            tag(
                "div",
                tag("div", tag("h3", "What happens"), tag("ol", *(tag("li", s) for s in steps),
                    class_="steps"),
                    tag(
                        "p",
                        f"{seen.pinned.recipient.name} prefers its upload form and charges for"
                        " certificates sent by mail: https://api.clever-cloud.com/v2/certificates/new",
                        class_="note",
                    )),
                tag("div", *_approving(seen)),
                class_="split",
            ),
            class_="card",
        ),
        name="sending",
    )  # fmt: skip


def _approving(seen: Approval) -> list[Markup]:
    """Say how these very bytes are sent; or that a send would seal others."""
    if seen.kept is None:
        return [
            tag("h3", "To approve"),
            tag(
                "p",
                "This page shows a message that was not kept. A send seals the same content anew:"
                " with another session key, Message-ID and SHA-256. To approve precisely these"
                " bytes, keep them:",
            ),
            command("certmail preview BUNDLE --output FILE.eml --html FILE.html"),
        ]
    name = shlex.quote(seen.kept)
    return [
        tag("h3", "To approve"),
        tag(
            "p", "These precise bytes are kept in ", tag("code", seen.kept), ". They are sent with"
        ),
        command(f"certmail send --sealed {name}"),
        tag("p", "and are the ones shown here if this gives the SHA-256 below:"),
        command(f"sha256sum {name}"),
        tag("p", grouped(seen.outside.sha256), class_="mono digest"),
    ]


def _footer(seen: Approval) -> Markup:
    return tag(
        "footer",
        tag(
            "p",
            f"Made by certmail {seen.version}. The private key is not in this page, nor any byte of"
            " it that is secret. The page runs no script and fetches nothing; it shows names, dates"
            " and addresses that the sealed message hides, so treat it as you would the letter.",
        ),
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
