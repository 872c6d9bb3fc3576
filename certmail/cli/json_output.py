"""JSON on standard output: one object a run, each with the name and number of its schema.

``docs/json.md`` holds the promises, ``docs/schemas/`` a schema for each name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from certmail.bundle.findings import Finding
    from certmail.errors import CertmailError
    from certmail.key.renew.life import Notice


def echo_json(schema: str, /, **values: Any) -> None:
    """Print the one object of this run; ``schema`` is like ``certmail.send/1``."""
    import json  # what is shown in words does without

    click.echo(json.dumps({"schema": schema, **values}, indent=2))


def echo_json_rows(
    schema: str,
    name: str,
    rows: Iterable[Mapping[str, Any]],
    /,
    *,
    behind: Callable[[], Mapping[str, Any]],
) -> None:
    """Print what `echo_json` prints of a list called ``name``, each row as it is made.

    ``behind`` gives what follows the list; it is asked when the last row is out.
    """
    import json  # as above

    click.echo(f'{{\n  "schema": {json.dumps(schema)},\n  "{name}": [', nl=False)
    between, end = "\n    ", "]"
    for row in rows:
        # JSON writes the end of a line inside a text as an escape: each one here is ours.
        text = json.dumps(row, indent=2).replace("\n", "\n    ")
        click.echo(between + text, nl=False)
        between, end = ",\n    ", "\n  ]"
    last = json.dumps(behind(), indent=2).removeprefix("{")
    click.echo(f"{end},{last}")


def error_as_json(error: CertmailError) -> dict[str, Any]:
    """Give a refusal, the same way wherever it stands."""
    return {
        "code": error.code,
        "what": error.what,
        "why": error.why,
        "next": error.next,
        "left": error.left.name.lower(),
        "file": error.file,
        "lines": list(error.lines) if error.lines else None,
        "exit_status": error.exit_status,
    }


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """Give a finding."""
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "lines": list(finding.lines) if finding.lines else None,
        "what": finding.what,
        "why": finding.why,
        "next": finding.next,
        "repair": finding.repair,
    }


def notices_as_json(notices: Iterable[Notice]) -> list[dict[str, Any]]:
    """Give what the operator should know and what stops nothing."""
    return [{"code": n.code, "what": n.what, "next": n.next} for n in notices]


def instant(at: datetime | None) -> str | None:
    """Write an instant as RFC 3339 has it, in UTC."""
    return at.isoformat() if at is not None else None


def whole_error(error: CertmailError) -> Mapping[str, Any]:
    """Give the object that stands in place of the result, with every finding of a bundle."""
    findings = getattr(error, "findings", ())
    return {
        **error_as_json(error),
        "findings": [finding_as_json(finding) for finding in findings],
    }
