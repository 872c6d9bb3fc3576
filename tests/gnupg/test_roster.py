"""Which keys could sign for the sender, why the others could not, and how one is made."""

from __future__ import annotations

import os

import pytest

from certmail.errors import SealError
from certmail.gnupg.homes import throwaway_home
from certmail.gnupg.make_key import Protection, make_key
from certmail.gnupg.roster import Place, roster
from certmail.gnupg.runner import Gpg, run
from certmail.gnupg.signers import find_signer
from certmail.values import Address

OPS = Address("ops@example.org")


@pytest.fixture
def home():
    with throwaway_home(os.environ) as made:
        yield made


@pytest.fixture
def make(gpg, home):
    """Make a key without a passphrase, with gpg's own words."""

    def make(user_id, *, algorithm="ed25519", usage="sign,cert", expires="never", more=()):
        made = run(
            gpg,
            *("--passphrase", "", "--pinentry-mode", "loopback", *more),
            *("--quick-generate-key", user_id, algorithm, usage, expires),
            home=home,
            env=os.environ,
            timeout_s=60,
        )
        return made.first("KEY_CREATED").args[1]

    return make


@pytest.fixture
def listed(gpg, home):
    return lambda: {
        candidate.fingerprint.text: candidate
        for candidate in roster(gpg, address=OPS, home=home, env=os.environ)
    }


def test_each_key_tells_whether_it_could_sign_and_why_not(make, listed):
    good = make(f"Ops <{OPS}>")
    other = make("Other <other@example.org>")
    expired = make(f"Old <{OPS}>", expires="1d", more=("--faked-system-time", "20240101T000000"))
    encrypts = make(f"Rsa <{OPS}>", algorithm="rsa2048", usage="cert")
    found = listed()
    codes = {fpr: one.refusal.code if one.refusal else None for fpr, one in found.items()}
    assert codes == {
        good: None,
        other: "SIGNER-ADDRESS",
        expired: "SIGNER-EXPIRED",
        encrypts: "SIGNER-CANNOT-SIGN",
    }
    assert next(iter(found)) == good
    assert found[expired].expires.year == 2024
    assert (found[good].algorithm, found[encrypts].algorithm) == ("ed25519", "RSA 2048")


def test_a_revoked_key_is_shown_as_revoked(gpg, home, make, listed):
    gone = make(f"Ops <{OPS}>")
    revocation = (home / "openpgp-revocs.d" / f"{gone}.rev").read_text()
    # GnuPG puts a colon before the armor, so that nobody imports it by mistake.
    armor = revocation[revocation.index(":-----BEGIN") + 1 :].encode()
    run(gpg, "--import", home=home, env=os.environ, stdin=armor, timeout_s=60)
    assert listed()[gone].refusal.code == "SIGNER-REVOKED"


def test_a_key_whose_secret_half_is_elsewhere_is_not_offered(gpg, home, make, listed):
    def ask(*words, stdin=b""):
        unprotected = ("--passphrase", "", "--pinentry-mode", "loopback", "--yes")
        return run(
            gpg, *unprotected, *words, home=home, env=os.environ, stdin=stdin, timeout_s=60
        ).stdout

    stub = make(f"Ops <{OPS}>")
    ask("--quick-add-key", stub, "cv25519", "encr", "never")
    # What people carry to a server: the subkeys, and of the primary key its place alone.
    subkeys = ask("--export-secret-subkeys", stub)
    ask("--delete-secret-keys", stub)
    ask("--import", stdin=subkeys)
    found = listed()[stub]
    assert (found.place, found.refusal.code) == (Place.AWAY, "SIGNER-CANNOT-SIGN")


def test_an_empty_home_has_no_keys(listed):
    assert listed() == {}


@pytest.mark.parametrize("name", ["Ops of Example", "", "Évariste <x@y.example>", '"Ops" (a\\b)'])
def test_a_made_key_signs_for_the_address_and_nobody_is_picked_from_several(
    gpg, home, listed, name
):
    made = make_key(
        gpg, address=OPS, name=name, protection=Protection.NONE, home=home, env=os.environ
    )
    signer = find_signer(gpg, address=OPS, fingerprint=None, name=None, home=home, env=os.environ)
    candidate = listed()[made.text]
    assert (signer.fingerprint, signer.address) == (made, OPS)
    assert signer.encryption_key is not None
    assert (candidate.algorithm, candidate.place, candidate.refusal) == (
        "RSA 3072",
        Place.HERE,
        None,
    )
    assert 729 <= (candidate.expires - candidate.created).days <= 731
    assert len(candidate.user_ids) == 1
    # A revocation certificate lies beside it from the first day.
    assert (home / "openpgp-revocs.d" / f"{made}.rev").exists()


def test_where_gnupg_makes_no_key_it_is_said(gpg, home):
    (home / "private-keys-v1.d").write_text("not a folder")
    with pytest.raises(SealError) as caught:
        make_key(gpg, address=OPS, name="", protection=Protection.NONE, home=home, env=os.environ)
    assert caught.value.code == "SIGNER-NOT-MADE"


def test_without_anybody_to_ask_no_key_is_made_with_a_passphrase(gpg, home):
    (home / "gpg-agent.conf").write_text("pinentry-program /bin/false\n")
    with pytest.raises(SealError) as caught:
        make_key(
            gpg, address=OPS, name="", protection=Protection.PASSPHRASE, home=home, env=os.environ
        )
    assert caught.value.code == "SIGNER-NOT-MADE"
    assert roster(gpg, address=OPS, home=home, env=os.environ) == ()


def test_a_gnupg_that_rejects_its_own_set_up_is_refused_in_words(tmp_path, home):
    """GnuPG 2.4 ends so at an unknown line in the system's own gpg.conf."""
    program = tmp_path / "gpg"
    program.write_text("#!/bin/sh\nexit 2\n")
    program.chmod(0o755)
    with pytest.raises(SealError) as refused:
        find_signer(
            Gpg(str(program), (2, 4, 7)),
            address=OPS,
            fingerprint=None,
            name=None,
            home=home,
            env=os.environ,
        )
    assert refused.value.code == "GPG-FAILED"
