"""``certmail verify-key``: tell whether a copy of the key is the pinned one, and usable."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from certmail.cli import options, plain_options
from certmail.cli.command import Command
from certmail.cli.draw import wrapped
from certmail.cli.json_output import echo_json, error_as_json, instant

if TYPE_CHECKING:
    from rich.text import Text

    from certmail.key.pin import KeyReport, SubkeyFacts
    from certmail.key.rows import SignatureRow


@click.command("verify-key", cls=Command)
@click.argument("file", required=False, metavar="[FILE]")
@click.option(
    "--fingerprint",
    metavar="TEXT",
    help="Compare the fingerprint you have in a letter, a chat or on a page.",
)
@plain_options.json_option
@options.with_settings(*options.KEY, *options.GNUPG)
@click.pass_obj
def verify_key(
    common: dict[str, Any],
    /,
    file: str | None,
    fingerprint: str | None,
    as_json: bool,  # noqa: FBT001 - click's flag
    **parameters: Any,
) -> int:
    """Check the bundled key, or the copy in FILE, against the pinned fingerprint.

    Two witnesses must agree: the fingerprint and signatures read from the packets, and GnuPG in an
    empty home. Nothing is imported anywhere, and nothing is sent. Ends with 11 when the key is
    refused or cannot be encrypted to today. With --fingerprint it compares the text alone.
    """
    from pathlib import Path

    from certmail.cli.wiring import read_key, workbench
    from certmail.gnupg.identify import examine_key
    from certmail.recipient import CLEVER_CLOUD
    from certmail.settings.keys import KEY_FILE

    if fingerprint is not None:
        if file is not None:
            raise click.UsageError("give either FILE or --fingerprint TEXT")
        return _compare(fingerprint, as_json=as_json)
    bench = workbench(common, options.flags_of(parameters, *options.KEY, *options.GNUPG))
    data, source = read_key(Path(file) if file is not None else bench.settings.get(KEY_FILE))
    report = examine_key(
        data,
        source=source,
        recipient=CLEVER_CLOUD,
        gpg=bench.gpg,
        env=os.environ,
        at=datetime.now(UTC),
    )
    if report.refused is not None:
        # Another key: nothing of what it says about itself is shown.
        raise report.refused
    if as_json:
        echo_json("certmail.key/1", **_as_json(report))
    else:
        _draw(report)
    if report.unusable is not None:
        if not as_json:
            from certmail.cli.draw import echo_error

            echo_error(report.unusable)
        return report.unusable.exit_status
    return 0


def _compare(text: str, *, as_json: bool) -> int:
    """Compare what the operator was given with the pin; a near miss is refused in its own words."""
    from certmail.key.renew.compare import compare
    from certmail.recipient import CLEVER_CLOUD

    spelling = compare(text, CLEVER_CLOUD)
    if as_json:
        echo_json(
            "certmail.key-fingerprint/1",
            matches_pin=True,
            fingerprint=spelling.text,
            remarks=list(spelling.remarks),
        )
        return 0
    click.echo(f"This is the fingerprint of {CLEVER_CLOUD.name}'s key, all 40 digits of it:")
    click.echo(f"  {CLEVER_CLOUD.pin.grouped()}")
    for remark in spelling.remarks:
        click.echo(wrapped(f"  ({remark})", indent="   "))
    return 0


def _draw(report: KeyReport) -> None:

    from certmail.cli import screens

    screen = screens.console()
    pairs: list[tuple[str, str | Text]] = [
        ("copy", report.source),
        ("fingerprint", report.fingerprint.grouped()),
        ("", f"equals the pin of {report.recipient.name}, by both witnesses"),
        ("algorithm", f"{report.algorithm} {report.bits}"),
        *(("user ID", text) for text in report.user_ids),
        ("created", f"{report.created:%Y-%m-%d}"),
        ("expires", _end(report.expires, report.at)),
        ("revoked", "yes" if report.revoked else "no, as far as this copy tells"),
    ]
    for subkey in report.subkeys:
        pairs += [
            ("subkey", subkey.fingerprint.grouped()),
            ("", _subkey(subkey, report.at)),
        ]
    screen.print(screens.panel("The key", screens.rows(pairs)))
    screen.print(screens.panel("Its signatures", screens.rows(map(_signature, report.signatures))))
    if report.unusable is None:
        screen.print("The key is the pinned one and can be encrypted to today.")
    else:
        screen.print("The key is the pinned one, and cannot be encrypted to today.")


def _subkey(subkey: SubkeyFacts, at: datetime) -> str:
    role = "encrypts" if subkey.encrypts else "does not encrypt"
    revoked = ", REVOKED" if subkey.revoked else ""
    return (
        f"{subkey.algorithm} {subkey.bits}, {role}, created {subkey.created:%Y-%m-%d},"
        f" expires {_end(subkey.expires, at)}{revoked}"
    )


def _signature(row: SignatureRow) -> tuple[str, str]:
    created = f"{row.created:%Y-%m-%d}" if row.created else "without a date"
    gnupg = row.gnupg.value if row.gnupg else "not kept"
    weak = ", a weak hash" if row.weak else ""
    return (
        row.says,
        (
            f"on {row.on}, by {row.by}, {created}, {row.hash_name}{weak}:"
            f" packets say {row.ours.value}, GnuPG says {gnupg}"
        ),
    )


def _end(when: datetime | None, at: datetime) -> str:
    if when is None:
        return "never"
    days = (when - at).days
    return f"{when:%Y-%m-%d} " + (f"(in {days} days)" if when > at else f"({-days} days ago)")


def _as_json(report: KeyReport) -> dict[str, Any]:
    pinned = report.pinned
    return {
        "source": report.source,
        "at": report.at.isoformat(),
        "pin": report.recipient.pin.text,
        "fingerprint": report.fingerprint.text,
        "matches_pin": report.fingerprint == report.recipient.pin,
        "usable_today": report.unusable is None,
        "unusable": error_as_json(report.unusable) if report.unusable else None,
        "algorithm": report.algorithm,
        "bits": report.bits,
        "created": report.created.isoformat(),
        "expires": instant(report.expires),
        "revoked": report.revoked,
        "user_ids": list(report.user_ids),
        "encryption_subkey": pinned.encryption_subkey.text if pinned else None,
        "subkeys": [
            {
                "fingerprint": subkey.fingerprint.text,
                "algorithm": subkey.algorithm,
                "bits": subkey.bits,
                "created": subkey.created.isoformat(),
                "expires": instant(subkey.expires),
                "revoked": subkey.revoked,
                "encrypts": subkey.encrypts,
            }
            for subkey in report.subkeys
        ],
        "signatures": [
            {
                "on": row.on,
                "says": row.says,
                "by": row.by,
                "created": instant(row.created),
                "hash": row.hash_name,
                "weak_hash": row.weak,
                "packets_say": row.ours.name.lower(),
                "gnupg_says": row.gnupg.name.lower() if row.gnupg else None,
            }
            for row in report.signatures
        ],
    }
