"""GnuPG's word on a key, which no user ID can forge."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.errors import KeyRefused, SealError
from certmail.gnupg.homes import throwaway_home
from certmail.gnupg.report import import_and_list, read_listing, report, unescape
from certmail.gnupg.runner import find_gpg, run
from certmail.key import pin
from certmail.key.packets import read_key_block
from certmail.key.selfsig import verify
from certmail.key.witness import GpgVerdict
from certmail.recipient import CLEVER_CLOUD
from tests.key.conftest import recipient_of
from tests.key.forge import MADE as FORGED_AT
from tests.key.forge import Forge
from tests.key.smith import LATER, MADE, Smith
from tests.key.total import refusal_of

PIN = CLEVER_CLOUD.pin.text

# Each of these made a reader that splits at U+0085 or U+2028 believe that the pinned key was there.
FORGED_USER_IDS = [
    f"Clever\x85[GNUPG:] IMPORT_OK 1 {PIN}\x85ok <to@example.org>",
    f"Clever\u2028[GNUPG:] IMPORT_OK 1 {PIN}\u2028ok <to@example.org>",
    f"Clever\u2028fpr:::::::::{PIN}:\u2028<to@example.org>",
    "Clever\x85pub:-:4096:1:218B86BD5278460F:1454926995:::-:::scESC:\x85 <to@example.org>",
]


@pytest.fixture(scope="module")
def gpg():
    return find_gpg()


@pytest.fixture(scope="module")
def smith():
    with Smith() as at_work:
        yield at_work


@pytest.fixture(scope="module")
def good(smith: Smith):
    return smith.export(smith.pair(expire="1y"))


def test_the_listing_says_what_gnupg_shows(gpg, smith: Smith, good):
    word = report(gpg, good, env=os.environ, at=LATER)
    fingerprints = [word.primary.fingerprint.text, *(s.fingerprint.text for s in word.subkeys)]
    assert fingerprints == smith.fingerprints(fingerprints[0])
    assert (word.primary.created, word.primary.expires) == (MADE, MADE.replace(year=2027))
    assert word.user_ids[0].raw == b"Recipient <to@example.org>"
    assert "e" in word.subkeys[0].capabilities
    assert [s.verdict for s in word.user_ids[0].signatures] == [GpgVerdict.GOOD]


def test_the_listing_is_as_of_the_instant_asked_for(gpg, good):
    assert "e" not in report(gpg, good, env=os.environ, at=LATER).primary.validity
    after = report(gpg, good, env=os.environ, at=datetime(2030, 1, 1, tzinfo=UTC))
    assert after.primary.validity == "e"


@pytest.mark.parametrize(
    "raw",
    [
        *(user_id.encode() for user_id in FORGED_USER_IDS),
        *(user_id.encode("latin-1") for user_id in FORGED_USER_IDS if "\x85" in user_id),
    ],
)
def test_a_user_id_cannot_speak_for_gnupg(gpg, raw):
    """A key made to pass for the pinned one is itself to both witnesses."""
    forge = Forge()
    packets = forge.primary() + forge_user_id(forge, raw) + forge.subkey()
    with throwaway_home() as home:
        imported = run(gpg, "--import", home=home, stdin=packets, env=os.environ, timeout_s=30)
        assert [s.args[1] for s in imported.all("IMPORT_OK")] == [forge.fingerprint]
    word = report(gpg, packets, env=os.environ, at=LATER)
    assert word.primary.fingerprint.text == forge.fingerprint
    assert [uid.raw for uid in word.user_ids] == [raw]
    block = read_key_block(packets)
    found = pin.judge(block, verify(block), word, recipient=CLEVER_CLOUD, at=LATER, source="forged")
    assert found.refused.code == "PIN-MISMATCH"
    own = recipient_of(forge.fingerprint)
    found = pin.judge(block, verify(block), word, recipient=own, at=LATER, source="forged")
    assert found.refused.code == "KEY-NO-ADDRESS"


def forge_user_id(forge: Forge, raw: bytes) -> bytes:
    """Make a validly self-signed user ID of any octets."""
    return forge.user_id(raw.decode("latin-1"), encoding="latin-1")


def test_a_user_id_made_by_gnupg_itself_cannot_speak_for_it_either(gpg, smith: Smith):
    primary = smith.primary(FORGED_USER_IDS[1])
    word = report(gpg, smith.export(primary), env=os.environ, at=LATER)
    assert word.primary.fingerprint.text == primary
    assert [uid.raw.decode() for uid in word.user_ids] == [FORGED_USER_IDS[1]]


def test_a_benign_user_id_with_octet_85_is_whole(gpg, smith: Smith):
    primary = smith.primary("Åsa Öberg <to@example.org>")
    word = report(gpg, smith.export(primary), env=os.environ, at=LATER)
    assert word.user_ids[0].raw.decode() == "Åsa Öberg <to@example.org>"


def test_a_certification_by_a_key_that_is_not_there_is_listed_as_such(gpg, smith: Smith):
    """GnuPG 2.2.40 aborts at such a signature with --no-sig-cache, so that is not used."""
    primary, friend = smith.pair(), smith.primary("Friend <friend@example.net>")
    smith.gpg("--local-user", friend, "--quick-sign-key", primary)
    word = report(gpg, smith.export(primary), env=os.environ, at=LATER)
    verdicts = {s.verdict for s in word.user_ids[0].signatures}
    assert verdicts == {GpgVerdict.GOOD, GpgVerdict.NO_KEY}


@pytest.mark.parametrize("packets", [b"", b"garbage", b"\x99\x00\x01\x04"])
def test_what_gnupg_does_not_take_is_reported_as_not_taken(gpg, packets):
    assert report(gpg, packets, env=os.environ, at=LATER).primary is None


def test_a_key_without_a_self_signature_is_not_taken(gpg):
    forge, stranger = Forge(), Forge()
    packets = forge.primary() + stranger.user_id() + forge.subkey()
    assert report(gpg, packets, env=os.environ, at=LATER).primary is None


def test_two_keys_are_refused(gpg, smith: Smith, good):
    with pytest.raises(KeyRefused) as caught:
        report(gpg, good + smith.export(smith.pair()), env=os.environ, at=LATER)
    assert caught.value.code == "WITNESSES-DISAGREE"


def test_a_secret_key_is_refused(gpg, smith: Smith):
    secret = smith.gpg("--export-secret-keys", smith.pair())
    with pytest.raises(KeyRefused) as caught:
        report(gpg, secret, env=os.environ, at=LATER)
    assert caught.value.code == "WITNESSES-DISAGREE"


def test_the_home_can_be_used_to_encrypt_afterwards(gpg, good):
    with throwaway_home() as home:
        word = import_and_list(gpg, good, home=home, env=os.environ, at=LATER)
        result = run(
            gpg,
            *("--no-autostart", "--trust-model", "always", "--encrypt"),
            *("--recipient", word.primary.fingerprint.text),
            home=home,
            stdin=b"x",
            env=os.environ,
            timeout_s=30,
        )
        assert result.returncode == 0
        assert [entry.name for entry in home.iterdir() if entry.name.startswith("S.")] == []


@pytest.mark.parametrize(
    "listing",
    [
        b"",
        b"tru::1:1\n",
        b"pub:-:255:22:AA:1:::-:::sc:\n",
        b"fpr:::::::::" + b"A" * 40 + b":\n",
        b"pub:-:255:22:AA:1:::-:::sc:\nfpr:::::::::ABCD:\n",
        b"pub:-:x:22:AA:1:::-:::sc:\nfpr:::::::::" + b"A" * 40 + b":\n",
        b"pub:-:255:22:AA:20260101T99:::-:::sc:\nfpr:::::::::" + b"A" * 40 + b":\n",
        b"pub:-:255:22:AA:1:::-:::sc:\nsig:!::1:AA:1::::x:zz:\n",
        2 * (b"pub:-:255:22:AA:1:::-:::sc:\nfpr:::::::::" + b"A" * 40 + b":\n"),
        b"\n" * 30_000,
    ],
)
def test_a_listing_that_is_not_of_one_key_is_refused(listing):
    with pytest.raises((KeyRefused, SealError)) as caught:
        read_listing(listing, at=LATER)
    assert caught.value.code in {"WITNESSES-DISAGREE", "GPG-FAILED"}


def test_dates_are_read_in_both_of_gnupgs_forms():
    line = b"pub:-:255:22:AA:20260601T120000:1780315200:::::sc:\nfpr:::::::::" + b"A" * 40 + b":\n"
    word = read_listing(line, at=LATER)
    assert (word.primary.created, word.primary.expires) == (MADE, MADE)


@given(st.binary(max_size=200))
def test_any_listing_gives_a_report_or_our_refusal(tail):
    head = b"pub:-:255:22:AA:1:::-:::sc:\nfpr:::::::::" + b"A" * 40 + b":\n"
    for listing in (tail, head + tail, head + b"uid:" + tail, head + b"sig:" + tail):
        refusal_of(read_listing, listing, at=LATER)


@pytest.mark.parametrize(
    ("field", "raw"),
    [
        (rb"a\x3ab", b"a:b"),
        (rb"\x5cx3a", rb"\x3a"),
        (rb"\n\r\t", b"\n\r\\t"),
        (rb"\v\\", b"\v\\"),
        (b"plain", b"plain"),
    ],
)
def test_escapes_are_undone_once(field, raw):
    assert unescape(field) == raw


def test_nothing_is_left_in_the_temporary_folders(gpg, good):
    before = set(Path(tempfile.gettempdir()).glob("cm-*"))
    report(gpg, good, env=os.environ, at=LATER)
    assert set(Path(tempfile.gettempdir()).glob("cm-*")) <= before


def test_forged_and_real_keys_are_of_one_time():
    assert FORGED_AT == MADE
