"""``certmail rehearse``: the whole job on a throw-away set-up."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from certmail.cli import options, plain_options
from certmail.cli.command import Command
from certmail.cli.json_output import echo_json
from certmail.cli.loudness import aside

if TYPE_CHECKING:
    from certmail.rehearsal.rehearse import Rehearsal


@click.command(cls=Command)
@click.argument("bundle", required=False, metavar="[BUNDLE]")
@plain_options.json_option
@options.with_settings(*options.GNUPG)
@click.pass_obj
def rehearse(
    common: dict[str, Any],
    /,
    bundle: str | None,
    as_json: bool,  # noqa: FBT001 - click's flag
    **parameters: Any,
) -> int:
    """Run the whole job without an account: seal, send over TLS, open, compare.

    Throw-away keys, a stand-in for the recipient and a mail server on loopback are made for it;
    the code between is what `certmail send` runs. With BUNDLE your own bundle is used: it is
    encrypted to the throw-away key, and does not leave this machine. Nothing remains afterwards.
    """
    from certmail.cli.files import read_bundle, with_file
    from certmail.errors import CertmailError
    from certmail.gnupg.runner import find_gpg
    from certmail.rehearsal.rehearse import rehearse as run
    from certmail.settings.keys import GNUPG_PROGRAM
    from certmail.settings.resolve import load

    settings = load(
        flags=options.flags_of(parameters, *options.GNUPG),
        environ=os.environ,
        config=common["settings_file"],
    )
    program = settings.get(GNUPG_PROGRAM)
    gpg = find_gpg(str(program) if program else None)
    pem = read_bundle(bundle) if bundle is not None else None
    try:
        rehearsal = run(pem, gpg=gpg, env=os.environ, at=datetime.now(UTC), step=_step)
    except CertmailError as error:
        raise with_file(error, bundle or "-") from None
    if as_json:
        echo_json("certmail.rehearsal/1", **_as_json(rehearsal))
    else:
        _draw(rehearsal)
    return 0 if rehearsal.good and rehearsal.nothing_left else 1


def _step(what: str) -> None:
    aside(f"  … {what}")


def _draw(rehearsal: Rehearsal) -> None:
    from rich.table import Table
    from rich.text import Text

    from certmail.cli import screens
    from certmail.message.preview import inside, outside

    screen = screens.console()
    screen.print()
    screen.print(screens.draw_outside(outside(rehearsal.sealing.sealed)))
    screen.print(screens.draw_inside(inside(rehearsal.sealing.letter)))
    verdicts = Table.grid(padding=(0, 1))
    verdicts.add_column(no_wrap=True)
    verdicts.add_column(overflow="fold")
    for held, sentence in _evidence(rehearsal):
        verdicts.add_row(
            Text("ok" if held else "NO", style="green" if held else "bold red"), sentence
        )
    screen.print(screens.panel("What was shown", verdicts))
    refusals = Table.grid(padding=(0, 2))
    for attack in rehearsal.refused:
        unread = "" if attack.passwords_read == 0 else " PASSWORD READ"
        refusals.add_row(attack.attack, attack.code, f"exit {attack.exit_status}{unread}")
    screen.print(screens.panel("What was tried and refused, without reading a password", refusals))
    if rehearsal.good and rehearsal.nothing_left:
        screen.print("The rehearsal held in every point. Nothing of it is left on this machine.")
        screen.print("Next: certmail preview BUNDLE")
    else:
        screen.print("The rehearsal did NOT hold. Do not send anything; report the lines above.")


def _evidence(rehearsal: Rehearsal) -> list[tuple[bool, str]]:
    receipt, opened = rehearsal.receipt, rehearsal.opened
    return [
        (
            True,
            (
                f"the relay spoke {receipt.tls.version} ({receipt.tls.cipher}); the password"
                f" was read ({receipt.mechanism}) once its certificate was verified"
            ),
        ),
        (
            rehearsal.wire_intact,
            f"what arrived ({rehearsal.delivered_octets} octets) is what was proved before sending",
        ),
        (
            opened.subject == rehearsal.sealing.letter.subject,
            (
                f"the stand-in recipient opened it with GnuPG {opened.gnupg}"
                f" and read the subject {opened.subject!r}"
            ),
        ),
        (
            opened.signed_by == rehearsal.signer.text,
            f"the signature inside is good: made by {rehearsal.signer.grouped()}",
        ),
        (
            rehearsal.bundle_equal,
            f"the attachment of {len(opened.attachment)} octets equals the bundle byte for byte",
        ),
        (
            rehearsal.nothing_left,
            "the throw-away keys, their agents, the mail server and its certificate are gone",
        ),
    ]


def _as_json(rehearsal: Rehearsal) -> dict[str, Any]:
    return {
        "held": rehearsal.good and rehearsal.nothing_left,
        "evidence": [{"held": held, "what": sentence} for held, sentence in _evidence(rehearsal)],
        "refused": [
            {
                "attack": attack.attack,
                "code": attack.code,
                "exit_status": attack.exit_status,
                "passwords_read": attack.passwords_read,
            }
            for attack in rehearsal.refused
        ],
        "message_sha256": rehearsal.receipt.sha256,
        "recipient_key": rehearsal.recipient_key.text,
        "signer": rehearsal.signer.text,
    }
