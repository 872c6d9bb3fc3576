"""Every setting there is, each declared once: its type, bounds, default, help and names.

Comes in: text somebody wrote. Goes out: a value that is spelled right, or why it is not. A key
is the whole truth about a setting: the flag, the variable, the line of the file, the row of
``docs/settings.md`` and the type that ``Settings.get`` gives back all follow from it.

There is deliberately no key for the recipient, the pin, verification, TLS or a password, and
``FORBIDDEN`` has words for whoever looks for one. Knows neither files nor the environment.
"""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from certmail.frozen import frozen
from certmail.submission import Login, Mode, ProxyKind, Reports, TlsPath
from certmail.values import Address, Fingerprint, Hostname

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T_co = TypeVar("T_co", covariant=True)

MAX_LINE_CHARACTERS: Final = 200
"""A name, an identifier or a command; anything longer is a paste by mistake."""

MAX_PINS: Final = 2
PIN_OCTETS: Final = 32
"""SHA-256, the one hash that RFC 7469 §2.1.1 names."""

ENVIRONMENT_PREFIX: Final = "CERTMAIL_"


class KeyRefresh(Enum):
    """Whether a send looks for a newer copy of the key by itself when it needs one."""

    AUTO = "auto"
    NEVER = "never"


@frozen
class Pins:
    """Public keys of the relay: the SHA-256 of each, in 64 hex digits (RFC 7469 §2.4)."""

    sha256: tuple[str, ...]

    def __str__(self) -> str:
        """Give them with commas between, as a setting spells them."""
        return ",".join(self.sha256)


@frozen
class ProxyUrl:
    """Where a proxy is. There is no login in it: it would be a password in a file."""

    kind: ProxyKind
    host: Hostname
    port: int

    def __str__(self) -> str:
        """Give the URL."""
        host = f"[{self.host}]" if ":" in self.host.text else self.host.text
        return f"{self.kind.value}://{host}:{self.port}"


@frozen(kw_only=True)
class Key(Generic[T_co]):
    """One setting. ``read`` turns text into the value, or raises ``ValueError`` or our error.

    ``form`` is the TOML type the file must use. ``wants`` completes the sentence "X is not …";
    ``example`` is a value in the spelling of a flag; ``without`` says what holds when it is unset.
    """

    name: str
    read: Callable[[str], T_co]
    wants: str
    example: str
    help: str
    form: type[str | int] = str
    default: T_co | None = None
    without: str = "not set"

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return "--" + re.sub(r"[._]", "-", self.name)

    @property
    def variable(self) -> str:
        """The variable of the environment."""
        return ENVIRONMENT_PREFIX + self.name.replace(".", "_").upper()

    @property
    def table(self) -> str:
        """The TOML table the key stands in."""
        return self.name.partition(".")[0]

    @property
    def line(self) -> str:
        """The example as a line of the settings file."""
        value = f'"{self.example}"' if self.form is str else self.example
        return f"{self.name.partition('.')[2]} = {value}"

    def instructions(self, *, path: str) -> str:
        """Tell the three ways to give this setting."""
        return (
            f"give {self.flag} {shlex.quote(self.example)}, or set {self.variable}, "
            f"or write {self.line} under [{self.table}] in {path}"
        )


def _whole(low: int, high: int) -> Callable[[str], int]:
    """Make a reader of whole numbers from ``low`` to ``high``, in plain ASCII digits."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return read


def _switch(text: str) -> bool:
    """Read TOML's own two words; "yes", "on" and "1" are guesses and are refused."""
    if text not in {"true", "false"}:
        raise ValueError
    return text == "true"


def _line(text: str) -> str:
    """Read one printable line: nothing in it can end a header field or turn a terminal."""
    if not text.strip() or len(text) > MAX_LINE_CHARACTERS or not text.isprintable():
        raise ValueError
    return text


def _line_or_none(text: str) -> str:
    """Read one printable line, where nothing at all is an answer too."""
    return _line(text) if text else ""


def _path(text: str) -> Path:
    """Read a path; ``~`` is the user's home."""
    try:
        return Path(_line(text)).expanduser()
    except RuntimeError:
        raise ValueError from None


def _pins(text: str) -> Pins:
    """Read SHA-256 hashes in hex or base64, with curl's ``sha256//`` or without; give hex.

    One is usual, a second one lets a relay change its key; more would be a habit.
    """
    parts = _line(text).split(",")
    if len(parts) > MAX_PINS:
        raise ValueError
    return Pins(tuple(_pin(part.strip().removeprefix("sha256//")) for part in parts))


def _pin(text: str) -> str:
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        return text.lower()
    try:
        octets = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError from None
    if len(octets) != PIN_OCTETS:
        raise ValueError
    return octets.hex()


def _proxy(text: str) -> ProxyUrl:
    """Read ``socks5://host:port`` or ``http://host:port`` and nothing more."""
    match = re.fullmatch(r"(socks5|http)://(\[[0-9A-Fa-f:.]+\]|[^\[\]/@?#:\s]+):([0-9]{1,5})", text)
    if match is None:
        raise ValueError
    return ProxyUrl(ProxyKind(match[1]), Hostname(match[2]), _whole(1, 65535)(match[3]))


def _credential(text: str) -> str:
    """Read a name as systemd gives to credentials: of a file, in no folder, not hidden."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", text, re.ASCII):
        raise ValueError
    return text


def _command(text: str) -> tuple[str, ...]:
    """Read a command as words: no shell will see it, so no word can grow a second command."""
    words = tuple(shlex.split(_line(text)))
    if not words or not words[0]:
        raise ValueError
    return words


SENDER_ADDRESS: Final = Key(
    name="sender.address",
    read=Address,
    wants="a plain address",
    example="ops@example.org",
    help="Your address: the From field and the envelope's sender.",
)
SENDER_NAME: Final = Key(
    name="sender.name",
    read=_line,
    wants=f"one line of at most {MAX_LINE_CHARACTERS} printable characters",
    example="Example Operations",
    help="The name shown beside your address.",
    without="no name is shown",
)
SENDER_KEY: Final = Key(
    name="sender.key",
    read=Fingerprint,
    wants="a fingerprint of 40 hex digits",
    example="0123456789ABCDEF0123456789ABCDEF01234567",
    help="The fingerprint of your signing key.",
    without="your only secret key that names the address, or a refusal",
)
SENDER_ENCRYPT_TO_SELF: Final = Key(
    name="sender.encrypt_to_self",
    read=_switch,
    wants="true or false",
    example="true",
    help="Whether your own key can open the message too.",
    form=bool,
    default=False,
    without="false",
)
RELAY_HOST: Final = Key(
    name="relay.host",
    read=Hostname,
    wants="a host name",
    example="smtp.example.org",
    help="Your mail provider's submission server; its certificate must carry this name.",
)
RELAY_MODE: Final = Key(
    name="relay.mode",
    read=Mode,
    wants="implicit or starttls",
    example="implicit",
    help="How TLS begins; it is required either way.",
    default=Mode.IMPLICIT,
    without="implicit",
)
RELAY_PORT: Final = Key(
    name="relay.port",
    read=_whole(1, 65535),
    wants="a whole number from 1 to 65535",
    example="465",
    help="The submission server's port.",
    form=int,
    without="465 when the mode is implicit, 587 when it is starttls",
)
RELAY_USER: Final = Key(
    name="relay.user",
    read=_line_or_none,
    wants=f"one line of at most {MAX_LINE_CHARACTERS} printable characters, or nothing",
    example="ops@example.org",
    help="The name to log in with; an empty one means that the relay asks for none.",
    without="the sender's address",
)
RELAY_AUTH: Final = Key(
    name="relay.auth",
    read=Login,
    wants="auto, plain, login, scram-sha-256, scram-sha-256-plus, oauthbearer or xoauth2",
    example="auto",
    help="How to log in; auto takes the strongest that the relay offers for your secret.",
    default=Login.AUTO,
    without="auto",
)
RELAY_PASSWORD_COMMAND: Final = Key(
    name="relay.password_command",
    read=_command,
    wants="a command, spelled as in a shell but run without one",
    example="pass show mail/ops",
    help="A command whose first line of output is the relay's password; no shell runs it.",
    without="another source, or the usual places: docs/secrets.md",
)
RELAY_PASSWORD_FILE: Final = Key(
    name="relay.password_file",
    read=_path,
    wants="an absolute path",
    example="/etc/certmail/password",
    help="A file of mode 0600 whose first line is the relay's password.",
    without="another source, or the usual places: docs/secrets.md",
)
RELAY_PASSWORD_CREDENTIAL: Final = Key(
    name="relay.password_credential",
    read=_credential,
    wants="a name of at most 64 letters, digits, dots, hyphens and underscores",
    example="certmail-password",
    help="The systemd credential of this unit that holds the relay's password.",
    without="certmail-password is looked for, where the unit has credentials",
)
RELAY_TOKEN_COMMAND: Final = Key(
    name="relay.token_command",
    read=_command,
    wants="a command, spelled as in a shell but run without one",
    example="oauth-token mail/ops",
    help="A command whose first line of output is an OAuth access token; no shell runs it.",
    without="a password is used, unless relay.auth wants a token",
)
RELAY_CA_FILE: Final = Key(
    name="relay.ca_file",
    read=_path,
    wants="an absolute path",
    example="/etc/ssl/certs/example-ca.pem",
    help="The only authorities to trust for the relay's certificate.",
    without="the system's authorities",
)
RELAY_SPKI_PIN: Final = Key(
    name="relay.spki_pin",
    read=_pins,
    wants="a SHA-256 of a public key in hex or base64, or two with a comma between",
    example="47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    help="The public key that the relay must hold, besides a certificate that verifies.",
    without="any key with a certificate that verifies",
)
RELAY_CLIENT_CERT: Final = Key(
    name="relay.client_cert",
    read=_path,
    wants="an absolute path",
    example="/etc/certmail/client.pem",
    help="A certificate to show to the relay, with its chain and, if you like, its key.",
    without="none is shown",
)
RELAY_CLIENT_KEY: Final = Key(
    name="relay.client_key",
    read=_path,
    wants="an absolute path",
    example="/etc/certmail/client.key",
    help="The private key of the client certificate, without a passphrase.",
    without="the file of the certificate",
)
RELAY_REQUIRE_TLS_PATH: Final = Key(
    name="relay.require_tls_path",
    read=TlsPath,
    wants="when-offered, required or not-asked",
    example="required",
    help="Whether REQUIRETLS is asked of the relay, so that TLS is used on the whole way.",
    default=TlsPath.WHEN_OFFERED,
    without="when-offered",
)
RELAY_DSN: Final = Key(
    name="relay.dsn",
    read=Reports,
    wants="failure, success or not-asked",
    example="failure",
    help="Of what the mail system should report to your address, where the relay offers it.",
    default=Reports.FAILURE,
    without="failure",
)
RELAY_PROXY: Final = Key(
    name="relay.proxy",
    read=_proxy,
    wants="socks5://HOST:PORT or http://HOST:PORT, without a login",
    example="socks5://127.0.0.1:9050",
    help="A proxy that connects to the relay; needs python-socks (certmail[proxy]).",
    without="the relay is dialled directly",
)
RELAY_TIMEOUT_S: Final = Key(
    name="relay.timeout_s",
    read=_whole(30, 3600),
    wants="a whole number of seconds from 30 to 3600",
    example="900",
    help="How long handing over may take, in seconds; waiting for the verdict is not part of it.",
    form=int,
    # Room for one slow step or two: RFC 5321 §4.5.3.2 grants a relay five minutes for most.
    default=900,
    without="900",
)
REQUEST_ORGANISATION: Final = Key(
    name="request.organisation",
    read=_line,
    wants=f"one line of at most {MAX_LINE_CHARACTERS} printable characters",
    example="orga_01234567-89ab-cdef-0123-456789abcdef",
    help="Your organisation at the provider, for its support to find you.",
)
REQUEST_APPLICATION: Final = Key(
    name="request.application",
    read=_line,
    wants=f"one line of at most {MAX_LINE_CHARACTERS} printable characters",
    example="app_01234567-89ab-cdef-0123-456789abcdef",
    help="The application the certificate is for.",
)
REQUEST_CONTACT: Final = Key(
    name="request.contact",
    read=_line,
    wants=f"one line of at most {MAX_LINE_CHARACTERS} printable characters",
    example="Ada Example, +33 1 23 45 67 89",
    help="Whom the provider's support can ask.",
)
GNUPG_PROGRAM: Final = Key(
    name="gnupg.program",
    read=_path,
    wants="an absolute path",
    example="/usr/bin/gpg",
    help="The GnuPG program.",
    without="gpg, as the search path finds it",
)
GNUPG_SIGN_TIMEOUT_S: Final = Key(
    name="gnupg.sign_timeout_s",
    read=_whole(5, 600),
    wants="a whole number of seconds from 5 to 600",
    example="120",
    help="How long signing may wait for you to type a passphrase or touch a card, in seconds.",
    form=int,
    default=120,
    without="120",
)
KEY_FILE: Final = Key(
    name="key.file",
    read=_path,
    wants="an absolute path",
    example="/home/ops/clever-cloud.asc",
    help="Another copy of the pinned key, such as a renewed one.",
    without="the copy that comes with certmail",
)
KEY_REFRESH: Final = Key(
    name="key.refresh",
    read=KeyRefresh,
    wants="auto or never",
    example="auto",
    help="Whether a send asks for a newer copy of the key when it has none, or an old one.",
    default=KeyRefresh.AUTO,
    without="auto",
)
KEY_MAX_AGE_DAYS: Final = Key(
    name="key.max_age_days",
    read=_whole(0, 365),
    wants="a whole number of days from 0 to 365",
    example="7",
    help="How old the last look for a newer copy may be before a send looks again, in days.",
    form=int,
    # A revocation that nobody notices for a week is bad; asking seven places per send is rude.
    default=7,
    without="7",
)
KEY_WARN_DAYS: Final = Key(
    name="key.warn_days",
    read=_whole(0, 730),
    wants="a whole number of days from 0 to 730",
    example="90",
    help="How long before the key expires you are warned, in days.",
    form=int,
    default=90,
    without="90",
)

KEYS: Final[tuple[Key[object], ...]] = (
    SENDER_ADDRESS,
    SENDER_NAME,
    SENDER_KEY,
    SENDER_ENCRYPT_TO_SELF,
    RELAY_HOST,
    RELAY_MODE,
    RELAY_PORT,
    RELAY_USER,
    RELAY_AUTH,
    RELAY_PASSWORD_COMMAND,
    RELAY_PASSWORD_FILE,
    RELAY_PASSWORD_CREDENTIAL,
    RELAY_TOKEN_COMMAND,
    RELAY_CA_FILE,
    RELAY_SPKI_PIN,
    RELAY_CLIENT_CERT,
    RELAY_CLIENT_KEY,
    RELAY_REQUIRE_TLS_PATH,
    RELAY_DSN,
    RELAY_PROXY,
    RELAY_TIMEOUT_S,
    REQUEST_ORGANISATION,
    REQUEST_APPLICATION,
    REQUEST_CONTACT,
    GNUPG_PROGRAM,
    GNUPG_SIGN_TIMEOUT_S,
    KEY_FILE,
    KEY_REFRESH,
    KEY_MAX_AGE_DAYS,
    KEY_WARN_DAYS,
)
"""Every setting, in the order people read them."""

SECRET_SOURCES: Final[tuple[Key[object], ...]] = (
    RELAY_PASSWORD_COMMAND,
    RELAY_PASSWORD_FILE,
    RELAY_PASSWORD_CREDENTIAL,
    RELAY_TOKEN_COMMAND,
)
"""Where a secret can be said to come from: one of these at most."""

COMMANDS: Final = frozenset({RELAY_PASSWORD_COMMAND.name, RELAY_TOKEN_COMMAND.name})
"""Settings of which only the first word is ever shown: the others may be secret."""

TABLES: Final = frozenset(key.table for key in KEYS)


class Never(Enum):
    """Why there is no such setting, and will be none."""

    RECIPIENT = "who reads the private key, and with which key, stands in the program alone"
    WEAKER = "a refusal that a setting can turn off protects nobody"
    TLS = "TLS is always required and always verified; relay.mode only says how it begins"
    CREDENTIAL = "a password in a file or in the environment is read by whoever reads those"


_FORBIDDEN: Final[Mapping[Never, str]] = {
    Never.RECIPIENT: "recipient recipients to cc bcc rcpt redirect forward pin keyserver trust",
    Never.WEAKER: "insecure verify verification unverified skip ignore force sign encrypt",
    Never.TLS: "tls ssl starttls plain plaintext opportunistic ciphers",
    Never.CREDENTIAL: "password passwd pass passphrase secret token credential credentials",
}
"""Words that give away what somebody is after."""


def never(name: str) -> Never | None:
    """Tell why there will never be such a setting, where a word of its name says so."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    return next((why for why, given in _FORBIDDEN.items() if words & set(given.split())), None)
