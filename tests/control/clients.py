"""Other programs that submit mail, each used as its documentation says, with TLS demanded.

Where a program has a switch that demands TLS, it is set; where it has none, it is used as it is.
None is told to go on where it would stop.
"""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Protocol

import aiosmtplib

from certmail.delivery.relay import Relay, Timeouts
from certmail.delivery.smtp import deliver
from certmail.errors import CertmailError, DeliveryUnknown
from certmail.submission import Mode
from certmail.values import Hostname, Secret, SecretKind
from tests.delivery.hostile import USER
from tests.peers import need

if TYPE_CHECKING:
    from pathlib import Path

    from certmail.message.seal import SealedMessage

ASCII_PASSWORD = "canary-Password-7f3a"
"""smtplib cannot log in with any other letters."""

SENDER, RECIPIENT = "ops@example.org", "ssl@clever-cloud.com"

WAIT_S = 1.0
"""What each is told to wait for a reply."""

HANG_S = 8.0
"""When nobody waits for a program any more."""


class Claim(Enum):
    ACCEPTED = "sent"
    FAILED = "not sent"
    UNKNOWN = "may be on its way"
    HUNG = "nothing"


@dataclass(frozen=True)
class Said:
    """What a program says came of it; ``strange`` is an error that its documentation lacks."""

    claim: Claim
    output: str = ""
    strange: str = ""


@dataclass(frozen=True)
class Errand:
    mode: Mode
    port: int
    ca_file: Path
    message: SealedMessage


class Client(Protocol):
    def __call__(self, errand: Errand) -> Said: ...


class _Password:
    kind = SecretKind.PASSWORD

    def read(self) -> Secret:
        return Secret(ASCII_PASSWORD)


def by_certmail(errand: Errand) -> Said:
    try:
        deliver(
            errand.message,
            relay=Relay(
                Hostname("localhost"), errand.port, errand.mode, USER, ca_file=errand.ca_file
            ),
            secret=_Password(),
            now=lambda: datetime.now(UTC),
            timeouts=Timeouts(WAIT_S, WAIT_S, WAIT_S, WAIT_S, HANG_S),
        )
    except DeliveryUnknown as error:
        return Said(Claim.UNKNOWN, f"{error.what} {error.why} {error.next}")
    except CertmailError as error:
        return Said(Claim.FAILED, f"{error.what} {error.why} {error.next}")
    return Said(Claim.ACCEPTED)


def by_msmtp(errand: Errand) -> Said:
    begins = "off" if errand.mode is Mode.IMPLICIT else "on"
    return _run(
        need("msmtp"),
        "--host=localhost",
        f"--port={errand.port}",
        "--tls=on",
        f"--tls-starttls={begins}",
        f"--tls-trust-file={errand.ca_file}",
        "--auth=on",
        f"--user={USER}",
        f"--passwordeval=echo {ASCII_PASSWORD}",
        f"--timeout={WAIT_S:.0f}",
        f"--from={SENDER}",
        "--",
        RECIPIENT,
        wire=errand.message.wire(),
    )


def by_curl(errand: Errand) -> Said:
    scheme = "smtps" if errand.mode is Mode.IMPLICIT else "smtp"
    return _run(
        need("curl"),
        "--disable",
        "--silent",
        "--show-error",
        "--ssl-reqd",
        "--cacert",
        str(errand.ca_file),
        "--user",
        f"{USER}:{ASCII_PASSWORD}",
        "--mail-from",
        SENDER,
        "--mail-rcpt",
        RECIPIENT,
        "--upload-file",
        "-",
        # It has one clock for everything.
        "--max-time",
        f"{2 * WAIT_S:.0f}",
        f"{scheme}://localhost:{errand.port}",
        wire=errand.message.wire(),
    )


def by_aiosmtplib(errand: Errand) -> Said:
    """As in its README: TLS is begun by itself where the server offers it."""

    async def send() -> None:
        await asyncio.wait_for(
            aiosmtplib.send(
                errand.message.wire(),
                sender=SENDER,
                recipients=[RECIPIENT],
                hostname="localhost",
                port=errand.port,
                username=USER,
                password=ASCII_PASSWORD,
                use_tls=errand.mode is Mode.IMPLICIT,
                tls_context=ssl.create_default_context(cafile=errand.ca_file),
                timeout=WAIT_S,
            ),
            HANG_S,
        )

    return _call(lambda: asyncio.run(send()), aiosmtplib.SMTPException)


def by_smtplib(errand: Errand) -> Said:
    """As in Python's documentation, with the context that it recommends."""
    context = ssl.create_default_context(cafile=errand.ca_file)

    def send() -> None:
        if errand.mode is Mode.IMPLICIT:
            client = smtplib.SMTP_SSL(
                "localhost", errand.port, context=context, timeout=WAIT_S, local_hostname="c.test"
            )
        else:
            client = smtplib.SMTP("localhost", errand.port, timeout=WAIT_S, local_hostname="c.test")
        with client:
            if errand.mode is Mode.STARTTLS:
                client.starttls(context=context)
            client.login(USER, ASCII_PASSWORD)
            client.sendmail(SENDER, [RECIPIENT], errand.message.wire())

    return _call(send, smtplib.SMTPException)


CLIENTS: dict[str, Client] = {
    "certmail": by_certmail,
    "msmtp": by_msmtp,
    "curl": by_curl,
    "aiosmtplib": by_aiosmtplib,
    "smtplib": by_smtplib,
}


def _run(*command: str, wire: bytes) -> Said:
    try:
        ended = subprocess.run(
            command,
            input=wire,
            capture_output=True,
            timeout=HANG_S,
            check=False,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"},
        )
    except subprocess.TimeoutExpired:
        return Said(Claim.HUNG)
    output = (ended.stdout + ended.stderr).decode(errors="replace")
    strange = f"dies of signal {-ended.returncode}" if ended.returncode < 0 else ""
    return Said(Claim.FAILED if ended.returncode else Claim.ACCEPTED, output, strange)


def _call(send, documented: type[Exception]) -> Said:
    try:
        send()
    except (documented, OSError) as error:
        hung = type(error) is TimeoutError and not str(error)
        return Said(Claim.HUNG if hung else Claim.FAILED, str(error))
    except Exception as error:  # noqa: BLE001  # the point is to see what comes
        return Said(Claim.FAILED, str(error), f"raises {type(error).__name__}")
    return Said(Claim.ACCEPTED)
