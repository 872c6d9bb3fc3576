"""Where the message is handed over, and how long each step may take.

In: nothing but values. Out: `Relay` and `Timeouts`, frozen and within bounds. Knows RFC 8314 §3.3
(TLS for submission), RFC 5321 §4.1.3 (address literals), RFC 5321 §4.5.3.2 (timeouts) and RFC 7469
§2.4 (pins). Opens no socket and reads no file.

There are two modes and no third: TLS from the first byte, or STARTTLS or nothing.
"""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Final, NoReturn

from certmail.errors import SettingsError
from certmail.frozen import frozen
from certmail.submission import Login, Mode, ProxyKind, Reports, TlsPath
from certmail.values import Hostname, printable

if TYPE_CHECKING:
    from pathlib import Path

MAX_USER_OCTETS: Final = 255
"""RFC 4616 §2: servers accept an authcid of up to 255 octets."""

MAX_WAIT_S: Final = 24 * 3600.0
"""No single wait is longer than a day: a number beyond that is a unit mistaken."""

MAX_PORT: Final = 65535
"""A port has 16 bits; 0 names none."""

ANONYMOUS_EHLO: Final = Hostname("127.0.0.1")
"""What EHLO says unless told otherwise: the address literal ``[127.0.0.1]``.

The same on every machine, so it tells a relay nothing, neither a host name nor a LAN address. A
name such as ``localhost.localdomain`` would be looked up by relays that check HELO names (Postfix
``reject_unknown_helo_hostname``); a literal is never looked up, and its syntax always holds.
"""


@frozen
class Proxy:
    """Somebody who dials for us. It learns the relay's name and port; TLS begins behind it.

    Raises:
        SettingsError: ``RELAY-PORT``.
    """

    kind: ProxyKind
    host: Hostname
    port: int

    def __post_init__(self) -> None:
        """Prove the bounds."""
        _check_port(self.port)

    def __str__(self) -> str:
        """Give the URL."""
        host = f"[{self.host}]" if ":" in self.host.text else self.host.text
        return f"{self.kind.value}://{host}:{self.port}"


_PIN: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@frozen
class Relay:
    """A submission server and the account to use there.

    ``user`` None means a relay that asks for no login. ``ca_file``, where given, is the only
    source of trust: the system's roots are not consulted beside it. ``spki_pins``, where there are
    any, are SHA-256 hashes in hex of public keys (RFC 7469 §2.4), of which the relay must hold one
    *besides* a certificate that verifies; two let a relay change its key. ``client_cert`` is a PEM
    file to prove ourselves with, ``client_key`` its key where that is another file. ``proxy``,
    where there is one, is the only way: there is no dial beside it. ``login``
    is how to log in, where there is a user.

    Raises:
        SettingsError: ``RELAY-PORT``, ``RELAY-USER-MALFORMED``, ``RELAY-PIN-MALFORMED``,
            ``CLIENT-CERT-MISSING``, ``RELAY-PROXY-STARTTLS``.
    """

    host: Hostname
    port: int
    mode: Mode
    user: str | None = None
    ca_file: Path | None = None
    ehlo_name: Hostname = ANONYMOUS_EHLO
    spki_pins: tuple[str, ...] = ()
    client_cert: Path | None = None
    client_key: Path | None = None
    tls_path: TlsPath = TlsPath.WHEN_OFFERED
    reports: Reports = Reports.FAILURE
    proxy: Proxy | None = None
    login: Login = Login.AUTO

    def __post_init__(self) -> None:
        """Prove the bounds."""
        _check_port(self.port)
        if self.user is not None:
            _check_user(self.user)
        if not all(_PIN.fullmatch(pin) for pin in self.spki_pins):
            raise SettingsError(
                "RELAY-PIN-MALFORMED",
                "a pin of the relay's key is not the SHA-256 of a public key",
                why="a pin that matches nothing would refuse every relay, the right one too",
                next="give 64 hex digits, or base64 as openssl and curl show it",
            )
        if self.client_key is not None and self.client_cert is None:
            raise SettingsError(
                "CLIENT-CERT-MISSING",
                "there is a client key for the relay, and no client certificate",
                why="a key alone proves nothing to a relay",
                next="set relay.client_cert, or remove relay.client_key",
            )

        if self.proxy and self.proxy.kind is ProxyKind.HTTP_CONNECT and self.mode is Mode.STARTTLS:
            # python-socks throws away what comes in one piece with the proxy's "200".
            raise SettingsError(
                "RELAY-PROXY-STARTTLS",
                "an HTTP proxy cannot be used with STARTTLS",
                why="the relay speaks first there, and its greeting can be lost in the proxy's"
                " answer",
                next="use TLS from the first byte on port 465, or a SOCKS5 proxy",
            )

    @property
    def pin(self) -> str | None:
        """The pins as one text, in a stable order; None where there are none."""
        return ",".join(sorted(self.spki_pins)) or None

    @property
    def url(self) -> str:
        """Protocol, host and port: ``smtps://smtp.example.org:465``; names the keyring entry."""
        host = f"[{self.host}]" if ":" in self.host.text else self.host.text
        return f"{self.mode.scheme}://{host}:{self.port}"

    @property
    def ehlo_argument(self) -> str:
        """The EHLO argument; an address becomes a literal in brackets (RFC 5321 §4.1.3)."""
        if not self.ehlo_name.is_ip:
            return self.ehlo_name.text
        address = ipaddress.ip_address(self.ehlo_name.text)
        return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"  # noqa: PLR2004

    def __str__(self) -> str:
        """Give host and port, as people write them."""
        return self.url.partition("://")[2]


@frozen
class Timeouts:
    """How many seconds each step may take; all of them end.

    ``connect_s`` bounds the dial, and separately the handshake after STARTTLS. ``command_s`` bounds
    the greeting and the reply to each command, ``data_block_s`` a chunk of the message that does
    not move (RFC 5321 §4.5.3.2.5). ``total_s`` bounds everything up to the final dot, except the
    time a person takes to type a password. ``final_s`` is the wait for the verdict after the final
    dot: RFC 5321 §4.5.3.2.6 asks for ten minutes, since giving up early makes duplicates.

    Raises:
        SettingsError: ``RELAY-TIMEOUT-BOUNDS``.
    """

    connect_s: float = 30.0
    command_s: float = 300.0
    data_block_s: float = 180.0
    final_s: float = 600.0
    total_s: float = 900.0

    def __post_init__(self) -> None:
        """Prove the bounds."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and 0 < value <= MAX_WAIT_S):
                raise SettingsError(
                    "RELAY-TIMEOUT-BOUNDS",
                    f"{field.name} is not a number of seconds above 0 and up to {MAX_WAIT_S:.0f}",
                    why="every wait on the network must end, and none can be shorter than nothing",
                    next="leave the timeout out to use the default",
                )


def _check_port(port: int) -> None:
    if type(port) is not int or not 1 <= port <= MAX_PORT:
        raise SettingsError(
            "RELAY-PORT",
            f"{printable(str(port))} is not a port number",
            why="a port is a number from 1 to 65535",
            next="use 465 for TLS from the first byte, 587 for STARTTLS",
        )


def _check_user(user: str) -> None:
    """Refuse a login name that AUTH cannot carry (RFC 4616 §2: no NUL) or that hides something."""
    try:
        octets = user.encode()
    except UnicodeEncodeError:
        _refuse_user(user)
    if not octets or len(octets) > MAX_USER_OCTETS or not user.isprintable():
        _refuse_user(user)


def _refuse_user(user: str) -> NoReturn:
    raise SettingsError(
        "RELAY-USER-MALFORMED",
        f"{printable(user)!r} is not a login name",
        why="a login is 1 to 255 octets of printable text; anything else never matches an account",
        next="give the login your mail provider documents, often the whole mail address",
    ) from None
