"""``certmail check``: tell whether the provider would take these bundles."""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import inputs, plain_options
from certmail.cli.check_json import (
    certificate_as_json,
    key_as_json,
    moment_of,
)
from certmail.cli.command import Command
from certmail.cli.json_output import echo_json, error_as_json, finding_as_json
from certmail.errors import CertmailError
from certmail.frozen import frozen

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.bundle.check import Verdict
    from certmail.bundle.further import Anchors, Further, Replaced

BUNDLE_REFUSED: Final = 10

WARN_DAYS: Final = 14

_MAX_WARN_DAYS: Final = 3650


@frozen
class _Asked:
    """What the options say, once for all files."""

    at: datetime
    domains: tuple[str, ...]
    warn_before: timedelta
    strict: bool
    replaces: Replaced | None
    anchors: Anchors | None
    revocation: bool
    blocklist: str | None


@frozen
class _Checked:
    """One file's verdict, or the reason why it could not be read."""

    name: str
    status: int
    verdict: Verdict | None = None
    error: CertmailError | None = None
    pem: bytes = field(default=b"", repr=False)


@click.command(cls=Command)
@click.argument("bundles", nargs=-1, metavar="[BUNDLE]...")
@inputs.with_inputs
@plain_options.domain_option
@click.option(
    "--at",
    "moment",
    metavar="TIME",
    help="Judge for another time than now, like 2026-12-24 or 2026-12-24T12:00+01:00.",
)
@click.option(
    "--warn-days",
    type=click.IntRange(0, _MAX_WARN_DAYS),
    default=WARN_DAYS,
    show_default=True,
    metavar="N",
    help="Warn when the certificate ends within so many days.",
)
@click.option("--strict", is_flag=True, help="End with 10 for warnings too.")
@click.option(
    "--replaces",
    metavar="FILE|HOST",
    help="Compare with the certificate that is to be replaced: a PEM file, or a server.",
)
@click.option(
    "--trust",
    metavar="STORE",
    help="Verify the chain with the roots of 'system', 'certifi' or a PEM file, and no others.",
)
@click.option("--revocation", is_flag=True, help="Ask the CA whether a certificate was revoked.")
@click.option(
    "--blocklist",
    metavar="FILE",
    help="Look the key up in a list of openssl-blacklist, instead of an installed one.",
)
@plain_options.json_option
def check(bundles: tuple[str, ...], **given: Any) -> int:
    """Check PEM bundles: private key, certificate, intermediates, in this order.

    BUNDLE is a file, or - for standard input. Nothing is sent or written. Ends with 10 when a
    bundle has errors; of several files, the worst counts.
    """
    asked = _asked(given)
    typed = _inputs(bundles, given)
    found = [_read(one, asked) for one in typed]
    if len(found) == 1 and found[0].error is not None:
        raise found[0].error
    moduli = _moduli(found) if len(found) > 1 else ()
    checked = [_judge(one, where, asked, moduli) for one, where in zip(found, typed, strict=True)]
    _show(checked, asked, as_json=given["as_json"])
    return max(one.status for one in checked)


def _asked(given: dict[str, Any]) -> _Asked:
    """Read what is outside the bundle: the clock, the store, the certificate to be replaced."""
    anchors = None
    if given["trust"] is not None:
        from certmail import stores

        anchors = stores.anchors(given["trust"])
    replaces = None
    if given["replaces"] is not None:
        from certmail.cli.inspect_command import replaced

        replaces = replaced(given["replaces"])
    return _Asked(
        at=moment_of(given["moment"]),
        domains=given["domains"],
        warn_before=timedelta(days=given["warn_days"]),
        strict=given["strict"],
        replaces=replaces,
        anchors=anchors,
        revocation=given["revocation"],
        blocklist=given["blocklist"],
    )


def _inputs(bundles: tuple[str, ...], given: dict[str, Any]) -> list[inputs.Inputs]:
    """Sort out what was typed: several files, or one bundle in any form."""
    if bundles.count("-") > 1:
        raise click.UsageError("standard input can be read once only")
    return [inputs.Inputs.of(one, given) for one in bundles or (None,)]


def _read(typed: inputs.Inputs, asked: _Asked) -> _Checked:
    try:
        taken = inputs.take(typed, at=asked.at)
    except CertmailError as error:
        return _Checked(typed.name, error.exit_status, error=error)
    return _Checked(taken.name, 0, pem=taken.pem)


def _moduli(found: list[_Checked]) -> tuple[int, ...]:
    """Collect the keys' public halves: two that share a prime give each other away."""
    if len(found) == 1:
        return ()
    from certmail.bundle.check import modulus

    return tuple({number for one in found if (number := modulus(one.pem))})


def _judge(one: _Checked, typed: inputs.Inputs, asked: _Asked, moduli: tuple[int, ...]) -> _Checked:
    if one.error is not None:
        return one
    from certmail.bundle.check import check as run
    from certmail.bundle.findings import Severity

    further = _further(one.pem, typed, asked, moduli)
    verdict = run(one.pem, at=asked.at, domains=asked.domains, further=further)
    warned = any(finding.severity is Severity.WARNING for finding in verdict.findings)
    good = verdict.checked is not None and not (asked.strict and warned)
    return _Checked(one.name, 0 if good else BUNDLE_REFUSED, verdict, pem=one.pem)


def _further(pem: bytes, typed: inputs.Inputs, asked: _Asked, moduli: tuple[int, ...]) -> Further:
    """Look at everything outside the file that this check is to know."""
    from certmail.bundle.check import modulus
    from certmail.bundle.further import Further, Sent
    from certmail.cli.files import mode_of

    answers = None
    broken = b""
    sent: tuple[Sent, ...] = ()
    public = modulus(pem)
    if public:
        # Without a key that is taken it cannot be sent, whatever was sent before.
        from certmail.cli.sent_before import sent_before

        sent = sent_before()
    if public or asked.blocklist:
        from certmail.stores import blocklist

        broken = blocklist(public.bit_length(), asked.blocklist)
    if asked.revocation:
        from certmail import lookups
        from certmail.bundle.revocation import questions

        answers = lookups.ask(questions(pem, at=asked.at))
    return Further(
        warn_before=asked.warn_before,
        file_mode=mode_of(typed.key or typed.file),
        moduli=moduli,
        blocklist=broken,
        replaces=asked.replaces,
        sent=sent,
        anchors=asked.anchors,
        answers=answers,
    )


def _show(checked: list[_Checked], asked: _Asked, *, as_json: bool) -> None:
    if as_json:
        objects = [_as_json(one, at=asked.at) for one in checked]
        if len(objects) == 1:
            echo_json("certmail.check/1", **objects[0])
            return
        echo_json(
            "certmail.checks/1",
            at=asked.at.isoformat(),
            good=not any(one.status for one in checked),
            exit_status=max(one.status for one in checked),
            bundles=objects,
        )
        return
    from certmail.cli import check_screen
    from certmail.cli.ink import show

    for one in checked:
        if len(checked) > 1:
            show(check_screen.heading(one.name))
        if one.verdict is not None:
            page = check_screen.draw_verdict(one.verdict, data=one.pem, at=asked.at)
            show(page, end="")
            show(check_screen.last_line(one.name, one.verdict, good=not one.status))
        elif one.error is not None:
            show(check_screen.draw_unread(one.error), end="")
    if len(checked) > 1:
        rows = [(one.name, one.status, one.verdict) for one in checked]
        show(check_screen.draw_summary(rows, at=asked.at), end="")


def _as_json(one: _Checked, *, at: datetime) -> dict[str, Any]:
    facts = one.verdict.facts if one.verdict else None
    findings = one.verdict.findings if one.verdict else ()
    return {
        "file": one.name,
        "at": at.isoformat(),
        "good": one.status == 0,
        "exit_status": one.status,
        "error": error_as_json(one.error) if one.error else None,
        "findings": [finding_as_json(finding) for finding in findings],
        "key": key_as_json(facts.key) if facts and facts.key else None,
        "certificates": (
            [certificate_as_json(c, at=at) for c in facts.certificates] if facts else []
        ),
        "path": [certificate.sha256 for certificate in facts.path] if facts else [],
        "anchor": (facts.anchor or None) if facts else None,
    }
