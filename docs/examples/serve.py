"""Start the upload application on this machine: ``python serve.py SETTINGS.toml``.

Shows where each thing comes from: the application reads it, certmail only takes it.
"""

from __future__ import annotations

import getpass
import os
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from wsgiref.simple_server import make_server

from upload import Application, Desk

import certmail


def now() -> datetime:
    """Read the clock; certmail never does."""
    return datetime.now(UTC)


def desk(settings: Path, *, secret: certmail.Secret) -> Desk:
    """Put together what the application needs, once, before it serves.

    Raises:
        certmail.CertmailError: what is missing or refused, with what to do.
    """
    told = tomllib.loads(settings.read_text(encoding="utf-8"))
    gnupg = certmail.open_gnupg(home=Path(told["gnupg_home"]), env=os.environ)
    copies = [Path(name).read_bytes() for name in told.get("key_copies", [])]
    return Desk(
        key=certmail.pin(certmail.shipped_key(), *copies, gnupg=gnupg, at=now()),
        signer=certmail.find_signer(gnupg, address=certmail.Address(told["sender"])),
        gnupg=gnupg,
        relay=certmail.Relay(
            certmail.Hostname(told["relay_host"]),
            told.get("relay_port", 465),
            certmail.Mode.IMPLICIT,
            user=told["relay_user"],
            ca_file=Path(told["relay_ca_file"]) if "relay_ca_file" in told else None,
        ),
        secret=secret,
        outbox=certmail.Outbox(Path(told["state"]), now=now),
        now=now,
    )


def main() -> None:
    """Serve on the loopback until Ctrl-C."""
    secret = certmail.Secret(getpass.getpass("the relay's password: "))
    application = Application(desk(Path(sys.argv[1]), secret=secret))
    with make_server("127.0.0.1", 8080, application) as server:
        print("http://127.0.0.1:8080/")  # noqa: T201 - a program of its own
        server.serve_forever()


if __name__ == "__main__":
    main()
