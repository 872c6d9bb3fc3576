"""Packages and protected keys as openssl makes them, and who knows their passphrase."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from certmail.values import Secret
from tests.bundle import make

if TYPE_CHECKING:
    from pathlib import Path

PASSPHRASE = "correct horse"


def openssl(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    """Run the system's openssl; the passphrase goes by the environment."""
    done = subprocess.run(
        ["openssl", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "PHRASE": PASSPHRASE, "NONE": ""},
        timeout=60,
        check=True,
    )
    return done.stdout


def traditional(cipher: str) -> bytes:
    """Give the leaf's key with ``Proc-Type: 4,ENCRYPTED``."""
    return openssl(
        "rsa", "-traditional", f"-{cipher}", "-passout", "env:PHRASE", stdin=make.key_pem()
    )


def pkcs8(*how: str) -> bytes:
    """Give the leaf's key as ``ENCRYPTED PRIVATE KEY``."""
    return openssl("pkcs8", "-topk8", *how, "-passout", "env:PHRASE", stdin=make.key_pem())


def pkcs12(folder: Path, *how: str, phrase: str = "env:PHRASE") -> bytes:
    """Give the sound bundle as a PKCS#12 package."""
    chain = folder / "chain.pem"
    chain.write_bytes(make.chain_pem())
    parts = make.key_pem() + make.leaf_pem()
    return openssl("pkcs12", "-export", *how, "-certfile", chain, "-passout", phrase, stdin=parts)


def pkcs7(folder: Path, form: str) -> bytes:
    """Give the certificates as ``openssl crl2pkcs7`` packs them."""
    chain = folder / "fullchain.pem"
    chain.write_bytes(make.leaf_pem() + make.chain_pem())
    return openssl("crl2pkcs7", "-nocrl", "-certfile", chain, "-outform", form)


class Knows:
    """Somebody who gives the same answers in turn, and counts."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, what: str, /) -> Secret:
        self.asked.append(what)
        return Secret(self.answers[min(len(self.asked), len(self.answers)) - 1])
