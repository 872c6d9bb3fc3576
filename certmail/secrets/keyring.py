"""Keep the password in the system's keyring, or refuse.

In: a service and a user. Out: a `Secret`, kept, read or removed. The keyring is asked in a process
of its own (`worker`): a keyring that is locked or dead waits for ever, and the package's own choice
of a keyring can run foreign code and settle for a plain file.

Entries are made by ``certmail secret set``, after a login that worked. They are ordinary ones: the
keyring package's own command makes, shows and removes them too.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import field
from pathlib import Path
from typing import Any, Final, NoReturn

from certmail.errors import SecretError
from certmail.events import Teller
from certmail.frozen import frozen
from certmail.secrets.bounded import run_within
from certmail.secrets.prompt import has_terminal
from certmail.values import Secret, SecretKind, printable

_tell: Final = Teller(__name__)

DEADLINE_S: Final = 60.0
"""With somebody there to answer a prompt of the keyring."""

UNATTENDED_S: Final = 15.0
"""With nobody there: a keyring that is alive answers within two."""

_NAMES_A_BACKEND: Final = "PYTHON_KEYRING_BACKEND"
"""What the keyring package obeys and we do not; told only to be named in a refusal."""

_CERTMAIL: Final = Path(__file__).parents[2]
"""The folder in which the package stands."""

_WORKER: Final = (
    "import json, sys;"
    "order = json.load(sys.stdin);"
    "sys.path[:] = order['path'];"
    "from certmail.secrets import worker;"
    "worker.answer(order)"
)


@frozen
class KeyringEntry:
    """One entry of the keyring. Without a terminal no prompt is provoked: a locked keyring fails.

    Raises, by all its acts:
        SecretError: ``SECRET-KEYRING-NONE``, ``SECRET-KEYRING-UNSAFE``, ``SECRET-KEYRING-LOCKED``,
            ``SECRET-KEYRING-TIMEOUT``, ``SECRET-KEYRING-FAILED``.
    """

    service: str
    user: str
    deadline_s: float | None = None
    python: str = field(default=sys.executable, repr=False)
    kind: SecretKind = SecretKind.PASSWORD

    @property
    def place(self) -> str:
        """Name the entry."""
        return f"the keyring, under {self.shown}"

    @property
    def shown(self) -> str:
        """Give service and user, as the keyring's own programs show them."""
        return f"{printable(self.service, limit=200)} for {printable(self.user)}"

    def read(self) -> Secret:
        """Give the password; ``SECRET-MISSING`` where the entry is not there."""
        answer = self._ask("read")
        text = answer.get("secret")
        if not isinstance(text, str):
            self._refuse_missing()
        return Secret(text, self.kind)

    def look(self) -> str:
        """Give the keyring's name, if an entry could be stored now; no entry is read."""
        return str(self._ask("look").get("keyring"))

    def store(self, secret: Secret) -> str:
        """Keep ``secret``, in place of one that is there; give the keyring's name."""
        return str(self._ask("store", secret=secret.reveal()).get("keyring"))

    def forget(self) -> None:
        """Remove the entry; ``SECRET-MISSING`` where it is not there."""
        if self._ask("forget")["verdict"] == "absent":
            self._refuse_missing()

    def _ask(self, act: str, **more: str) -> dict[str, Any]:
        """Have the worker do ``act``, and read its verdict."""
        attended = has_terminal()
        _tell("keyring asked", to=act, service=self.service, user=self.user)
        order = {
            "act": act,
            "service": self.service,
            "user": self.user,
            "may_prompt": attended,
            "named": os.environ.get(_NAMES_A_BACKEND, ""),
            # The worker runs isolated (-I) and finds modules where this process does, but for the
            # current folder; certmail itself last, so that it shadows nothing.
            "path": [*filter(None, sys.path), str(_CERTMAIL)],
            **more,
        }
        deadline_s = self.deadline_s or (DEADLINE_S if attended else UNATTENDED_S)
        try:
            ended = run_within(
                deadline_s,
                (self.python, "-I", "-c", _WORKER),
                stdin=json.dumps(order).encode(),
                env=_environment(),
                apart=True,
            )
        except TimeoutError:
            _refuse_timeout(deadline_s)
        except OSError:
            _refuse_failed("Python could not be started to ask it")
        return self._judge(ended.output)

    def _judge(self, output: bytes) -> dict[str, Any]:
        """Turn the worker's verdict into an answer or a refusal."""
        try:
            answer = json.loads(output)
            verdict = answer["verdict"]
        except (ValueError, TypeError, KeyError):
            _refuse_failed("it ended without an answer")
        if verdict == "locked":
            raise SecretError(
                "SECRET-KEYRING-LOCKED",
                "the keyring is locked",
                why="it would have to be unlocked by somebody, and nobody did",
                next="unlock the keyring (log in to the desktop), or run certmail on a terminal",
            )
        if verdict == "none":
            _refuse_none([printable(str(name), limit=200) for name in answer.get("foreign", [])])
        if verdict not in {"done", "absent"}:
            _refuse_failed(printable(str(answer.get("fault", "no reason given"))))
        return dict(answer)

    def _refuse_missing(self) -> NoReturn:
        raise SecretError(
            "SECRET-MISSING",
            f"the keyring holds no {self.kind.value} under {self.shown}",
            why="secrets are bound to protocol, host, port and user, so that none goes elsewhere",
            next="certmail secret set",
        )


def _environment() -> dict[str, str]:
    """Give the worker our environment, without what steers the keyring package."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "KEYRING_PROPERTY_"))
    }


def _refuse_none(foreign: list[str]) -> NoReturn:
    if foreign:
        raise SecretError(
            "SECRET-KEYRING-UNSAFE",
            f"the only keyring here is {', '.join(foreign)}, which certmail does not trust",
            why="it is not the system's own store and may keep passwords in a plain file",
            next="start the desktop's keyring (Secret Service), or use another source:"
            " relay.password_command, relay.password_file (docs/secrets.md)",
        )
    raise SecretError(
        "SECRET-KEYRING-NONE",
        "there is no keyring on this machine that can be used now",
        why="on a server there is often none: no Secret Service answers on D-Bus",
        next="set relay.password_command, for example to: pass show mail/ops; or another source:"
        " docs/secrets.md",
    )


def _refuse_timeout(deadline_s: float) -> NoReturn:
    raise SecretError(
        "SECRET-KEYRING-TIMEOUT",
        f"the keyring did not answer in {deadline_s:.0f} seconds",
        why="it may be locked and wait for a prompt that nobody sees, or it hangs",
        next="unlock the keyring, or use another source: relay.password_command,"
        " relay.password_file (docs/secrets.md)",
    ) from None


def _refuse_failed(how: str) -> NoReturn:
    raise SecretError(
        "SECRET-KEYRING-FAILED",
        f"the keyring could not be used: {how}",
        why="the relay's password is looked for there",
        next="try: keyring diagnose; or use another source: relay.password_command,"
        " relay.password_file (docs/secrets.md)",
    ) from None
