"""Which one source a run takes the relay's secret from: the flag, the setting, the usual places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.values import SecretKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certmail.delivery.relay import Relay
    from certmail.secrets import Source
    from certmail.settings.keys import Key
    from certmail.settings.resolve import Settings


def secret_source(
    settings: Settings, relay: Relay, *, piped_in: Source | None, env: Mapping[str, str]
) -> Source:
    """Name where the secret would come from; nothing is read yet.

    Raises:
        UsageError: ``SECRET-STDIN-CONFLICT``. SecretError: ``SECRET-KIND``.
    """
    from certmail import secrets

    require_one_source(settings, piped_in=piped_in)
    if piped_in is not None:
        return piped_in
    if named_source(settings) is not None:
        return _from_setting(settings, env)
    return secrets.from_usual_places(relay, kind_of(settings), env)


def require_one_source(settings: Settings, *, piped_in: Source | None) -> None:
    """Refuse two sources, and one of a kind that the login which is demanded cannot take.

    Raises:
        UsageError: ``SECRET-STDIN-CONFLICT``. SecretError: ``SECRET-KIND``.
    """
    from certmail.delivery.auth import require_fitting
    from certmail.settings.keys import RELAY_AUTH, RELAY_TOKEN_COMMAND

    named = named_source(settings)
    if piped_in is not None and named is not None:
        _refuse_two(named)
    kind = None if piped_in is None else piped_in.kind
    if named is not None:
        kind = SecretKind.TOKEN if named.name == RELAY_TOKEN_COMMAND.name else SecretKind.PASSWORD
    if kind is not None:
        require_fitting(settings.require(RELAY_AUTH), kind)


def named_source(settings: Settings) -> Key[object] | None:
    """Give the setting that names a source, where one does; two are refused with the settings."""
    from certmail.settings.keys import SECRET_SOURCES

    return next((key for key in SECRET_SOURCES if settings.get(key) is not None), None)


def refuse_named_source(settings: Settings) -> None:
    """Refuse to keep in the keyring what would then never be looked for there.

    Raises:
        UsageError: ``SECRET-NOT-KEPT-HERE``.
    """
    from certmail.errors import UsageError

    named = named_source(settings)
    if named is not None:
        raise UsageError(
            "SECRET-NOT-KEPT-HERE",
            f"the settings take the secret from {named.name}, and not from the keyring",
            why="what is kept in the keyring would never be asked for",
            next=f"certmail secret test tries what {named.name} gives; to use the keyring, take"
            f" {named.name} out of the settings: certmail config",
        )


def kind_of(settings: Settings) -> SecretKind:
    """Tell what kind of secret the settings ask for: a password, unless they speak of tokens."""
    from certmail.settings.keys import RELAY_AUTH, RELAY_TOKEN_COMMAND
    from certmail.submission import Login

    if settings.get(RELAY_TOKEN_COMMAND) is not None:
        return SecretKind.TOKEN
    takes_tokens = {Login.OAUTHBEARER, Login.XOAUTH2}
    return SecretKind.TOKEN if settings.get(RELAY_AUTH) in takes_tokens else SecretKind.PASSWORD


def _from_setting(settings: Settings, env: Mapping[str, str]) -> Source:
    from certmail import secrets
    from certmail.settings import keys

    if (command := settings.get(keys.RELAY_PASSWORD_COMMAND)) is not None:
        return secrets.from_command(command)
    if (path := settings.get(keys.RELAY_PASSWORD_FILE)) is not None:
        return secrets.from_file(path)
    if (name := settings.get(keys.RELAY_PASSWORD_CREDENTIAL)) is not None:
        return secrets.from_credential(name, env)
    return secrets.from_command(settings.require(keys.RELAY_TOKEN_COMMAND), SecretKind.TOKEN)


def _refuse_two(key: Key[object]) -> None:
    from certmail.errors import UsageError

    raise UsageError(
        "SECRET-STDIN-CONFLICT",
        f"--password-stdin was given, and the settings take the secret from {key.name}",
        why="a login is tried once, so it must be clear which secret is meant",
        next=f"leave the flag out, or take {key.name} out of the settings: certmail config",
    )
