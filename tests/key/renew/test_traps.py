"""Every trap a copy can hold, made with the real GnuPG, read and judged as a refresh does it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from certmail.errors import KeyRefused
from certmail.key import armor
from certmail.key.framing import Tag, build
from certmail.key.pin import Usability
from certmail.key.renew.reading import read_copy, read_whole
from certmail.key.selfsig import Verdict
from certmail.key.witness import GpgVerdict
from certmail.values import Fingerprint
from tests.key.conftest import recipient_of
from tests.key.forge import Forge, hashed, subpacket
from tests.key.renew.copies import (
    HARD_AND_SOFT,
    fingerprint,
    framed,
    pieces,
    revocation_certificate,
    revoke_subkey,
    united,
    without,
)
from tests.key.smith import LATER, MADE

DAY = timedelta(days=1)


@pytest.fixture
def renewed(judged):
    """Unite copies of one key and judge the result, at an instant."""

    def judge(*copies: bytes, primary: str, at=LATER):
        whom = recipient_of(primary)
        return judged(united(whom, *copies).packets(), recipient=whom, at=at)

    return judge


def code_of(report) -> str | None:
    refusal = report.refused or report.unusable
    return refusal.code if refusal else None


def armored(packets: bytes) -> bytes:
    return armor.encode("PGP PUBLIC KEY BLOCK", packets)


# Expired


def test_an_expired_primary_is_healed_by_the_copy_that_prolongs_it(renewed, smith):
    primary = smith.primary(expire="10d")
    smith.subkey(primary)
    old = smith.export(primary)
    assert code_of(renewed(old, primary=primary)) == "KEY-EXPIRED"
    smith.gpg("--quick-set-expire", primary, "5y", at=MADE + DAY)
    new = smith.export(primary)
    for order in ((old, new), (new, old)):
        report = renewed(*order, primary=primary)
        assert (code_of(report), report.pinned.usability) == (None, Usability.TODAY)


def test_a_copy_that_shortens_the_life_wins_by_being_newer(renewed, smith):
    """An owner may end a key early; an older copy does not undo it."""
    primary = smith.pair()
    old = smith.export(primary)
    smith.gpg("--quick-set-expire", primary, "5d", at=MADE + DAY)
    new = smith.export(primary)
    assert code_of(renewed(new, old, primary=primary)) == "KEY-EXPIRED"


def test_an_expired_subkey_under_a_live_primary_is_told_and_healed(renewed, smith):
    primary = smith.primary()
    old_subkey = smith.subkey(primary, expire="10d")
    old = smith.export(primary)
    assert code_of(renewed(old, primary=primary)) == "KEY-SUBKEY-EXPIRED"
    smith.gpg("--quick-set-expire", primary, "5y", old_subkey, at=MADE + DAY)
    assert code_of(renewed(old, smith.export(primary), primary=primary)) is None


def test_a_new_subkey_replaces_one_that_has_expired(renewed, smith):
    primary = smith.primary()
    smith.subkey(primary, expire="10d")
    old = smith.export(primary)
    new_subkey = smith.subkey(primary, at=MADE + DAY)
    report = renewed(old, smith.export(primary), primary=primary)
    assert report.pinned.encryption_subkey.text == new_subkey


# Taken back


def test_a_revoked_subkey_stays_revoked_beside_a_copy_without_the_revocation(renewed, smith):
    primary = smith.pair()
    stripped = smith.export(primary)
    revoke_subkey(smith, primary)
    revoked = smith.export(primary)
    for order in ((revoked, stripped), (stripped, revoked)):
        assert code_of(renewed(*order, primary=primary)) == "KEY-SUBKEY-REVOKED"


def test_of_a_revoked_and_a_live_subkey_the_live_one_is_used(renewed, smith):
    primary = smith.pair()
    revoke_subkey(smith, primary)
    live = smith.subkey(primary)
    report = renewed(smith.export(primary), primary=primary)
    assert report.pinned.encryption_subkey.text == live


@pytest.mark.parametrize("reason", HARD_AND_SOFT.values(), ids=HARD_AND_SOFT)
def test_a_revoked_primary_is_refused_for_soft_and_hard_reasons_alike(renewed, smith, reason):
    """RFC 9580 §5.2.3.31: a soft reason is no permission to encrypt to the key today."""
    primary = smith.pair()
    good = smith.export(primary)
    certificate = revocation_certificate(smith, primary, reason)
    smith.gpg("--import", stdin=certificate)
    revoked = smith.export(primary)
    assert code_of(renewed(good, revoked, good, primary=primary)) == "KEY-REVOKED"


def test_a_revocation_certificate_alone_is_understood(judged, smith):
    """It is what an owner has in a drawer; with the key known it says all that matters."""
    primary = smith.pair()
    whom = recipient_of(primary)
    known = read_copy(smith.export(primary), recipient=whom).known
    certificate = revocation_certificate(smith, primary, 1)
    alone = read_copy(certificate, recipient=whom, primary=known.primary).known
    assert [s.revokes for s in alone.statements] == [True]
    with pytest.raises(KeyRefused) as caught:
        read_copy(certificate, recipient=whom)
    assert caught.value.code == "KEY-UNSUPPORTED"


def test_somebody_elses_revocation_certificate_revokes_nothing(smith):
    primary, other = smith.pair(), smith.pair()
    known = read_copy(smith.export(primary), recipient=recipient_of(primary)).known
    certificate = revocation_certificate(smith, other, 1)
    with pytest.raises(KeyRefused):
        read_copy(certificate, recipient=recipient_of(primary), primary=known.primary)


def test_a_revocation_in_the_wrong_place_still_counts(renewed, smith):
    """A source may move packets about; what is signed is signed wherever it stands."""
    primary = smith.pair()
    revoke_subkey(smith, primary)
    parts = pieces(smith.export(primary))
    at = next(i for i, (tag, body) in enumerate(parts) if tag == Tag.SIGNATURE and body[1] == 0x28)
    moved = [parts[0], parts[at], *parts[1:at], *parts[at + 1 :]]
    assert code_of(renewed(framed(moved), primary=primary)) == "KEY-SUBKEY-REVOKED"


def test_a_revocation_that_says_something_unknown_is_kept_and_refuses(judged):
    """A critical subpacket nobody knows: RFC 9580 §5.2.3.7 would have it ignored."""
    forge = Forge()
    odd = forge.sign(0x20, more=subpacket(100, b"?", critical=0x80))
    whom = recipient_of(forge.fingerprint)
    known = united(whom, forge.block(), forge.primary() + odd)
    assert [s.revokes for s in known.revocations] == [True]
    report = judged(known.packets(), recipient=whom)
    assert report.pinned is None


# Subkeys


def test_of_two_encryption_subkeys_the_newest_usable_one_is_taken(renewed, smith):
    primary = smith.primary()
    smith.subkey(primary)
    newest = smith.subkey(primary, at=MADE + 2 * DAY)
    smith.subkey(primary, at=MADE + 3 * DAY, expire="5d")
    report = renewed(smith.export(primary), primary=primary)
    assert report.pinned.encryption_subkey.text == newest


def test_a_subkey_without_the_encryption_flag_is_not_encrypted_to(renewed, smith):
    primary = smith.primary()
    smith.gpg("--quick-add-key", primary, "rsa2048", "sign", "0")
    assert code_of(renewed(smith.export(primary), primary=primary)) == "KEY-NO-ENCRYPTION"


def test_a_subkey_whose_binding_is_false_is_left_out_and_the_rest_stands(renewed, smith):
    primary = smith.pair()
    good = smith.export(primary)
    other = smith.primary()
    smith.subkey(other)
    parts = pieces(good)
    body = bytearray(parts[-1][1])
    body[-1] ^= 1
    broken = framed([*parts, pieces(smith.export(other))[3], (Tag.SIGNATURE, bytes(body))])
    copy = read_copy(broken, recipient=recipient_of(primary))
    assert len({s.target for s in copy.known.statements if s.about.name == "SUBKEY"}) == 1
    assert any("a subkey the key never signed" in words for words in copy.ignored)
    assert code_of(renewed(broken, primary=primary)) is None


def test_a_strangers_subkey_grafted_onto_the_key_is_left_out(renewed, smith):
    """The classic attack, with the stranger's own binding and with none."""
    primary, stranger = smith.pair(), smith.pair()
    good, theirs = smith.export(primary), pieces(smith.export(stranger))
    ours = renewed(good, primary=primary).pinned.encryption_subkey
    for graft in (theirs[3:5], theirs[3:4]):
        report = renewed(good + framed(graft), primary=primary)
        assert report.pinned.encryption_subkey == ours
        assert len(report.subkeys) == 1


def test_a_user_id_added_by_a_stranger_is_left_out(renewed, smith):
    primary = smith.pair()
    stranger = smith.pair(user_id="Recipient <to@example.org>  ")
    parts, theirs = pieces(smith.export(primary)), pieces(smith.export(stranger))
    grafted = framed([*parts[:3], *theirs[1:3], *parts[3:]])
    report = renewed(grafted, primary=primary)
    assert report.user_ids == ("Recipient <to@example.org>",)
    bare = framed([*parts[:3], (Tag.USER_ID, b"CEO <to@example.org>"), *parts[3:]])
    assert renewed(bare, primary=primary).user_ids == ("Recipient <to@example.org>",)


def test_a_copy_without_user_ids_renews_a_copy_that_has_them(renewed, smith):
    """keys.openpgp.org gives keys without user IDs; the bindings in them are worth having."""
    primary = smith.primary()
    smith.subkey(primary, expire="10d")
    old = smith.export(primary)
    live = smith.subkey(primary, at=MADE + DAY)
    parts = pieces(smith.export(primary))
    stripped = framed([parts[0], *parts[3:]])
    assert Tag.USER_ID not in [tag for tag, _ in pieces(stripped)]
    report = renewed(old, stripped, primary=primary)
    assert report.pinned.encryption_subkey.text == live


# Hashes and clocks


def test_a_sha1_self_signature_does_not_count_and_gnupgs_word_is_recorded(renewed, smith):
    before = set(smith.fingerprints())
    smith.gpg(
        "--cert-digest-algo", "SHA1",
        "--quick-generate-key", "Recipient <to@example.org>", "ed25519", "cert", "0",
    )  # fmt: skip
    (primary,) = set(smith.fingerprints()) - before
    smith.subkey(primary)
    report = renewed(smith.export(primary), primary=primary)
    assert code_of(report) == "KEY-SELFSIG-WEAK"
    [row] = [row for row in report.signatures if row.weak]
    assert (row.hash_name, row.ours, row.gnupg) == ("SHA-1", Verdict.GOOD, GpgVerdict.GOOD)


def test_an_md5_self_signature_does_not_count(judged):
    """GnuPG makes none any more, so this one is written by hand."""
    forge = Forge()
    whom = recipient_of(forge.fingerprint)
    packets = forge.primary() + forge.user_id(digest=1) + forge.subkey()
    report = judged(united(whom, packets).packets(), recipient=whom)
    assert code_of(report) == "KEY-SELFSIG-WEAK"
    [row] = [row for row in report.signatures if row.weak]
    assert (row.hash_name, row.ours) == ("MD5", Verdict.GOOD)
    assert row.gnupg is not GpgVerdict.GOOD


def test_a_key_of_the_future_is_a_wrong_clock(renewed, smith):
    primary = smith.pair()
    report = renewed(smith.export(primary), primary=primary, at=MADE - DAY)
    assert code_of(report) == "KEY-FROM-FUTURE"
    assert report.refused.next == "set the clock of this machine"


# Size, company, form


def test_a_flood_of_certifications_is_left_aside(renewed, smith):
    primary, fan = smith.pair(), smith.pair(user_id="Fan <fan@example.org>")
    clean = smith.export(primary)
    smith.gpg("--local-user", fan, "--quick-sign-key", primary)
    parts = pieces(smith.export(primary))
    at = next(
        i
        for i, (tag, body) in enumerate(parts)
        if tag == Tag.SIGNATURE and bytes.fromhex(fan[-16:]) in body
    )
    flooded = framed([*parts[:at], *[parts[at]] * 3000, *parts[at:]])
    assert len(flooded) > 300_000
    copy = read_copy(flooded, recipient=recipient_of(primary))
    assert copy.known == read_copy(clean, recipient=recipient_of(primary)).known
    assert any("3001 times a certification by another key" in words for words in copy.ignored)


def test_megabytes_are_refused_before_they_are_looked_at(good):
    with pytest.raises(KeyRefused) as caught:
        read_copy(good + b"\0" * 2**21, recipient=recipient_of(fingerprint(good)))
    assert caught.value.code == "KEY-TOO-LARGE"


def test_of_two_keys_in_a_file_the_pinned_one_is_taken_with_a_notice(smith):
    primary, other = smith.pair(), smith.pair()
    expected = read_copy(smith.export(primary), recipient=recipient_of(primary)).known
    both = smith.export(primary, other)
    for data in (
        both,
        armored(both),
        armored(smith.export(other)) + armored(smith.export(primary)),
    ):
        copy = read_copy(data, recipient=recipient_of(primary))
        assert copy.known == expected
        grouped = Fingerprint(other).grouped()
        assert f"another key, {grouped}, left aside" in copy.ignored


def test_a_file_named_as_the_copy_to_use_holds_one_key(smith):
    primary, other = smith.pair(), smith.pair()
    with pytest.raises(KeyRefused) as caught:
        read_whole(smith.export(primary, other), recipient=recipient_of(primary))
    assert caught.value.code == "KEY-EXTRA-KEY"


@pytest.mark.parametrize("armor_it", [False, True])
def test_a_secret_key_is_refused_with_the_word_that_it_must_not_travel(smith, armor_it):
    primary = smith.pair()
    secret = smith.gpg(*(["--armor"] if armor_it else []), "--export-secret-keys", primary)
    for data in (secret, smith.export(primary) + secret):
        if armor_it and data is not secret:
            continue
        with pytest.raises(KeyRefused) as caught:
            read_copy(data, recipient=recipient_of(primary))
        assert caught.value.code == "KEY-SECRET"
        assert "must never leave its owner" in caught.value.why


def test_a_v6_key_and_unknown_packets_beside_the_key_are_left_aside(smith):
    primary = smith.pair()
    good = smith.export(primary)
    whom = recipient_of(primary)
    v6 = pieces(good)[0][1].replace(b"\x04", b"\x06", 1)
    unknown = bytes([0xC0 | 60, 3]) + b"odd"
    marker = build(Tag.MARKER, b"PGP")
    copy = read_copy(marker + good + unknown + build(Tag.PUBLIC_KEY, v6), recipient=whom)
    assert copy.known == read_copy(good, recipient=whom).known
    assert any("version 6" in words for words in copy.ignored)
    assert any("type 60" in words for words in copy.ignored)


def test_a_v6_key_alone_is_not_the_key(smith):
    primary = smith.pair()
    v6 = pieces(smith.export(primary))[0][1].replace(b"\x04", b"\x06", 1)
    with pytest.raises(KeyRefused) as caught:
        read_copy(build(Tag.PUBLIC_KEY, v6), recipient=recipient_of(primary))
    assert caught.value.code == "KEY-UNSUPPORTED"


def test_the_same_key_id_with_another_fingerprint_is_another_key(good):
    text = fingerprint(good)
    whom = replace(recipient_of(text), pin=Fingerprint("F" * 24 + text[24:]))
    with pytest.raises(KeyRefused) as caught:
        read_copy(good, recipient=whom)
    assert caught.value.code == "PIN-MISMATCH"
    assert "same 64-bit key ID" in caught.value.why


def crlf(text: bytes) -> bytes:
    return text.replace(b"\n", b"\r\n")


def page(text: bytes) -> bytes:
    lines = [
        b'<span class="l">' + line.replace(b"+", b"&#43;").replace(b"=", b"&#x3D;") + b"</span>"
        for line in text.split(b"\n")
    ]
    code = b"<br/>\n".join(lines)
    return (
        b"<!DOCTYPE html><html><head><script>var x = '-----BEGIN PGP PUBLIC KEY BLOCK-----';"
        b"</script></head><body><p>Our key &amp; more</p><pre><code>" + code + b"</code></pre>"
        b"<p>-----BEGIN CERTIFICATE-----</p></body></html>"
    )


FORMS = {
    "binary": lambda packets: packets,
    "armored": armored,
    "CRLF": lambda packets: crlf(armored(packets)),
    "text around": lambda packets: b"Dear all,\n\nour key:\n" + armored(packets) + b"\nBye\n",
    "markdown": lambda packets: b"# Keys\n```bash\n" + armored(packets) + b"```\n",
    "indented and quoted": lambda packets: b"".join(
        b">   " + line + b"\n" for line in armored(packets).split(b"\n")
    ),
    "a page": lambda packets: page(armored(packets)),
    "UTF-16": lambda packets: armored(packets).decode().encode("utf-16"),
    "byte order mark": lambda packets: b"\xef\xbb\xbf" + armored(packets),
    "comment header": lambda packets: armored(packets).replace(
        b"-----\n", b"-----\nComment: GPGTools - https://gpgtools.org\n", 1
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_same_key_in_any_form_says_the_same(good, form):
    whom = recipient_of(fingerprint(good))
    assert read_copy(form(good), recipient=whom).known == read_copy(good, recipient=whom).known


def test_one_changed_character_fails_the_checksum_and_is_told(good):
    """The provider's page showed such a block from 2023-12 to 2026-04."""
    whom = recipient_of(fingerprint(good))
    text = bytearray(armored(good))
    text[120] = ord("A") if text[120] != ord("A") else ord("B")
    with pytest.raises(KeyRefused) as caught:
        read_copy(page(bytes(text)), recipient=whom)
    assert caught.value.code == "KEY-ARMOR-CHECKSUM"
    beside = read_copy(bytes(text) + armored(good), recipient=whom)
    assert beside.known == read_copy(good, recipient=whom).known
    assert "a damaged key block beside it (KEY-ARMOR-CHECKSUM)" in beside.ignored


def test_a_page_without_a_key_is_no_copy(good):
    whom = recipient_of(fingerprint(good))
    for data in (b"<html><body>404</body></html>", b"", b"hello", b"<![bogus", b"\xff\xfe"):
        with pytest.raises(KeyRefused) as caught:
            read_copy(data, recipient=whom)
        assert caught.value.code == "KEY-NOT-OPENPGP"


def test_what_no_signature_covers_is_not_kept(smith):
    """Unhashed areas, pictures and the spelling of lengths are not the owner's words."""
    forge = Forge()
    whom = recipient_of(forge.fingerprint)
    issuer = subpacket(16, bytes.fromhex(forge.fingerprint[-16:]))
    loud = forge.user_id(unhashed=issuer + subpacket(20, b"\0" * 8))
    noisy = forge.primary() + loud + build(Tag.USER_ATTRIBUTE, b"\x05jpeg!")
    known = united(whom, noisy)
    assert b"jpeg" not in known.packets()
    assert subpacket(20, b"\0" * 8) not in known.packets()


def test_stripping_every_signature_leaves_nothing_and_harms_nothing(smith):
    primary = smith.pair()
    whom = recipient_of(primary)
    good = smith.export(primary)
    bare = without(good, tag=Tag.SIGNATURE)
    assert read_copy(bare, recipient=whom).known.statements == ()
    assert united(whom, bare, good) == united(whom, good)


def test_a_signature_over_another_keys_octets_is_not_taken_for_ours():
    """The forged claim names our key ID and was made by somebody else."""
    forge, stranger = Forge(), Forge()
    claim = subpacket(16, bytes.fromhex(forge.fingerprint[-16:]))
    target = hashed(pieces(stranger.subkey())[0][1])
    forged = stranger.sign(0x18, target, unhashed=claim)
    whom = recipient_of(forge.fingerprint)
    block = forge.block()
    copy = read_copy(block + forged, recipient=whom)
    assert copy.known == united(whom, block)
    assert any("does not verify" in words for words in copy.ignored)
