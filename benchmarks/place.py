"""A place to measure in: keys, bundles, a Postfix on loopback, and a build of certmail for them.

Nothing leaves the machine. The recipient's address and pin are fixed in certmail, so the build that
is measured here is a copy of the package in which those two constants and the bundled key are a
stand-in's, whose secret key is at hand: each mail can be opened, to prove that the work was done.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

from certmail.gnupg.homes import throwaway_home
from certmail.gnupg.runner import find_gpg, run
from certmail.rehearsal.authority import throwaway_authority
from tests.delivery import postfix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certmail.submission import Mode

ROOT: Final = Path(__file__).parent.parent
SENDER: Final = "ops@sender.example"
RECIPIENT: Final = "ssl@clever-cloud.com"
USER: Final = postfix.USER
PASSWORD: Final = "in-plain-ascii-since-smtplib-takes-no-other"


@dataclass(frozen=True)
class Place:
    """Everything a contender may use."""

    root: Path
    """A folder of this run; the home of every contender."""
    gnupg: Path
    """The sender's GnuPG home."""
    recipient_home: Path
    """The stand-in recipient's home, with the secret key."""
    recipient: str
    """The stand-in's fingerprint."""
    signers: dict[str, str]
    """Fingerprints of the sender's signing keys by algorithm."""
    build: Path
    """The folder that holds certmail for the stand-in."""
    ports: dict[Mode, int]
    discard_ports: dict[Mode, int]
    storing: postfix.Postfix

    @property
    def ca_file(self) -> Path:
        """The authority of the relay's certificate."""
        return self.root / "ca.pem"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every contender: nothing of the machine's own settings."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "GNUPGHOME": str(self.gnupg),
            "XDG_RUNTIME_DIR": str(self.root / "run"),
            "PYTHONPATH": str(self.build),
            "CERTMAIL_KEY_REFRESH": "never",
            "CERTMAIL_CONFIG": str(self.root / "certmail.toml"),
            "LANG": "C.UTF-8",
        }

    def forget_relays(self) -> None:
        """Have certmail forget what relays offered, since the modes take turns on one host name."""
        shutil.rmtree(self.root / ".local", ignore_errors=True)

    def bundle(self, bits: int = 2048) -> Path:
        """Give a bundle file: a key, a leaf and an intermediate."""
        return self.root / f"rsa{bits}.pem"

    def settings(self, *, mode: Mode, port: int, signer: str) -> str:
        """Write the settings file of a contender."""
        text = (
            f'[sender]\naddress = "{SENDER}"\nkey = "{self.signers[signer]}"\n'
            f'[relay]\nhost = "localhost"\nport = {port}\nmode = "{mode.value}"\n'
            f'user = "{USER}"\nca_file = "{self.ca_file}"\n'
            f'password_command = "cat {self.root / "password"}"\n'
        )
        (self.root / "certmail.toml").write_text(text, encoding="utf-8")
        (self.root / "certmail.toml").chmod(0o600)
        return text

    @property
    def certmail(self) -> tuple[str, ...]:
        """The command: what the installed script does, on this Python."""
        return sys.executable, "-c", "from certmail.__main__ import main; main()"


@contextmanager
def place() -> Iterator[Place]:
    """Make it, and leave nothing behind."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cm-bench-")))
        (root / "run").mkdir(mode=0o700)
        gnupg = stack.enter_context(throwaway_home(os.environ))
        recipient_home = stack.enter_context(throwaway_home(os.environ))
        authority = trustme.CA()
        authority.cert_pem.write_to_path(root / "ca.pem")
        (root / "password").write_text(PASSWORD + "\n", encoding="utf-8")
        (root / "password").chmod(0o600)
        storing = stack.enter_context(postfix.running(authority, password=PASSWORD))
        discarding = stack.enter_context(
            postfix.running(authority, transport="discard", password=PASSWORD, limit=2**26)
        )
        signers = {
            name: _key(gnupg, f"Ops {name} <{SENDER}>", name, "sign,cert")
            for name in ("ed25519", "rsa3072", "rsa4096")
        }
        recipient = _key(recipient_home, f"Stand-in <{RECIPIENT}>", "rsa4096", "sign,cert")
        _subkey(recipient_home, recipient, "rsa4096")
        public = _gpg(recipient_home, "--armor", "--export", recipient)
        _gpg(gnupg, "--import", stdin=public)
        _gpg(recipient_home, "--import", stdin=_gpg(gnupg, "--export", *signers.values()))
        for bits in (2048, 4096):
            write_bundles(root, [f"rsa{bits}"], bits=bits)
        yield Place(
            root=root,
            gnupg=gnupg,
            recipient_home=recipient_home,
            recipient=recipient,
            signers=signers,
            build=_build(root / "build", recipient, public),
            ports=storing.ports,
            discard_ports=discarding.ports,
            storing=storing,
        )


def write_bundles(folder: Path, names: list[str], *, bits: int = 2048) -> None:
    """Write bundles that share a key, since making keys is what takes time."""
    authority = throwaway_authority(datetime.now(UTC))
    intermediate = authority.intermediate("benchmark intermediate")
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    for name in names:
        issued = intermediate.issue(f"{name}.example", f"www.{name}.example", key=key)
        file = folder / f"{name}.pem"
        file.touch(mode=0o600)
        file.write_bytes(issued.private_key + issued.certificate + intermediate.pem)


def folder_of(place: Place, count: int) -> Path:
    """Give a folder of so many bundles."""
    folder = place.root / f"bundles-{count}"
    if not folder.is_dir():
        folder.mkdir()
        write_bundles(folder, [f"host{number:05}" for number in range(count)])
    return folder


def _build(folder: Path, recipient: str, public: bytes) -> Path:
    """Copy the package with the stand-in's pin and key, byte-compiled as an installer does."""
    import compileall

    shutil.copytree(
        ROOT / "certmail", folder / "certmail", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "keys").mkdir()
    (folder / "keys" / "clever-cloud.asc").write_bytes(public)
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "errors.md", folder / "docs")
    constants = folder / "certmail" / "recipient.py"
    text = constants.read_text(encoding="utf-8")
    pinned = "03943517934C1FA5ED4E2F61218B86BD5278460F"
    if text.count(pinned) != 1:
        raise RuntimeError("certmail/recipient.py does not hold the pin once")
    constants.write_text(text.replace(pinned, recipient), encoding="utf-8")
    compileall.compile_dir(folder, quiet=1)
    return folder


def _key(home: Path, user_id: str, algorithm: str, usage: str) -> str:
    listed = set(_fingerprints(home))
    _gpg(
        home, "--passphrase", "", "--pinentry-mode", "loopback",
        "--quick-generate-key", user_id, algorithm, usage, "never",
    )  # fmt: skip
    return next(line for line in _fingerprints(home) if line not in listed)


def _subkey(home: Path, fingerprint: str, algorithm: str) -> None:
    _gpg(
        home, "--passphrase", "", "--pinentry-mode", "loopback",
        "--quick-add-key", fingerprint, algorithm, "encr", "never",
    )  # fmt: skip


def _fingerprints(home: Path) -> list[str]:
    rows = _gpg(home, "--with-colons", "--list-secret-keys").decode().splitlines()
    return [row.split(":")[9] for row in rows if row.startswith("fpr")]


def _gpg(home: Path, *words: str, stdin: bytes = b"") -> bytes:
    return run(find_gpg(None), *words, home=home, stdin=stdin, env=os.environ, timeout_s=120).stdout
