"""``certmail preview`` and ``certmail send``: one walk, of which a preview is the first part."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import accept_option, delivery_options, inputs, options, plain_options
from certmail.cli.command import Command
from certmail.cli.json_output import echo_json, error_as_json
from certmail.cli.loudness import is_quiet
from certmail.cli.send_json import sealed_as_json, sealing_as_json
from certmail.events import Teller
from certmail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from certmail.cli.key_for_send import KeyForSend
    from certmail.cli.wiring import Workbench
    from certmail.errors import KeyRefused
    from certmail.message.letter import Request
    from certmail.message.record import SealRecord
    from certmail.message.seal import Copy, SealedMessage, Signer
    from certmail.secrets import Source
    from certmail.walk import Order, Sealing

_tell: Final = Teller(__name__)

_SEALING: Final = (
    *options.SENDER,
    *options.REQUEST,
    *options.KEY,
    *options.KEY_WARNING,
    *options.GNUPG,
)

_NOT_WITH_SEALED: Final = (
    *("dry_run", "output", "html", "domains", "note", "repair", "accept_expired_key"),
    *("key", "cert", "chains", "lineage", "passphrase_command", "chain_from", "aia"),
)

_NOT_WITH_MANY: Final = tuple(name for name in _NOT_WITH_SEALED if name != "note")

_note_option = click.option(
    "--note", metavar="TEXT", help="A sentence for the support engineer who reads the message."
)
_output_option = click.option(
    "--output",
    metavar="FILE.eml",
    help="Keep the sealed message in a new file, to be sent later with send --sealed.",
)
_html_option = click.option(
    "--html",
    metavar="FILE.html",
    help="Write a page for the colleague who must approve; it needs no network and no script.",
)
_repair_option = click.option(
    "--repair", is_flag=True, help="Repair the bundle first; shows the changes, and asks."
)


@click.command(cls=Command)
@click.argument("bundle", required=False)
@inputs.with_inputs
@inputs.with_issuers
@_repair_option
@click.option("--yes", is_flag=True, help="With --repair: do not ask.")
@plain_options.domain_option
@_note_option
@_output_option
@_html_option
@plain_options.json_option
@options.with_settings(*_SEALING)
@click.pass_obj
def preview(common: dict[str, Any], /, bundle: str | None, **parameters: Any) -> int:
    """Show what would be sent and who could read it, without a transport.

    BUNDLE is a file, PEM or PKCS#12, or - for standard input; or name its parts. The message is
    signed and encrypted for real; it is shown as an eavesdropper and as the recipient would see
    it, with the private key left out.
    """
    return _preview(common, inputs.Inputs.of(bundle, parameters), parameters)


@click.command(cls=accept_option.Send)
@click.argument("bundles", nargs=-1, metavar="[BUNDLE]...")
@click.option("--sealed", metavar="FILE.eml", help="Send the message that preview --output kept.")
@click.option("--dry-run", is_flag=True, help="Do what preview does, and nothing more.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@click.option("--offline", is_flag=True, help="Look for no newer copy of the key.")
@click.option(
    "--require-fresh", is_flag=True, help="Refuse where no source has confirmed the key lately."
)
@accept_option.accept_option
@inputs.with_inputs
@inputs.with_issuers
@_repair_option
@plain_options.domain_option
@_note_option
@_output_option
@_html_option
@delivery_options.with_delivery
@plain_options.json_option
@options.with_settings(*_SEALING, *options.KEY_AGE, *options.RELAY)
@click.pass_obj
def send(common: dict[str, Any], /, bundles: tuple[str, ...], **parameters: Any) -> int:
    """Check, sign, encrypt and send BUNDLE to Clever Cloud's mailbox for certificates.

    BUNDLE is a file, PEM or PKCS#12, or - for standard input; or name its parts. Before anything
    leaves, the key, the bundle and the sealed message are each proved; then the relay must show TLS
    with a certificate that verifies. Several bundles, or a folder of *.pem, are all checked before
    the first is sent; the same command goes on where an earlier one was cut short.
    The provider prefers its upload form and charges for certificates sent by mail; `certmail
    upload` tells what to paste there:

    \b
      https://api.clever-cloud.com/v2/certificates/new
    """  # noqa: D301 - click reads the backspace as "leave these lines alone"
    sealed, dry_run = parameters["sealed"], parameters["dry_run"]
    if _is_batch(bundles):
        if sealed is not None or any(parameters[name] for name in _NOT_WITH_MANY):
            raise click.UsageError("several bundles go with delivery options only, and with --note")
        return _send_many(common, bundles, parameters)
    bundle = bundles[0] if bundles else None
    if sealed is None:
        typed = inputs.Inputs.of(bundle, parameters, otherwise="--sealed FILE.eml")
        if parameters["html"] and not dry_run:
            raise click.UsageError("--html goes with --dry-run: a page is for before, not after")
        if parameters["password_stdin"] and dry_run:
            raise click.UsageError("--dry-run logs in nowhere: leave --password-stdin out")
        return (_preview if dry_run else _send)(common, typed, parameters)
    if bundle is not None or any(parameters[name] for name in _NOT_WITH_SEALED):
        raise click.UsageError("--sealed sends a finished message: only relay options go with it")
    return _send_sealed(common, sealed, parameters)


def _preview(common: dict[str, Any], typed: inputs.Inputs, parameters: dict[str, Any]) -> int:
    from certmail.cli.approval_file import require_free, write_approval
    from certmail.cli.key_for_send import key_at_hand
    from certmail.cli.wiring import workbench
    from certmail.errors import KeyRefused
    from certmail.key.pin import require_usable

    require_free(parameters)
    bench = workbench(common, options.flags_of(parameters, *_SEALING))
    if parameters["repair"]:
        _Asking.decide(parameters)
    key = key_at_hand(bench)
    refusal: KeyRefused | None = None
    try:
        require_usable(key.pinned)
    except KeyRefused as error:
        # A preview goes on: what the message would look like is worth seeing today.
        refusal = error
    sealing, given = _seal(bench, typed, parameters, key=key, signer=bench.signer)
    kept = _keep(sealing, parameters["output"])
    page = write_approval(
        sealing, parameters["html"], bench=bench, given=given, key=key, refusal=refusal, kept=kept
    )
    if parameters["as_json"]:
        refused = None if refusal is None else error_as_json(refusal)
        shown = sealing_as_json(sealing, given, kept=kept)
        echo_json(
            "certmail.preview/1",
            would_send=refusal is None,
            refusal=refused,
            **shown,
            **key.as_json(),
            page=page,
        )
    else:
        _show_changes(given, parameters)
        _draw_preview(sealing, refusal=refusal, kept=kept, key=key)
        if page is not None:
            click.echo(f"the page for approval is {page}")
        click.echo(delivery_options.PROVIDER_WARNING, err=True)
    return 0


def _send(common: dict[str, Any], typed: inputs.Inputs, parameters: dict[str, Any]) -> int:
    from certmail.ahead import Ahead, load
    from certmail.cli.wiring import workbench

    flags = options.flags_of(parameters, *_SEALING, *options.KEY_AGE, *options.RELAY)
    # What the end of the way needs is loaded while its beginning waits for GnuPG.
    load("certmail.walk", "certmail.cli.deliver")
    bench = workbench(common, flags, piped_in=_piped_in(parameters, typed.files))
    asking = _Asking.decide(parameters)
    _require_relay(bench)
    # Looked up while the recipient's key is judged, and heard when its turn has come.
    signer = Ahead(bench.signer)
    from certmail.cli.key_for_send import key_for_send

    key = key_for_send(bench, parameters)
    from certmail.cli.deliver import Manner, deliver_one, finish, require_state

    require_state()
    ready = _make_ready(bench, typed, parameters, key=key, signer=signer.result, asking=asking)
    manner = Manner.of(parameters, asks=asking.asks)
    handed = deliver_one(
        bench, ready.sealed, ready.record, key=key, manner=manner, label=ready.label
    )
    if not manner.as_json:
        key.draw()
    return finish(handed, manner, lambda: {**ready.told, **key.as_json()})


@frozen
class _Ready:
    """What a delivery needs of a sealing: no bundle and no letter, which end when it begins.

    A question, a relay and its verdict may take an hour.
    """

    sealed: SealedMessage
    record: SealRecord
    label: str
    told: dict[str, Any]


def _make_ready(
    bench: Workbench,
    typed: inputs.Inputs,
    parameters: dict[str, Any],
    *,
    key: KeyForSend,
    signer: Callable[[], Signer],
    asking: _Asking,
) -> _Ready:
    """Seal, show what is to be shown before somebody is asked, and let go of the plaintext."""
    from certmail.message.record import record

    sealing, given = _seal(bench, typed, parameters, key=key, signer=signer)
    kept = _keep(sealing, parameters["output"])
    if not parameters["as_json"]:
        _show_changes(given, parameters)
    if asking.asks:
        _draw_preview(sealing, refusal=None, kept=kept, key=key)
    return _Ready(
        sealing.sealed,
        record(sealing.sealed, sealing.letter),
        given.name,
        sealing_as_json(sealing, given, kept=kept) if parameters["as_json"] else {},
    )


def _piped_in(parameters: dict[str, Any], files: Iterable[str | None] = ()) -> Source | None:
    """Name standard input as the source of the secret, where nothing else wants it."""
    from certmail.cli.password_stdin import piped_in

    return piped_in(parameters, files=files, asks=None if parameters["yes"] else "--yes")


def _is_batch(bundles: tuple[str, ...]) -> bool:
    """Tell whether more than one bundle may be meant: several words, or a folder."""
    return len(bundles) > 1 or any(bundle != "-" and Path(bundle).is_dir() for bundle in bundles)


def _send_many(common: dict[str, Any], bundles: tuple[str, ...], parameters: dict[str, Any]) -> int:
    from certmail.cli.batch_send import send_many
    from certmail.cli.deliver import Manner, require_state
    from certmail.cli.key_for_send import key_for_send
    from certmail.cli.wiring import workbench

    flags = options.flags_of(parameters, *_SEALING, *options.KEY_AGE, *options.RELAY)
    bench = workbench(common, flags, piped_in=_piped_in(parameters))
    asking = _Asking.decide(parameters)
    _require_relay(bench)
    require_state()
    key = key_for_send(bench, parameters)
    status = send_many(
        bench,
        bundles,
        key=key,
        manner=Manner.of(parameters, asks=asking.asks),
        request=_request(bench, parameters),
        copy=_copy(bench),
    )
    if not parameters["as_json"]:
        key.draw()
    return status


def _send_sealed(common: dict[str, Any], path: str, parameters: dict[str, Any]) -> int:
    from certmail.cli.deliver import Manner, deliver_one, finish, record_of, require_state
    from certmail.cli.files import read_sealed
    from certmail.cli.key_for_send import key_for_send
    from certmail.cli.wiring import workbench
    from certmail.walk import reopen

    flags = options.flags_of(parameters, *_SEALING, *options.KEY_AGE, *options.RELAY)
    bench = workbench(common, flags, piped_in=_piped_in(parameters, (path,)))
    asking = _Asking.decide(parameters)
    _require_relay(bench)
    require_state()
    data = read_sealed(path)
    sha256 = hashlib.sha256(data).hexdigest()
    record = record_of(sha256)
    key = key_for_send(bench, parameters)
    sealed = reopen(data, record=record, pinned=key.pinned, at=bench.at)
    if asking.asks:
        _draw_sealed(sealed, record, path=path)
    manner = Manner.of(parameters, asks=asking.asks)
    handed = deliver_one(bench, sealed, record, key=key, manner=manner, label=path)
    if not manner.as_json:
        key.draw()

    def shown() -> dict[str, Any]:
        return {**sealed_as_json(sealed, kept=path), **key.as_json()}

    return finish(handed, manner, shown)


@frozen
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
                why="a private key is about to be sent, or repaired; somebody must say yes",
                next="certmail send BUNDLE --yes, when a script has the last word",
            )
        return _Asking(asks=True)


def _require_relay(bench: Workbench) -> None:
    """Miss a relay, or a way to log in there, before a passphrase is asked for, not after."""
    from certmail.settings.keys import RELAY_HOST

    bench.settings.require(RELAY_HOST)
    bench.require_one_source()


def _seal(
    bench: Workbench,
    typed: inputs.Inputs,
    parameters: dict[str, Any],
    *,
    key: KeyForSend,
    signer: Callable[[], Signer],
) -> tuple[Sealing, inputs.Given]:
    from certmail.cli.files import mode_of, with_file
    from certmail.errors import BundleError
    from certmail.walk import seal_bundle

    given = _given(bench, typed, parameters)
    order = _order(bench, given, parameters, mode=mode_of(typed.key or typed.file))
    try:
        sealing = seal_bundle(
            order,
            pinned=key.pinned,
            signer=signer,
            engine=bench.engine(),
            accepted=key.accepted,
        )
    except BundleError as error:
        _draw_refused_findings(error, parameters)
        raise with_file(error, typed.name) from None
    sealed = sealing.sealed
    _tell(
        "sealed",
        sha256=sealed.sha256,
        message_id=sealed.message_id,
        encrypted_to=sealed.pinned.encryption_subkey.text,
        signed_by=sealed.signature.signer.text,
    )
    return sealing, given


def _given(bench: Workbench, typed: inputs.Inputs, parameters: dict[str, Any]) -> inputs.Given:
    """Read the bundle; where a repair was asked for, show it and ask before going on."""
    from certmail.bundle.assemble.items import Unrepairable
    from certmail.cli.files import with_file

    try:
        if not parameters["repair"]:
            return inputs.take(typed, at=bench.at)
        repaired = inputs.mend(typed, at=bench.at)
    except Unrepairable as error:
        _draw_refused_findings(error, parameters)
        raise with_file(error, typed.name) from None
    given = inputs.Given(repaired.pem, typed.name, repaired.changes)
    if given.changes and not parameters["yes"]:
        _draw_changes(given)
        if not click.confirm("Go on with the repaired bundle?", default=False, err=True):
            raise click.Abort
    return given


def _show_changes(given: inputs.Given, parameters: dict[str, Any]) -> None:
    """Say what was changed or put together, unless it was shown when consent was asked."""
    if given.changes and not is_quiet() and (parameters["yes"] or not parameters["repair"]):
        _draw_changes(given)


def _draw_changes(given: inputs.Given) -> None:
    from certmail.cli.bundle_command import told_changes

    click.echo(told_changes(given.changes, name=given.name), err=True)


def _order(
    bench: Workbench, given: inputs.Given, parameters: dict[str, Any], *, mode: int | None
) -> Order:
    from certmail.bundle.further import Further
    from certmail.cli.sent_before import sent_before
    from certmail.walk import Order

    return Order(
        given.pem,
        at=bench.now(),
        domains=parameters["domains"],
        request=_request(bench, parameters),
        copy=_copy(bench),
        further=Further(file_mode=mode, sent=sent_before()),
    )


def _request(bench: Workbench, parameters: dict[str, Any]) -> Request:
    from certmail.message.letter import Request
    from certmail.settings import keys

    settings = bench.settings
    return Request(
        organisation=settings.get(keys.REQUEST_ORGANISATION),
        application=settings.get(keys.REQUEST_APPLICATION),
        contact=settings.get(keys.REQUEST_CONTACT),
        note=parameters["note"],
    )


def _copy(bench: Workbench) -> Copy:
    from certmail.message.seal import Copy
    from certmail.settings.keys import SENDER_ENCRYPT_TO_SELF

    return Copy.FOR_SENDER if bench.settings.get(SENDER_ENCRYPT_TO_SELF) else Copy.NONE


def _keep(sealing: Sealing, path: str | None) -> str | None:
    """Keep the sealed message and its record; the record first, since it is the evidence."""
    if path is None:
        return None
    from certmail.cli.files import write_record, write_sealed
    from certmail.message.record import record

    write_record(sealing.sealed.sha256, record(sealing.sealed, sealing.letter).to_json())
    write_sealed(path, sealing.sealed.wire())
    return path


def _draw_preview(
    sealing: Sealing, *, refusal: KeyRefused | None, kept: str | None, key: KeyForSend
) -> None:
    from certmail.cli import screens
    from certmail.cli.draw import draw_findings
    from certmail.message.preview import inside, outside

    sealed = sealing.sealed
    screen = screens.console()
    screen.print(screens.draw_outside(outside(sealed)))
    screen.print(screens.draw_inside(inside(sealing.letter)))
    verdict = key.verdict if refusal is None else f"REFUSED: {refusal.what}"
    screen.print(screens.draw_key(sealed.pinned, verdict=verdict))
    if sealing.findings:
        click.echo(draw_findings(sealing.findings), nl=False)
    screen.print(
        f"signed by {sealed.signature.signer.grouped()} ({sealed.signature.hash_name}),"
        " verified before encryption"
    )
    if kept is not None:
        screen.print(f"kept in {kept}; send precisely these bytes: certmail send --sealed {kept}")
    key.draw()
    if refusal is not None:
        _warn_would_refuse(refusal)


def _warn_would_refuse(refusal: KeyRefused) -> None:
    from certmail.cli.draw import echo_error

    click.echo(
        "\n!!! A send would REFUSE. This preview only shows what it would look like.\n", err=True
    )
    echo_error(refusal)


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


def _draw_refused_findings(error: Exception, parameters: dict[str, Any]) -> None:
    """Show every finding, not only the first; JSON carries the first in the error itself."""
    from certmail.bundle.findings import Severity
    from certmail.cli.bundle_command import draw_refused

    draw_refused(error, as_json=parameters["as_json"])
    errors = [f for f in getattr(error, "findings", ()) if f.severity is Severity.ERROR]
    if errors and all(f.repair for f in errors) and not parameters["as_json"]:
        click.echo("all of this can be repaired: add --repair to see how\n", err=True)
