"""What a run costs, in counts that no clock is asked for: so that speed does not rot.

The bounds are what is needed today, with a little room; who needs more raises a bound and says why.
Times are measured in ``benchmarks/``, never here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from certmail.recipient import CLEVER_CLOUD
from certmail.rehearsal.authority import throwaway_authority
from certmail.rehearsal.refusals import server_context
from certmail.submission import Mode
from tests.delivery.hostile import PASSWORD, USER, HostileRelay
from tests.peers import need

if TYPE_CHECKING:
    from pathlib import Path

MODULES = {"--version": 60, "--help": 130, "check": 270, "check of no PEM": 165, "send": 450}
"""All modules that a run imports, the interpreter's own included."""

UNNEEDED_IN_A_CHECK = (
    *("asyncio", "ssl", "gnupg", "json", "tomllib", "tempfile", "shutil", "subprocess"),
    *("platformdirs", "certmail.settings", "certmail.ledger", "certmail.bundle.revocation"),
)
UNNEEDED_WITHOUT_PEM = (
    *("cryptography", "pathlib", "ipaddress", "hashlib", "base64"),
    *("certmail.bundle.judge", "certmail.stores", "certmail.places"),
)

UNNEEDED_IN_A_SEND = (
    *("rich", "httpx", "httpcore", "keyring", "yaml", "scramp", "asn1crypto", "dns", "tomlkit"),
    *("aiosmtpd", "certmail.rehearsal", "certmail.keysources", "certmail.web", "certmail.names"),
    *("platformdirs", "tomllib", "getpass", "certmail.delivery.probe", "certmail.secrets.keyring"),
)

PROGRAMS_OF_A_SEND = [
    "gpg --version",
    "gpg --import",
    "gpg --check-sigs",
    "gpg --list-config",
    "gpg --list-secret-keys",
    "gpg --export",
    "gpg --sign",
    "gpg --verify",
    "gpg --encrypt",
    "cat",
]
"""The last four in this order. python-gnupg, which lists the secret keys, asks GnuPG for itself."""

LOOKS_OF_A_CHECK = 5
"""How often Python looks for unused objects; it does so fifty times if nobody tells it."""

SYNCS_OF_A_SEND = 32
OCTETS_ON_DISK = 560_000
"""Of one message: the outbox with its log and ballast, a receipt, the relay's memory."""

OCTETS_A_MESSAGE = 2_500
"""Of Python's memory, by which a batch may grow for each message until its end is told.

It is 200 in the long run; among so few, what is kept once and for all counts too. An entry of the
outbox would take 6,000, a sealed message 12,000."""

WATCHED = """
import gc, os, re, sys, tracemalloc
from certmail.__main__ import main

os._exit = sys.exit  # something comes afterwards

class Watched:
    most = 0
    def write(self, text):
        re.purge()  # the mail parser's pattern for each boundary; their cache has a bound
        gc.collect()
        self.most = max(self.most, tracemalloc.get_traced_memory()[0])
        return sys.__stdout__.write(text)
    def __getattr__(self, name):
        return getattr(sys.__stdout__, name)

sys.stdout = Watched()
tracemalloc.start()
try:
    main()
finally:
    print(sys.stdout.most, file=sys.stderr)
"""
"""Runs certmail and tells how many octets were held at most when it wrote to standard output."""


@dataclass(frozen=True)
class Traced:
    """What the system saw of a run."""

    programs: list[str]
    syncs: int
    octets: int


def accepted(*words: str | Path) -> tuple[str | Path, ...]:
    """Send with the copy that comes along, whose expiry is accepted; the work is the same."""
    return (
        "send", *words, "--yes", f"--accept-expired-key={CLEVER_CLOUD.pin}",
        "--from", "ops@sender.example",
    )  # fmt: skip


def unneeded(names: set[str], those: tuple[str, ...]) -> list[str]:
    return sorted(n for n in names for no in those if n == no or n.startswith(no + "."))


def imported(user, *arguments: str | Path, status: int = 0) -> set[str]:
    """Run certmail and give the names of all modules that it imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "certmail", *map(str, arguments)],
        env=user.environment(), cwd=user.home, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]], ids=" ".join)
def test_the_first_answer_imports_little(user, arguments):
    assert len(imported(user, *arguments)) <= MODULES[arguments[0]]


def test_a_check_imports_what_it_needs(user, bundle):
    names = imported(user, "check", bundle)
    assert len(names) <= MODULES["check"]
    assert unneeded(names, UNNEEDED_IN_A_CHECK) == []


def test_a_check_of_a_file_that_is_no_pem_imports_what_it_needs(user, bundle):
    bundle.write_bytes(bundle.read_bytes().replace(b"-----END PRIVATE", b"-----END PRIVAT", 1))
    names = imported(user, "check", bundle, status=10)
    assert len(names) <= MODULES["check of no PEM"]
    assert unneeded(names, (*UNNEEDED_IN_A_CHECK, *UNNEEDED_WITHOUT_PEM)) == []


def test_a_send_imports_what_it_needs(user, bundle, relay):
    names = imported(user, *accepted(bundle), *relay.flags)
    assert len(names) <= MODULES["send"]
    assert unneeded(names, UNNEEDED_IN_A_SEND) == []


def test_modules_are_not_looked_through_for_rubbish_nor_taken_apart(user, bundle):
    counted = (
        "import atexit, gc, os, sys; looks = []; end = os._exit\n"
        "gc.callbacks.append(lambda *told: looks.append(told))\n"
        "atexit.register(lambda: sys.stderr.write('taken apart'))\n"
        "os._exit = lambda status: (os.write(2, str(len(looks) // 2).encode()), end(status))\n"
        "from certmail.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", counted, "check", str(bundle)],
        env=user.environment(), cwd=user.home, capture_output=True, text=True, timeout=120,
        check=True,
    )  # fmt: skip
    assert int(done.stderr) <= LOOKS_OF_A_CHECK


def traced(user, folder: Path, *arguments: str | Path) -> Traced:
    """Run certmail under strace; count programs, syncs and octets written into files."""
    strace = need("strace")
    done = subprocess.run(
        [
            # A file for each process: in one file their lines would run into each other.
            strace, "-ff", "-ttt", "-y", "-v", "-s", "120", "-o", folder / "trace",
            "-e", "trace=execve,fsync,fdatasync,write,pwrite64",
            sys.executable, "-m", "certmail", *map(str, arguments),
        ],
        env=user.environment(), cwd=user.home, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in folder.glob("trace.*")]
    text = "\n".join(sorted("\n".join(texts).splitlines()))
    started = re.findall(r'execve\("[^"]*", \[(.*?)\], \[.* = 0$', text, re.MULTILINE)
    programs = [_named(re.findall(r'"((?:[^"\\]|\\.)*)"', words)) for words in started[1:]]
    written = re.findall(r"p?write(?:64)?\(\d+<(/[^>]*)>.*\) = (\d+)$", text, re.MULTILINE)
    return Traced(
        programs=programs,
        syncs=len(re.findall(r"f(?:data)?sync\(", text)),
        octets=sum(int(size) for path, size in written if path.startswith(str(user.home))),
    )


def _named(words: list[str]) -> str:
    acts = ("version", "import", "list-config", "list-secret-keys", "export", "sign", "verify")
    program = words[0].rpartition("/")[2]
    found = [word for word in words if word.lstrip("-") in (*acts, "encrypt", "check-sigs")]
    return f"{program} {found[0]}" if found else program


def test_a_send_starts_no_program_twice_and_syncs_no_more_than_it_must(
    user, bundle, relay, tmp_path
):
    arguments = (*accepted(bundle), *relay.flags)
    seen = traced(user, tmp_path, *arguments)
    # The sender's keys are looked up while the recipient's is judged.
    assert "\n".join(sorted(seen.programs)) == "\n".join(sorted(PROGRAMS_OF_A_SEND))
    assert seen.programs[-4:] == PROGRAMS_OF_A_SEND[-4:]
    assert seen.syncs <= SYNCS_OF_A_SEND
    assert seen.octets <= OCTETS_ON_DISK


def test_a_message_takes_no_more_round_trips_than_the_protocol_has(
    user, bundle, relay_files, tmp_path
):
    """RFC 5321 §4.1.4: an answer to each of these, and the greeting."""
    certificate, ca_file = relay_files
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n", encoding="utf-8")
    with HostileRelay(Mode.IMPLICIT, server_context(certificate)) as far:
        ran = user(
            *accepted(bundle), "--relay-host", "127.0.0.1", "--relay-port", str(far.port),
            "--relay-ca-file", ca_file, "--relay-user", USER,
            "--relay-password-command", f"cat {secret}",
        )  # fmt: skip
    assert ran.status == 0, ran.err
    assert far.verbs == ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]
    assert far.connections == 1


def test_a_batch_keeps_no_more_of_a_message_than_its_names(user, renewed, relay, at, tmp_path):
    """Ten thousand messages shall take the memory of a hundred: what is kept of each is counted."""
    authority = throwaway_authority(at)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    user.extra = {"CERTMAIL_KEY_FILE": str(renewed)}
    held = {}
    for many in (10, 40):
        folder = tmp_path / f"bundles of {many}"
        folder.mkdir()
        for number in range(many):
            issued = authority.issue(f"host{number}.of{many}.example", key=key)
            (folder / f"{number}.pem").write_bytes(issued.private_key + issued.certificate)
        words = ("send", folder, "--yes", "--json", *relay.flags)
        done = subprocess.run(
            [sys.executable, "-c", WATCHED, *map(str, words)],
            env=user.environment(), cwd=user.home, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        assert len(json.loads(done.stdout)["messages"]) == many
        held[many] = int(done.stderr.splitlines()[-1])
    assert (held[40] - held[10]) / 30 <= OCTETS_A_MESSAGE, held
