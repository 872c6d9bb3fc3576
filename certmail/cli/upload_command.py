"""``certmail upload``: check a bundle, and tell what to paste into the provider's form.

The way that the provider prefers. Writes nothing, sends nothing, and shows no line of the key: the
operator opens the file and pastes it. The clipboard is the operator's own doing; certmail puts
nothing there, since what keeps clipboards keeps them in the clear.
"""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import inputs, plain_options
from certmail.cli.command import Command
from certmail.cli.json_output import echo_json, finding_as_json, instant
from certmail.frozen import frozen
from certmail.recipient import UPLOAD_FORM
from certmail.values import printable

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.bundle.check import Verdict
    from certmail.bundle.facts import BundleFacts

NEW_FILE: Final = "upload.pem"
"""What a bundle is called that has to be put together first."""

_NAME: Final = 26
"""So many columns of a name fit into a row of 80."""


@frozen
class _Judged:
    """A bundle in memory, what was typed to have it, and what the check says."""

    typed: inputs.Inputs
    given: inputs.Given
    verdict: Verdict

    @property
    def make(self) -> str | None:
        """The command that writes what is to be pasted; None where the file has it as it is."""
        if not self.given.changes:
            return None
        return f"certmail bundle {_retyped(self.typed)} --output {NEW_FILE}"


@click.command(cls=Command)
@click.argument("bundle", required=False)
@inputs.with_inputs
@inputs.with_issuers
@click.option("--repair", is_flag=True, help="Repair the bundle first; shows the changes.")
@plain_options.domain_option
@click.option(
    "--open", "opens", is_flag=True, help="Open the form in your browser, without asking."
)
@plain_options.json_option
def upload(bundle: str | None, **parameters: Any) -> int:
    """Check BUNDLE, and tell what to paste into Clever Cloud's upload form.

    The form is the way that the provider prefers; mail is its last resort, and is charged. BUNDLE
    is a file, PEM or PKCS#12, or - for standard input; or name its parts. Writes nothing, sends
    nothing, and shows no line of the key. Ends with 10 when the bundle has errors.
    """
    if parameters["opens"] and parameters["as_json"]:
        raise click.UsageError("--open shows the form to a person, and goes without --json")
    from certmail.cli.check_json import moment_of

    typed = inputs.Inputs.of(bundle, parameters)
    at = moment_of(None)
    judged = _judge(typed, parameters, at=at)
    good = judged.verdict.checked is not None
    if parameters["as_json"]:
        echo_json("certmail.upload/1", **_as_json(judged, at=at))
    elif good:
        _draw(judged)
        _offer(parameters)
    else:
        _draw_refusal(judged, at=at)
    return 0 if good else 10


def _judge(typed: inputs.Inputs, parameters: dict[str, Any], *, at: datetime) -> _Judged:
    """Read and check; a bundle that cannot be repaired is refused with its findings.

    Raises:
        Unrepairable: with every finding. BundleError: the source cannot be read.
    """
    from certmail.bundle.assemble.items import Unrepairable
    from certmail.bundle.check import check
    from certmail.bundle.further import Further
    from certmail.cli.bundle_command import draw_refused
    from certmail.cli.files import mode_of, with_file
    from certmail.cli.sent_before import sent_before

    try:
        if parameters["repair"]:
            repaired = inputs.mend(typed, at=at)
            given = inputs.Given(repaired.pem, typed.name, repaired.changes)
        else:
            given = inputs.take(typed, at=at)
    except Unrepairable as refusal:
        draw_refused(refusal, as_json=parameters["as_json"])
        raise with_file(refusal, typed.name) from None
    further = Further(file_mode=mode_of(typed.key or typed.file), sent=sent_before())
    verdict = check(given.pem, at=at, domains=typed.domains, further=further)
    return _Judged(typed, given, verdict)


def _retyped(typed: inputs.Inputs) -> str:
    """Give the words that name the bundle, as a shell takes them."""
    pairs: list[tuple[str, str]] = [
        ("--key", typed.key or ""),
        ("--cert", typed.cert or ""),
        *(("--chain", chain) for chain in typed.chains),
        ("--lineage", typed.lineage or ""),
        *(("--chain-from", path) for path in typed.chain_from),
        ("--password-command", typed.passphrase_command or ""),
        *(("--domain", domain) for domain in typed.domains),
    ]
    words = [word for flag, value in pairs if value for word in (flag, value)]
    return shlex.join([*([typed.file] if typed.file else []), *words, *["--aia"] * typed.aia])


def _draw(judged: _Judged) -> None:
    """Say what to paste and where, in the order of doing."""
    from certmail.cli.bundle_command import told_changes
    from certmail.cli.draw import draw_findings

    facts, given = judged.verdict.facts, judged.given
    if given.changes:
        click.echo(told_changes(given.changes, name=given.name))
    click.echo(draw_findings(judged.verdict.findings), nl=False)
    click.echo(f"{given.name}: the form takes it\n")
    for number, step in enumerate(_steps(judged), 1):
        click.echo(f"{number}. {step}")
    for row in _rows(judged):
        click.echo(f"     {row}")
    if facts is not None:
        click.echo("\n" + "\n".join(_afterwards(facts)))


def _steps(judged: _Judged) -> list[str]:
    lines = judged.given.pem.count(b"\n")
    form = f"Open the form:\n     {UPLOAD_FORM}"
    if judged.make is not None:
        write = f"Write the bundle, readable by you alone:\n     {judged.make}"
        paste = (
            f"Open {NEW_FILE} in an editor, and paste all of it, {lines} lines, into the form."
            f"\n   When the form has taken it, remove the file: rm {NEW_FILE}\n   It holds:"
        )
        return [write, form, paste]
    if judged.typed.file == "-":
        return [form, f"Paste all of what was piped in, {lines} lines, into the form:"]
    name = judged.given.name
    return [
        form,
        f"Open {name} in an editor, and paste all of it into the form,\n   {lines} lines:",
    ]


def _rows(judged: _Judged) -> list[str]:
    return [
        f"lines {first:>3} to {last:<3}  {role:<13}  {what}"
        for role, (first, last), what in _parts(judged.verdict.facts)
    ]


def _parts(facts: BundleFacts | None) -> list[tuple[str, tuple[int, int], str]]:
    """List the blocks in the order in which they stand, with their lines; never their bodies."""
    if facts is None or facts.key is None:
        return []
    found = [("private key", facts.key.lines, f"{facts.key.algorithm} {facts.key.bits}, not shown")]
    for one in facts.certificates:
        role = "intermediate" if one.is_ca else "certificate"
        name = one.names[0] if one.names and not one.is_ca else one.subject
        shown = printable(name, limit=_NAME)
        found.append((role, one.lines, f"{shown}, to {one.not_after:%Y-%m-%d}"))
    return found


def _afterwards(facts: BundleFacts) -> list[str]:
    """Say what else is worth knowing: the clipboard, and whether a bundle is needed at all."""
    told = [
        "The clipboard then holds the private key: copy something else afterwards, and",
        "keep it out of clipboard histories.",
    ]
    names = facts.path[0].names if facts.path else ()
    if names and not any(name.startswith("*.") for name in names):
        told += [
            "Let's Encrypt by Clever Cloud may do without a bundle:",
            f"  certmail acme-test {names[0]}",
        ]
    return told


def _offer(parameters: dict[str, Any]) -> None:
    """Open the form where that was asked for, or is said yes to."""
    from certmail.cli import browser

    asks = sys.stdin.isatty() and sys.stderr.isatty()
    if not parameters["opens"] and not asks:
        return
    if not browser.can_open():
        if parameters["opens"]:
            click.echo("certmail: there is no browser to open here; the address is above", err=True)
        return
    wanted = parameters["opens"] or click.confirm(
        "Open the form in your browser now?", default=False, err=True
    )
    if wanted and not browser.open_form():
        click.echo("certmail: the browser did not start; the address is above", err=True)


def _draw_refusal(judged: _Judged, *, at: datetime) -> None:
    from certmail.cli import check_screen
    from certmail.cli.ink import show

    verdict = judged.verdict
    show(check_screen.draw_verdict(verdict, data=judged.given.pem, at=at), end="")
    show(check_screen.last_line(judged.given.name, verdict, good=False))


def _as_json(judged: _Judged, *, at: datetime) -> dict[str, Any]:
    from certmail.cli.bundle_command import change_as_json

    verdict, given = judged.verdict, judged.given
    good = verdict.checked is not None
    return {
        "source": given.name,
        "at": instant(at),
        "good": good,
        "exit_status": 0 if good else 10,
        "form": UPLOAD_FORM,
        "make": judged.make if good else None,
        "paste": [
            {"role": role, "lines": list(lines), "what": what}
            for role, lines, what in _parts(verdict.facts)
        ]
        if good
        else [],
        "lines": given.pem.count(b"\n") if good else None,
        "changes": [change_as_json(change) for change in given.changes],
        "findings": [finding_as_json(finding) for finding in verdict.findings],
    }
