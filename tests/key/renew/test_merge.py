"""The law of merging: nothing known is lost, nothing the key did not sign is gained."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certmail.errors import CertmailError
from certmail.key.framing import Tag
from certmail.key.packets import read_key_block
from certmail.key.renew.reading import read_copy
from certmail.key.renew.statements import KnownKey, merge, vouch
from certmail.key.selfsig import Verdict, verify
from tests.key.conftest import recipient_of
from tests.key.forge import DAY, MADE, Forge, hashed, subpacket
from tests.key.renew.copies import framed, pieces, revocation_certificate, revoke_subkey, without
from tests.key.total import refusal_of

REVOCATIONS = {0x20, 0x28, 0x30}


def world() -> tuple[Forge, list[bytes]]:
    """Copies of one key as honest, lagging and hostile sources hold them."""
    forge, stranger = Forge(), Forge()
    subkey = forge.subkey()
    body = hashed(pieces(subkey)[0][1])
    name = b"Recipient <to@example.org>"
    on_name = b"\xb4" + len(name).to_bytes(4, "big") + name
    end = subpacket(9, (900 * 86400).to_bytes(4, "big"))
    base = forge.primary() + forge.user_id() + subkey
    claim = subpacket(16, bytes.fromhex(forge.fingerprint[-16:]))
    false = stranger.sign(0x20, unhashed=claim)
    prolonged = forge.user_id(more=end, at=MADE + DAY)
    gone = forge.sign(0x30, on_name, at=MADE + 2 * DAY)
    copies = [
        base,
        forge.primary() + prolonged + subkey,
        forge.primary() + forge.sign(0x20, at=MADE + 3 * DAY) + forge.user_id() + subkey,
        base + forge.sign(0x28, body, at=MADE + DAY),
        forge.primary() + forge.user_id() + gone,
        forge.primary() + subkey,
        forge.primary() + false + forge.user_id() + stranger.subkey(),
        base + stranger.subkey() + stranger.user_id()[:0],
        forge.primary() + stranger.user_id() + subkey + forge.subkey(created=MADE + DAY),
        stranger.block() + base,
        forge.primary(),
        forge.primary() + forge.sign(0x1F, more=end, at=MADE + DAY),
    ]
    return forge, copies


FORGE, COPIES = world()
WHOM = recipient_of(FORGE.fingerprint)


def signed(packets: bytes) -> set[bytes]:
    """List what the key signed in a copy, by the strict reader and verifier alone."""
    block = read_key_block(packets)
    return {v.signature.signed_part for v in verify(block).every() if v.verdict is Verdict.GOOD}


def revocations(known: KnownKey) -> set[bytes]:
    return {s.signature.signed_part for s in known.statements if s.signature.type in REVOCATIONS}


def own_keys_only(copy: bytes) -> bytes:
    """Cut a copy down to the first key, for the strict reader."""
    parts = pieces(copy)
    starts = [i for i, (tag, _) in enumerate(parts) if tag == Tag.PUBLIC_KEY]
    if len(starts) > 1:
        return framed(parts[starts[1] :])
    return copy


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(COPIES), min_size=1), st.randoms())
def test_no_order_and_no_subset_loses_a_revocation_or_gains_a_strangers_packet(chosen, random):
    each = [read_copy(copy, recipient=WHOM).known for copy in chosen]
    merged = merge(*each)
    random.shuffle(each)
    assert merge(*each) == merged
    packets = merged.packets()
    block = read_key_block(packets)
    verdicts = verify(block).every()
    assert {v.verdict for v in verdicts} <= {Verdict.GOOD}
    assert all(v.signature.claims(block.fingerprint) for v in verdicts)
    assert all(uid.signatures for uid in block.user_ids)
    assert all(sub.signatures for sub in block.subkeys)
    expected = set().union(*(signed(own_keys_only(copy)) for copy in chosen))
    assert {v.signature.signed_part for v in verdicts} == expected
    assert revocations(merged) == set().union(*(revocations(one) for one in each))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(COPIES), min_size=1, max_size=4))
def test_writing_and_reading_again_changes_nothing(chosen):
    merged = merge(*(read_copy(copy, recipient=WHOM).known for copy in chosen))
    again = read_copy(merged.packets(), recipient=WHOM)
    assert (again.known, again.ignored) == (merged, ())
    assert again.known.packets() == merged.packets()


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_damaged_copy_never_adds_what_the_key_did_not_sign(data):
    """Any octet changed, any end cut off: the result is a part of what was signed, or a refusal."""
    copy = data.draw(st.sampled_from(COPIES))
    at = data.draw(st.integers(0, len(copy) - 1))
    changed = copy[:at] + bytes([copy[at] ^ data.draw(st.integers(1, 255))]) + copy[at + 1 :]
    allowed = set().union(*(signed(own_keys_only(one)) for one in COPIES))
    for damaged in (changed, copy[:at]):
        try:
            known = read_copy(damaged, recipient=WHOM).known
        except CertmailError as refusal:
            assert refusal.what.isprintable()  # noqa: PT017 - either end of the walk is right
        else:
            assert {s.signature.signed_part for s in known.statements} <= allowed


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=400))
def test_any_octets_are_a_copy_or_a_refusal(data):
    refusal_of(read_copy, data, recipient=WHOM)
    refusal_of(read_copy, b"\xc6" + data, recipient=WHOM)
    refusal_of(
        read_copy,
        b"<html>-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
        + data
        + b"\n-----END PGP PUBLIC KEY BLOCK-----",
        recipient=WHOM,
    )


def test_keys_of_gnupgs_making_obey_the_law_too(smith, judged):
    """Renewal, subkey revocation, key revocation and a stripped copy, in every order."""
    primary = smith.primary(expire="30d")
    smith.subkey(primary)
    whom = recipient_of(primary)
    first = smith.export(primary)
    smith.gpg("--quick-set-expire", primary, "5y", at=MADE + DAY)
    renewed = smith.export(primary)
    smith.subkey(primary, at=MADE + DAY)
    revoke_subkey(smith, primary, 1)
    subkey_gone = smith.export(primary)
    certificate = revocation_certificate(smith, primary, 1)
    smith.gpg("--import", stdin=certificate)
    gone = smith.export(primary)
    stripped = without(gone, tag=Tag.SIGNATURE, types=REVOCATIONS)
    copies = [first, renewed, subkey_gone, gone, stripped]
    results = {
        merge(*(read_copy(c, recipient=whom).known for c in order)).packets()
        for order in permutations(copies)
    }
    [result] = results
    assert judged(result, recipient=whom).refused.code == "KEY-REVOKED"
    assert {s.signature.type for s in read_copy(result, recipient=whom).known.revocations} == {
        0x20,
        0x28,
    }


def test_statements_of_two_keys_are_never_united():
    other = Forge()
    mine = read_copy(FORGE.block(), recipient=WHOM).known
    theirs = read_copy(other.block(), recipient=recipient_of(other.fingerprint)).known
    with pytest.raises(TypeError):
        merge(mine, theirs)


def test_nobody_else_makes_a_known_key():
    mine = read_copy(FORGE.block(), recipient=WHOM).known
    with pytest.raises(TypeError):
        KnownKey(mine.primary, mine.statements, object())
    nothing, verdicts = vouch(mine.primary, ())
    assert (nothing.statements, verdicts) == ((), ())
