"""Ask the keyring: what runs in the process that `keyring` starts.

In: an order as a dictionary. Out: one JSON object on standard output. The one place that imports
the keyring package, and only those of its classes that are the system's own store, each made
directly: ``keyring.get_keyring()`` obeys an environment variable and a file, imports every plug-in,
and may settle for a chain that ends in a plain file.
"""

from __future__ import annotations

import configparser
import importlib
import json
import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SECRET_SERVICE: Final = "keyring.backends.SecretService"  # noqa: S105  # a module's name

SAFE: Final = (
    (SECRET_SERVICE, "Keyring"),
    ("keyring.backends.kwallet", "DBusKeyring"),
    ("keyring.backends.libsecret", "Keyring"),
    ("keyring.backends.macOS", "Keyring"),
    ("keyring.backends.Windows", "WinVaultKeyring"),
)
"""The system's own stores. A class is meant exactly, never one that descends from it."""

UNATTENDED: Final = frozenset(
    {SECRET_SERVICE, "keyring.backends.macOS", "keyring.backends.Windows"}
)
"""Those that can be asked without provoking a prompt; the others would have to be tried."""

_NO_STORE: Final = frozenset({"keyring.backends.fail.Keyring", "keyring.backends.null.Keyring"})
"""What the package offers to mean "no keyring"."""

_MAX_FAULT: Final = 60


def answer(order: dict[str, Any]) -> None:
    """Obey ``order`` and write the verdict."""
    from keyring.errors import KeyringError, KeyringLocked  # noqa: PLC0415  # only in the worker

    try:
        verdict = _obey(order)
    except KeyringLocked:
        verdict = {"verdict": "locked"}
    except KeyringError as fault:
        # The kind alone: a backend's text may quote anything.
        verdict = {"verdict": "failed", "fault": type(fault).__name__[:_MAX_FAULT]}
    os.write(1, json.dumps(verdict).encode("ascii"))


def choose(*, may_prompt: bool) -> KeyringBackend | None:
    """Pick the store that the keyring package would rank first among the safe ones."""
    found: list[type[KeyringBackend]] = []
    for module, name in SAFE:
        if may_prompt or module in UNATTENDED:
            backend = getattr(importlib.import_module(module), name, None)
            if backend is not None and backend.viable:
                found.append(backend)
    return max(found, key=lambda backend: float(backend.priority))() if found else None


def _obey(order: dict[str, Any]) -> dict[str, Any]:
    backend = choose(may_prompt=bool(order["may_prompt"]))
    if backend is None:
        return {"verdict": "none", "foreign": _foreign(str(order.get("named", "")))}
    service, user = str(order["service"]), str(order["user"])
    if type(backend).__module__ == SECRET_SERVICE and not order["may_prompt"]:
        refusal = _look_at_collection()
        if refusal is not None:
            # Without a collection an entry is absent; to make one needs a prompt.
            return {"verdict": "locked" if order["act"] in {"look", "store"} else refusal}
    kept = {"verdict": "done", "keyring": type(backend).__module__.rpartition(".")[2]}
    match order["act"]:
        case "look":
            return kept
        case "store":
            backend.set_password(service, user, str(order["secret"]))
            return kept
        case act:
            return _find(backend, service, user, act=str(act))


def _find(backend: KeyringBackend, service: str, user: str, *, act: str) -> dict[str, Any]:
    """Read an entry, and remove it where that is the act."""
    found = backend.get_password(service, user)
    if found is None:
        return {"verdict": "absent"}
    if act == "forget":
        backend.delete_password(service, user)
        return {"verdict": "done"}
    return {"verdict": "done", "secret": found}


def _look_at_collection() -> str | None:
    """Say why the default collection cannot be used without a prompt, if it cannot."""
    import secretstorage  # noqa: PLC0415  # only where there is a Secret Service

    bus = secretstorage.dbus_init()
    try:
        collection = secretstorage.Collection(bus)
        return "locked" if collection.is_locked() else None
    except secretstorage.exceptions.ItemNotFoundException:
        return "absent"
    finally:
        bus.close()


def _foreign(named: str) -> list[str]:
    """Name the keyrings that are not the system's own; none is loaded.

    Those are the plug-ins that are installed, and what the package's variable or file asks for.
    """
    values = {point.value for point in entry_points(group="keyring.backends")}
    found = {value for value in values if not value.startswith("keyring.")}
    safe = {f"{module}.{name}" for module, name in SAFE}
    return sorted(found | ({named, _named_in_file()} - {"", *safe, *_NO_STORE}))


def _named_in_file() -> str:
    """Read which backend ``keyringrc.cfg`` asks for, without obeying it."""
    from keyring.util.platform_ import config_root  # noqa: PLC0415  # only in the worker

    config = configparser.RawConfigParser()
    try:
        config.read(Path(config_root(), "keyringrc.cfg"), encoding="utf-8")
        return config.get("backend", "default-keyring")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return ""
