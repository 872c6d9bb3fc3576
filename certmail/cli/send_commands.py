"""``certmail preview`` and ``certmail send``: one walk, of which a preview is the first part."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import options

if TYPE_CHECKING:
    from certmail.cli.wiring import Workbench
    from certmail.delivery.outcome import Receipt, Stage
    from certmail.errors import KeyRefused
    from certmail.key.pin import PinnedKey
    from certmail.message.record import SealRecord
    from certmail.message.seal import SealedMessage
    from certmail.walk import Order, Sealing

_SEALING: Final = (*options.SENDER, *options.REQUEST, *options.KEY, *options.GNUPG)

_note_option = click.option(
    "--note", metavar="TEXT", help="A sentence for the support engineer who reads the message."
)
_output_option = click.option(
    "--output",
    metavar="FILE.eml",
    help="Keep the sealed message in a new file, to be sent later with send --sealed.",
)


@click.command(short_help="Show what would be sent, and who could read it.")
@click.argument("bundle")
@options.domain_option
@_note_option
@_output_option
@options.json_option
@options.with_settings(*_SEALING)
@click.pass_obj
def preview(common: dict[str, Any], /, bundle: str, **parameters: Any) -> int:
    """Show what would be sent and who could read it, without a transport.

    BUNDLE is a file, or - for standard input. The message is signed and encrypted for real; it is
    shown as an eavesdropper and as the recipient would see it, with the private key left out.
    """
    return _preview(common, bundle, parameters)


@click.command(short_help="Check, sign, encrypt and send a bundle.")
@click.argument("bundle", required=False)
@click.option("--sealed", metavar="FILE.eml", help="Send the message that preview --output kept.")
@click.option("--dry-run", is_flag=True, help="Do what preview does, and nothing more.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@options.domain_option
@_note_option
@_output_option
@options.json_option
@options.with_settings(*_SEALING, *options.RELAY)
@click.pass_obj
def send(common: dict[str, Any], /, bundle: str | None, **parameters: Any) -> int:
    """Check, sign, encrypt and send BUNDLE to Clever Cloud's mailbox for certificates.

    BUNDLE is a file, or - for standard input. Before anything leaves, the key, the bundle and the
    sealed message are each proved; then the relay must show TLS with a certificate that verifies.
    The provider prefers its upload form and charges for certificates sent by mail:

    \b
      https://api.clever-cloud.com/v2/certificates/new
    """  # noqa: D301 - click reads the backspace as "leave these lines alone"
    sealed, dry_run = parameters["sealed"], parameters["dry_run"]
    if (bundle is None) == (sealed is None):
        raise click.UsageError("give either BUNDLE or --sealed FILE.eml")
    if sealed is not None:
        if dry_run or parameters["output"] or parameters["domains"] or parameters["note"]:
            raise click.UsageError(
                "--sealed sends a finished message: only relay options go with it"
            )
        return _send_sealed(common, sealed, parameters)
    if bundle is None:  # told apart above; said again for the type checker
        raise click.UsageError("give BUNDLE")
    if dry_run:
        return _preview(common, bundle, parameters)
    return _send(common, bundle, parameters)


def _preview(common: dict[str, Any], bundle: str, parameters: dict[str, Any]) -> int:
    from certmail.cli.wiring import workbench
    from certmail.errors import KeyRefused
    from certmail.key.pin import require_usable

    bench = workbench(common, options.flags_of(parameters, *_SEALING))
    pinned = bench.key()
    refusal: KeyRefused | None = None
    try:
        require_usable(pinned)
    except KeyRefused as error:
        # A preview goes on: what the message would look like is worth seeing today.
        refusal = error
    sealing = _seal(bench, bundle, parameters, pinned=pinned)
    kept = _keep(sealing, parameters["output"])
    if parameters["as_json"]:
        _echo_json(_sealing_as_json(sealing, refusal=refusal, kept=kept))
    else:
        _draw_preview(sealing, refusal=refusal, kept=kept)
    return 0


def _send(common: dict[str, Any], bundle: str, parameters: dict[str, Any]) -> int:
    from certmail.cli.wiring import workbench
    from certmail.key.pin import require_usable

    bench = workbench(common, options.flags_of(parameters, *_SEALING, *options.RELAY))
    asking = _Asking.decide(parameters)
    _require_relay(bench)
    pinned = bench.key()
    require_usable(pinned)
    sealing = _seal(bench, bundle, parameters, pinned=pinned)
    kept = _keep(sealing, parameters["output"])
    if asking.asks:
        _draw_preview(sealing, refusal=None, kept=kept)
    receipt = _deliver(bench, sealing.sealed, asking=asking)
    if parameters["as_json"]:
        _echo_json(
            {
                **_sealing_as_json(sealing, refusal=None, kept=kept),
                "schema": "certmail.send/1",
                "receipt": _receipt_as_json(receipt),
            }
        )
    else:
        _draw_receipt(receipt)
    return 0


def _send_sealed(common: dict[str, Any], path: str, parameters: dict[str, Any]) -> int:
    from certmail.cli.files import read_record_text, read_sealed
    from certmail.cli.wiring import workbench
    from certmail.key.pin import require_usable
    from certmail.message.record import read_record
    from certmail.walk import reopen

    flags = options.flags_of(parameters, *_SEALING, *options.RELAY)
    bench = workbench(common, flags)
    asking = _Asking.decide(parameters)
    _require_relay(bench)
    data = read_sealed(path)
    sha256 = hashlib.sha256(data).hexdigest()
    record = read_record(read_record_text(sha256), sha256=sha256)
    pinned = bench.key()
    require_usable(pinned)
    sealed = reopen(data, record=record, pinned=pinned, at=bench.at)
    if asking.asks:
        _draw_sealed(sealed, record, path=path)
    receipt = _deliver(bench, sealed, asking=asking)
    if parameters["as_json"]:
        _echo_json(
            {
                "schema": "certmail.send/1",
                "outside": _outside_as_json(sealed),
                "sealed_file": path,
                "receipt": _receipt_as_json(receipt),
            }
        )
    else:
        _draw_receipt(receipt)
    return 0


@dataclass(frozen=True, slots=True)
class _Asking:
    """Whether the operator is asked before the message leaves."""

    asks: bool

    @staticmethod
    def decide(parameters: dict[str, Any]) -> _Asking:
        """Ask unless told not to; where nobody can answer, refuse before anything is signed."""
        from certmail.errors import UsageError

        if parameters["yes"]:
            return _Asking(asks=False)
        if not sys.stdin.isatty() or not sys.stderr.isatty() or parameters["as_json"]:
            raise UsageError(
                "CONFIRM-NOBODY",
                "there is no terminal to ask for your consent on",
                why="a private key is about to be sent; somebody must say yes",
                next="certmail send BUNDLE --yes, when a script has the last word",
            )
        return _Asking(asks=True)


def _require_relay(bench: Workbench) -> None:
    """Miss a relay before a passphrase is asked for, not after."""
    from certmail.settings.keys import RELAY_HOST

    bench.settings.require(RELAY_HOST)


def _seal(
    bench: Workbench, bundle: str, parameters: dict[str, Any], *, pinned: PinnedKey
) -> Sealing:
    from certmail.cli.files import with_file
    from certmail.errors import BundleError
    from certmail.walk import seal_bundle

    order = _order(bench, bundle, parameters)
    try:
        return seal_bundle(order, pinned=pinned, signer=bench.signer, engine=bench.engine())
    except BundleError as error:
        _draw_refused_findings(error, parameters)
        raise with_file(error, bundle) from None


def _order(bench: Workbench, bundle: str, parameters: dict[str, Any]) -> Order:
    from certmail.cli.files import read_bundle
    from certmail.message.letter import Request
    from certmail.message.seal import Copy
    from certmail.settings import keys
    from certmail.walk import Order

    settings = bench.settings
    return Order(
        read_bundle(bundle),
        at=bench.at,
        domains=parameters["domains"],
        request=Request(
            organisation=settings.get(keys.REQUEST_ORGANISATION),
            application=settings.get(keys.REQUEST_APPLICATION),
            contact=settings.get(keys.REQUEST_CONTACT),
            note=parameters["note"],
        ),
        copy=Copy.FOR_SENDER if settings.get(keys.SENDER_ENCRYPT_TO_SELF) else Copy.NONE,
    )


def _keep(sealing: Sealing, path: str | None) -> str | None:
    """Keep the sealed message and its record; the record first, since it is the evidence."""
    if path is None:
        return None
    from certmail.cli.files import write_record, write_sealed
    from certmail.message.record import record

    write_record(sealing.sealed.sha256, record(sealing.sealed, sealing.letter).to_json())
    write_sealed(path, sealing.sealed.wire())
    return path


def _deliver(bench: Workbench, sealed: SealedMessage, *, asking: _Asking) -> Receipt:
    from certmail.delivery.smtp import deliver as submit
    from certmail.walk import deliver

    relay = bench.relay(sealed.sender)
    if asking.asks:
        click.echo(
            f"This goes to {sealed.recipient.address} through {relay}, over verified TLS only.\n"
            "Clever Cloud prefers its upload form and charges for certificates sent by mail:\n"
            "  https://api.clever-cloud.com/v2/certificates/new",
            err=True,
        )
        if not click.confirm("Send it now?", default=False, err=True):
            raise click.Abort
    secret = bench.secret(relay)
    return deliver(
        sealed,
        transport=lambda proved: submit(
            proved,
            relay=relay,
            secret=secret,
            now=lambda: datetime.now(UTC),
            timeouts=bench.timeouts(),
            progress=_progress if asking.asks else None,
        ),
    )


def _progress(stage: Stage) -> None:
    click.echo(f"  … {stage.value}", err=True)


def _draw_preview(sealing: Sealing, *, refusal: KeyRefused | None, kept: str | None) -> None:
    from certmail.cli import screens
    from certmail.cli.draw import draw_findings
    from certmail.message.preview import inside, outside

    sealed = sealing.sealed
    screen = screens.console()
    screen.print(screens.draw_outside(outside(sealed)))
    screen.print(screens.draw_inside(inside(sealing.letter)))
    verdict = "can be encrypted to today" if refusal is None else f"REFUSED: {refusal.what}"
    screen.print(screens.draw_key(sealed.pinned, verdict=verdict))
    if sealing.findings:
        click.echo(draw_findings(sealing.findings), nl=False)
    screen.print(
        f"signed by {sealed.signature.signer.grouped()} ({sealed.signature.hash_name}),"
        " verified before encryption"
    )
    if kept is not None:
        screen.print(f"kept in {kept}; send precisely these bytes: certmail send --sealed {kept}")
    if refusal is not None:
        _warn_would_refuse(refusal)


def _warn_would_refuse(refusal: KeyRefused) -> None:
    from certmail.cli.draw import draw_error

    click.echo(
        "\n!!! A send would REFUSE. This preview only shows what it would look like.\n", err=True
    )
    click.echo(draw_error(refusal), nl=False, err=True)


def _draw_sealed(sealed: SealedMessage, record: SealRecord, *, path: str) -> None:
    from certmail.cli import screens
    from certmail.message.preview import outside

    screen = screens.console()
    screen.print(screens.draw_outside(outside(sealed)))
    screen.print(
        screens.panel(
            f"What was sealed into {path}",
            screens.rows(
                (
                    ("domains", ", ".join(record.names)),
                    ("its SHA-256", screens.digest(record.certificate_sha256)),
                    ("valid until", record.certificate_ends),
                    ("checked at", record.checked_at),
                    ("signed by", sealed.signature.signer.grouped()),
                )
            ),
        )
    )


def _draw_receipt(receipt: Receipt) -> None:
    from certmail.cli import screens

    screens.console().print(screens.draw_receipt(receipt))


def _draw_refused_findings(error: Exception, parameters: dict[str, Any]) -> None:
    """Show every finding, not only the first; JSON carries the first in the error itself."""
    from certmail.cli.draw import draw_findings
    from certmail.walk import BundleRefused

    if isinstance(error, BundleRefused) and len(error.findings) > 1 and not parameters["as_json"]:
        click.echo(draw_findings(error.findings), nl=False, err=True)


def _echo_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, indent=2))


def _sealing_as_json(
    sealing: Sealing, *, refusal: KeyRefused | None, kept: str | None
) -> dict[str, Any]:
    from certmail.cli.bundle_commands import finding_as_json
    from certmail.message.preview import inside

    sealed, view = sealing.sealed, inside(sealing.letter)
    return {
        "schema": "certmail.preview/1",
        "would_send": refusal is None,
        "refusal": {"code": refusal.code, "what": refusal.what, "next": refusal.next}
        if refusal
        else None,
        "outside": _outside_as_json(sealed),
        "inside": {
            "headers": [list(pair) for pair in view.headers],
            "tree": [list(row) for row in view.tree],
            "text": view.text,
            "attachments": [
                {
                    "file_name": part.file_name,
                    "media_type": part.media_type,
                    "octets": part.octets,
                    "role": part.role,
                    "lines": list(part.lines),
                }
                for part in view.attachments
            ],
        },
        "key": {
            "fingerprint": sealed.pinned.fingerprint.text,
            "encryption_subkey": sealed.pinned.encryption_subkey.text,
            "source": sealed.pinned.source,
            "expires": sealed.pinned.expires.isoformat() if sealed.pinned.expires else None,
        },
        "signature": {
            "signer": sealed.signature.signer.text,
            "key": sealed.signature.key.text,
            "hash": sealed.signature.hash_name,
            "created": sealed.signature.created.isoformat(),
        },
        "findings": [finding_as_json(finding) for finding in sealing.findings],
        "sealed_file": kept,
    }


def _outside_as_json(sealed: SealedMessage) -> dict[str, Any]:
    from certmail.message.preview import outside

    view = outside(sealed)
    return {
        "headers": [list(pair) for pair in view.headers],
        "tree": [list(row) for row in view.tree],
        "octets": view.octets,
        "sha256": view.sha256,
        "encrypted_to": [
            {"key_id": r.key_id, "fingerprint": r.fingerprint.text, "who": r.who}
            for r in view.readers
        ],
    }


def _receipt_as_json(receipt: Receipt) -> dict[str, Any]:
    return {
        "accepted_at": receipt.accepted_at.isoformat(),
        "relay": receipt.relay,
        "peer": receipt.peer,
        "tls_version": receipt.tls.version,
        "cipher": receipt.tls.cipher,
        "certificate_sha256": receipt.tls.leaf_sha256,
        "spki_sha256": receipt.tls.spki_sha256,
        "auth_mechanism": receipt.mechanism,
        "reply": receipt.reply,
        "message_id": receipt.message_id,
        "message_sha256": receipt.sha256,
        "octets": receipt.size,
    }
