"""Programs that open OpenPGP messages; a mail program of the recipient's may stand on any of them.

Each is given the recipient's secret key and the sender's public key, and nothing else to choose
from. In the form of RFC 3156 §6.1 the signature is verified in a second step, over the octets of
the signed part.
"""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from certmail.gnupg.homes import throwaway_home
from tests.peers import need, unmet
from tests.readers.reading import Kind, Reading, Sign, run
from tests.readers.recipes import Form

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence

    from tests.readers.messages import Message

HERE = Path(__file__).parent
OPENPGPJS = HERE.parent.parent / ".venv" / "openpgpjs" / "node_modules"


def signed_part(plain: bytes) -> tuple[bytes, bytes]:
    """Give the signed octets and the signature of a multipart/signed (RFC 3156 §5)."""
    head, _, body = plain.partition(b"\r\n\r\n")
    boundary = re.search(rb'boundary="([^"]+)"', head)
    assert boundary is not None
    _, entity, signature, _ = body.split(b"--" + boundary[1])
    armored = signature.partition(b"\r\n\r\n")[2]
    return entity.removeprefix(b"\r\n").removesuffix(b"\r\n"), armored


def attached(entity: bytes | None) -> bytes | None:
    """Give the first attachment, as the standard library reads it."""
    if entity is None:
        return None
    inner = email.message_from_bytes(entity, policy=email.policy.default)
    return next((part.get_content() for part in inner.iter_attachments()), None)


def whole(done: subprocess.CompletedProcess[bytes]) -> bytes | None:
    """Give the plaintext of a program that has not complained about it."""
    return done.stdout if done.returncode == 0 else None


class OpenPGP(ABC):
    """A program that is asked to decrypt, and to verify what is signed apart."""

    name: ClassVar[str]
    package: ClassVar[str]
    note: ClassVar[str] = ""
    kind = Kind.OPENPGP
    signs = frozenset({Sign.OPENED, Sign.SIGNED, Sign.ATTACHED})

    @abstractmethod
    def version(self) -> str: ...

    @abstractmethod
    def decrypt(self, message: Message, room: Path) -> tuple[bytes | None, str | None, str]:
        """Give the plaintext, who signed it, and what was said."""

    @abstractmethod
    def verify(
        self, message: Message, signed: bytes, signature: bytes, room: Path
    ) -> tuple[str | None, str]:
        """Give who signed ``signed`` apart, and what was said."""

    def read(self, messages: Sequence[Message], room: Path) -> list[Reading]:
        return list(self._read_each(messages, room))

    def _read_each(self, messages: Sequence[Message], room: Path) -> Iterator[Reading]:
        for message in messages:
            place = room / message.name
            place.mkdir()
            (place / "secret.pgp").write_bytes(message.secret)
            (place / "sender.pgp").write_bytes(message.signer_public)
            plain, signed_by, said = self.decrypt(message, place)
            if message.form is Form.ENCAPSULATED and plain is not None:
                plain, signature = signed_part(plain)
                signed_by, more = self.verify(message, plain, signature, place)
                said += more
            yield Reading(opened=plain, signed_by=signed_by, attachment=attached(plain), said=said)


class GnuPG(OpenPGP):
    name, package = "GnuPG", "gnupg"

    def version(self) -> str:
        return run(need("gpg", package="gnupg"), "--version").stdout.decode().split()[2]

    def decrypt(self, message, room):
        return self._ask(message, "--decrypt", stdin=message.ciphertext)

    def verify(self, message, signed, signature, room):
        (room / "signature").write_bytes(signature)
        _, signed_by, said = self._ask(
            message, "--verify", str(room / "signature"), "-", stdin=signed
        )
        return signed_by, said

    def _ask(self, message, *args, stdin):
        gpg = need("gpg", package="gnupg")
        with throwaway_home(os.environ) as home:
            ask = [gpg, "--homedir", str(home), "--no-options", "--batch", "--status-fd", "2"]
            for key in (message.secret, message.signer_public):
                run(*ask, "--import", stdin=key)
            done = run(*ask, *args, stdin=stdin)
        said = done.stderr.decode()
        valid = re.search(r"^\[GNUPG:\] VALIDSIG .* ([0-9A-F]{40})$", said, re.MULTILINE)
        good = "[GNUPG:] GOODSIG" in said and done.returncode == 0
        whole = "[GNUPG:] DECRYPTION_OKAY" in said
        return done.stdout if whole else None, valid[1] if good and valid else None, said


class Sq(OpenPGP):
    name, package = "sq (Sequoia)", "sq"

    def version(self) -> str:
        return run(need("sq"), "--version").stdout.decode().split()[1]

    def decrypt(self, message, room):
        # The flags were renamed in sq 1.0.
        newer = b"--recipient-file" in run(need("sq"), "decrypt", "--help").stdout
        names = ("recipient-file", "signer-file") if newer else ("recipient-key", "signer-cert")
        keys = [f"--{names[0]}", room / "secret.pgp"]
        if message.form is Form.COMBINED:
            keys += [f"--{names[1]}", room / "sender.pgp"]
        done = run(need("sq"), "decrypt", *keys, stdin=message.ciphertext)
        return whole(done), self._signer(message, done), done.stderr.decode()

    def verify(self, message, signed, signature, room):
        (room / "signature").write_bytes(signature)
        newer = b"--signature-file" in run(need("sq"), "verify", "--help").stdout
        names = ("signer-file", "signature-file") if newer else ("signer-cert", "detached")
        keys = (f"--{names[0]}", room / "sender.pgp", f"--{names[1]}", room / "signature")
        done = run(need("sq"), "verify", *keys, stdin=signed)
        return self._signer(message, done), done.stderr.decode()

    @staticmethod
    def _signer(message, done):
        """Sequoia says "good" only of the certificates it was given, and that is one."""
        good = done.returncode == 0 and b"1 good signature" in done.stderr
        return message.signer.text if good else None


class Sop(OpenPGP):
    """The stateless command line that several implementations share."""

    out = "--verifications-out"

    def version(self) -> str:
        return run(need(self.package), "version").stdout.decode().splitlines()[0].split()[-1]

    def decrypt(self, message, room):
        out = room / "verifications"
        asked = (f"{self.out}={out}", f"--verify-with={room / 'sender.pgp'}")
        done = run(
            need(self.package), "decrypt", *(asked if message.form is Form.COMBINED else ()),
            room / "secret.pgp", stdin=message.ciphertext,
        )  # fmt: skip
        told = out.read_text() if out.exists() else ""
        return whole(done), self._signer(told), told + done.stderr.decode()

    def verify(self, message, signed, signature, room):
        (room / "signature").write_bytes(signature)
        done = run(
            need(self.package), "verify", room / "signature", room / "sender.pgp", stdin=signed
        )
        told = done.stdout.decode()
        return self._signer(told), told + done.stderr.decode()

    @staticmethod
    def _signer(told: str) -> str | None:
        """Read a verification: when, by which key, and of which primary key."""
        words = told.split()
        return words[2] if len(words) > 2 else None


class Sqop(Sop):
    name, package = "sqop (Sequoia)", "sqop"


class Gosop(Sop):
    name, package, out = "gosop (GopenPGP)", "gosop", "--verify-out"
    note = "writes lines with LF where CRLF was signed; compared with CRLF put back"

    def version(self) -> str:
        """Ask the package: the program says 0.0.0."""
        asked = run("dpkg-query", "--show", "--showformat=${Version}", need("gosop") and "gosop")
        return asked.stdout.decode() or super().version()

    def decrypt(self, message, room):
        plain, signed_by, said = super().decrypt(message, room)
        assert plain is None or b"\r" not in plain
        return None if plain is None else plain.replace(b"\n", b"\r\n"), signed_by, said


class PGPainless(Sop):
    name, package = "PGPainless", "pgpainless-cli"


class Rnp(OpenPGP):
    name, package = "RNP", "rnp"

    def version(self) -> str:
        return run(need("rnp"), "--version").stdout.decode().split()[1]

    def decrypt(self, message, room):
        home = self._home(message, room)
        (room / "message").write_bytes(message.ciphertext)
        done = run(
            need("rnp"), "--homedir", home, "--decrypt", room / "message",
            "--output", room / "plain",
        )  # fmt: skip
        plain = (room / "plain").read_bytes() if done.returncode == 0 else None
        return plain, self._signer(message, done), done.stderr.decode() + done.stdout.decode()

    def verify(self, message, signed, signature, room):
        (room / "signature").write_bytes(signature)
        (room / "signed").write_bytes(signed)
        done = run(
            need("rnp"), "--homedir", self._home(message, room), "--verify", room / "signature",
            "--source", room / "signed",
        )  # fmt: skip
        return self._signer(message, done), done.stderr.decode() + done.stdout.decode()

    @staticmethod
    def _home(message, room):
        home = room / "rnp"
        if not home.exists():
            home.mkdir(mode=0o700)
            for key in ("secret.pgp", "sender.pgp"):
                run(need("rnpkeys", package="rnp"), "--homedir", home, "--import-keys", room / key)
        return home

    @staticmethod
    def _signer(message, done):
        """RNP names the key by its ID; the ring holds no other key that signs."""
        said = (done.stdout + done.stderr).decode().upper()
        good = done.returncode == 0 and "SIGNATURE(S) VERIFIED SUCCESSFULLY" in said
        return message.signer.text if good and message.signer.key_id in said else None


class OpenPGPjs(OpenPGP):
    name, package = "OpenPGP.js", "npm openpgp"

    def version(self) -> str:
        self._need()
        return json.loads((OPENPGPJS / "openpgp" / "package.json").read_text())["version"]

    def decrypt(self, message, room):
        (room / "message").write_bytes(message.ciphertext)
        told = self._ask("decrypt" if message.form is Form.COMBINED else "open", room)
        plain = room / "plain"
        return plain.read_bytes() if plain.exists() else None, told.get("by"), str(told)

    def verify(self, message, signed, signature, room):
        (room / "signature").write_bytes(signature)
        (room / "signed").write_bytes(signed)
        told = self._ask("verify", room)
        return told.get("by"), str(told)

    def _ask(self, act: str, room: Path) -> dict[str, str]:
        self._need()
        done = run(
            need("node", package="nodejs"), HERE / "openpgpjs" / "read.cjs", act, room,
            env={"PATH": os.environ["PATH"], "NODE_PATH": str(OPENPGPJS)},
        )  # fmt: skip
        return json.loads(done.stdout or b"{}") | {"stderr": done.stderr.decode()}

    @staticmethod
    def _need() -> None:
        if not (OPENPGPJS / "openpgp").is_dir():
            unmet("OpenPGP.js is not installed (make readers)")


class InPython(OpenPGP):
    """A library for Python, asked in a process of its own, since its warnings are not ours."""

    def version(self) -> str:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version(self.module)
        except PackageNotFoundError:
            unmet(f"{self.module} is not installed for this Python")

    def decrypt(self, message, room):
        (room / "message").write_bytes(message.ciphertext)
        told = self._ask("decrypt" if message.form is Form.COMBINED else "open", room)
        plain = room / "plain"
        return plain.read_bytes() if plain.exists() else None, told.get("by"), str(told)

    def verify(self, message, signed, signature, room):
        (room / "signature").write_bytes(signature)
        (room / "signed").write_bytes(signed)
        told = self._ask("verify", room)
        return told.get("by"), str(told)

    def _ask(self, act: str, room: Path) -> dict[str, str]:
        self.version()
        script = HERE / f"with_{self.module.lower()}.py"
        done = run(sys.executable, "-W", "ignore", script, act, room)
        return json.loads(done.stdout or b"{}") | {"stderr": done.stderr.decode()}


class PySequoia(InPython):
    name, package, module = "pysequoia", "PyPI pysequoia", "pysequoia"


class PGPy(InPython):
    name, package, module = "PGPy", "PyPI PGPy", "PGPy"

    def version(self) -> str:
        if sys.version_info >= (3, 13):
            pytest.skip("PGPy imports a module that Python 3.13 lacks")
        return super().version()


ALL: tuple[OpenPGP, ...] = (
    *(GnuPG(), Sq(), Sqop(), PySequoia(), Rnp(), OpenPGPjs(), Gosop(), PGPainless(), PGPy()),
)
