"""``certmail secret``: try the relay's password or token, keep it once it worked, remove it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import options, plain_options
from certmail.cli.command import Group
from certmail.cli.json_output import echo_json
from certmail.cli.loudness import aside
from certmail.cli.password_stdin import password_stdin_option, piped_in
from certmail.settings.keys import (
    RELAY_AUTH,
    RELAY_CA_FILE,
    RELAY_HOST,
    RELAY_MODE,
    RELAY_PORT,
    RELAY_TIMEOUT_S,
    RELAY_USER,
    SENDER_ADDRESS,
)

if TYPE_CHECKING:
    from certmail.delivery.outcome import Stage
    from certmail.delivery.probe import Probed
    from certmail.delivery.relay import Relay
    from certmail.secrets import Source
    from certmail.secrets.keyring import KeyringEntry
    from certmail.settings.resolve import Settings

_ENTRY: Final = (SENDER_ADDRESS, RELAY_HOST, RELAY_MODE, RELAY_PORT, RELAY_USER, RELAY_AUTH)
"""What names an entry of the keyring."""

_VISIT: Final = (*_ENTRY, RELAY_CA_FILE, RELAY_TIMEOUT_S)
"""What a visit needs besides; not where else the secret could come from."""

_SETTINGS: Final = (SENDER_ADDRESS, *options.RELAY)


@click.group(cls=Group)
def secret() -> None:
    """Keep the relay's password or token in the system's keyring, try it, remove it.

    It is kept only after the relay took it, under protocol, host, port and user, so that it goes
    nowhere else. Other places than the keyring: docs/secrets.md.
    """


@secret.command(name="set", short_help="Try a password or token, and keep it if it worked.")
@password_stdin_option
@click.option(
    "--token-stdin",
    is_flag=True,
    help="Read an OAuth token from the first line of standard input.",
)
@plain_options.json_option
@options.with_settings(*_VISIT)
@click.pass_obj
def set_(common: dict[str, Any], /, **parameters: Any) -> None:
    """Try a password or token at the relay, and keep it in the keyring if it worked.

    It is asked for unseen, or read from standard input, once TLS is proved; then one login is
    tried. Nothing is kept that the relay did not take. Nothing is sent.
    """
    from certmail import login, secrets
    from certmail.cli.relay_wiring import relay_of, settings_of, timeouts_of
    from certmail.cli.secret_source import kind_of, refuse_named_source

    settings = settings_of(common, options.flags_of(parameters, *_VISIT))
    relay = relay_of(settings)
    refuse_named_source(settings)
    source = _typed_or_piped(settings, relay, parameters)
    kept = login.try_and_keep(
        relay,
        source,
        entry=secrets.from_keyring(relay, kind_of(settings)),
        timeouts=timeouts_of(settings),
        progress=_progress,
    )
    entry = kept.entry
    if parameters["as_json"]:
        echo_json(
            "certmail.secret-set/1",
            **_visit_as_json(kept.visit, relay),
            **_entry_as_json(entry),
            keyring=kept.keyring,
        )
        return
    click.echo(_taken(kept.visit, relay))
    click.echo(f"kept in the keyring ({kept.keyring}), under {entry.shown}")


@secret.command(name="test", short_help="Say where the secret comes from, and try it once.")
@password_stdin_option
@plain_options.json_option
@options.with_settings(*_SETTINGS)
@click.pass_obj
def test(common: dict[str, Any], /, **parameters: Any) -> None:
    """Say where the password or token comes from, and whether the relay takes it.

    One login is tried over proved TLS, as by a send; nothing is sent and nothing is kept.
    """
    from certmail import login
    from certmail.cli.relay_wiring import relay_of, settings_of, timeouts_of
    from certmail.cli.secret_source import secret_source

    settings = settings_of(common, options.flags_of(parameters, *_SETTINGS))
    relay = relay_of(settings)
    login.require_login(relay)
    source = secret_source(settings, relay, piped_in=piped_in(parameters), env=os.environ)
    aside(f"the {source.kind.value} comes from {source.place}")
    found = login.try_once(relay, source, timeouts=timeouts_of(settings), progress=_progress)
    if parameters["as_json"]:
        echo_json(
            "certmail.secret-test/1",
            **_visit_as_json(found, relay),
            kind=source.kind.value,
            source=source.place,
        )
    else:
        click.echo(_taken(found, relay))


@secret.command(short_help="Remove the secret from the keyring.")
@plain_options.json_option
@options.with_settings(*_ENTRY)
@click.pass_obj
def forget(common: dict[str, Any], /, **parameters: Any) -> None:
    """Remove the password or token from the keyring.

    The entry of this protocol, host, port and user is removed, and no other. The relay is not
    asked.
    """
    from certmail import login, secrets
    from certmail.cli.relay_wiring import relay_of, settings_of
    from certmail.cli.secret_source import kind_of

    settings = settings_of(common, options.flags_of(parameters, *_ENTRY))
    relay = relay_of(settings)
    login.require_login(relay)
    entry = secrets.from_keyring(relay, kind_of(settings))
    entry.forget()
    if parameters["as_json"]:
        echo_json(
            "certmail.secret-forget/1",
            relay=str(relay),
            user=relay.user,
            **_entry_as_json(entry),
        )
    else:
        click.echo(f"removed from the keyring: {entry.shown}")


def _typed_or_piped(settings: Settings, relay: Relay, parameters: dict[str, Any]) -> Source:
    """Name the person at the terminal, or standard input; of the kind that the settings ask for."""
    from certmail import secrets
    from certmail.cli.secret_source import kind_of
    from certmail.errors import SecretError
    from certmail.values import SecretKind

    kind = kind_of(settings)
    given = {
        SecretKind.PASSWORD: parameters["password_stdin"],
        SecretKind.TOKEN: parameters["token_stdin"],
    }
    if all(given.values()):
        raise click.UsageError("--password-stdin and --token-stdin are two things; give one")
    if not any(given.values()):
        return secrets.from_prompt(relay, kind)
    if not given[kind]:
        raise SecretError(
            "SECRET-KIND",
            f"the settings ask for a {kind.value}, and standard input holds something else",
            why="whoever gets the one could use it for more than the other was meant for",
            next=f"give --{kind.value}-stdin, or another relay.auth",
        )
    return secrets.from_standard_input(kind)


def _progress(stage: Stage) -> None:
    aside(f"  … {stage.value}")


def _taken(found: Probed, relay: Relay) -> str:
    return f"{relay} let {relay.user} in, by {found.mechanism} over {found.tls.version}"


def _visit_as_json(found: Probed, relay: Relay) -> dict[str, Any]:
    return {
        "relay": str(relay),
        "user": relay.user,
        "auth_mechanism": found.mechanism,
        "tls_version": found.tls.version,
        "cipher": found.tls.cipher,
        "certificate_sha256": found.tls.leaf_sha256,
        "spki_sha256": found.tls.spki_sha256,
    }


def _entry_as_json(entry: KeyringEntry) -> dict[str, Any]:
    return {"kind": entry.kind.value, "service": entry.service}
