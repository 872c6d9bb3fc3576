"""The library's outbox: a message that was kept is neither lost nor sent twice."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

import certmail
from certmail.rehearsal.reader import open_mail
from tests.library.conftest import now


@pytest.fixture
def outbox(tmp_path):
    return certmail.Outbox(tmp_path / "state", now=now)


def hand_over(outbox, entry, key, post, *, relay=None):
    return outbox.hand_over_sync(entry, key=key, relay=relay or post.relay, secret=post.secret)


def test_a_kept_message_is_handed_over_and_its_receipt_logged(
    outbox, sealing, pinned, post, receiver, gpg, bundle_pem, tmp_path
):
    entry = outbox.keep(sealing, relay=post.relay, label="upload 17")
    assert (entry.state, entry.label) == (certmail.State.PREPARED, "upload 17")
    handed = hand_over(outbox, entry, pinned, post)
    assert handed.outcome is certmail.Outcome.ACCEPTED
    [arrived] = post.mailbox.delivered
    opened = open_mail(arrived.content, home=receiver.home, program=gpg.path, env=os.environ)
    assert opened.attachment == bundle_pem
    assert outbox.find(entry.sha256).state is certmail.State.ACCEPTED
    logged = b"".join(path.read_bytes() for path in (tmp_path / "state" / "log").rglob("*.jsonl"))
    assert entry.record.message_id.encode() in logged


def test_what_no_relay_took_waits_and_goes_later_from_another_object(
    outbox, sealing, pinned, post, nobody, tmp_path
):
    entry = outbox.keep(sealing, relay=nobody)
    handed = hand_over(outbox, entry, pinned, post, relay=nobody)
    assert handed.outcome is certmail.Outcome.NOT_SENT
    assert handed.error.code == "RELAY-UNREACHABLE"

    after_a_restart = certmail.Outbox(tmp_path / "state", now=now)
    [waiting] = after_a_restart.entries(certmail.State.PREPARED, certmail.State.WAITING)
    assert waiting.sha256 == entry.sha256
    assert hand_over(after_a_restart, waiting, pinned, post).outcome is certmail.Outcome.ACCEPTED


def test_the_same_certificate_is_not_sent_twice(outbox, sealing, pinned, post):
    entry = outbox.keep(sealing, relay=post.relay)
    hand_over(outbox, entry, pinned, post)
    with pytest.raises(certmail.UsageError) as caught:
        outbox.keep(sealing, relay=post.relay)
    assert caught.value.code == "OUTBOX-ALREADY-SENT"
    again = hand_over(outbox, entry, pinned, post)
    assert again.outcome is certmail.Outcome.ALREADY
    assert len(post.mailbox.delivered) == 1


def test_threads_that_offer_one_message_at_once_send_it_once(outbox, sealing, pinned, post):
    """Locks on files belong to the process; its threads must be told apart all the same."""
    entry = outbox.keep(sealing, relay=post.relay)
    outcomes, gate = [], threading.Barrier(4)

    def offer():
        gate.wait()
        outcomes.append(hand_over(outbox, entry, pinned, post).outcome)

    threads = [threading.Thread(target=offer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4
    assert outcomes.count(certmail.Outcome.ACCEPTED) == len(post.mailbox.delivered) == 1


def test_the_awaited_form_does_not_stop_the_loop(outbox, sealing, pinned, post):
    async def main():
        entry = outbox.keep(sealing, relay=post.relay)
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        handed = await outbox.hand_over(entry, key=pinned, relay=post.relay, secret=post.secret)
        ticking.cancel()
        return handed, ticks

    handed, ticks = asyncio.run(main())
    assert handed.outcome is certmail.Outcome.ACCEPTED
    assert ticks > 3


def test_the_blocking_form_refuses_to_stop_a_loop(outbox, sealing, pinned, post):
    entry = outbox.keep(sealing, relay=post.relay)

    async def main():
        hand_over(outbox, entry, pinned, post)

    with pytest.raises(certmail.UsageError) as caught:
        asyncio.run(main())
    assert caught.value.code == "LOOP-RUNNING"


def test_an_expired_key_is_refused_before_anything_is_offered(outbox, sealing, engine, at, post):
    entry = outbox.keep(sealing, relay=post.relay)
    expired = certmail.pin(certmail.shipped_key(), gnupg=engine, at=at)
    with pytest.raises(certmail.KeyRefused):
        hand_over(outbox, entry, expired, post)
    assert post.mailbox.sessions == 0
    assert outbox.find(entry.sha256).state is certmail.State.PREPARED


def test_a_dropped_message_is_gone_from_the_disk(outbox, sealing, post, tmp_path):
    entry = outbox.keep(sealing, relay=post.relay)
    outbox.drop(entry)
    assert outbox.entries() == ()
    assert outbox.find(entry.sha256).state is certmail.State.DROPPED


def test_no_octet_of_the_bundle_is_in_the_folder(
    outbox, sealing, pinned, post, bundle_pem, tmp_path
):
    entry = outbox.keep(sealing, relay=post.relay)
    hand_over(outbox, entry, pinned, post)
    kept = b"".join(p.read_bytes() for p in (tmp_path / "state").rglob("*") if p.is_file())
    assert entry.record.message_id.encode() in kept
    assert [line for line in bundle_pem.splitlines() if len(line) > 30 and line in kept] == []
