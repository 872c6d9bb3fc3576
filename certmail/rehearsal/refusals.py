"""Everything certmail must refuse, tried for real: hostile relays, keys, engines, files, bundles.

In: a message that was just sealed, and the tools it was sealed with. Out: for each attack the code
it met, the exit status a shell would see, and how often the password was read. An attack that is
not refused is a failed rehearsal, and so is one that reads the password.
"""

from __future__ import annotations

import os
import ssl
import warnings
from contextlib import ExitStack
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from certmail.batch import classify, exit_status
from certmail.delivery.relay import Relay
from certmail.delivery.smtp import deliver
from certmail.errors import CertmailError, RelayError
from certmail.frozen import frozen, slotted
from certmail.gnupg.identify import identify_key
from certmail.key import bundled
from certmail.key.pin import require_usable
from certmail.message.seal import Copy, parse_sealed, seal
from certmail.recipient import CLEVER_CLOUD
from certmail.rehearsal.authority import throwaway_authority
from certmail.rehearsal.reader import ReaderError
from certmail.rehearsal.server import LOOPBACK, handshake_server, mail_server, scripted_server
from certmail.submission import Mode
from certmail.values import Fingerprint, Hostname, Secret, SecretKind
from certmail.walk import check_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from certmail.gnupg.engine import GnuPG
    from certmail.gnupg.runner import Gpg
    from certmail.key.pin import PinnedKey
    from certmail.message.seal import Signer
    from certmail.rehearsal.authority import Authority
    from certmail.walk import Order, Sealing

_EHLO = b"250-rehearsal\r\n"


@frozen
class Refused:
    """An attack that was tried, the code it met, and the exit status of that code's family."""

    attack: str
    code: str
    exit_status: int
    passwords_read: int


@slotted
class Password:
    """A secret source that counts how often it is asked."""

    text: str = field(repr=False)
    reads: int = 0

    @property
    def kind(self) -> SecretKind:
        """A password."""
        return SecretKind.PASSWORD

    def read(self) -> Secret:
        """Give the password, and remember that somebody asked."""
        self.reads += 1
        return Secret(self.text)


@frozen
class Scene:
    """What the attacks work on: a sealed message and everything it was made with."""

    sealing: Sealing
    order: Order
    pinned: PinnedKey
    signer: Signer
    engine: GnuPG
    gpg: Gpg
    env: Mapping[str, str]
    authority: Authority
    stand_in_key: bytes = field(repr=False)
    revoked_key: bytes = field(repr=False)
    files: Path
    user: str


def try_everything(scene: Scene) -> tuple[Refused, ...]:
    """Try each attack, relays first.

    Raises:
        ReaderError: when an attack was not refused.
    """
    return (*_relays(scene), *_keys(scene), *_messages(scene), *_bundles(scene))


def _relays(scene: Scene) -> tuple[Refused, ...]:
    """Offer relays that must be refused before a password is read."""
    good = _certificate(scene, scene.authority, LOOPBACK)
    ca_file = scene.files / "ca.pem"
    found = []

    def refuse(attack: str, port: int, *, mode: Mode, ca: Path = ca_file) -> None:
        relay = Relay(Hostname(LOOPBACK), port, mode, user=scene.user, ca_file=ca)
        found.append(_against(scene, attack, relay))

    with ExitStack() as stack:

        def serve(context: ssl.SSLContext | None) -> int:
            server = mail_server(context=context, user=scene.user, password="")
            return stack.enter_context(server).port

        def say(*replies: tuple[bytes, bytes]) -> int:
            return stack.enter_context(scripted_server(dict(replies)))

        plain = serve(None)
        refuse("a relay without TLS", plain, mode=Mode.IMPLICIT)
        refuse("a relay that wants the password before TLS", plain, mode=Mode.STARTTLS)
        stripped = say((b"EHLO", _EHLO + b"250 SIZE 1000000\r\n"))
        refuse("a relay whose STARTTLS offer was taken away", stripped, mode=Mode.STARTTLS)
        offers = (b"EHLO", _EHLO + b"250 STARTTLS\r\n")
        refusing = say(offers, (b"STARTTLS", b"454 4.7.0 TLS not available\r\n"))
        refuse("a relay that refuses STARTTLS", refusing, mode=Mode.STARTTLS)
        injecting = say(offers, (b"STARTTLS", b"220 go\r\n250-rehearsal\r\n250 AUTH PLAIN\r\n"))
        refuse("replies slipped in before the handshake", injecting, mode=Mode.STARTTLS)
        stranger = scene.files / "stranger.pem"
        stranger.write_bytes(throwaway_authority(scene.order.at).pem)
        refuse(
            "a certificate from a stranger's authority",
            serve(server_context(good)),
            mode=Mode.IMPLICIT,
            ca=stranger,
        )
        other = _certificate(scene, scene.authority, "other.rehearsal.example")
        refuse("a certificate for another host", serve(server_context(other)), mode=Mode.IMPLICIT)
        old = stack.enter_context(
            handshake_server(server_context(good, maximum=ssl.TLSVersion.TLSv1_1))
        )
        refuse("a relay that knows TLS 1.1 at most", old, mode=Mode.IMPLICIT)
    return tuple(found)


def _keys(scene: Scene) -> tuple[Refused, ...]:
    """Offer keys that must not be encrypted to."""

    def identify(data: bytes) -> PinnedKey:
        return identify_key(
            data,
            source="an attack",
            recipient=scene.pinned.recipient,
            gpg=scene.gpg,
            env=scene.env,
            at=scene.order.at,
        )

    def expired() -> None:
        require_usable(
            identify_key(
                bundled.read_bundled(),
                source=bundled.BUNDLED_SOURCE,
                recipient=CLEVER_CLOUD,
                gpg=scene.gpg,
                env=scene.env,
                at=scene.order.at,
            )
        )

    return (
        _attack("another key under the same address", lambda: identify(bundled.read_bundled())),
        _attack("two keys in one file", lambda: identify(scene.stand_in_key * 2)),
        _attack("a copy of the pinned key that has expired", expired),
        _attack("a copy of the pinned key that is revoked", lambda: identify(scene.revoked_key)),
    )


@frozen
class _Lying:
    """An engine that does less, or more, than it is asked to."""

    real: GnuPG
    signs: bool = True
    encrypts: bool = True
    adds: Signer | None = None

    def sign(self, entity: bytes, *, signer: Signer) -> bytes:
        if self.signs:
            return self.real.sign(entity, signer=signer)
        # A literal packet without a signature (RFC 9580 §5.9).
        body = b"b\x00\x00\x00\x00\x00" + entity
        return b"\xcb\xff" + len(body).to_bytes(4, "big") + body

    def verify(self, signed: bytes, *, signer: Signer) -> Fingerprint:
        return self.real.verify(signed, signer=signer)

    def encrypt(self, signed: bytes, *, to: PinnedKey, also: Signer | None) -> bytes:
        if not self.encrypts:
            return signed
        return self.real.encrypt(signed, to=to, also=self.adds or also)


def _messages(scene: Scene) -> tuple[Refused, ...]:
    """Make messages that must not leave, and change one that was made."""

    def sealed_by(engine: _Lying) -> Callable[[], object]:
        return lambda: seal(
            scene.sealing.letter,
            pinned=scene.pinned,
            signer=scene.signer,
            engine=engine,
            copy=Copy.NONE,
        )

    def with_header(line: bytes) -> Callable[[], object]:
        wire = scene.sealing.sealed.wire().replace(b"To: ", line + b"\r\nTo: ", 1)
        return lambda: parse_sealed(
            wire,
            pinned=scene.pinned,
            signature=scene.sealing.sealed.signature,
            copy_for=None,
        )

    return (
        _attack("a message that is not signed", sealed_by(_Lying(scene.engine, signs=False))),
        _attack("a message that is not encrypted", sealed_by(_Lying(scene.engine, encrypts=False))),
        _attack("a second reader", sealed_by(_Lying(scene.engine, adds=scene.signer))),
        _attack("a sealed file with a Cc", with_header(b"Cc: x@rehearsal.example")),
        _attack("a sealed file with a Bcc", with_header(b"Bcc: x@rehearsal.example")),
    )


def _bundles(scene: Scene) -> tuple[Refused, ...]:
    """Offer bundles that the provider would reject."""
    pem = scene.order.pem

    def check(changed: bytes) -> Callable[[], object]:
        return lambda: check_bundle(replace(scene.order, pem=changed))

    end = pem.index(b"-----BEGIN CERTIFICATE")
    return (
        _attack("a bundle with Windows line ends", check(pem.replace(b"\n", b"\r\n"))),
        _attack("a bundle whose key comes last", check(pem[end:] + pem[:end])),
        _attack("a bundle that was cut off", check(pem[:-100])),
    )


def _against(scene: Scene, attack: str, relay: Relay) -> Refused:
    password = Password("never to be read")
    return _attack(
        attack,
        lambda: deliver(
            scene.sealing.sealed, relay=relay, secret=password, now=lambda: datetime.now(UTC)
        ),
        password,
    )


def _attack(
    attack: str, attempt: Callable[[], object], password: Password | None = None
) -> Refused:
    try:
        attempt()
    except CertmailError as error:
        # A relay's refusal ends as the outcome of the message, anything else as its family.
        family = isinstance(error, RelayError)
        status = exit_status(classify(error), error) if family else error.exit_status
        return Refused(attack, error.code, status, password.reads if password else 0)
    raise ReaderError(f"{attack} was not refused")


def _certificate(scene: Scene, authority: Authority, name: str) -> Path:
    """Write a server's certificate and key; Python's ``ssl`` loads them from a file only."""
    issued = authority.issue(name)
    return write_private(scene.files / f"{name}.pem", issued.private_key + issued.certificate)


def write_private(path: Path, content: bytes) -> Path:
    """Write a file that nobody else can read, from its first octet on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
        out.write(content)
    return path


def server_context(
    certificate: Path, *, maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
) -> ssl.SSLContext:
    """Make a server's TLS, of an old version where an attack wants one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if maximum is not ssl.TLSVersion.MAXIMUM_SUPPORTED:
        with warnings.catch_warnings():
            # That it is deprecated is why it is offered, to be refused.
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = maximum
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context
