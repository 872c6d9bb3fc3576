"""The messages that are read: sealed by the product's own walk, taken from the relay's mailbox.

The other form of RFC 3156, §6.1, is made here too, by hand: the product never makes it. It is there
so that the choice between the two can be looked at.
"""

from __future__ import annotations

import email
import email.policy
import os
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from certmail.gnupg.engine import GnuPG
from certmail.gnupg.homes import throwaway_home
from certmail.gnupg.identify import identify_key
from certmail.gnupg.runner import run
from certmail.gnupg.signers import find_signer
from certmail.key import armor
from certmail.key.framing import Tag, split
from certmail.message.letter import Request
from certmail.message.seal import Copy
from certmail.recipient import CLEVER_CLOUD, Recipient
from certmail.values import Address, Fingerprint
from certmail.walk import Order, seal_bundle
from tests.bundle import make
from tests.conftest import exported
from tests.peers import need
from tests.readers.advertiser import Advertiser
from tests.readers.reading import run as call
from tests.readers.recipes import Form, Names, Recipe, Size, To

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from certmail.gnupg.runner import Gpg
    from certmail.walk import Sealing

NOTE = {
    Names.PLAIN: "Replace the old one, please",
    Names.ACCENTED: "Remplacer l'ancien dès que possible, s'il vous plaît — merci à l'équipe ☕",
}
ORGANISATION = {Names.PLAIN: "orga_example", Names.ACCENTED: "Société Générale des Œuvres, Zürich"}
PERSON = {Names.PLAIN: "Operator Example", Names.ACCENTED: "Zoë Åström-Łukasiewicz"}
ADDRESS = {Names.PLAIN: "ops@sender.example", Names.ACCENTED: "ops@xn--bcher-kva.example"}
HOSTS = {
    Names.PLAIN: ("shop.example", "www.shop.example"),
    # The attachment is named for the first: a long file name.
    Names.ACCENTED: (
        "*.xn--caf-dma.xn--strae-oqa.a-rather-long-label-for-a-file-name.xn--bcher-kva.example",
        "xn--mnchen-3ya.example",
    ),
}
UNPROTECTED = ("--passphrase", "", "--pinentry-mode", "loopback")


@dataclass(frozen=True)
class Message:
    """One mail as it lies in the recipient's mailbox, and what must be found in it."""

    recipe: Recipe
    form: Form
    mail: bytes = field(repr=False)
    entity: bytes = field(repr=False)
    subject: str
    bundle: bytes = field(repr=False)
    file_name: str
    note: str
    signer: Fingerprint
    signer_name: str
    signer_public: bytes = field(repr=False)
    recipient: Fingerprint
    secret: bytes = field(repr=False)
    variant: str = ""

    @property
    def name(self) -> str:
        form = "" if self.form is Form.COMBINED else "-encapsulated"
        return self.recipe.name + form + self.variant

    @property
    def ciphertext(self) -> bytes:
        """The armored OpenPGP message in the second part."""
        outer = email.message_from_bytes(self.mail, policy=email.policy.default)
        assert outer.get_content_type() == "multipart/encrypted"
        return list(outer.iter_parts())[1].get_content()


@dataclass(frozen=True)
class Holder:
    """A recipient: the public key to pin, and the secret half that opens."""

    fingerprint: Fingerprint
    public: bytes
    secret: bytes = field(repr=False)


def secret_key(gpg: Gpg, person) -> bytes:
    """Export a secret key of the tests' own; it guards nothing."""
    return run(
        gpg, *UNPROTECTED, "--export-secret-keys", person.fingerprint.text,
        home=person.home, env=os.environ, timeout_s=60,
    ).stdout  # fmt: skip


def bundle(size: Size, names: Names, *, at: datetime) -> bytes:
    """Make a bundle that is good at ``at``."""
    hosts = HOSTS[names]
    life = {"start": at - make.DAY, "end": at + 60 * make.DAY}
    if size is Size.TINY:
        issuer = make.make_ca("tiny root")
        return make.pkcs8(make.rsa_key("tiny")) + make.pem_of(
            make.make_leaf(issuer, key=make.rsa_key("tiny"), names=hosts, **life)
        )
    # One key for all of them: what is looked at is octets, and making RSA 4096 takes seconds.
    key = make.rsa_key("large", 4096)
    issuers = [make.make_ca("large root", key=key)]
    for number in range(4):
        issuers.append(make.make_ca(f"large intermediate {number}", issuers[-1], key=key))
    own = make.rsa_key("large leaf", 4096)
    many = (*hosts, *(f"host-{number}.shop.example" for number in range(90)))
    leaf = make.make_leaf(issuers[-1], key=own, names=many, **life)
    chain = b"".join(make.pem_of(issuer.certificate) for issuer in reversed(issuers[1:]))
    return make.pkcs8(own) + make.pem_of(leaf) + chain


class Workshop:
    """Makes keys, letters and messages, each when it is first asked for."""

    address = CLEVER_CLOUD.address

    def __init__(self, *, gpg: Gpg, make_person, relay, at: datetime) -> None:
        self.gpg = gpg
        self.at = at
        self.relay = relay
        self.person = cache(
            lambda algorithm, names, address: make_person(
                f"{names} <{address}>", algorithm=algorithm
            )
        )
        self.make_person = make_person
        self.holder = cache(self._holder)
        self.bundle = cache(lambda size, names: bundle(size, names, at=at))
        self.sealing = cache(self._seal)
        self.message = cache(self._message)

    def _holder(self, to: To) -> Holder:
        user_id = f"Stand-in {to.name} <{self.address}>"
        if to is To.OCB:
            key = Advertiser(name=user_id)
            return Holder(Fingerprint(key.fingerprint), key.public(), key.secret_block())
        algorithm, subkey = ("rsa4096", "rsa4096") if to is To.RSA4096 else ("ed25519", "cv25519")
        person = self.make_person(user_id, algorithm=algorithm, subkey=subkey)
        return Holder(person.fingerprint, exported(self.gpg, person), secret_key(self.gpg, person))

    def sender(self, recipe: Recipe):
        """The one who signs; the algorithm stands in the name, so that a screen tells who it is."""
        names = f"{PERSON[recipe.names]} {recipe.signing.value}"
        return self.person(recipe.signing.value, names, ADDRESS[recipe.names])

    def _seal(self, recipe: Recipe) -> Sealing:
        sender, holder = self.sender(recipe), self.holder(recipe.to)
        address = Address(ADDRESS[recipe.names])
        pinned = identify_key(
            holder.public,
            source="a test",
            recipient=Recipient("Stand-in", self.address, holder.fingerprint),
            gpg=self.gpg,
            env=os.environ,
            at=self.at,
        )
        request = Request(organisation=ORGANISATION[recipe.names], note=NOTE[recipe.names])
        pem = self.bundle(recipe.size, recipe.names)
        return seal_bundle(
            Order(pem, at=self.at, request=request, copy=recipe.copy),
            pinned=pinned,
            signer=lambda: find_signer(
                self.gpg,
                address=address,
                fingerprint=None,
                name=None,
                home=sender.home,
                env=os.environ,
            ),
            engine=GnuPG(self.gpg, os.environ, signing_home=sender.home, pinentry="error"),
        )

    def _message(self, recipe: Recipe, form: Form) -> Message:
        sealing, sender, holder = self.sealing(recipe), self.sender(recipe), self.holder(recipe.to)
        letter = sealing.letter
        sealed = sealing.sealed
        mail = self.relay(sealed) if form is Form.COMBINED else self.encapsulated(recipe)
        return Message(
            recipe=recipe,
            form=form,
            mail=mail,
            entity=letter.entity,
            subject=letter.subject,
            bundle=letter.bundle.pem,
            file_name=letter.file_name,
            note=NOTE[recipe.names],
            signer=sender.fingerprint,
            signer_name=letter.sender.name,
            signer_public=exported(self.gpg, sender),
            recipient=holder.fingerprint,
            secret=holder.secret,
        )

    def for_the_sender(self, recipe: Recipe) -> Message:
        """Give a message with a copy as its sender opens it."""
        assert recipe.copy is Copy.FOR_SENDER
        sender = self.sender(recipe)
        return replace(
            self.message(recipe, Form.COMBINED),
            recipient=sender.fingerprint,
            secret=secret_key(self.gpg, sender),
        )

    def encapsulated(self, recipe: Recipe) -> bytes:
        """Make the same letter in the form of RFC 3156 §6.1: multipart/signed, then encrypted."""
        sealing, sender, holder = self.sealing(recipe), self.sender(recipe), self.holder(recipe.to)
        entity = sealing.letter.entity
        signature = run(
            self.gpg, *UNPROTECTED, "--digest-algo", "SHA512", "--armor", "--detach-sign",
            home=sender.home, stdin=entity, env=os.environ, timeout_s=60,
        ).stdout  # fmt: skip
        # The protected headers have to stand on the outermost part inside the encryption.
        head, _, _ = entity.partition(b"\r\nContent-Type:")
        protected = b"\r\n".join(
            line for line in head.split(b"\r\n") if not line.lower().startswith(b"mime-version")
        )
        inner = b"".join(
            [
                protected,
                b'\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; micalg="pgp-sha512";',
                b'\r\n protocol="application/pgp-signature"; hp="cipher";',
                b'\r\n protected-headers="v1"; boundary="=_signed"\r\n\r\n--=_signed\r\n',
                entity,
                b"\r\n--=_signed\r\n",
                b'Content-Type: application/pgp-signature; name="signature.asc"\r\n\r\n',
                signature.replace(b"\n", b"\r\n"),
                b"\r\n--=_signed--\r\n",
            ]
        )
        with throwaway_home(os.environ) as home:
            run(self.gpg, "--import", home=home, stdin=holder.public, env=os.environ, timeout_s=60)
            packets = run(
                self.gpg, "--trust-model", "always", "--no-autostart",
                "--recipient", holder.fingerprint.text, "--output", "-", "--encrypt",
                home=home, stdin=inner, env=os.environ, timeout_s=60,
            ).stdout  # fmt: skip
        return self._in_an_envelope(sealing, packets, mark=b"encapsulated-")

    def with_packet_20(self, recipe: Recipe, room: Path) -> Message:
        """Make the message that GnuPG 2.4 would make for a key that advertises its own form.

        RNP makes it: GnuPG 2.2 reads that form and does not write it.
        """
        sealing, sender, holder = self.sealing(recipe), self.sender(recipe), self.holder(recipe.to)
        (room / "signed").write_bytes(
            run(
                self.gpg, *UNPROTECTED, "-z", "0", "--sign",
                home=sender.home, stdin=sealing.letter.entity, env=os.environ, timeout_s=60,
            ).stdout
        )  # fmt: skip
        (room / "to.pgp").write_bytes(holder.public)
        home = room / "rnp"
        home.mkdir(mode=0o700)
        call(need("rnpkeys", package="rnp"), "--homedir", home, "--import-keys", room / "to.pgp")
        call(
            need("rnp"), "--homedir", home, "--encrypt", "--no-wrap", "--aead=OCB", "-z", "0",
            "--recipient", holder.fingerprint.text, "--output", room / "sealed", room / "signed",
        )  # fmt: skip
        packets = (room / "sealed").read_bytes()
        assert [packet.tag for packet in split(packets)] == [Tag.PKESK, Tag.AEAD]
        mail = self._in_an_envelope(sealing, packets, mark=b"packet-20-")
        return replace(self.message(recipe, Form.COMBINED), mail=mail, variant="-packet-20")

    @staticmethod
    def _in_an_envelope(sealing: Sealing, packets: bytes, *, mark: bytes) -> bytes:
        """Put other packets into the mail, under a Message-ID that a mailbox tells apart."""
        wire = sealing.sealed.wire().replace(b"Message-ID: <", b"Message-ID: <" + mark)
        head, marker, rest = wire.partition(b"-----BEGIN PGP MESSAGE-----")
        _, _, tail = rest.partition(b"-----END PGP MESSAGE-----\r\n")
        assert marker
        assert tail
        armored = armor.encode("PGP MESSAGE", packets).replace(b"\n", b"\r\n")
        return (head + armored + tail).replace(b"\r\n", b"\n")
