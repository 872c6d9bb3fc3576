"""Only the pinned key, whole, alive, able to encrypt, and read alike by both witnesses."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from certmail.errors import KeyRefused
from certmail.gnupg.report import report
from certmail.key import pin
from certmail.key.choose import decide
from certmail.key.framing import split
from certmail.key.packets import read_key_block
from certmail.key.pin import PinnedKey, Usability
from certmail.key.refusals import mismatch
from certmail.key.selfsig import verify
from certmail.key.standing import assess
from certmail.key.witness import GpgVerdict
from certmail.values import Fingerprint
from tests.key.conftest import recipient_of
from tests.key.forge import DAY, MADE, Forge, subpacket
from tests.key.smith import LATER

if TYPE_CHECKING:
    from tests.key.smith import Smith

YEAR = timedelta(days=366)


def code_of(report: pin.KeyReport) -> str:
    assert report.pinned is None
    assert report.refused is not None
    for text in (report.refused.what, report.refused.why, report.refused.next):
        assert text.isprintable()
    return report.refused.code


# What holds


@pytest.mark.parametrize("name", ["good", "rsa"])
def test_a_good_key_is_pinned_and_usable(judged, request, smith: Smith, name):
    packets = request.getfixturevalue(name)
    found = judged(packets)
    pinned = found.pinned
    assert (found.refused, found.unusable) == (None, None)
    assert pinned.usability is Usability.TODAY
    assert pinned.fingerprint == read_key_block(packets).fingerprint
    assert pinned.encryption_subkey == read_key_block(packets).subkeys[0].key.fingerprint
    assert pinned.user_id == "Recipient <to@example.org>"
    assert pinned.created == MADE
    assert {row.gnupg for row in found.signatures} == {GpgVerdict.GOOD}
    pin.require_usable(pinned)


def test_pin_gives_what_judge_finds(good, gpg):
    block = read_key_block(good)
    word = report(gpg, good, env=os.environ, at=LATER)
    whom = recipient_of(block.fingerprint.text)
    pinned = pin.pin(block, verify(block), word, recipient=whom, at=LATER, source="x")
    assert pinned == pin.identify(block, verify(block), word, recipient=whom, at=LATER, source="x")


def test_no_key_that_has_expired_is_pinned_for_a_send(smith: Smith, gpg):
    """A preview may show it; `pin` and `require_usable_at` are what a send asks."""
    primary = smith.primary(expire="10d")
    smith.subkey(primary)
    packets = smith.export(primary)
    block = read_key_block(packets)
    word = report(gpg, packets, env=os.environ, at=LATER)
    options = {"recipient": recipient_of(primary), "at": LATER, "source": "x"}
    expired = pin.identify(block, verify(block), word, **options)
    for ask in (
        lambda: pin.pin(block, verify(block), word, **options),
        lambda: pin.require_usable(expired),
        # Time does not run backwards for a key that had ended when it was judged.
        lambda: pin.require_usable_at(expired, at=MADE),
    ):
        with pytest.raises(KeyRefused) as caught:
            ask()
        assert caught.value.code == "KEY-EXPIRED"


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("primary_days", "subkey_days", "code"),
    [
        ("40d", "0", "KEY-EXPIRED"),
        ("0", "40d", "KEY-SUBKEY-EXPIRED"),
        ("40d", "40d", "KEY-EXPIRED"),
    ],
)
def test_a_key_that_ends_between_the_judgement_and_the_send_is_refused(
    judged, smith: Smith, primary_days, subkey_days, code
):
    """A question or a passphrase may take hours; the last second of its life still counts."""
    primary = smith.primary(expire=primary_days)
    smith.subkey(primary, expire=subkey_days)
    pinned = judged(smith.export(primary)).pinned
    end = pinned.expires or pinned.subkey_expires
    pin.require_usable_at(pinned, at=end - SECOND)
    pin.require_usable_at(pinned, at=end)
    with pytest.raises(KeyRefused) as caught:
        pin.require_usable_at(pinned, at=end + SECOND)
    assert caught.value.code == code


def test_a_key_without_an_end_is_usable_at_any_time(judged, good):
    pin.require_usable_at(judged(good).pinned, at=LATER + 100 * YEAR)


def test_the_last_second_of_a_key_is_judged_as_part_of_its_life(judged, smith: Smith):
    primary = smith.primary(expire="40d")
    smith.subkey(primary, expire="20d")
    packets = smith.export(primary)
    ends = judged(packets).pinned
    assert judged(packets, at=ends.subkey_expires).unusable is None
    assert judged(packets, at=ends.subkey_expires + SECOND).unusable.code == "KEY-SUBKEY-EXPIRED"
    assert judged(packets, at=ends.expires).unusable.code == "KEY-SUBKEY-EXPIRED"
    assert judged(packets, at=ends.expires + SECOND).unusable.code == "KEY-EXPIRED"


def test_a_report_of_a_refused_key_gives_no_pinned_one(judged, good):
    found = judged(good, recipient=recipient_of("0" * 40))
    with pytest.raises(KeyRefused) as caught:
        found.require_pinned()
    assert caught.value.code == "PIN-MISMATCH"
    with pytest.raises(TypeError):
        replace(found, refused=None).require_pinned()


def test_the_packets_of_a_pinned_key_are_not_shown(judged, good):
    assert "packets" not in repr(judged(good).pinned)


def test_nobody_else_can_vouch_for_a_key(judged, good):
    pinned = judged(good).pinned
    with pytest.raises((TypeError, ValueError)):
        replace(pinned, usability=Usability.TODAY)
    with pytest.raises(TypeError):
        PinnedKey(*[None] * 17)


def test_the_extracted_packets_are_the_same_key_to_both_witnesses(judged, smith: Smith):
    """The block handed to GnuPG for encrypting holds what was proved, and nothing else."""
    primary, friend = smith.pair(), smith.primary("Friend <friend@example.net>")
    smith.gpg("--quick-add-uid", primary, "Other <other@example.org>")
    smith.gpg("--quick-add-key", primary, "ed25519", "sign", "0")
    smith.gpg("--local-user", friend, "--quick-sign-key", primary)
    first = judged(smith.export(primary)).pinned
    again = judged(first.packets)
    assert again.pinned == replace_source(first, again.pinned)
    block = read_key_block(first.packets)
    assert [sub.key.fingerprint for sub in block.subkeys] == [first.encryption_subkey]
    assert {len(uid.signatures) for uid in block.user_ids} == {1}


def replace_source(expected: PinnedKey, found: PinnedKey) -> PinnedKey:
    assert expected.packets == found.packets
    return found


def test_the_newest_live_subkey_is_chosen(judged, smith: Smith):
    primary = smith.primary()
    smith.subkey(primary, at=MADE)
    newest = smith.subkey(primary, at=MADE + 2 * DAY)
    smith.subkey(primary, at=MADE + DAY)
    smith.subkey(primary, at=MADE + 3 * DAY, expire="5d")
    assert judged(smith.export(primary)).pinned.encryption_subkey.text == newest


def test_a_prolonged_key_is_usable_again(judged, smith: Smith):
    """RFC 9580 §5.2.3.13: the newest self-signature sets the end."""
    primary = smith.primary(expire="10d")
    smith.subkey(primary)
    assert judged(smith.export(primary)).unusable.code == "KEY-EXPIRED"
    smith.gpg("--quick-set-expire", primary, "5y", at=MADE + DAY)
    found = judged(smith.export(primary))
    assert found.pinned.usability is Usability.TODAY
    assert found.expires > LATER + YEAR


# Another key


def test_another_key_is_refused(judged, good, smith: Smith):
    found = judged(good, recipient=recipient_of(smith.pair()))
    assert code_of(found) == "PIN-MISMATCH"
    assert found.fingerprint.grouped() in found.refused.why


@pytest.mark.parametrize(
    ("pin_from", "words"),
    [
        (lambda text: "F" * 24 + text[24:], "same 64-bit key ID"),
        (lambda text: ("1" if text[0] == "0" else "0") + text[1:], ""),
        (lambda text: text[:-1] + ("1" if text[-1] == "0" else "0"), "differs in 1 digit"),
        (lambda text: text[:-2] + ("11" if "1" not in text[-2:] else "22"), "differs in 2 digits"),
    ],
)
def test_a_near_miss_has_words_of_its_own(pin_from, words):
    text = "03943517934C1FA5ED4E2F61218B86BD5278460F"
    refusal = mismatch(Fingerprint(text), recipient_of(pin_from(text)))
    assert refusal.code == "PIN-MISMATCH"
    assert words in refusal.why


# Time


def test_an_expired_key_is_identified_and_not_usable(judged, smith: Smith):
    primary = smith.primary(expire="10d")
    smith.subkey(primary)
    found = judged(smith.export(primary))
    assert found.refused is None
    assert found.pinned.usability is Usability.EXPIRED
    with pytest.raises(KeyRefused) as caught:
        pin.require_usable(found.pinned)
    assert caught.value.code == "KEY-EXPIRED"
    assert "2026-06-11" in caught.value.what
    assert "--key-file" in caught.value.next


@pytest.mark.parametrize(
    ("seconds", "usability"),
    [(-1, Usability.TODAY), (0, Usability.TODAY), (0.9, Usability.TODAY), (1, Usability.EXPIRED)],
)
def test_a_key_ends_with_the_second_it_names(judged, smith: Smith, seconds, usability):
    """Both witnesses agree on the very second, and on parts of one."""
    primary = smith.primary(expire="10d")
    smith.subkey(primary)
    at = MADE + 10 * DAY + timedelta(seconds=seconds)
    assert judged(smith.export(primary), at=at).pinned.usability is usability


def test_an_expired_subkey_is_told_from_an_expired_key(judged, smith: Smith):
    primary = smith.primary()
    smith.subkey(primary, expire="10d")
    last = smith.subkey(primary, expire="20d")
    found = judged(smith.export(primary))
    assert found.unusable.code == "KEY-SUBKEY-EXPIRED"
    assert found.pinned.encryption_subkey.text == last


def test_a_key_from_the_future_is_a_wrong_clock(judged, good):
    assert code_of(judged(good, at=MADE - DAY)) == "KEY-FROM-FUTURE"


def test_self_signatures_from_the_future_are_a_wrong_clock(judged):
    forge = Forge()
    later = MADE + 90 * DAY
    binding = forge.primary() + forge.user_id() + forge.subkey(at=later)
    assert code_of(judged(binding)) == "KEY-FROM-FUTURE"
    certification = forge.primary() + forge.user_id(at=later) + forge.subkey()
    assert code_of(judged(certification)) == "KEY-FROM-FUTURE"


def test_a_signature_that_has_itself_expired_does_not_count(judged):
    """RFC 9580 §5.2.3.18."""
    forge = Forge()
    brief = subpacket(3, (86400).to_bytes(4, "big"))
    packets = forge.primary() + forge.user_id(more=brief) + forge.subkey()
    assert code_of(judged(packets)) == "KEY-NO-ADDRESS"


def test_the_direct_signature_sets_the_end_of_the_key(judged):
    """RFC 9580 §5.2.3.10: a direct-key signature speaks for the key as a whole."""
    forge = Forge()
    end = subpacket(9, (40 * 86400).to_bytes(4, "big"))
    packets = forge.primary() + forge.sign(0x1F, more=end) + forge.user_id() + forge.subkey()
    found = judged(packets)
    assert found.expires == MADE + 40 * DAY
    assert judged(found.pinned.packets).expires == found.expires


def test_of_several_user_ids_the_newest_end_counts_for_both_witnesses(judged):
    forge = Forge()
    end = [subpacket(9, (days * 86400).to_bytes(4, "big")) for days in (100, 50, 10)]
    packets = (
        forge.primary()
        + forge.user_id("A <a@example.org>", more=end[0], at=MADE + DAY)
        + forge.user_id("Recipient <to@example.org>", more=end[1], at=MADE + 3 * DAY)
        + forge.user_id("B <b@example.org>", more=end[2], at=MADE + 2 * DAY)
        + forge.user_id("C <c@example.org>", at=MADE + 4 * DAY)
        + forge.subkey()
    )
    found = judged(packets)
    assert found.refused is None
    assert found.expires == MADE + 50 * DAY


# Taken back


def test_a_revoked_key_is_refused(judged, smith: Smith):
    primary = smith.pair()
    revoke(smith, primary)
    found = judged(smith.export(primary))
    assert code_of(found) == "KEY-REVOKED"
    assert found.revoked


def revoke(smith: Smith, primary: str) -> None:
    certificate = (smith.home / "openpgp-revocs.d" / f"{primary}.rev").read_bytes()
    smith.gpg("--import", stdin=certificate.replace(b":-----BEGIN", b"-----BEGIN"))


def test_a_revocation_is_believed_whenever_and_however_it_was_made(judged):
    """A hash that is weak today, or a date to come, does not make a revoked key good."""
    forge = Forge()
    for options in ({"digest": 2}, {"at": MADE + 400 * DAY}):
        packets = forge.primary() + forge.sign(0x20, **options)
        packets += forge.user_id() + forge.subkey()
        assert code_of(judged(packets)) == "KEY-REVOKED"


def test_a_revoked_subkey_is_refused(judged, smith: Smith):
    primary = smith.pair()
    revoke_subkey(smith, primary)
    found = judged(smith.export(primary))
    assert code_of(found) == "KEY-SUBKEY-REVOKED"


def revoke_subkey(smith: Smith, primary: str) -> None:
    answers = b"key 1\nrevkey\ny\n0\n\ny\nsave\n"
    smith.gpg("--command-fd", "0", "--edit-key", primary, stdin=answers, at=MADE + DAY)


def test_a_revoked_subkey_gives_way_to_a_live_one(judged, smith: Smith):
    primary = smith.pair()
    revoke_subkey(smith, primary)
    live = smith.subkey(primary)
    assert judged(smith.export(primary)).pinned.encryption_subkey.text == live


def test_a_binding_made_after_its_revocation_does_not_restore_a_subkey(judged):
    forge = Forge()
    subkey = forge.subkey()
    body = read_key_block(forge.primary() + subkey).subkeys[0].key.hashed()
    flags = subpacket(27, b"\x0c")
    packets = forge.primary() + forge.user_id() + subkey + forge.sign(0x28, body, at=MADE + DAY)
    packets += forge.sign(0x18, body, more=flags, at=MADE + 2 * DAY)
    assert code_of(judged(packets)) == "KEY-SUBKEY-REVOKED"


def test_a_revoked_user_id_does_not_speak_for_the_mailbox(judged, smith: Smith):
    primary = smith.pair()
    smith.gpg("--quick-add-uid", primary, "Other <other@example.org>")
    smith.gpg("--quick-revoke-uid", primary, "Recipient <to@example.org>", at=MADE + DAY)
    assert code_of(judged(smith.export(primary))) == "KEY-NO-ADDRESS"


# What is missing


def test_a_key_for_another_mailbox_is_refused(judged, good):
    whom = recipient_of(read_key_block(good).fingerprint.text, address="ssl@example.org")
    assert code_of(judged(good, recipient=whom)) == "KEY-NO-ADDRESS"


@pytest.mark.parametrize("text", ["TO@example.org", "x <to@example.org> <to@example.org>"])
def test_a_user_id_that_only_looks_like_the_mailbox_is_not_it(judged, text):
    forge = Forge()
    packets = forge.primary() + forge.user_id(text) + forge.subkey()
    assert code_of(judged(packets)) == "KEY-NO-ADDRESS"


def test_a_user_id_added_by_somebody_else_is_not_the_keys(judged, good):
    """Anybody can append a user ID; only a signature of the key makes it one."""
    forge, stranger = Forge(), Forge()
    packets = forge.primary() + forge.user_id("Mine <me@example.net>")
    packets += stranger.user_id("Recipient <to@example.org>") + forge.subkey()
    assert code_of(judged(packets)) == "KEY-NO-ADDRESS"


def test_a_key_without_user_ids_is_refused(judged):
    """Some key servers strip them."""
    forge = Forge()
    assert code_of(judged(forge.primary() + forge.subkey())) == "KEY-NO-ADDRESS"


def test_a_key_that_cannot_encrypt_is_refused(judged, smith: Smith):
    primary = smith.primary()
    assert code_of(judged(smith.export(primary))) == "KEY-NO-ENCRYPTION"
    smith.gpg("--quick-add-key", primary, "ed25519", "sign", "0")
    assert code_of(judged(smith.export(primary))) == "KEY-NO-ENCRYPTION"


def test_a_subkey_that_nobody_bound_is_not_the_keys(judged):
    """The classic attack: an attacker's subkey appended to the genuine key."""
    forge, stranger = Forge(), Forge()
    packets = forge.primary() + forge.user_id() + stranger.subkey()
    assert code_of(judged(packets)) == "KEY-NO-ENCRYPTION"


def test_a_subkey_that_claims_to_be_bound_and_is_not_is_refused(judged):
    forge, stranger = Forge(), Forge()
    claim = subpacket(16, bytes.fromhex(forge.fingerprint[-16:]))
    packets = forge.block() + stranger.subkey(unhashed=claim)
    assert code_of(judged(packets)) == "KEY-SELFSIG-BAD"


def test_an_unknown_critical_statement_of_the_key_is_not_passed_over(judged):
    forge = Forge()
    odd = forge.sign(0x1F, more=subpacket(99, b"", critical=0x80))
    packets = forge.primary() + odd + forge.user_id() + forge.subkey()
    assert code_of(judged(packets)) == "KEY-SELFSIG-BAD"


@pytest.mark.parametrize("digest", [1, 2])
def test_a_key_that_vouches_with_a_weak_hash_only_is_refused(judged, digest):
    """RFC 9580 §9.5."""
    forge = Forge()
    packets = forge.primary() + forge.user_id(digest=digest) + forge.subkey()
    assert code_of(judged(packets)) == "KEY-SELFSIG-WEAK"
    packets = forge.primary() + forge.user_id() + forge.subkey(digest=digest)
    assert code_of(judged(packets)) == "KEY-SELFSIG-WEAK"


# Two witnesses


def test_a_key_that_gnupg_does_not_take_is_refused(good, gpg):
    block = read_key_block(good)
    word = replace(report(gpg, good, env=os.environ, at=LATER), primary=None)
    assert code_of(judge_with(block, word)) == "WITNESSES-DISAGREE"


def judge_with(block, word) -> pin.KeyReport:
    whom = recipient_of(block.fingerprint.text)
    return pin.judge(block, verify(block), word, recipient=whom, at=LATER, source="x")


PRIMARY_LIES = {
    "another fingerprint": {"fingerprint": Fingerprint("0" * 40)},
    "another end": {"expires": LATER + YEAR},
    "another creation": {"created": MADE + DAY},
    "another algorithm": {"algorithm": 1},
    "revoked": {"validity": "r"},
    "disabled": {"validity": "-d"},
    "expired": {"validity": "e"},
}


@pytest.mark.parametrize("lie", PRIMARY_LIES.values(), ids=PRIMARY_LIES)
def test_the_witnesses_must_agree_on_the_primary_key(good, gpg, lie):
    word = report(gpg, good, env=os.environ, at=LATER)
    word = replace(word, primary=replace(word.primary, **lie))
    assert code_of(judge_with(read_key_block(good), word)) == "WITNESSES-DISAGREE"


SUBKEY_LIES = {
    "another fingerprint": {"fingerprint": Fingerprint("0" * 40)},
    "another end": {"expires": LATER + YEAR},
    "revoked": {"validity": "r"},
    "cannot encrypt": {"capabilities": "s"},
    "no good binding": {"signatures": ()},
}


@pytest.mark.parametrize("lie", SUBKEY_LIES.values(), ids=SUBKEY_LIES)
def test_the_witnesses_must_agree_on_the_subkey(good, gpg, lie):
    word = report(gpg, good, env=os.environ, at=LATER)
    word = replace(word, subkeys=(replace(word.subkeys[0], **lie),))
    assert code_of(judge_with(read_key_block(good), word)) == "WITNESSES-DISAGREE"


def test_a_subkey_or_user_id_that_only_one_witness_sees_is_refused(good, gpg):
    block, word = read_key_block(good), report(gpg, good, env=os.environ, at=LATER)
    extra = replace(word.subkeys[0], fingerprint=Fingerprint("1" * 40))
    for lie in (
        {"subkeys": ()},
        {"subkeys": (*word.subkeys, extra)},
        {"user_ids": ()},
        {"user_ids": (replace(word.user_ids[0], validity="r"),)},
        {"user_ids": (replace(word.user_ids[0], signatures=()),)},
    ):
        assert code_of(judge_with(block, replace(word, **lie))) == "WITNESSES-DISAGREE"


def test_a_bad_verdict_of_gnupg_on_the_deciding_signature_is_enough(good, gpg):
    block, word = read_key_block(good), report(gpg, good, env=os.environ, at=LATER)
    (subkey,) = word.subkeys
    bad = tuple(replace(s, verdict=GpgVerdict.BAD) for s in subkey.signatures)
    word = replace(word, subkeys=(replace(subkey, signatures=bad),))
    assert code_of(judge_with(block, word)) == "WITNESSES-DISAGREE"


# One altered octet


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_no_altered_octet_reaches_a_pinned_key(judged, flip):
    """Whatever octet is altered: refused, or what is handed on are packets of the proved ones.

    An octet outside the hashed areas may make a signature somebody else's: it is left out then.
    """
    forge = Forge()
    packets = forge.primary() + forge.sign(0x1F) + forge.user_id() + forge.subkey()
    whom = recipient_of(forge.fingerprint)
    proved = bodies(judged(packets).pinned.packets)
    for at in range(len(packets)):
        altered = packets[:at] + bytes([packets[at] ^ flip]) + packets[at + 1 :]
        if decides(altered, whom):
            found = judged(altered, recipient=whom)
            assert found.refused is not None or bodies(found.pinned.packets) <= proved


def bodies(packets: bytes) -> set[tuple[int, bytes]]:
    return {(packet.tag, packet.body) for packet in split(packets)}


def test_no_altered_octet_of_an_rsa_key_reaches_a_pinned_key(judged, rsa):
    whom = recipient_of(read_key_block(rsa).fingerprint.text)
    proved = judged(rsa).pinned.packets
    for at in range(len(rsa)):
        altered = rsa[:at] + bytes([rsa[at] ^ 0x10]) + rsa[at + 1 :]
        if decides(altered, whom):
            found = judged(altered, recipient=whom)
            assert found.refused is not None or found.pinned.packets == proved


def decides(packets: bytes, whom) -> bool:
    """Tell whether our own reading alone would let this pass."""
    try:
        block = read_key_block(packets)
        verdicts = verify(block)
        decide(block, verdicts, assess(block, verdicts, at=LATER), whom)
    except KeyRefused:
        return False
    return True


def test_a_key_cut_off_anywhere_is_never_pinned(good):
    whom = recipient_of(read_key_block(good).fingerprint.text)
    assert [at for at in range(len(good)) if decides(good[:at], whom)] == []


# For people


def test_the_report_names_every_part(judged, good):
    found = judged(good, at=datetime(2026, 7, 1, tzinfo=UTC))
    assert found.user_ids == ("Recipient <to@example.org>",)
    assert [(sub.algorithm, sub.encrypts, sub.revoked) for sub in found.subkeys] == [
        ("Curve25519", True, False)
    ]
    assert [(row.on.split()[0], row.says) for row in found.signatures] == [
        ("Recipient", "certification"),
        ("subkey", "subkey binding"),
    ]
