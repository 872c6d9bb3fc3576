"""``certmail bundle``: make the one canonical bundle, and say in words what that changed."""

from __future__ import annotations

import sys
import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import inputs, plain_options
from certmail.cli.check_json import certificate_as_json, key_as_json
from certmail.cli.command import Command
from certmail.cli.json_output import echo_json, finding_as_json
from certmail.cli.loudness import is_quiet

if TYPE_CHECKING:
    from certmail.bundle.assemble.changes import Change
    from certmail.bundle.repair import Repaired

_FORMATS: Final = ("pkcs8", "pkcs1")


@click.command(cls=Command)
@click.argument("file", required=False)
@inputs.with_inputs
@inputs.with_issuers
@click.option(
    "--output",
    metavar="FILE",
    help="Write the bundle to a new file with mode 0600; - for standard output, if it is no"
    " terminal.",
)
@click.option("--in-place", is_flag=True, help="Replace FILE by its repaired form, in one step.")
@click.option("--backup", is_flag=True, help="With --in-place: keep the old file as FILE.bak.")
@click.option(
    "--key-format",
    type=click.Choice(_FORMATS),
    default=_FORMATS[0],
    help="How the private key is written: PRIVATE KEY (pkcs8, the default), or RSA PRIVATE KEY.",
)
@plain_options.domain_option
@plain_options.json_option
def bundle(file: str | None, **parameters: Any) -> int:
    """Make a canonical bundle from a damaged file, from parts, or from a lineage.

    FILE is PEM in any state, DER, PKCS#7, PKCS#12, JSON or YAML; - is standard input. Says what it
    would change; nothing is written without --output or --in-place. The octets of certificates
    and the numbers of the key stay the same. What would have to be guessed is refused.
    """
    typed = inputs.Inputs.of(file, parameters)
    output, in_place = parameters["output"], parameters["in_place"]
    _sort_out(typed, parameters)
    at = datetime.now(UTC)
    before = inputs.original(typed) if in_place else None
    repaired = _mended(typed, parameters, at=at)
    written, kept = None, None
    if in_place and before is not None and before != repaired.pem:
        kept = f"{typed.file}.bak" if parameters["backup"] else None
        written = _replaced(typed, repaired, before=before, backup=kept)
    elif output is not None and output != "-":
        written = _written(output, repaired)
    if parameters["as_json"]:
        _echo_json(repaired, source=typed.name, written=written, backup=kept, at=at)
        return 0
    if not is_quiet():
        click.echo(_told(repaired, typed.name), err=output == "-", nl=False)
    if output == "-":
        sys.stdout.buffer.write(repaired.pem)
    elif written is not None:
        click.echo(f"written to {written}" + (f"; the old file is {kept}" if kept else ""))
    elif in_place:
        click.echo("nothing to change: the file stays as it is")
    else:
        click.echo("nothing was written; --output FILE keeps the bundle")
    return 0


def _sort_out(typed: inputs.Inputs, parameters: dict[str, Any]) -> None:
    """Refuse what contradicts itself before anything is read."""
    output, in_place = parameters["output"], parameters["in_place"]
    if in_place and (typed.file in {None, "-"} or output is not None):
        raise click.UsageError("--in-place goes with a FILE and without --output")
    if parameters["backup"] and not in_place:
        raise click.UsageError("--backup goes with --in-place")
    if output != "-":
        return
    if parameters["as_json"]:
        raise click.UsageError("--json goes with --output FILE, not with --output -")
    if sys.stdout.isatty():
        from certmail.errors import UsageError

        raise UsageError(
            "BUNDLE-TO-TERMINAL",
            "standard output is a terminal",
            why="a private key shown on a terminal stays in its scroll-back",
            next="certmail bundle FILE --output NEW.pem, or pipe it into what takes it",
        )


def _mended(typed: inputs.Inputs, parameters: dict[str, Any], *, at: datetime) -> Repaired:
    from certmail.bundle.assemble.items import KeyFormat, Unrepairable
    from certmail.cli.files import with_file

    try:
        return inputs.mend(typed, at=at, key_format=KeyFormat(parameters["key_format"]))
    except Unrepairable as refusal:
        draw_refused(refusal, as_json=parameters["as_json"])
        raise with_file(refusal, typed.name) from None


def draw_refused(refusal: Exception, *, as_json: bool) -> None:
    """Show every finding on the error stream; the refusal itself names the first."""
    from certmail.cli.draw import draw_findings

    findings = getattr(refusal, "findings", ())
    if len(findings) > 1 and not as_json:
        click.echo(draw_findings(findings), nl=False, err=True)


def _replaced(
    typed: inputs.Inputs, repaired: Repaired, *, before: bytes, backup: str | None
) -> str:
    from certmail.cli.files import replace_bundle

    path = str(typed.file)
    replace_bundle(path, repaired.pem, before=before, backup=backup)
    return path


def _written(path: str, repaired: Repaired) -> str:
    from certmail.cli.files import write_bundle

    write_bundle(path, repaired.pem)
    return path


def _told(repaired: Repaired, name: str) -> str:
    """Say what was changed and what the bundle is now; never a line of a body."""
    from certmail.cli.draw import draw_findings

    checked = repaired.checked
    lines = [told_changes(repaired.changes, name=name), "the bundle:"]
    key = checked.key
    lines.append(f"  private key   {key.algorithm} {key.bits}, {key.label}")
    for role, one in (
        ("certificate", checked.leaf),
        *(("intermediate", one) for one in checked.chain),
    ):
        lines.append(
            f"  {role:<12}  {one.subject or '(no subject)'}, until {one.not_after:%Y-%m-%d}"
        )
    return "\n".join(lines) + "\n" + draw_findings(repaired.findings)


def told_changes(changes: tuple[Change, ...], *, name: str) -> str:
    """List changes in words, each with its place."""
    from certmail.cli.draw import width

    if not changes:
        return f"{name}: canonical already, nothing to change"
    rows = [f"{name}: {len(changes)} change{'s' if len(changes) > 1 else ''}"]
    for change in changes:
        rows += textwrap.wrap(
            f"  - {change.what}{_place(change, name)}",
            width=width(),
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(rows)


def _place(change: Change, name: str) -> str:
    from certmail.bundle.findings import span

    places = [change.source] if change.source not in {None, name} else []
    places += [span(change.lines)] if change.lines else []
    return f" ({', '.join(str(place) for place in places)})" if places else ""


def change_as_json(change: Change) -> dict[str, Any]:
    """Give a change as JSON values."""
    return {
        "repair": change.repair,
        "what": change.what,
        "source": change.source,
        "lines": list(change.lines) if change.lines else None,
    }


def _echo_json(
    repaired: Repaired, *, source: str, written: str | None, backup: str | None, at: datetime
) -> None:
    checked = repaired.checked
    echo_json(
        "certmail.bundle/1",
        source=source,
        changed=bool(repaired.changes),
        changes=[change_as_json(change) for change in repaired.changes],
        key=key_as_json(checked.key),
        certificates=[certificate_as_json(one, at=at) for one in (checked.leaf, *checked.chain)],
        findings=[finding_as_json(finding) for finding in repaired.findings],
        output=written,
        backup=backup,
    )
