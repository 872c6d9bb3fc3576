"""Real keys, a real bundle and a real seal, made once per session and gone afterwards."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from certmail.gnupg.engine import GnuPG
from certmail.gnupg.homes import throwaway_home
from certmail.gnupg.identify import identify_key
from certmail.gnupg.runner import Gpg, find_gpg, run
from certmail.gnupg.signers import find_signer
from certmail.recipient import CLEVER_CLOUD, Recipient
from certmail.rehearsal.authority import throwaway_authority, throwaway_bundle
from certmail.values import Address, Fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from certmail.key.pin import PinnedKey
    from certmail.message.seal import Signer


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """Undo what a command line run in this process has forbidden; servers make folders later."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


SENDER = Address("ops@sender.example")
NAMES = ("shop.example", "www.shop.example")


@dataclass(frozen=True)
class Person:
    """Somebody with a GnuPG home."""

    home: Path
    fingerprint: Fingerprint


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heard() -> None:
    """A shell starts what runs in its background with Ctrl-C ignored, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cores_can_be_allowed_again():
    """A command run in this process forbids core dumps for good; other tests want one to look at.

    Here, and in no process that a test starts, only the limit that can be raised again is set.
    """
    if sys.platform == "win32":
        yield
        return
    import resource

    forbid = resource.setrlimit

    def for_now(which, limits):
        hard = resource.getrlimit(which)[1] if which == resource.RLIMIT_CORE else limits[1]
        forbid(which, (limits[0], hard))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resource, "setrlimit", for_now)
        yield


@pytest.fixture(scope="session")
def at() -> datetime:
    """One instant for the session, a little ahead so that fresh keys are not of the future."""
    return datetime.now(UTC) + timedelta(minutes=45)


@pytest.fixture(scope="session")
def gpg() -> Gpg:
    return find_gpg(None)


@pytest.fixture(scope="session")
def make_person(gpg):
    """Make keys in homes of their own; the homes and their agents end with the session."""
    homes = []

    def make(user_id: str, *, algorithm: str = "ed25519", subkey: str | None = "cv25519") -> Person:
        context = throwaway_home(os.environ)
        home = context.__enter__()
        homes.append(context)
        unprotected = ("--passphrase", "", "--pinentry-mode", "loopback")
        run(
            gpg,
            *unprotected,
            "--quick-generate-key",
            user_id,
            algorithm,
            "sign,cert",
            "never",
            home=home,
            env=os.environ,
            timeout_s=60,
        )
        listed = run(
            gpg, "--with-colons", "--list-keys", home=home, env=os.environ, timeout_s=60
        ).stdout
        fingerprint = next(
            line.split(b":")[9] for line in listed.split(b"\n") if line.startswith(b"fpr")
        ).decode()
        if subkey:
            run(
                gpg,
                *unprotected,
                "--quick-add-key",
                fingerprint,
                subkey,
                "encr",
                "never",
                home=home,
                env=os.environ,
                timeout_s=60,
            )
        return Person(home, Fingerprint(fingerprint))

    yield make
    for context in homes:
        context.__exit__(None, None, None)


@pytest.fixture(scope="session")
def sender(make_person) -> Person:
    return make_person(f"Operator Example <{SENDER}>")


@pytest.fixture(scope="session")
def receiver(make_person) -> Person:
    """The one who holds the stand-in key's secret half."""
    return make_person(f"Stand-in <{CLEVER_CLOUD.address}>")


@pytest.fixture(scope="session")
def stranger(make_person) -> Person:
    return make_person("Stranger <stranger@elsewhere.example>")


def exported(gpg: Gpg, person: Person) -> bytes:
    """Give the binary public key."""
    return run(
        gpg,
        "--export",
        person.fingerprint.text,
        home=person.home,
        env=os.environ,
        timeout_s=60,
    ).stdout


@pytest.fixture(scope="session")
def stand_in(receiver) -> Recipient:
    return Recipient("Stand-in", CLEVER_CLOUD.address, receiver.fingerprint)


@pytest.fixture(scope="session")
def pinned(gpg, receiver, stand_in, at) -> PinnedKey:
    return identify_key(
        exported(gpg, receiver),
        source="stand-in",
        recipient=stand_in,
        gpg=gpg,
        env=os.environ,
        at=at,
    )


@pytest.fixture(scope="session")
def signer(gpg, sender) -> Signer:
    return find_signer(
        gpg, address=SENDER, fingerprint=None, name=None, home=sender.home, env=os.environ
    )


@pytest.fixture(scope="session")
def engine(gpg, sender) -> GnuPG:
    return GnuPG(gpg, os.environ, signing_home=sender.home, pinentry="error")


@pytest.fixture(scope="session")
def bundle_pem(at) -> bytes:
    return throwaway_bundle(throwaway_authority(at), *NAMES)


@pytest.fixture(scope="session")
def letter(bundle_pem, signer, stand_in, at):
    from certmail.bundle.check import check
    from certmail.key import armor
    from certmail.message.letter import Request, Sender, compose

    checked = check(bundle_pem, at=at).checked
    return compose(
        checked,
        sender=Sender(
            signer.address,
            signer.name,
            signer.fingerprint,
            armor.encode("PGP PUBLIC KEY BLOCK", signer.public_key),
        ),
        recipient=stand_in,
        request=Request(organisation="orga_example", note="Réplace the old one, please"),
        at=at,
    )


@pytest.fixture(scope="session")
def sealed(letter, pinned, signer, engine):
    from certmail.message.seal import Copy, seal

    return seal(letter, pinned=pinned, signer=signer, engine=engine, copy=Copy.NONE)
