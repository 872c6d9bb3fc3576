"""The main job on an embedded default: throw-away keys, a relay on loopback, and a real send.

In: a bundle, or none; the instant. Out: what happened at each step, with the evidence. Between
the bundle and the relay runs exactly the code that ``certmail send`` runs; what differs is handed
in: a stand-in recipient whose key is made here, and a relay on this machine. Afterwards nothing
remains: the homes, their agents and the relay end with the block.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final

from certmail.delivery.relay import Mode, Relay
from certmail.delivery.smtp import deliver
from certmail.errors import CertmailError
from certmail.gnupg.engine import GnuPG
from certmail.gnupg.homes import throwaway_home
from certmail.gnupg.identify import identify_key
from certmail.gnupg.signers import find_signer
from certmail.recipient import CLEVER_CLOUD, Recipient
from certmail.rehearsal.authority import Authority, throwaway_authority, throwaway_bundle
from certmail.rehearsal.reader import Opened, ReaderError, export_key, make_key, open_mail
from certmail.rehearsal.server import LOOPBACK, Mailbox, mail_server
from certmail.values import Address, Fingerprint, Hostname, Secret
from certmail.walk import Order, Sealing, seal_bundle
from certmail.walk import deliver as walk_deliver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from certmail.delivery.outcome import Receipt
    from certmail.gnupg.runner import Gpg

SENDER: Final = Address("operator@rehearsal.example")
NAMES: Final = ("rehearsal.example", "www.rehearsal.example")
_USER: Final = "operator"


@dataclass(frozen=True, slots=True)
class Refused:
    """An attack that was tried and what certmail answered."""

    attack: str
    code: str
    passwords_read: int


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Everything that was seen."""

    sealing: Sealing = field(repr=False)
    receipt: Receipt
    opened: Opened
    delivered_octets: int
    wire_intact: bool
    bundle_equal: bool
    signer: Fingerprint
    recipient_key: Fingerprint
    refused: tuple[Refused, ...]
    homes: tuple[Path, ...]

    @property
    def good(self) -> bool:
        """Whether every single thing held."""
        return (
            self.wire_intact
            and self.bundle_equal
            and self.opened.signed_by == self.signer.text
            and self.opened.subject == self.sealing.letter.subject
            and all(attack.passwords_read == 0 for attack in self.refused)
        )

    @property
    def nothing_left(self) -> bool:
        """Whether the throw-away homes are gone; asked after the rehearsal."""
        return not any(home.exists() for home in self.homes)


@dataclass(slots=True)
class _Password:
    """A secret source that counts how often it is asked."""

    text: str = field(repr=False)
    reads: int = 0

    def read(self) -> Secret:
        self.reads += 1
        return Secret(self.text)


def rehearse(
    pem: bytes | None,
    *,
    gpg: Gpg,
    env: Mapping[str, str],
    at: datetime,
    step: Callable[[str], None],
) -> Rehearsal:
    """Run the whole job; ``step`` is told, in a few words, what begins.

    Raises:
        CertmailError: as a real send would, for the same reasons.
    """
    with ExitStack() as stack:
        sender_home, recipient_home, files = (
            stack.enter_context(throwaway_home(env)) for _ in range(3)
        )
        step("making throw-away keys for a sender and a stand-in recipient")
        signer_key = make_key(
            sender_home, program=gpg.path, name="Rehearsing Operator", address=SENDER.text, env=env
        )
        stand_in = _stand_in(recipient_home, gpg=gpg, env=env)
        # Keys made in this very second must not lie in the future of the walk.
        at = max(at, datetime.now(UTC))

        step("making a throw-away certificate authority")
        authority = throwaway_authority(at)
        order = Order(pem if pem is not None else throwaway_bundle(authority, *NAMES), at=at)

        step("identifying the recipient's key, checking the bundle, signing, encrypting")
        pinned = identify_key(
            export_key(recipient_home, stand_in.pin.text, program=gpg.path, env=env),
            source="the rehearsal's stand-in key",
            recipient=stand_in,
            gpg=gpg,
            env=env,
            at=at,
        )
        engine = GnuPG(gpg, env, signing_home=sender_home, pinentry="error")
        sealing = seal_bundle(
            order,
            pinned=pinned,
            signer=lambda: find_signer(
                gpg,
                address=SENDER,
                fingerprint=Fingerprint(signer_key),
                name=None,
                home=sender_home,
                env=env,
            ),
            engine=engine,
        )

        step("starting a mail server with TLS on loopback and sending through it")
        password = _Password(token_urlsafe(24))
        relay_file, ca_file = _relay_files(files, authority)
        mailbox = stack.enter_context(
            mail_server(certificate=relay_file, user=_USER, password=password.text)
        )
        receipt = _send(sealing, relay=_relay(mailbox, ca_file), password=password)

        step("opening the delivered mail as the recipient would")
        if len(mailbox.delivered) != 1:
            raise ReaderError(f"the mail server holds {len(mailbox.delivered)} messages, not one")
        arrived = mailbox.delivered[0]
        opened = open_mail(arrived.content, home=recipient_home, program=gpg.path, env=env)

        step("trying what must be refused")
        refused = _attacks(sealing, mailbox=mailbox, files=files, at=at)

    return Rehearsal(
        sealing=sealing,
        receipt=receipt,
        opened=opened,
        delivered_octets=len(arrived.content),
        wire_intact=_normal(arrived.content) == _normal(sealing.sealed.wire()),
        bundle_equal=opened.attachment == order.pem,
        signer=Fingerprint(signer_key),
        recipient_key=stand_in.pin,
        refused=refused,
        homes=(sender_home, recipient_home, files),
    )


def _stand_in(home: Path, *, gpg: Gpg, env: Mapping[str, str]) -> Recipient:
    """Make the key that plays the provider's: the same address, another fingerprint."""
    fingerprint = make_key(
        home,
        program=gpg.path,
        name="Stand-in for the rehearsal",
        address=CLEVER_CLOUD.address.text,
        env=env,
    )
    return Recipient("Stand-in", CLEVER_CLOUD.address, Fingerprint(fingerprint))


def _relay_files(folder: Path, authority: Authority) -> tuple[Path, Path]:
    """Write the relay's throw-away certificate and key, and the CA's certificate.

    Python's ``ssl`` loads a server's key from a file only; it guards nothing and dies with the
    folder.
    """
    issued = authority.issue(LOOPBACK)
    relay_file, ca_file = folder / "relay.pem", folder / "ca.pem"
    relay_file.touch(mode=0o600)
    relay_file.write_bytes(issued.private_key + issued.certificate)
    ca_file.write_bytes(authority.pem)
    return relay_file, ca_file


def _relay(mailbox: Mailbox, ca_file: Path) -> Relay:
    return Relay(
        host=Hostname(LOOPBACK),
        port=mailbox.port,
        mode=Mode.IMPLICIT,
        user=_USER,
        ca_file=ca_file,
    )


def _send(sealing: Sealing, *, relay: Relay, password: _Password) -> Receipt:
    return walk_deliver(
        sealing.sealed,
        transport=lambda sealed: deliver(
            sealed, relay=relay, secret=password, now=lambda: datetime.now(UTC)
        ),
    )


def _attacks(
    sealing: Sealing, *, mailbox: Mailbox, files: Path, at: datetime
) -> tuple[Refused, ...]:
    """Offer relays that must be refused before a password is read."""
    stranger = files / "stranger.pem"
    stranger.write_bytes(throwaway_authority(at).pem)
    found = [
        _attack("a relay with a certificate from a stranger", sealing, _relay(mailbox, stranger))
    ]
    with mail_server(certificate=None, user=_USER, password="") as plain:
        without_tls = _relay(plain, stranger)
        found.append(_attack("a relay without TLS on the TLS port", sealing, without_tls))
        stripped = Relay(
            host=without_tls.host,
            port=without_tls.port,
            mode=Mode.STARTTLS,
            user=_USER,
            ca_file=stranger,
        )
        found.append(_attack("a relay that wants the password before TLS", sealing, stripped))
    return tuple(found)


def _attack(name: str, sealing: Sealing, relay: Relay) -> Refused:
    password = _Password("never to be read")
    try:
        _send(sealing, relay=relay, password=password)
    except CertmailError as error:
        return Refused(name, error.code, password.reads)
    raise ReaderError(f"{name} was not refused")


def _normal(content: bytes) -> bytes:
    """Drop what any mail server may add at the top, and the end of the last line."""
    return content[content.index(b"From: ") :].rstrip(b"\r\n")
