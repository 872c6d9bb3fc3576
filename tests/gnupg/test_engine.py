"""GnuPG asked to sign and encrypt under configurations that want something else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from certmail.errors import SealError
from certmail.gnupg.engine import GnuPG
from certmail.gnupg.homes import Homes, throwaway_home
from certmail.gnupg.identify import identify_key
from certmail.gnupg.runner import run
from certmail.gnupg.signers import find_signer
from certmail.key.bare import asks_for_ocb
from certmail.key.packets import read_encrypted, read_signed
from certmail.message.seal import Copy, Signer, seal
from certmail.recipient import CLEVER_CLOUD, Recipient
from certmail.values import Address, Fingerprint
from tests.conftest import SENDER, exported
from tests.posix import IS_ROOT
from tests.readers.advertiser import Advertiser

UNPROTECTED = ("--passphrase", "", "--pinentry-mode", "loopback")


@pytest.fixture
def hostile(gpg, sender, stranger):
    """Write a gpg.conf into the sender's home, with a stranger's keys there to be misused."""
    secret = run(
        gpg, *UNPROTECTED, "--export-secret-keys", stranger.fingerprint.text,
        home=stranger.home, env=os.environ, timeout_s=60,
    ).stdout  # fmt: skip
    conf = sender.home / "gpg.conf"

    def write(*lines: str) -> None:
        run(
            gpg,
            *UNPROTECTED,
            "--import",
            home=sender.home,
            stdin=secret,
            env=os.environ,
            timeout_s=60,
        )
        conf.write_text("\n".join(lines) + "\n")

    yield write
    conf.unlink(missing_ok=True)
    run(
        gpg, "--yes", "--delete-secret-and-public-key", stranger.fingerprint.text,
        home=sender.home, env=os.environ, timeout_s=60,
    )  # fmt: skip


CONFIGURATIONS = [
    ("encrypt-to {stranger}",),
    ("hidden-encrypt-to {stranger}",),
    ("default-recipient {stranger}",),
    ("recipient {stranger}",),
    ("group {pin}={stranger}",),
    ("group {subkey}={stranger}",),
    ("local-user {stranger}",),
    ("default-key {stranger}",),
    ("throw-keyids",),
    ("comment shop.example", "emit-version"),
    ("digest-algo SHA1", "cipher-algo 3DES"),
    ("personal-digest-preferences SHA1", "cert-digest-algo SHA1"),
    ("output /dev/null",),
    ("armor", "textmode"),
    ("quiet", "no-tty"),
    ("default-recipient-self", "encrypt-to {sender}"),
    ("compress-level 9", "bzip2-compress-level 9"),
    ("set-filename secret.pem",),
    ("sig-notation a@b.example=shop.example",),
    ("this-is-no-option",),
]


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda c: c[0].split()[0])
def test_the_users_gpg_conf_changes_neither_signer_nor_readers(
    hostile, configuration, letter, pinned, signer, engine, sender, stranger
):
    hostile(
        *(
            line.format(
                stranger=stranger.fingerprint,
                pin=pinned.fingerprint,
                subkey=pinned.encryption_subkey,
                sender=sender.fingerprint,
            )
            for line in configuration
        )
    )
    sealed = seal(letter, pinned=pinned, signer=signer, engine=engine, copy=Copy.NONE)
    assert sealed.prove().key_ids == (pinned.encryption_subkey.key_id,)
    assert (sealed.signature.signer, sealed.signature.hash_name) == (sender.fingerprint, "SHA-512")
    assert b"shop.example" not in sealed.wire()


NEEDED_OF_ETC = ("passwd", "group", "ld.so.cache", "localtime", "nsswitch.conf")
"""What programs look up in /etc while the test puts another one over it."""


SYSTEM_WIDE = """
import os, sys
from tests.gnupg.test_engine import seal_under_a_system_configuration
seal_under_a_system_configuration(*sys.argv[1:])
"""


@pytest.mark.skipif(not IS_ROOT, reason="a mount namespace wants root")
@pytest.mark.parametrize(
    ("line", "outcomes"),
    [
        ("encrypt-to {stranger}", {"sealed"}),
        ("hidden-encrypt-to {stranger}", {"sealed"}),
        ("local-user {stranger}", {"SEAL-SIGNER", "SIGN-FAILED", "SIGN-NO-SECRET-KEY"}),
        ("recipient {stranger}", {"SEAL-ENCRYPTION-FAILED"}),
        ("group {subkey}!={stranger}", {"sealed", "SEAL-ENCRYPTION-FAILED"}),
        ("throw-keyids", {"sealed"}),
        ("digest-algo SHA1", {"sealed"}),
        ("cipher-algo 3DES", {"sealed"}),
        ("comment shop.example", {"sealed"}),
    ],
)
def test_the_systems_gpg_conf_changes_neither_signer_nor_readers(
    tmp_path, line, outcomes, pinned, sender, receiver, stranger
):
    """What cannot be overridden fails closed: no message, or the right one."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare")
    etc = tmp_path / "etc"
    (etc / "gnupg").mkdir(parents=True)
    for name in NEEDED_OF_ETC:
        if Path("/etc", name).exists():
            shutil.copy(Path("/etc", name), etc)
    (etc / "gnupg" / "gpg.conf").write_text(
        line.format(stranger=stranger.fingerprint, subkey=pinned.encryption_subkey) + "\n"
    )
    script = (
        f"mount --bind {etc} /etc && exec {sys.executable} -c '{SYSTEM_WIDE}'"
        f" {sender.home} {receiver.home} {receiver.fingerprint}"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "permission denied" in done.stderr.lower() or "not permitted" in done.stderr.lower():
        pytest.skip("this machine allows no mount namespace")
    assert done.stdout.strip() in outcomes, done.stderr


def seal_under_a_system_configuration(sender_home, receiver_home, pin) -> None:
    """Run in a child process: seal, and print what came of it."""
    from datetime import UTC, datetime, timedelta

    from certmail.gnupg.identify import identify_key
    from certmail.gnupg.runner import find_gpg
    from certmail.message.letter import Request
    from certmail.recipient import CLEVER_CLOUD, Recipient
    from certmail.rehearsal.authority import throwaway_authority, throwaway_bundle
    from certmail.walk import Order, seal_bundle

    gpg = find_gpg(None)
    at = datetime.now(UTC) + timedelta(minutes=5)
    public = subprocess.run(
        [gpg.path, "--no-options", "--homedir", receiver_home, "--export", pin],
        capture_output=True,
        check=True,
    ).stdout
    recipient = Recipient("Stand-in", CLEVER_CLOUD.address, Fingerprint(pin))
    try:
        pinned = identify_key(
            public, source="x", recipient=recipient, gpg=gpg, env=os.environ, at=at
        )
        sealing = seal_bundle(
            Order(
                throwaway_bundle(throwaway_authority(at), "shop.example"), at=at, request=Request()
            ),
            pinned=pinned,
            signer=lambda: find_signer(
                gpg,
                address=SENDER,
                fingerprint=None,
                name=None,
                home=Path(sender_home),
                env=os.environ,
            ),
            engine=GnuPG(gpg, os.environ, signing_home=Path(sender_home), pinentry="error"),
        )
    except SealError as refusal:
        sys.stdout.write(refusal.code)
        return
    sealed = sealing.sealed
    assert sealed.prove().key_ids == (pinned.encryption_subkey.key_id,)
    assert sealed.signature.hash_name == "SHA-512"
    assert b"shop.example" not in sealed.wire()
    sys.stdout.write("sealed")


def test_a_stranger_beside_the_key_in_the_users_home_is_not_asked(
    gpg, hostile, letter, signer, engine
):
    hostile("default-key 0000000000000000")
    read = read_signed(engine.sign(letter.entity, signer=signer))
    assert read.issuer_fingerprint == signer.fingerprint


def test_signing_with_a_key_that_is_not_there_signs_with_no_other(letter, signer, engine, pinned):
    absent = replace(signer, fingerprint=pinned.fingerprint)
    with pytest.raises(SealError) as refusal:
        engine.sign(letter.entity, signer=absent)
    assert refusal.value.code in {"SIGN-NO-SECRET-KEY", "SIGN-FAILED"}


def test_a_locked_key_with_nobody_to_ask_fails_at_once_and_says_so(gpg, letter):
    with throwaway_home(os.environ) as home:
        run(
            gpg, "--passphrase", "locked", "--pinentry-mode", "loopback", "--quick-generate-key",
            f"Locked <{SENDER}>", "ed25519", "sign,cert", "never",
            home=home, env=os.environ, timeout_s=60,
        )  # fmt: skip
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
        who = find_signer(
            gpg, address=SENDER, fingerprint=None, name=None, home=home, env=os.environ
        )
        locked = GnuPG(gpg, os.environ, signing_home=home, pinentry="error", sign_timeout_s=20)
        with pytest.raises(SealError) as refusal:
            locked.sign(letter.entity, signer=who)
    assert refusal.value.code == "SIGN-NO-PINENTRY"


def test_a_gpg_that_never_ends_is_ended(gpg, letter, signer, tmp_path):
    stuck = tmp_path / "gpg"
    stuck.write_text("#!/bin/sh\nexec sleep 60\n")
    stuck.chmod(0o700)
    engine = GnuPG(replace(gpg, path=str(stuck)), os.environ, sign_timeout_s=0.5)
    with pytest.raises(SealError) as refusal:
        engine.sign(letter.entity, signer=signer)
    assert refusal.value.code == "GPG-TIMEOUT"


def test_a_gpg_that_claims_success_and_writes_nothing_is_no_success(gpg, letter, signer, tmp_path):
    liar = tmp_path / "gpg"
    liar.write_text(
        "#!/bin/sh\ncat >/dev/null\n"
        'while [ $# -gt 0 ]; do [ "$1" = --status-fd ] && fd=$2; shift; done\n'
        f"eval \"echo '[GNUPG:] SIG_CREATED S 22 10 00 1 {signer.fingerprint}' >&$fd\"\n"
    )
    liar.chmod(0o700)
    engine = GnuPG(replace(gpg, path=str(liar)), os.environ)
    with pytest.raises(SealError) as refusal:
        engine.sign(letter.entity, signer=signer)
    assert refusal.value.code == "SIGN-FAILED"


@pytest.mark.parametrize("locale", ["fr_FR.UTF-8", "de_DE", "tr_TR.UTF-8", "C", ""])
def test_no_locale_changes_what_is_understood(gpg, sender, letter, pinned, signer, locale):
    env = {**os.environ, "LANG": locale, "LC_ALL": locale, "LANGUAGE": locale}
    engine = GnuPG(gpg, env, signing_home=sender.home, pinentry="error")
    sealed = seal(letter, pinned=pinned, signer=signer, engine=engine, copy=Copy.NONE)
    assert sealed.signature.signer == sender.fingerprint


def test_encrypting_to_a_second_reader_happens_only_on_demand(engine, signer, pinned, letter):
    signed = engine.sign(letter.entity, signer=signer)
    alone = read_encrypted(engine.encrypt(signed, to=pinned, also=None))
    both = read_encrypted(engine.encrypt(signed, to=pinned, also=signer))
    assert (len(alone.key_ids), len(both.key_ids)) == (1, 2)


def test_a_home_that_is_lent_again_knows_nothing_of_the_time_before(
    engine, signer, stranger, gpg, pinned, letter
):
    """One home for all steps: the key that was in it must not make the next answer."""
    other = replace(signer, fingerprint=stranger.fingerprint, public_key=exported(gpg, stranger))
    with Homes() as homes:
        lent = replace(engine, homes=homes)
        signed = lent.sign(letter.entity, signer=signer)
        assert lent.verify(signed, signer=signer) in signer.signing_keys
        with pytest.raises(SealError) as refusal:
            lent.verify(signed, signer=other)
        assert refusal.value.code == "SEAL-SIGNATURE-BAD"
        first = read_encrypted(lent.encrypt(signed, to=pinned, also=signer))
        second = read_encrypted(lent.encrypt(signed, to=pinned, also=None))
        assert (len(first.key_ids), len(second.key_ids)) == (2, 1)
        with pytest.raises(SealError):
            lent.verify(b"nothing signed", signer=signer)
        assert lent.verify(signed, signer=signer) in signer.signing_keys


@pytest.mark.parametrize("algorithm", ["rsa3072", "ed25519", "nistp256", "nistp521"])
def test_every_common_signing_key_signs_with_a_strong_hash(
    gpg, make_person, letter, pinned, algorithm
):
    address = Address(f"{algorithm}@keys.example")
    person = make_person(f"Somebody <{address}>", algorithm=algorithm, subkey=None)
    who = find_signer(
        gpg, address=address, fingerprint=None, name=None, home=person.home, env=os.environ
    )
    engine = GnuPG(gpg, os.environ, signing_home=person.home, pinentry="error")
    sealed = seal(letter, pinned=pinned, signer=who, engine=engine, copy=Copy.NONE)
    assert (sealed.signature.key, sealed.signature.hash_name) == (person.fingerprint, "SHA-512")


def test_a_signing_subkey_signs_and_its_primary_is_named(gpg, make_person, letter, pinned):
    person = make_person("Sub Key <subkey@keys.example>", subkey=None)
    run(
        gpg, *UNPROTECTED, "--quick-add-key", person.fingerprint.text, "ed25519", "sign", "never",
        home=person.home, env=os.environ, timeout_s=60,
    )  # fmt: skip
    who = find_signer(
        gpg,
        address=Address("subkey@keys.example"),
        fingerprint=None,
        name=None,
        home=person.home,
        env=os.environ,
    )
    engine = GnuPG(gpg, os.environ, signing_home=person.home, pinentry="error")
    sealed = seal(letter, pinned=pinned, signer=who, engine=engine, copy=Copy.NONE)
    assert sealed.signature.signer == person.fingerprint
    assert sealed.signature.key in who.signing_keys
    assert sealed.signature.key != person.fingerprint


def test_the_long_path_of_a_users_home_does_not_reach_the_throw_away_homes(
    gpg, letter, pinned, signer, engine, tmp_path
):
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    env = {**os.environ, "TMPDIR": str(deep), "XDG_RUNTIME_DIR": str(deep)}
    far = replace(engine, env=env)
    sealed = seal(letter, pinned=pinned, signer=signer, engine=far, copy=Copy.NONE)
    assert list(deep.iterdir()) == []
    assert sealed.prove()


# --- choosing the signer ------------------------------------------------------------------------


def found(gpg, person, *, address=None, fingerprint=None) -> Signer:
    return find_signer(
        gpg, address=address, fingerprint=fingerprint, name=None, home=person.home, env=os.environ
    )


def refused(gpg, person, **wanted) -> str:
    with pytest.raises(SealError) as refusal:
        found(gpg, person, **wanted)
    return refusal.value.code


def test_the_only_key_and_its_only_address_are_taken(gpg, sender):
    signer = found(gpg, sender)
    assert (signer.address, signer.name) == (SENDER, "Operator Example")


def test_a_key_is_named_by_its_whole_fingerprint_or_that_of_a_subkey(gpg, sender, signer):
    assert found(gpg, sender, fingerprint=sender.fingerprint) == signer
    assert found(gpg, sender, fingerprint=signer.encryption_key) == signer


def test_a_key_that_is_not_there_is_not_found(gpg, sender, pinned):
    assert refused(gpg, sender, fingerprint=pinned.fingerprint) == "SIGNER-NOT-FOUND"


def test_an_address_that_no_key_speaks_for_is_refused(gpg, sender):
    assert refused(gpg, sender, address=Address("ops@sender.example.org")) == "SIGNER-ADDRESS"
    assert (
        refused(gpg, sender, address=Address("x@y.example"), fingerprint=sender.fingerprint)
        == "SIGNER-ADDRESS"
    )


def generate(gpg, home, user_id, *, expire="never"):
    run(
        gpg, *UNPROTECTED, "--quick-generate-key", user_id, "ed25519", "sign,cert", expire,
        home=home, env=os.environ, timeout_s=60,
    )  # fmt: skip


def test_of_two_keys_none_is_picked(gpg):
    with throwaway_home(os.environ) as home:
        generate(gpg, home, f"One <{SENDER}>")
        run(
            gpg, *UNPROTECTED, "--allow-weak-key-signatures", "--yes", "--quick-generate-key",
            f"Two <{SENDER}>", "ed25519", "sign,cert", "never",
            home=home, env=os.environ, timeout_s=60,
        )  # fmt: skip
        with pytest.raises(SealError) as refusal:
            find_signer(gpg, address=SENDER, fingerprint=None, name=None, home=home, env=os.environ)
    assert refusal.value.code == "SIGNER-AMBIGUOUS"


def test_a_revoked_user_id_does_not_speak(gpg):
    with throwaway_home(os.environ) as home:
        generate(gpg, home, "One <one@keys.example>")
        listed = run(
            gpg, "--with-colons", "--list-keys", home=home, env=os.environ, timeout_s=60
        ).stdout
        fpr = next(x.split(b":")[9] for x in listed.split(b"\n") if x.startswith(b"fpr")).decode()
        run(
            gpg, *UNPROTECTED, "--quick-add-uid", fpr, "Two <two@keys.example>",
            home=home, env=os.environ, timeout_s=60,
        )  # fmt: skip
        run(
            gpg, *UNPROTECTED, "--quick-revoke-uid", fpr, "One <one@keys.example>",
            home=home, env=os.environ, timeout_s=60,
        )  # fmt: skip
        with pytest.raises(SealError) as refusal:
            find_signer(
                gpg,
                address=Address("one@keys.example"),
                fingerprint=Fingerprint(fpr),
                name=None,
                home=home,
                env=os.environ,
            )
    assert refusal.value.code == "SIGNER-ADDRESS"


def test_an_expired_signing_key_is_refused_with_the_command_that_prolongs_it(gpg):
    with throwaway_home(os.environ) as home:
        run(
            gpg, *UNPROTECTED, "--faked-system-time", "20200101T000000", "--quick-generate-key",
            f"Old <{SENDER}>", "ed25519", "sign,cert", "30d",
            home=home, env=os.environ, timeout_s=60,
        )  # fmt: skip
        with pytest.raises(SealError) as refusal:
            find_signer(gpg, address=SENDER, fingerprint=None, name=None, home=home, env=os.environ)
    assert refusal.value.code == "SIGNER-EXPIRED"
    assert "--quick-set-expire" in refusal.value.next


def test_a_revoked_signing_key_is_refused(gpg):
    with throwaway_home(os.environ) as home:
        generate(gpg, home, f"Gone <{SENDER}>")
        [certificate] = (home / "openpgp-revocs.d").iterdir()
        run(
            gpg, "--import", home=home,
            stdin=certificate.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"),
            env=os.environ, timeout_s=60,
        )  # fmt: skip
        with pytest.raises(SealError) as refusal:
            find_signer(gpg, address=SENDER, fingerprint=None, name=None, home=home, env=os.environ)
    assert refusal.value.code == "SIGNER-REVOKED"


def test_a_key_that_only_certifies_cannot_sign(gpg):
    with throwaway_home(os.environ) as home:
        run(
            gpg, *UNPROTECTED, "--quick-generate-key", f"C <{SENDER}>", "ed25519", "cert", "never",
            home=home, env=os.environ, timeout_s=60,
        )  # fmt: skip
        with pytest.raises(SealError) as refusal:
            find_signer(gpg, address=SENDER, fingerprint=None, name=None, home=home, env=os.environ)
    assert refusal.value.code == "SIGNER-CANNOT-SIGN"


def test_the_letter_carries_the_public_half_alone(gpg, sender, signer):
    assert b"PRIVATE" not in exported(gpg, sender)
    from certmail.key.packets import read_key_block

    assert read_key_block(signer.public_key).fingerprint == sender.fingerprint


def test_a_recipient_who_asks_for_gnupgs_own_form_gets_the_one_that_all_can_read(
    gpg, engine, letter, signer, at
):
    """GnuPG 2.3 and later would write a packet of type 20, which RFC 9580 does not know."""
    key = Advertiser(name=f"Asks <{CLEVER_CLOUD.address}>")
    pinned = identify_key(
        key.public(),
        source="a test",
        recipient=Recipient("Asks", CLEVER_CLOUD.address, Fingerprint(key.fingerprint)),
        gpg=gpg,
        env=os.environ,
        at=at,
    )
    assert asks_for_ocb(pinned.packets)
    packets = engine.encrypt(engine.sign(letter.entity, signer=signer), to=pinned, also=signer)
    opens = {key.subkey_fingerprint[-16:], signer.encryption_key.key_id}
    assert set(read_encrypted(packets).key_ids) == opens
    with throwaway_home(os.environ) as home:
        run(gpg, "--import", home=home, stdin=key.secret_block(), env=os.environ, timeout_s=60)
        opened = run(gpg, "--decrypt", home=home, stdin=packets, env=os.environ, timeout_s=60)
    assert opened.stdout == letter.entity
    assert opened.first("DECRYPTION_OKAY") is not None
