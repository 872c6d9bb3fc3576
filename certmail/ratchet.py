"""What worked with a relay before: a weaker offer later is refused until a person accepts it.

In: a relay's name and what it offers now. Out: nothing, or a `RelayError` that says what became
weaker. Keeps one small JSON file of public facts. Knows an order of strength; not SMTP or TLS.

The order: TLS from the first byte before STARTTLS (RFC 8314 §3.3), TLS 1.3 before 1.2, a login that
is bound to the relay's certificate before one that keeps the password from the relay, that before
one that shows a token, that before one that shows the password, any login before none, a pin before
no pin. What is stronger than before is remembered from then on.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

from certmail.durable import StateError, locked, private_folder, replace
from certmail.errors import RelayError
from certmail.events import Teller
from certmail.frozen import frozen
from certmail.values import printable

if TYPE_CHECKING:
    from pathlib import Path

_tell: Final = Teller(__name__)

SCHEMA: Final = "certmail.ratchet/1"

_MODES: Final = ("smtp+starttls", "smtps")
_VERSIONS: Final = ("TLSv1.2", "TLSv1.3")


@frozen
class Offered:
    """How a relay is spoken to. None stands for what is not known yet, or not there."""

    mode: str
    pin: str | None = None
    tls_version: str | None = None
    mechanism: str | None = None


@frozen
class Remembered:
    """What worked, and since when."""

    offered: Offered
    at: str


class Ratchet:
    """One user's memory of relays, by host name."""

    def __init__(self, folder: Path) -> None:
        """Name the folder."""
        self._folder = folder
        self._file = folder / "relays.json"

    def before_dial(self, host: str, offered: Offered) -> None:
        """Hold the settings against what worked: the mode of TLS, and the pin.

        Raises:
            RelayError: ``RATCHET-WEAKER``.
        """
        known = self.relays().get(host)
        if known is None:
            return
        before = known.offered
        if _rank(_MODES, offered.mode) < _rank(_MODES, before.mode):
            _refuse(host, "STARTTLS", "TLS from the first byte", known)
        if before.pin is not None and offered.pin != before.pin:
            now = "another pin" if offered.pin else "no pin"
            _refuse(host, now, f"the pin {before.pin}", known)

    def before_secret(self, host: str, offered: Offered) -> None:
        """Hold the live connection against what worked: TLS version and login.

        Raises:
            RelayError: ``RATCHET-WEAKER``.
        """
        known = self.relays().get(host)
        if known is None:
            return
        before = known.offered
        if _rank(_VERSIONS, offered.tls_version) < _rank(_VERSIONS, before.tls_version):
            _refuse(host, str(offered.tls_version), str(before.tls_version), known)
        if _strength(offered.mechanism) < _strength(before.mechanism):
            _refuse(host, _login(offered.mechanism), _login(before.mechanism), known)

    def remember(self, host: str, offered: Offered, *, at: datetime) -> None:
        """Take down what has just worked, unless the same is known already.

        Raises:
            StateError: ``STATE-UNWRITABLE``.
        """
        known = self.relays().get(host)
        if known is not None and known.offered == offered:
            return
        private_folder(self._folder)
        with locked(self._folder / "lock"):
            relays = self.relays()
            relays[host] = Remembered(offered, at.isoformat())
            self._write(relays)
        _tell("remembered", host=host, mode=offered.mode, tls=offered.tls_version)

    def forget(self, host: str) -> Remembered | None:
        """Accept what the relay offers next, whatever it is; give what was remembered.

        Raises:
            StateError: ``STATE-UNWRITABLE``.
        """
        private_folder(self._folder)
        with locked(self._folder / "lock"):
            relays = self.relays()
            known = relays.pop(host, None)
            self._write(relays)
        return known

    def relays(self) -> dict[str, Remembered]:
        """Give what is remembered, by host.

        Raises:
            StateError: ``RATCHET-DAMAGED``: a memory that cannot be read protects nobody.
        """
        try:
            read = json.loads(self._file.read_bytes())
            if read["schema"] != SCHEMA:
                _refuse_damaged(self._file)
            return {
                host: Remembered(_offered(parts), _instant(parts["at"]))
                for host, parts in read["relays"].items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            _refuse_damaged(self._file)

    def _write(self, relays: dict[str, Remembered]) -> None:
        value = {
            "schema": SCHEMA,
            "relays": {
                host: {**asdict(known.offered), "at": known.at} for host, known in relays.items()
            },
        }
        replace(self._file, json.dumps(value, indent=2, sort_keys=True).encode() + b"\n")


def _offered(parts: dict[str, Any]) -> Offered:
    """Take what certmail writes; what has no rank counts as the weakest, so anything would pass."""

    def text(name: str) -> str | None:
        value = parts[name]
        if value is not None and not (isinstance(value, str) and value.isprintable()):
            raise TypeError(name)
        return value

    mode, version = text("mode"), text("tls_version")
    if mode not in _MODES or version not in (None, *_VERSIONS):
        raise ValueError("a strength that is not known")
    return Offered(mode, text("pin"), version, text("mechanism"))


def _instant(text: str) -> str:
    """Prove an instant."""
    datetime.fromisoformat(text)
    return text


def _rank(order: tuple[str, ...], word: str | None) -> int:
    return order.index(word) if word in order else -1


def _strength(mechanism: str | None) -> int:
    """Order logins by what the relay, or who stands in its place, learns from one."""
    if mechanism is None:
        return 0
    word = mechanism.upper()
    if word == "EXTERNAL" or word.endswith("-PLUS"):
        return 4
    if word.startswith(("SCRAM-", "GSSAPI", "GS2-")):
        return 3
    return 2 if word in {"OAUTHBEARER", "XOAUTH2"} else 1


def _login(mechanism: str | None) -> str:
    return f"login by {printable(mechanism)}" if mechanism else "no login"


def _refuse(host: str, now: str, before: str, known: Remembered) -> NoReturn:
    raise RelayError(
        "RATCHET-WEAKER",
        f"{host} now comes with {now}; on {known.at[:10]} it was {before}",
        why="what protects the password became weaker: a change of the relay's, or somebody in"
        " between; no password was read",
        next=f"ask the mail provider; if the change is meant, certmail relay accept {host}",
    )


def _refuse_damaged(path: Path) -> NoReturn:
    raise StateError(
        "RATCHET-DAMAGED",
        f"{printable(str(path), limit=400)} cannot be read",
        why="it tells what protected the password before, so that nothing weaker is taken",
        next="look into the file; once it is removed, relays are learned anew",
    ) from None
