"""The walk by the public names alone, and what it refuses."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import signal
import threading
from datetime import timedelta

import pytest

import certmail
from certmail.key.pin import PinnedKey
from certmail.rehearsal.reader import open_mail
from tests.cli.conftest import RENEWED
from tests.conftest import SENDER
from tests.library.conftest import now


def deliver(sealed, post, **more):
    return certmail.deliver_sync(sealed, relay=post.relay, secret=post.secret, now=now, **more)


# From octets to a receipt


def test_a_bundle_arrives_byte_for_byte_and_signed(
    sealing, post, receiver, sender, gpg, bundle_pem
):
    receipt = deliver(sealing.sealed, post)
    [arrived] = post.mailbox.delivered
    opened = open_mail(arrived.content, home=receiver.home, program=gpg.path, env=os.environ)
    assert opened.attachment == bundle_pem
    assert opened.signed_by == sender.fingerprint.text
    assert (receipt.message_id, receipt.sha256) == (
        sealing.sealed.message_id,
        sealing.sealed.sha256,
    )


def test_many_at_once_in_one_loop_share_everything(sealing, post):
    async def main():
        return await asyncio.gather(
            *(
                certmail.deliver(sealing.sealed, relay=post.relay, secret=post.secret, now=now)
                for _ in range(5)
            )
        )

    assert len(asyncio.run(main())) == len(post.mailbox.delivered) == 5


def test_many_threads_check_seal_and_deliver_at_once(bundle_pem, at, pinned, signer, engine, post):
    faults: list[BaseException] = []

    def walk():
        try:
            checked = certmail.require_checked(certmail.check(bundle_pem, at=at))
            sealing = certmail.seal(checked, key=pinned, signer=signer, gnupg=engine)
            deliver(sealing.sealed, post)
        except certmail.CertmailError as fault:
            faults.append(fault)

    threads = [threading.Thread(target=walk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len({mail.content for mail in post.mailbox.delivered}) == 4


def test_the_callers_keys_are_found_in_the_named_home_with_no_environment(sender, engine):
    gnupg = certmail.open_gnupg(home=sender.home, env={"PATH": os.environ["PATH"]})
    signer = certmail.find_signer(gnupg, address=SENDER)
    assert signer.fingerprint == sender.fingerprint
    assert gnupg.pinentry == "error"


def test_gnupg_is_looked_for_on_the_callers_path_alone(tmp_path):
    with pytest.raises(certmail.SealError) as caught:
        certmail.open_gnupg(home=tmp_path, env={"PATH": str(tmp_path)})
    assert caught.value.code == "GPG-MISSING"


def test_the_shipped_key_is_the_pinned_one_and_no_copy_is_forgotten(engine, at):
    key = certmail.pin(certmail.shipped_key(), gnupg=engine, at=at)
    assert key.fingerprint == certmail.CLEVER_CLOUD.pin
    assert key.usability is certmail.Usability.EXPIRED
    if RENEWED.exists():
        united = certmail.pin(certmail.shipped_key(), RENEWED.read_bytes(), gnupg=engine, at=at)
        assert united.usability is certmail.Usability.TODAY


def test_another_key_is_refused(gpg, receiver, engine, at):
    from tests.conftest import exported

    with pytest.raises(certmail.KeyRefused) as caught:
        certmail.pin(exported(gpg, receiver), gnupg=engine, at=at)
    assert caught.value.code == "PIN-MISMATCH"


def test_every_finding_comes_with_the_refusal(bundle_pem, at):
    verdict = certmail.check(bundle_pem.replace(b"\n", b"\r\n"), at=at, domains=("a.example",))
    assert verdict.checked is None
    with pytest.raises(certmail.BundleRefused) as caught:
        certmail.require_checked(verdict)
    assert caught.value.findings == verdict.findings
    assert len(caught.value.findings) > 1


def test_a_preview_shows_both_readers_what_they_will_see(sealing):
    subject = dict(certmail.outside(sealing.sealed).headers)["Subject"]
    assert subject == "[...]"
    assert dict(certmail.inside(sealing.letter).headers)["Subject"] == sealing.letter.subject


# The key's end


def test_an_expired_key_is_refused_by_delivery_unless_its_end_was_accepted(
    bundle_pem, at, signer, engine, post
):
    key = certmail.pin(certmail.shipped_key(), gnupg=engine, at=at)
    checked = certmail.require_checked(certmail.check(bundle_pem, at=at))
    sealing = certmail.seal(checked, key=key, signer=signer, gnupg=engine)
    with pytest.raises(certmail.KeyRefused) as caught:
        deliver(sealing.sealed, post)
    assert (caught.value.code, post.mailbox.sessions) == ("KEY-EXPIRED", 0)

    accepted = certmail.accept_expired(
        key, words=certmail.CLEVER_CLOUD.pin.text, given=certmail.Given.WRITTEN
    )
    told = certmail.seal(checked, key=key, signer=signer, gnupg=engine, accepted=accepted)
    assert "expired" in certmail.inside(told.letter).text
    deliver(told.sealed, post, accepted=accepted)
    assert certmail.outside(told.sealed).readers[0].key_id == "A922D5F4C62664A5"
    assert len(post.mailbox.delivered) == 1


def test_a_key_that_ended_after_it_was_judged_is_refused(sealing, post):
    """The message was sealed while the key was alive, and is delivered too late."""
    ended = dataclasses.replace(sealing.sealed, pinned=_ending(sealing.sealed.pinned))
    with pytest.raises(certmail.KeyRefused) as caught:
        deliver(ended, post)
    assert (caught.value.code, post.mailbox.sessions) == ("KEY-EXPIRED", 0)


def _ending(pinned: PinnedKey) -> PinnedKey:
    from certmail.key import pin

    parts = {f.name: getattr(pinned, f.name) for f in dataclasses.fields(pinned)}
    parts["expires"] = now() - timedelta(days=1)
    return PinnedKey(**parts, witness=pin._WITNESS)


# What a plaintext meets


class LooksSealed(certmail.SealedMessage):
    __slots__ = ()

    def wire(self):
        return b"Subject: key\r\n\r\n-----BEGIN PRIVATE KEY-----\r\n"


def never_built(sealing):
    return object.__new__(certmail.SealedMessage)


def built_by_hand(sealing):
    forged = object.__new__(certmail.SealedMessage)
    parts = {f.name: getattr(sealing.sealed, f.name) for f in dataclasses.fields(sealing.sealed)}
    for name, value in {**parts, "packets": sealing.letter.entity}.items():
        object.__setattr__(forged, name, value)
    return forged


def subclass(sealing):
    parts = {f.name: getattr(sealing.sealed, f.name) for f in dataclasses.fields(sealing.sealed)}
    return LooksSealed(**parts)


def two_faced(sealing):
    """An outer part that proves itself as one thing and renders another."""
    real = sealing.sealed.outer

    class TwoFaced(type(real)):
        __slots__ = ()

        def __eq__(self, other):
            return True

        __hash__ = None

        def fields(self):
            return (*super().fields(), ("X-Key", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"))

    outer = TwoFaced(**{f.name: getattr(real, f.name) for f in dataclasses.fields(real)})
    forged = object.__new__(certmail.SealedMessage)
    parts = {f.name: getattr(sealing.sealed, f.name) for f in dataclasses.fields(sealing.sealed)}
    for name, value in {**parts, "outer": outer}.items():
        object.__setattr__(forged, name, value)
    return forged


PLAINTEXT = {
    "bytes": lambda sealing: sealing.letter.entity,
    "text": lambda sealing: sealing.letter.text,
    "bytearray": lambda sealing: bytearray(sealing.letter.entity),
    "letter": lambda sealing: sealing.letter,
    "checked-bundle": lambda sealing: sealing.letter.bundle,
    "sealing": lambda sealing: sealing,
    "wire-form": lambda sealing: sealing.sealed.wire(),
    "nothing": lambda sealing: None,
    "subclass": subclass,
    "never-built": never_built,
    "built-by-hand": built_by_hand,
    "two-faced": two_faced,
}


@pytest.mark.parametrize("kind", PLAINTEXT)
@pytest.mark.parametrize("manner", ["async", "sync"])
def test_nothing_but_a_sealed_message_is_delivered(kind, manner, sealing, post):
    handed = PLAINTEXT[kind](sealing)
    ways = {
        "sync": lambda **more: certmail.deliver_sync(handed, **more),
        "async": lambda **more: asyncio.run(certmail.deliver(handed, **more)),
    }
    with pytest.raises(certmail.SealError) as caught:
        ways[manner](relay=post.relay, secret=post.secret, now=now)
    assert caught.value.left is certmail.Left.NOTHING
    assert (post.mailbox.sessions, post.mailbox.logins) == (0, 0)
    for line in sealing.letter.bundle.pem.splitlines()[1:-1]:
        assert line.decode() not in str(caught.value)


@pytest.mark.parametrize("kind", PLAINTEXT)
def test_nothing_but_a_sealed_message_is_kept(kind, sealing, post, tmp_path):
    forged = dataclasses.replace(sealing, sealed=PLAINTEXT[kind](sealing))
    outbox = certmail.Outbox(tmp_path / "state", now=now)
    with pytest.raises(certmail.SealError):
        outbox.keep(forged, relay=post.relay)
    assert not (tmp_path / "state").exists()


def test_only_a_checked_bundle_is_sealed(bundle_pem, pinned, signer, engine, post):
    """There is no way around the check: what it makes cannot be made elsewhere."""
    for handed in (bundle_pem, certmail.check(bundle_pem, at=now()), None):
        with pytest.raises((TypeError, AttributeError)):
            certmail.seal(handed, key=pinned, signer=signer, gnupg=engine)
    with pytest.raises(TypeError):
        certmail.CheckedBundle(
            pem=bundle_pem, leaf=None, chain=(), key=None, at=now(), domains=(), witness=None
        )


# What a program may expect of a library


def test_the_blocking_form_refuses_to_stop_a_loop(sealing, post):
    async def main():
        deliver(sealing.sealed, post)

    with pytest.raises(certmail.UsageError) as caught:
        asyncio.run(main())
    assert (caught.value.code, post.mailbox.sessions) == ("LOOP-RUNNING", 0)


def test_no_signal_handler_and_no_logger_of_the_program_is_touched(
    bundle_pem, at, pinned, signer, engine, post, capfd
):
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD]
    mine = lambda *_: None  # noqa: E731
    before = signal.signal(signal.SIGINT, mine)
    try:
        handlers = [signal.getsignal(number) for number in numbers]
        root = logging.getLogger()
        level, attached = root.level, list(root.handlers)
        checked = certmail.require_checked(certmail.check(bundle_pem, at=at))
        sealing = certmail.seal(checked, key=pinned, signer=signer, gnupg=engine)
        seen = []

        class Source:
            kind = certmail.SecretKind.PASSWORD

            def read(self):
                seen.append(signal.getsignal(signal.SIGINT))
                return post.secret

        certmail.deliver_sync(sealing.sealed, relay=post.relay, secret=Source(), now=now)
        assert [signal.getsignal(number) for number in numbers] == handlers
        assert seen == [mine]
        assert (root.level, list(root.handlers)) == (level, attached)
    finally:
        signal.signal(signal.SIGINT, before)
    assert tuple(capfd.readouterr()) == ("", "")


def test_the_clock_is_the_callers(sealing, post):
    then = sealing.letter.bundle.at + timedelta(hours=1)
    receipt = certmail.deliver_sync(
        sealing.sealed, relay=post.relay, secret=post.secret, now=lambda: then
    )
    assert receipt.accepted_at == then


def test_no_password_shows_in_any_value(post):
    for shown in (repr(post.secret), str(post.secret), f"{post.secret}", repr(post)):
        assert "correct-horse" not in shown


def test_a_wrong_password_is_an_error_with_a_code_and_nothing_accepted(sealing, post):
    with pytest.raises(certmail.RelayError) as caught:
        certmail.deliver_sync(
            sealing.sealed, relay=post.relay, secret=certmail.Secret("wrong"), now=now
        )
    assert caught.value.code == "RELAY-AUTH-REFUSED"
    assert post.mailbox.delivered == []
