"""certmail hands a TLS private key to Clever Cloud by signed and encrypted mail, or refuses.

The names below are the library: the walk (`check`, `pin`, `seal`, `deliver`), the values it takes
and gives, and the errors. ``docs/library.md`` tells the story. Each is imported when it is first
used (PEP 562), so that ``certmail --version`` costs nothing. Everything else in the package may
change without notice.
"""

# What type checkers take for typing's own name; importing that costs a third of a bare start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from certmail.api.outbox import Outbox
    from certmail.api.steps import (
        check,
        deliver,
        deliver_sync,
        find_signer,
        open_gnupg,
        pin,
        require_checked,
        seal,
        shipped_key,
    )
    from certmail.batch import Outcome
    from certmail.bundle.check import CheckedBundle, Verdict
    from certmail.bundle.findings import Finding, Severity
    from certmail.delivery.outcome import Receipt
    from certmail.delivery.relay import Proxy, Relay, Timeouts
    from certmail.durable import StateError
    from certmail.errors import (
        BundleError,
        CertmailError,
        DeliveryUnknown,
        KeyRefused,
        Left,
        RelayError,
        SealError,
        SecretError,
        SettingsError,
        UsageError,
    )
    from certmail.gnupg.engine import GnuPG
    from certmail.key.pin import PinnedKey, Usability
    from certmail.key.renew.acceptance import Acceptance, Given, accept_expired
    from certmail.message.letter import Letter, Request
    from certmail.message.preview import inside, outside
    from certmail.message.seal import Copy, SealedMessage, Signer
    from certmail.office import Handed
    from certmail.outbox.states import Entry, State
    from certmail.outbox.store import Again
    from certmail.recipient import CLEVER_CLOUD, UPLOAD_FORM
    from certmail.submission import Login, Mode, ProxyKind, Reports, TlsPath
    from certmail.values import (
        Address,
        Fingerprint,
        Hostname,
        Secret,
        SecretKind,
        SecretSource,
    )
    from certmail.walk import BundleRefused, Sealing

__version__: "Final" = "0.1.0"

RELEASED: "Final" = "2026-11-28"
"""The day of this release: no honest clock that runs it stands before that."""

_HOMES: "Final" = {
    "certmail.api.outbox": ("Outbox",),
    "certmail.api.steps": (
        *("check", "deliver", "deliver_sync", "find_signer", "open_gnupg", "pin"),
        *("require_checked", "seal", "shipped_key"),
    ),
    "certmail.batch": ("Outcome",),
    "certmail.bundle.check": ("CheckedBundle", "Verdict"),
    "certmail.bundle.findings": ("Finding", "Severity"),
    "certmail.delivery.outcome": ("Receipt",),
    "certmail.delivery.relay": ("Proxy", "Relay", "Timeouts"),
    "certmail.durable": ("StateError",),
    "certmail.errors": (
        *("BundleError", "CertmailError", "DeliveryUnknown", "KeyRefused", "Left", "RelayError"),
        *("SealError", "SecretError", "SettingsError", "UsageError"),
    ),
    "certmail.gnupg.engine": ("GnuPG",),
    "certmail.key.pin": ("PinnedKey", "Usability"),
    "certmail.key.renew.acceptance": ("Acceptance", "Given", "accept_expired"),
    "certmail.message.letter": ("Letter", "Request"),
    "certmail.message.preview": ("inside", "outside"),
    "certmail.message.seal": ("Copy", "SealedMessage", "Signer"),
    "certmail.office": ("Handed",),
    "certmail.outbox.states": ("Entry", "State"),
    "certmail.outbox.store": ("Again",),
    "certmail.recipient": ("CLEVER_CLOUD", "UPLOAD_FORM"),
    "certmail.submission": ("Login", "Mode", "ProxyKind", "Reports", "TlsPath"),
    "certmail.values": (
        *("Address", "Fingerprint", "Hostname"),
        *("Secret", "SecretKind", "SecretSource"),
    ),
    "certmail.walk": ("BundleRefused", "Sealing"),
}
"""Where each public name lives; ``tests/test_library.py`` holds it against the imports above."""

__all__ = [
    "CLEVER_CLOUD",
    "UPLOAD_FORM",
    "Acceptance",
    "Address",
    "Again",
    "BundleError",
    "BundleRefused",
    "CertmailError",
    "CheckedBundle",
    "Copy",
    "DeliveryUnknown",
    "Entry",
    "Finding",
    "Fingerprint",
    "Given",
    "GnuPG",
    "Handed",
    "Hostname",
    "KeyRefused",
    "Left",
    "Letter",
    "Login",
    "Mode",
    "Outbox",
    "Outcome",
    "PinnedKey",
    "Proxy",
    "ProxyKind",
    "Receipt",
    "Relay",
    "RelayError",
    "Reports",
    "Request",
    "SealError",
    "SealedMessage",
    "Sealing",
    "Secret",
    "SecretError",
    "SecretKind",
    "SecretSource",
    "SettingsError",
    "Severity",
    "Signer",
    "State",
    "StateError",
    "Timeouts",
    "TlsPath",
    "Usability",
    "UsageError",
    "Verdict",
    "__version__",
    "accept_expired",
    "check",
    "deliver",
    "deliver_sync",
    "find_signer",
    "inside",
    "open_gnupg",
    "outside",
    "pin",
    "require_checked",
    "seal",
    "shipped_key",
]


if not TYPE_CHECKING:
    # Hidden from type checkers, to whom a module with __getattr__ has every name.

    def __getattr__(name: str) -> object:
        """Import a public name when it is first asked for."""
        from importlib import import_module  # noqa: PLC0415 - the import of certmail stays free

        for module, names in _HOMES.items():
            if name in names:
                value = getattr(import_module(module), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, those not yet imported too."""
    return sorted({*globals(), *__all__})
