"""Options that commands share, made from the one declaration of each setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from certmail.settings.keys import (
    GNUPG_PROGRAM,
    GNUPG_SIGN_TIMEOUT_S,
    KEY_FILE,
    KEY_MAX_AGE_DAYS,
    KEY_REFRESH,
    KEY_WARN_DAYS,
    RELAY_AUTH,
    RELAY_CA_FILE,
    RELAY_HOST,
    RELAY_MODE,
    RELAY_PASSWORD_COMMAND,
    RELAY_PASSWORD_CREDENTIAL,
    RELAY_PASSWORD_FILE,
    RELAY_PORT,
    RELAY_TIMEOUT_S,
    RELAY_TOKEN_COMMAND,
    RELAY_USER,
    REQUEST_APPLICATION,
    REQUEST_CONTACT,
    REQUEST_ORGANISATION,
    SENDER_ADDRESS,
    SENDER_ENCRYPT_TO_SELF,
    SENDER_KEY,
    SENDER_NAME,
    Key,
)

Command = TypeVar("Command", bound=Callable[..., Any])

SENDER: Final[tuple[Key[object], ...]] = (
    SENDER_ADDRESS,
    SENDER_NAME,
    SENDER_KEY,
    SENDER_ENCRYPT_TO_SELF,
)
REQUEST: Final[tuple[Key[object], ...]] = (
    REQUEST_ORGANISATION,
    REQUEST_APPLICATION,
    REQUEST_CONTACT,
)
RELAY: Final[tuple[Key[object], ...]] = (
    RELAY_HOST,
    RELAY_MODE,
    RELAY_PORT,
    RELAY_USER,
    RELAY_CA_FILE,
    RELAY_AUTH,
    RELAY_PASSWORD_COMMAND,
    RELAY_PASSWORD_FILE,
    RELAY_PASSWORD_CREDENTIAL,
    RELAY_TOKEN_COMMAND,
    RELAY_TIMEOUT_S,
)
GNUPG: Final[tuple[Key[object], ...]] = (GNUPG_PROGRAM, GNUPG_SIGN_TIMEOUT_S)
KEY: Final[tuple[Key[object], ...]] = (KEY_FILE,)
KEY_WARNING: Final[tuple[Key[object], ...]] = (KEY_WARN_DAYS,)
KEY_AGE: Final[tuple[Key[object], ...]] = (KEY_REFRESH, KEY_MAX_AGE_DAYS)

_SHORTER: Final = {
    SENDER_ADDRESS.name: "--from",
    SENDER_KEY.name: "--sign-with",
    SENDER_ENCRYPT_TO_SELF.name: "--encrypt-to-self",
    REQUEST_ORGANISATION.name: "--organisation",
    REQUEST_APPLICATION.name: "--application",
    REQUEST_CONTACT.name: "--contact",
}
"""What people type, beside the name that follows from the setting."""


def with_settings(*keys: Key[object]) -> Callable[[Command], Command]:
    """Add an option for each setting; values stay text until the settings room reads them."""

    def decorate(command: Command) -> Command:
        for key in reversed(keys):
            names = [name for name in (_SHORTER.get(key.name), key.flag) if name]
            switch: dict[str, Any] = (
                {"is_flag": True, "flag_value": "true", "default": None}
                if key.form is bool
                else {"metavar": _metavar(key)}
            )
            command = click.option(
                *names, _parameter(key), help=key.help, type=click.STRING, **switch
            )(command)
        return command

    return decorate


def flags_of(parameters: Mapping[str, Any], *keys: Key[object]) -> dict[str, str]:
    """Collect what the command line gave, under the settings' names."""
    given = {key.name: parameters.get(_parameter(key)) for key in keys}
    return {name: str(value) for name, value in given.items() if value is not None}


def _parameter(key: Key[object]) -> str:
    return "set_" + key.name.replace(".", "_")


def _metavar(key: Key[object]) -> str:
    last = key.name.rpartition(".")[2].upper()
    return _METAVARS.get(last, last)


_METAVARS: Final = {
    "KEY": "FINGERPRINT",
    "CA_FILE": "FILE",
    "PROGRAM": "FILE",
    "MODE": "implicit|starttls",
    "PASSWORD_COMMAND": "COMMAND",
    "PASSWORD_CREDENTIAL": "NAME",
    "PASSWORD_FILE": "FILE",
    "TOKEN_COMMAND": "COMMAND",
    "AUTH": "auto|plain|…",
    "TIMEOUT_S": "SECONDS",
    "SIGN_TIMEOUT_S": "SECONDS",
    "APPLICATION": "ID",
    "ORGANISATION": "ID",
    "CONTACT": "TEXT",
    "REFRESH": "auto|never",
    "WARN_DAYS": "DAYS",
    "MAX_AGE_DAYS": "DAYS",
}
