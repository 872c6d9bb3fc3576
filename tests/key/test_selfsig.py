"""What a key says about itself, verified without GnuPG (RFC 9580 §5.2.4)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from certmail.key.framing import Tag, build
from certmail.key.packets import read_key_block
from certmail.key.selfsig import Verdict, verify
from tests.key.forge import MADE, NO_ISSUER, Forge, subpacket

if TYPE_CHECKING:
    from tests.key.smith import Smith

FORGE = Forge()


def verdicts(packets: bytes) -> list[Verdict]:
    return [found.verdict for found in verify(read_key_block(packets)).every()]


@pytest.mark.parametrize("algorithm", ["rsa2048", "ed25519", "nistp256", "nistp384", "nistp521"])
def test_gnupgs_signatures_are_found_good(smith: Smith, algorithm):
    primary = smith.primary(algorithm=algorithm, expire="1y")
    smith.subkey(primary)
    assert verdicts(smith.export(primary)) == [Verdict.GOOD, Verdict.GOOD]


def test_an_algorithm_that_is_not_verified_here_is_not_called_good(smith: Smith):
    assert verdicts(smith.export(smith.primary(algorithm="dsa2048"))) == [Verdict.UNSUPPORTED]


def test_a_certification_by_somebody_else_proves_nothing(smith: Smith, good):
    primary, friend = smith.pair(), smith.primary("Friend <friend@example.net>")
    smith.gpg("--local-user", friend, "--quick-sign-key", primary)
    found = verdicts(smith.export(primary))
    assert sorted(v.name for v in found) == ["FOREIGN", "GOOD", "GOOD"]


@pytest.mark.parametrize(
    ("signature", "verdict"),
    [
        (FORGE.sign(0x1F), Verdict.GOOD),
        (FORGE.sign(0x20), Verdict.GOOD),
        (FORGE.sign(0x1F, digest=2), Verdict.GOOD),
        (FORGE.sign(0x1F, digest=1), Verdict.GOOD),
        (FORGE.sign(0x1F, b"other"), Verdict.BAD),
        (FORGE.sign(0x13), Verdict.BAD),
        (FORGE.sign(0x1F, at=MADE - timedelta(seconds=1)), Verdict.BAD),
        (FORGE.sign(0x1F, dated=False), Verdict.BAD),
        (FORGE.sign(0x1F, more=subpacket(100, b"?", critical=0x80)), Verdict.UNSUPPORTED),
        (FORGE.sign(0x1F, more=subpacket(20, b"?", critical=0x80)), Verdict.UNSUPPORTED),
        (FORGE.sign(0x1F, more=subpacket(100, b"?")), Verdict.GOOD),
        (FORGE.sign(0x1F, unhashed=NO_ISSUER), Verdict.FOREIGN),
        (FORGE.sign(0x1F, unhashed=subpacket(16, b"x" * 8)), Verdict.FOREIGN),
        (FORGE.sign(0x1F, unhashed=subpacket(16, b"short")), Verdict.FOREIGN),
        (FORGE.sign(0x1F, unhashed=subpacket(33, b"\x04" + b"x" * 20)), Verdict.FOREIGN),
        (FORGE.sign(0x1F, unhashed=subpacket(33, b"\x06" + b"x" * 32)), Verdict.FOREIGN),
        (FORGE.sign(0x1F)[:-1] + b"\x00", Verdict.BAD),
    ],
    ids=[
        "direct", "revocation", "SHA-1", "MD5", "over something else", "on the wrong part",
        "older than the key", "undated", "unknown critical subpacket", "critical notation",
        "unknown subpacket", "no issuer", "another issuer", "no key ID", "another fingerprint",
        "version 6 issuer", "altered",
    ],
)  # fmt: skip
def test_each_signature_gets_its_verdict(signature, verdict):
    assert verdicts(FORGE.primary() + signature) == [verdict]


def test_weak_hashes_are_marked():
    """RFC 9580 §9.5: MD5, SHA-1 and RIPEMD-160."""
    block = read_key_block(FORGE.primary() + FORGE.sign(0x1F, digest=2) + FORGE.sign(0x1F))
    assert [(s.hash_name, s.weak) for s in block.signatures] == [
        ("SHA-1", True),
        ("SHA-256", False),
    ]


def test_octets_after_the_numbers_make_a_signature_bad():
    packet = FORGE.sign(0x1F)
    assert verdicts(FORGE.primary() + build(Tag.SIGNATURE, packet[2:] + b"x")) == [Verdict.BAD]


def test_a_number_with_a_second_spelling_makes_a_signature_bad(rsa):
    """RFC 9580 §3.2: the length counts from the highest bit that is set."""
    block = read_key_block(rsa)
    signature = block.user_ids[0].signatures[0]
    longer = (int.from_bytes(signature.numbers[:2], "big") + 8).to_bytes(2, "big") + b"\0"
    numbers = longer + signature.numbers[2:]
    issuer = subpacket(16, bytes.fromhex(block.fingerprint.key_id))
    body = signature.signed_part + len(issuer).to_bytes(2, "big") + issuer
    packets = build(Tag.PUBLIC_KEY, block.primary.body)
    packets += build(Tag.USER_ID, block.user_ids[0].raw)
    assert verdicts(
        packets + build(Tag.SIGNATURE, body + signature.left16 + signature.numbers)
    ) == [Verdict.GOOD]
    assert verdicts(packets + build(Tag.SIGNATURE, body + signature.left16 + numbers)) == [
        Verdict.BAD
    ]
