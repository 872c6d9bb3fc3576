"""The whole walk through a real Postfix, and the mail opened by GnuPG and by Sequoia."""

from __future__ import annotations

import email
import email.policy
import os
import subprocess
from datetime import UTC, datetime

import pytest
import trustme

from certmail.delivery.relay import Relay
from certmail.delivery.smtp import deliver
from certmail.gnupg.identify import identify_key
from certmail.gnupg.runner import run
from certmail.gnupg.signers import find_signer
from certmail.message.letter import Request
from certmail.recipient import CLEVER_CLOUD
from certmail.submission import Mode
from certmail.values import Hostname, Secret, SecretKind
from certmail.walk import Order, seal_bundle
from certmail.walk import deliver as walk_deliver
from tests.cli.conftest import RENEWED
from tests.conftest import SENDER, exported
from tests.delivery import postfix
from tests.delivery.hostile import PASSWORD, USER
from tests.peers import need

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def server(authority):
    with postfix.running(authority) as server:
        yield server


@pytest.fixture
def send(server, authority, tmp_path):
    """Hand a message to Postfix and give the mail that lies in its maildir."""
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)

    class Keyring:
        kind = SecretKind.PASSWORD

        def read(self):
            return Secret(PASSWORD)

    def send(sealed, *, mode):
        server.forget()
        relay = Relay(Hostname("localhost"), server.ports[mode], mode, USER, ca_file)
        receipt = walk_deliver(
            sealed,
            transport=lambda proved: deliver(
                proved, relay=relay, secret=Keyring(), now=lambda: datetime.now(UTC)
            ),
        )
        [mail] = server.delivered()
        return receipt, mail

    return send


@pytest.fixture
def walk(gpg, sender, engine, bundle_pem, at):
    def seal(pinned):
        return seal_bundle(
            Order(bundle_pem, at=at, request=Request(note="Réplace the old one, s'il vous plaît")),
            pinned=pinned,
            signer=lambda: find_signer(
                gpg,
                address=SENDER,
                fingerprint=None,
                name=None,
                home=sender.home,
                env=os.environ,
            ),
            engine=engine,
        )

    return seal


def sealed_part(mail: bytes) -> bytes:
    message = email.message_from_bytes(mail, policy=email.policy.default)
    assert message.get_content_type() == "multipart/encrypted"
    return list(message.iter_parts())[1].get_content()


def check_letter(plain: bytes, bundle_pem: bytes) -> None:
    """The inner entity says what was meant, and carries the bundle byte for byte."""
    inner = email.message_from_bytes(plain, policy=email.policy.default)
    assert str(inner["Subject"]) == "TLS certificate for shop.example and 1 more"
    bundle, key = inner.iter_attachments()
    assert bundle.get_content() == bundle_pem
    assert key.get_content().startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")
    assert "Réplace the old one, s'il vous plaît" in inner.get_body().get_content()
    parameters = dict(inner["Content-Type"].params)
    assert (parameters["hp"], parameters["protected-headers"]) == ("cipher", "v1")
    outer = [str(value) for value in inner.get_all("HP-Outer")]
    assert "Subject: [...]" in outer


@pytest.mark.parametrize("mode", Mode)
def test_a_mail_through_postfix_opens_in_gnupg_with_a_good_signature(
    send, walk, pinned, receiver, sender, gpg, bundle_pem, mode
):
    sealing = walk(pinned)
    receipt, mail = send(sealing.sealed, mode=mode)
    assert sealing.sealed.wire().rstrip() in mail.replace(b"\n", b"\r\n").replace(b"\r\r", b"\r")
    assert receipt.sha256 == sealing.sealed.sha256
    run(
        gpg,
        "--import",
        home=receiver.home,
        stdin=exported(gpg, sender),
        env=os.environ,
        timeout_s=60,
    )
    opened = run(
        gpg, "--decrypt", home=receiver.home, stdin=sealed_part(mail), env=os.environ, timeout_s=60
    )
    assert opened.first("GOODSIG") is not None
    assert opened.first("VALIDSIG").args[-1] == sender.fingerprint.text
    check_letter(opened.stdout, bundle_pem)


def test_a_mail_through_postfix_opens_in_sequoia_with_a_good_signature(
    send, walk, pinned, receiver, sender, gpg, bundle_pem, tmp_path
):
    program = need("sq")
    _, mail = send(walk(pinned).sealed, mode=Mode.IMPLICIT)
    secret, public = tmp_path / "receiver.pgp", tmp_path / "sender.pgp"
    # Both keys are this test's own and guard nothing.
    secret.write_bytes(
        run(
            gpg, "--passphrase", "", "--pinentry-mode", "loopback", "--export-secret-keys",
            home=receiver.home, env=os.environ, timeout_s=60,
        ).stdout
    )  # fmt: skip
    public.write_bytes(exported(gpg, sender))
    # The flags were renamed in sq 1.0.
    usage = subprocess.run([program, "decrypt", "--help"], capture_output=True, check=False).stdout
    newer = b"--recipient-file" in usage
    flags = ("--recipient-file", "--signer-file") if newer else ("--recipient-key", "--signer-cert")
    opened = subprocess.run(
        [program, "decrypt", flags[0], secret, flags[1], public],
        input=sealed_part(mail),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert opened.returncode == 0, opened.stderr.decode()
    assert b"1 good signature" in opened.stderr
    check_letter(opened.stdout, bundle_pem)


def test_a_mail_to_the_renewed_key_lies_in_postfix_readable_by_nobody_here(
    send, walk, sender, gpg, bundle_pem, at
):
    if not RENEWED.exists():
        pytest.skip("the renewed copy of the key is not beside this checkout")
    pinned = identify_key(
        RENEWED.read_bytes(),
        source="renewed",
        recipient=CLEVER_CLOUD,
        gpg=gpg,
        env=os.environ,
        at=at,
    )
    sealing = walk(pinned)
    _, mail = send(sealing.sealed, mode=Mode.IMPLICIT)
    assert sealing.sealed.prove().key_ids == ("A922D5F4C62664A5",)
    tried = run(
        gpg, "--decrypt", home=sender.home, stdin=sealed_part(mail), env=os.environ, timeout_s=60
    )
    assert (tried.stdout, tried.first("NO_SECKEY").args[0]) == (b"", "A922D5F4C62664A5")
    for line in bundle_pem.splitlines():
        assert len(line) < 20 or line not in mail
