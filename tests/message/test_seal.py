"""The door: only a proved message comes out, and only unchanged bytes go back in."""

from __future__ import annotations

import copy
import dataclasses
import email
import email.policy
import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from certmail.errors import CertmailError, SealError
from certmail.gnupg.runner import run
from certmail.key.framing import split
from certmail.key.packets import read_encrypted
from certmail.message.letter import Letter, Request, compose
from certmail.message.seal import (
    Copy,
    Signature,
    parse_sealed,
    recall,
    seal,
)
from certmail.values import Address


def decrypt(gpg, person, packets):
    """Open a message in its holder's home."""
    return run(
        gpg,
        "--pinentry-mode",
        "error",
        "--decrypt",
        home=person.home,
        stdin=packets,
        env=os.environ,
        timeout_s=60,
    )


def test_the_recipient_opens_precisely_the_letter(gpg, sealed, letter, receiver):
    assert decrypt(gpg, receiver, sealed.packets).stdout == letter.entity


def test_a_stranger_cannot_open_the_message(gpg, sealed, stranger):
    result = decrypt(gpg, stranger, sealed.packets)
    assert (result.stdout, result.first("NO_SECKEY") is not None) == (b"", True)


def test_the_sender_cannot_open_the_message_unless_a_copy_was_asked_for(gpg, sealed, sender):
    assert decrypt(gpg, sender, sealed.packets).stdout == b""


def test_a_copy_for_the_sender_adds_that_one_reader(
    gpg, letter, pinned, signer, engine, sender, receiver
):
    both = seal(letter, pinned=pinned, signer=signer, engine=engine, copy=Copy.FOR_SENDER)
    assert sorted(both.prove().key_ids) == sorted(
        [pinned.encryption_subkey.key_id, signer.encryption_key.key_id]
    )
    assert decrypt(gpg, sender, both.packets).stdout == letter.entity
    assert decrypt(gpg, receiver, both.packets).stdout == letter.entity


def test_the_body_is_encrypted_to_the_pinned_subkey_alone(sealed, pinned):
    assert read_encrypted(sealed.packets).key_ids == (pinned.encryption_subkey.key_id,)


def test_the_wire_form_is_rfc_3156_and_nothing_else(sealed):
    wire = sealed.wire()
    message = email.message_from_bytes(wire, policy=email.policy.default)
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/encrypted",
        "application/pgp-encrypted",
        "application/octet-stream",
    ]
    assert (message.preamble or "", message.epilogue or "") == ("", "")
    first, second = message.iter_parts()
    assert first.get_content() == b"Version: 1\r\n"
    assert second.get_content().splitlines()[:2] == [b"-----BEGIN PGP MESSAGE-----", b""]
    assert max(len(line) for line in wire.split(b"\r\n")) <= 78
    assert b"\n" not in wire.replace(b"\r\n", b"")


def test_the_outer_headers_say_nothing_about_the_domains(sealed):
    message = email.message_from_bytes(sealed.wire(), policy=email.policy.default)
    assert {
        name: str(value) for name, value in message.items() if name in ("From", "To", "Subject")
    } == {
        "From": "ops@sender.example",
        "To": "ssl@clever-cloud.com",
        "Subject": "[...]",
    }
    assert b"shop.example" not in sealed.wire()
    assert set(message.keys()) == {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
    }


def test_no_line_of_the_bundle_stands_in_the_message(sealed, bundle_pem):
    wire = sealed.wire()
    assert [line for line in bundle_pem.splitlines() if len(line) > 20 and line in wire] == []


def test_the_sealed_bytes_are_read_back_byte_for_byte(sealed, pinned):
    again = parse_sealed(sealed.wire(), pinned=pinned, signature=sealed.signature, copy_for=None)
    assert (again, again.wire(), again.sha256) == (sealed, sealed.wire(), sealed.sha256)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda w: w.replace(b"\r\n", b"\n"), id="line ends"),
        pytest.param(lambda w: w + b"\r\n", id="a line more"),
        pytest.param(lambda w: w[:-2], id="a line less"),
        pytest.param(
            lambda w: w.replace(b"Subject: [...]", b"Subject: shop.example"), id="subject"
        ),
        pytest.param(lambda w: w.replace(b"To: ssl@", b"Bcc: x@y.example\r\nTo: ssl@"), id="Bcc"),
        pytest.param(lambda w: w.replace(b"To: ssl@", b"Cc: x@y.example\r\nTo: ssl@"), id="Cc"),
        pytest.param(lambda w: w.replace(b"To: ssl@", b"To: x@y.example, ssl@"), id="second To"),
        pytest.param(lambda w: w.replace(b"Version: 1", b"Version: 1\r\nhello"), id="control part"),
        pytest.param(
            lambda w: w.replace(b"MESSAGE-----\r\n\r\n", b"MESSAGE-----\r\nComment: hi\r\n\r\n", 1),
            id="armor header",
        ),
        pytest.param(
            lambda w: re.sub(rb"\r\n--=_", b"\r\nhello\r\n--=_", w, count=1), id="preamble"
        ),
        pytest.param(lambda w: b"Received: from x\r\n" + w, id="a header on top"),
        pytest.param(lambda w: w.replace(b"+0000", b"+0100"), id="time zone"),
        pytest.param(lambda w: b"", id="nothing"),
        pytest.param(lambda w: b"\xff" * 100, id="binary"),
    ],
)
def test_a_sealed_file_that_was_changed_is_refused(sealed, pinned, change):
    changed = change(sealed.wire())
    assert changed != sealed.wire()
    with pytest.raises(CertmailError) as refusal:
        parse_sealed(changed, pinned=pinned, signature=sealed.signature, copy_for=None)
    assert refusal.value.code in {
        "SEAL-FILE-FOREIGN",
        "SEAL-RECIPIENT",
        "SEAL-ARMOR",
        "SEAL-HEADERS",
        "ADDRESS-MALFORMED",
    }


def test_every_truncation_of_a_sealed_file_is_refused(sealed, pinned):
    wire = sealed.wire()
    for end in range(0, len(wire), 7):
        with pytest.raises(CertmailError):
            parse_sealed(wire[:end], pinned=pinned, signature=sealed.signature, copy_for=None)


# --- engines that do not do what they were asked to ------------------------------------------


@dataclass(frozen=True)
class Tampering:
    """The real engine, with one answer replaced."""

    real: object
    on_sign: object = None
    on_verify: object = None
    on_encrypt: object = None

    def sign(self, entity, *, signer):
        if self.on_sign:
            return self.on_sign(self.real, entity, signer)
        return self.real.sign(entity, signer=signer)

    def verify(self, signed, *, signer):
        if self.on_verify:
            return self.on_verify(self.real, signed, signer)
        return self.real.verify(signed, signer=signer)

    def encrypt(self, signed, *, to, also):
        if self.on_encrypt:
            return self.on_encrypt(self.real, signed, to, also)
        return self.real.encrypt(signed, to=to, also=also)


def refused(letter, pinned, signer, engine) -> str:
    with pytest.raises(SealError) as refusal:
        seal(letter, pinned=pinned, signer=signer, engine=engine, copy=Copy.NONE)
    return refusal.value.code


def gpg_in(person, *args, stdin):
    return run(
        find(), "--pinentry-mode", "error", "-z", "0", *args, "--output", "-",
        home=person.home, stdin=stdin, env=os.environ, timeout_s=60,
    ).stdout  # fmt: skip


def find():
    from certmail.gnupg.runner import find_gpg

    return find_gpg(None)


def test_a_signature_by_another_key_is_refused(letter, pinned, signer, engine, stranger):
    def by_stranger(real, entity, who):
        return gpg_in(stranger, "--digest-algo", "SHA512", "--sign", stdin=entity)

    assert refused(letter, pinned, signer, Tampering(engine, on_sign=by_stranger)) == "SEAL-SIGNER"


def test_an_unsigned_message_is_refused(letter, pinned, signer, engine, sender):
    def unsigned(real, entity, who):
        return gpg_in(sender, "--store", stdin=entity)

    assert refused(letter, pinned, signer, Tampering(engine, on_sign=unsigned)) == "SEAL-NOT-SIGNED"


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_signature_that_is_far_from_the_date_of_its_letter_is_refused(
    letter, pinned, signer, engine, stand_in, hours
):
    """Thunderbird would call it bad."""
    then = datetime.now(UTC) + timedelta(hours=hours)
    other = compose(
        letter.bundle, sender=letter.sender, recipient=stand_in, request=Request(), at=then
    )
    assert refused(other, pinned, signer, engine) == "SEAL-DATE"


def test_a_signature_over_other_bytes_is_refused(letter, pinned, signer, engine):
    def other(real, entity, who):
        return real.sign(entity.replace(b"Hello", b"Hullo", 1), signer=who)

    assert refused(letter, pinned, signer, Tampering(engine, on_sign=other)) == "SEAL-SIGNED-OTHER"


def test_a_weak_hash_is_refused(letter, pinned, signer, engine, sender):
    def weak(real, entity, who):
        return gpg_in(sender, "--digest-algo", "SHA1", "--set-filename", "", "--sign", stdin=entity)

    assert refused(letter, pinned, signer, Tampering(engine, on_sign=weak)) == "SEAL-SIGNATURE-WEAK"


def test_a_file_name_in_the_signed_data_is_refused(letter, pinned, signer, engine, sender):
    def named(real, entity, who):
        return gpg_in(
            sender,
            "--digest-algo",
            "SHA512",
            "--set-filename",
            "secret.pem",
            "--sign",
            stdin=entity,
        )

    assert refused(letter, pinned, signer, Tampering(engine, on_sign=named)) == "SEAL-FILE-NAME"


def test_text_mode_is_refused(letter, pinned, signer, engine, sender):
    def text(real, entity, who):
        return gpg_in(sender, "--digest-algo", "SHA512", "--textmode", "--sign", stdin=entity)

    code = refused(letter, pinned, signer, Tampering(engine, on_sign=text))
    assert code in {"SEAL-SIGNED-OTHER", "SEAL-FILE-NAME", "SEAL-MALFORMED"}


def test_a_damaged_signature_is_refused_by_verification(letter, pinned, signer, engine):
    def damaged(real, entity, who):
        good = real.sign(entity, signer=who)
        return good[:-1] + bytes([good[-1] ^ 1])

    assert (
        refused(letter, pinned, signer, Tampering(engine, on_sign=damaged)) == "SEAL-SIGNATURE-BAD"
    )


def test_a_verification_that_names_another_key_is_refused(letter, pinned, signer, engine, stranger):
    def other(real, signed, who):
        return stranger.fingerprint

    assert refused(letter, pinned, signer, Tampering(engine, on_verify=other)) == "SEAL-SIGNER"


def test_what_is_not_encrypted_is_refused(letter, pinned, signer, engine):
    def plain(real, signed, to, also):
        return signed

    assert (
        refused(letter, pinned, signer, Tampering(engine, on_encrypt=plain)) == "SEAL-NOT-ENCRYPTED"
    )


def encrypting(receiver, *args):
    def encrypt(real, signed, to, also):
        return gpg_in(
            receiver, "--no-literal", "--trust-model", "always", *args, "--encrypt", stdin=signed
        )

    return encrypt


def test_a_second_recipient_is_refused(gpg, letter, pinned, signer, engine, receiver, stranger):
    from tests.conftest import exported

    run(
        gpg,
        "--import",
        home=receiver.home,
        stdin=exported(gpg, stranger),
        env=os.environ,
        timeout_s=60,
    )
    also = encrypting(receiver, "-r", receiver.fingerprint.text, "-r", stranger.fingerprint.text)
    assert refused(letter, pinned, signer, Tampering(engine, on_encrypt=also)) == "SEAL-RECIPIENT"


def test_another_recipient_is_refused(gpg, letter, pinned, signer, engine, receiver, stranger):
    from tests.conftest import exported

    run(
        gpg,
        "--import",
        home=receiver.home,
        stdin=exported(gpg, stranger),
        env=os.environ,
        timeout_s=60,
    )
    other = encrypting(receiver, "-r", stranger.fingerprint.text)
    assert refused(letter, pinned, signer, Tampering(engine, on_encrypt=other)) == "SEAL-RECIPIENT"


def test_a_hidden_recipient_is_refused(letter, pinned, signer, engine, receiver):
    hidden = encrypting(receiver, "-R", receiver.fingerprint.text)
    assert (
        refused(letter, pinned, signer, Tampering(engine, on_encrypt=hidden))
        == "SEAL-HIDDEN-RECIPIENT"
    )


def test_a_password_packet_is_refused(letter, pinned, signer, engine, receiver):
    def with_password(real, signed, to, also):
        return run(
            find(), "--pinentry-mode", "loopback", "--passphrase", "x", "-z", "0", "--no-literal",
            "--trust-model", "always", "-r", receiver.fingerprint.text, "--symmetric", "--encrypt",
            "--output", "-", home=receiver.home, stdin=signed, env=os.environ, timeout_s=60,
        ).stdout  # fmt: skip

    assert (
        refused(letter, pinned, signer, Tampering(engine, on_encrypt=with_password))
        == "SEAL-PASSWORD-PACKET"
    )


def test_bytes_behind_the_message_are_refused(letter, pinned, signer, engine):
    def trailing(real, signed, to, also):
        # A marker packet: harmless to readers, and not ours.
        return real.encrypt(signed, to=to, also=also) + b"\xca\x03PGP"

    assert (
        refused(letter, pinned, signer, Tampering(engine, on_encrypt=trailing)) == "SEAL-TRAILING"
    )


def test_the_aead_packet_that_few_can_read_is_refused(letter, pinned, signer, engine):
    def aead(real, signed, to, also):
        packets = real.encrypt(signed, to=to, also=also)
        [_, sealed] = split(packets)
        # Packet 18 becomes packet 20: new-format tag octets 0xD2 and 0xD4.
        assert packets[sealed.offset] == 0xD2
        return packets[: sealed.offset] + b"\xd4" + packets[sealed.offset + 1 :]

    assert refused(letter, pinned, signer, Tampering(engine, on_encrypt=aead)) == "SEAL-AEAD-PACKET"


# --- forgeries ----------------------------------------------------------------------------------


def test_nobody_but_the_seal_vouches_for_a_signature(sealed):
    facts = sealed.signature
    with pytest.raises(TypeError):
        Signature(facts.signer, facts.key, facts.hash_name, facts.created, witness=object())
    # Python 3.13 says TypeError, and ValueError before it.
    with pytest.raises((TypeError, ValueError)):
        replace(facts, hash_name="SHA-256")


def test_nobody_but_compose_makes_a_letter(letter):
    fields = {f.name: getattr(letter, f.name) for f in dataclasses.fields(letter)}
    with pytest.raises(TypeError):
        Letter(**fields, witness=None)


def test_replacing_a_part_proves_the_message_again(sealed):
    for change in (
        {"packets": b"plain"},
        {"boundary": "shop.example"},
        {"signature": "good"},
        {"outer": replace(sealed.outer, recipient=Address("x@y.example"))},
        {"outer": replace(sealed.outer, subject="shop.example")},
        {"outer": replace(sealed.outer, message_id="<shop.example@x>")},
        {"outer": replace(sealed.outer, date="shop.example")},
    ):
        with pytest.raises(SealError):
            replace(sealed, **change)


def test_a_part_written_behind_the_back_is_found_at_the_door(sealed):
    forged = copy.copy(sealed)
    object.__setattr__(forged, "packets", b"plain")
    with pytest.raises(SealError):
        forged.prove()


def test_a_recorded_signature_with_a_weak_hash_is_refused(sealed):
    facts = sealed.signature
    with pytest.raises(SealError) as refusal:
        recall(signer=facts.signer, key=facts.key, hash_name="SHA-1", created=facts.created)
    assert refusal.value.code == "SEAL-SIGNATURE-WEAK"


def test_no_representation_shows_the_plaintext(letter, sealed, bundle_pem):
    shown = repr(letter) + repr(sealed) + str(letter)
    assert [
        line for line in bundle_pem.decode().splitlines() if len(line) > 20 and line in shown
    ] == []
    assert "repla" not in shown.lower()


def test_a_sealed_message_is_frozen(sealed):
    with pytest.raises(dataclasses.FrozenInstanceError):
        sealed.packets = b""
