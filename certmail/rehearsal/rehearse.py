"""The main job on an embedded default: throw-away keys, a relay on loopback, and a real send.

In: a bundle, or none; the instant. Out: what happened at each step, with the evidence. Between
the bundle and the relay runs exactly the code that ``certmail send`` runs; what differs is handed
in: a stand-in recipient whose key is made here, and a relay on this machine. Afterwards nothing
remains: the homes, their agents and the relay end with the block.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import field
from datetime import UTC, datetime
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final

from certmail.delivery.relay import Relay, Timeouts
from certmail.frozen import frozen
from certmail.gnupg.engine import GnuPG
from certmail.gnupg.homes import throwaway_home
from certmail.gnupg.identify import identify_key
from certmail.gnupg.signers import find_signer
from certmail.ledger.chain import Ledger
from certmail.message.record import record
from certmail.office import Office, hand_over
from certmail.outbox.store import Again, open_outbox
from certmail.ratchet import Ratchet
from certmail.recipient import CLEVER_CLOUD, Recipient
from certmail.rehearsal.authority import throwaway_authority, throwaway_bundle
from certmail.rehearsal.reader import (
    Opened,
    ReaderError,
    export_key,
    make_key,
    open_mail,
    revoked_copy,
)
from certmail.rehearsal.refusals import (
    Password,
    Refused,
    Scene,
    server_context,
    try_everything,
    write_private,
)
from certmail.rehearsal.server import LOOPBACK, mail_server
from certmail.submission import Mode
from certmail.values import Address, Fingerprint, Hostname
from certmail.walk import Order, Sealing, seal_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from certmail.delivery.outcome import Receipt
    from certmail.gnupg.runner import Gpg
    from certmail.key.pin import PinnedKey
    from certmail.key.renew.acceptance import Acceptance
    from certmail.values import SecretSource

SENDER: Final = Address("operator@rehearsal.example")
NAMES: Final = ("rehearsal.example", "www.rehearsal.example")
_USER: Final = "operator"


@frozen
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
        CertmailError: as a real send would, for the same reasons; ``REHEARSAL-NO-KEY``,
            ``REHEARSAL-NOT-OPENED``.
    """
    with ExitStack() as stack:
        homes = tuple(stack.enter_context(throwaway_home(env)) for _ in range(5))
        sender_home, recipient_home, spare, files, state = homes
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
        stand_in_key = export_key(recipient_home, stand_in.pin.text, program=gpg.path, env=env)
        pinned = identify_key(
            stand_in_key,
            source="the rehearsal's stand-in key",
            recipient=stand_in,
            gpg=gpg,
            env=env,
            at=at,
        )
        engine = GnuPG(gpg, env, signing_home=sender_home, pinentry="error")
        signer = find_signer(
            gpg,
            address=SENDER,
            fingerprint=Fingerprint(signer_key),
            name=None,
            home=sender_home,
            env=env,
        )
        sealing = seal_bundle(order, pinned=pinned, signer=lambda: signer, engine=engine)

        step("starting a mail server with TLS on loopback and sending through it")
        password = Password(token_urlsafe(24))
        issued = authority.issue(LOOPBACK)
        # Python's ssl loads a server's key from a file only; it guards nothing, and dies with it.
        certificate = write_private(files / "relay.pem", issued.private_key + issued.certificate)
        ca_file = write_private(files / "ca.pem", authority.pem)
        mailbox = stack.enter_context(
            mail_server(context=server_context(certificate), user=_USER, password=password.text)
        )
        relay = Relay(Hostname(LOOPBACK), mailbox.port, Mode.IMPLICIT, _USER, ca_file)
        receipt = _hand_over(sealing, relay=relay, bench=_Bench(at, pinned, password), state=state)

        step("opening the delivered mail as the recipient would")
        if len(mailbox.delivered) != 1:
            raise ReaderError(f"the mail server holds {len(mailbox.delivered)} messages, not one")
        arrived = mailbox.delivered[0]
        opened = open_mail(arrived.content, home=recipient_home, program=gpg.path, env=env)

        step("trying what must be refused")
        refused = try_everything(
            Scene(
                sealing=sealing,
                order=order,
                pinned=pinned,
                signer=signer,
                engine=engine,
                gpg=gpg,
                env=env,
                authority=authority,
                stand_in_key=stand_in_key,
                revoked_key=revoked_copy(
                    recipient_home, stand_in.pin.text, elsewhere=spare, program=gpg.path, env=env
                ),
                files=files,
                user=_USER,
            )
        )

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
        homes=homes,
    )


@frozen
class _Bench:
    """What the office asks of a run, with the throw-away key and password."""

    at: datetime
    pinned: PinnedKey
    password: Password
    accepted: Acceptance | None = None

    def timeouts(self) -> Timeouts:
        """Give the bounds of a session on this machine."""
        return Timeouts(connect_s=10, command_s=30, data_block_s=30, final_s=60, total_s=60)

    def secret(self, relay: Relay) -> SecretSource | None:
        """Give the password's source."""
        del relay
        return self.password

    def key_as_of(self, at: datetime) -> PinnedKey:
        """Give the key; a rehearsal is over before it would be judged again."""
        del at
        return self.pinned


def _hand_over(sealing: Sealing, *, relay: Relay, bench: _Bench, state: Path) -> Receipt:
    """Hand over as a send does, with outbox, log and memory of relays in a throw-away folder."""
    with open_outbox(state / "outbox") as outbox:
        entry = outbox.add(
            sealing.sealed,
            record(sealing.sealed, sealing.letter),
            label="the rehearsal",
            relay=relay.url,
            at=bench.at,
            again=Again.REPLACE,
        )
        desk = Office(
            bench,
            outbox,
            bench,
            relay,
            log=Ledger(state / "log"),
            ratchet=Ratchet(state / "relays"),
        )
        handed = hand_over(desk, entry.number)
    if handed.error is not None:
        raise handed.error
    if handed.receipt is None:
        raise ReaderError("the relay took the message and gave no receipt")
    return handed.receipt


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


def _normal(content: bytes) -> bytes:
    """Drop what any mail server may add at the top, and the end of the last line."""
    return content[content.index(b"From: ") :].rstrip(b"\r\n")
