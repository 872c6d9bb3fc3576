"""``certmail inspect``: what a server shows now, and what a bundle would change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from certmail.cli import plain_options
from certmail.cli.command import Command
from certmail.cli.json_output import echo_json
from certmail.errors import BundleError, SettingsError, UsageError
from certmail.values import Hostname, printable

if TYPE_CHECKING:
    from datetime import datetime

    from certmail.bundle.change import Change
    from certmail.bundle.facts import CertificateFacts
    from certmail.bundle.further import Replaced
    from certmail.inspection import Served

_MAX_PORT: Final = 65535
_MAX_TIMEOUT_S: Final = 300


@click.command(cls=Command)
@click.argument("server", metavar="HOST[:PORT]")
@click.option("--bundle", metavar="FILE", help="Compare with this bundle: names, key, end.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.IntRange(1, _MAX_TIMEOUT_S),
    default=15,
    show_default=True,
    metavar="S",
    help="Give up after so many seconds.",
)
@plain_options.json_option
def inspect(
    server: str,
    bundle: str | None,
    timeout_s: int,
    as_json: bool,  # noqa: FBT001 - click's flag
) -> int:
    """Show the certificates that a server serves now, and what a bundle would change.

    Begins a TLS connection and ends it; nothing else is sent. A certificate that clients refuse is
    shown all the same.
    """
    from certmail.bundle import served
    from certmail.bundle.change import compare
    from certmail.cli.check_json import moment_of
    from certmail.inspection import inspect as look

    new = None if bundle is None else _leaf(bundle)
    host, port = address(server)
    at = moment_of(None)
    shown = look(host, port, timeout_s=float(timeout_s))
    chain = served.read(shown.chain)
    if not chain:
        raise _unreadable(host)
    seen = None if new is None else compare(chain[0], new)
    if as_json:
        echo_json("certmail.inspect/1", **_as_json(shown, chain, new, seen, at=at))
        return 0
    _draw(shown, chain, new, seen, at=at)
    return 0


def replaced(place: str) -> Replaced:
    """Find the certificate to be replaced: in a file if there is one, else at a server.

    Raises:
        BundleError: ``REPLACE-NO-CERTIFICATE``. UsageError: ``SERVER-…``.
    """
    from certmail.bundle import served
    from certmail.bundle.further import Replaced
    from certmail.inspection import inspect as look

    if Path(place).exists() or "/" in place:
        return Replaced(printable(place, limit=200), _leaf(place))
    host, port = address(place)
    chain = served.read(look(host, port).chain)
    if not chain:
        raise _unreadable(host)
    return Replaced(f"{host.text}, as served now", chain[0])


def address(server: str) -> tuple[Hostname, int]:
    """Read ``HOST``, ``HOST:PORT``, ``[IPv6]:PORT``, also from a link.

    Raises:
        UsageError: ``SERVER-MALFORMED``.
    """
    from certmail.bundle.idn import to_ascii

    bare = server.removeprefix("https://").split("/", 1)[0]
    host, colon, port = bare.rpartition(":")
    if not colon or bare.endswith("]") or (":" in host and not host.endswith("]")):
        host, port = bare, "443"
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0  # noqa: PLR2004
    try:
        name = Hostname(to_ascii(host) or host)
    except SettingsError:
        number = 0
    else:
        if 0 < number <= _MAX_PORT:
            return name, number
    raise UsageError(
        "SERVER-MALFORMED",
        f"{printable(server)} is not a server",
        why="the certificates are to be read from there",
        next="give HOST or HOST:PORT, like www.example.org or 192.0.2.1:8443",
    )


def _leaf(path: str) -> CertificateFacts:
    from certmail.bundle.served import leaf_of
    from certmail.cli.files import read_bundle

    found = leaf_of(read_bundle(path))
    if found is None:
        raise BundleError(
            "REPLACE-NO-CERTIFICATE",
            f"{printable(path, limit=400)} holds no readable certificate",
            why="its names, key and end were to be compared",
            next=f"certmail check {printable(path, limit=200)}",
        )
    return found


def _unreadable(host: Hostname) -> UsageError:
    return UsageError(
        "SERVER-CERTIFICATE",
        f"the first certificate that {host.text} shows cannot be decoded",
        why="a part of it breaks RFC 5280",
        next=f"openssl s_client -connect {host.text}:443 -showcerts",
    )


def _draw(
    shown: Served,
    chain: tuple[CertificateFacts, ...],
    new: CertificateFacts | None,
    seen: Change | None,
    *,
    at: datetime,
) -> None:
    from certmail.bundle import hosts
    from certmail.cli import chain_screen, check_screen
    from certmail.cli.ink import show

    show(check_screen.heading(f"{shown.host}:{shown.port} serves now"))
    show(chain_screen.draw_chain(chain, at=at), end="")
    if shown.refusal:
        verdict = f"clients with this system's roots refuse it: {shown.refusal}"
    else:
        verdict = f"clients with this system's roots accept it ({shown.version})"
    show(check_screen.wrapped(verdict, indent=""))
    if new is None or seen is None:
        return
    show("")
    show(check_screen.heading("the bundle would change"))
    if not hosts.covers(new.names, shown.host):
        show(check_screen.wrapped(f"NAME: the bundle does not cover {shown.host}"))
    for sentence in check_screen.sentences(seen, old=chain[0], new=new):
        show(check_screen.wrapped(sentence))


def _as_json(
    shown: Served,
    chain: tuple[CertificateFacts, ...],
    new: CertificateFacts | None,
    seen: Change | None,
    *,
    at: datetime,
) -> dict[str, Any]:
    from certmail.cli.check_json import certificate_as_json

    return {
        "host": shown.host,
        "port": shown.port,
        "at": at.isoformat(),
        "tls": shown.version or None,
        "refusal": shown.refusal or None,
        "served": [
            {k: v for k, v in certificate_as_json(c, at=at).items() if k != "lines"} for c in chain
        ],
        "bundle": None if new is None else certificate_as_json(new, at=at),
        "change": None
        if seen is None
        else {
            "same": seen.same,
            "same_key": seen.same_key,
            "names_kept": list(seen.kept),
            "names_gained": list(seen.gained),
            "names_lost": list(seen.lost),
            "seconds_longer": int(seen.longer.total_seconds()),
        },
    }
