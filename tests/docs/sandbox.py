"""A machine for one page: a home, keys, files, a relay, and programs from a list.

``operator`` is somebody who has set certmail up; ``newcomer`` has the program and a bundle, and
neither settings nor keys. More words add to it: ``outbox`` (messages that wait and that arrived),
``down`` (the relay does not answer), ``nothing`` (no bundle), ``shipped`` (no copy of the key but
the one that ships). A page's text
is written for the world; what it names is put in its place here (`Machine.here`), and back in what
is seen (`Machine.told`).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from certmail.gnupg.homes import throwaway_home
from certmail.recipient import CLEVER_CLOUD
from certmail.rehearsal.authority import throwaway_bundle
from certmail.rehearsal.refusals import server_context
from certmail.rehearsal.server import mail_server
from tests.docs.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certmail.rehearsal.authority import Authority

ROOT = Path(__file__).parent.parent.parent
RENEWED = ROOT.parent / "shared" / "keys" / "clever-cloud-renewed-2026-04.asc"
SHIPPED = ROOT / "keys" / "clever-cloud.asc"
PASSWORD = "correct-horse-battery"
OPERATOR = "ops@example.org"
WORDS = {"operator", "newcomer", "outbox", "down", "nothing", "shipped"}

PROGRAMS = (
    *(
        "bash",
        "sh",
        "cat",
        "cp",
        "mv",
        "rm",
        "ls",
        "mkdir",
        "chmod",
        "touch",
        "ln",
        "find",
        "sleep",
    ),
    *(
        "sed",
        "grep",
        "head",
        "tail",
        "sort",
        "cut",
        "tr",
        "wc",
        "diff",
        "cmp",
        "tee",
        "printf",
        "echo",
    ),
    *("base64", "date", "stat", "env", "test", "true", "false", "umask", "xargs", "id", "mktemp"),
    *(
        "gpg",
        "gpgconf",
        "gpg-agent",
        "gpg-connect-agent",
        "tty",
        "openssl",
        "jq",
        "nc",
        "dirname",
        "basename",
        "uname",
        "seq",
    ),
    *("sha256sum", "less", "awk", "kill", "install"),
)
"""What a page may use beside certmail, python3 and what `exceptions` lists."""

STAND_INS = {"vault": PASSWORD, "pass": PASSWORD, "op": PASSWORD}
"""Programs that give a password, and what they say here."""


@dataclass
class Materials:
    """What is made once and used by every page."""

    authority: Authority
    gnupg: Path
    domains: dict[str, dict[str, tuple[str, int]]]
    sources: str
    relay_pem: Path
    ca_file: Path
    certificates: dict[str, bytes]


@dataclass
class Machine:
    """One page's sandbox."""

    home: Path
    shell: Shell
    relay_port: int
    swaps: dict[str, str] = field(default_factory=dict)
    mailbox: Any = None

    @property
    def ways(self) -> Path:
        return self.home.parent / "ways"

    def here(self, text: str) -> str:
        """Put what the page names where it is in this sandbox."""
        for told, here in self.swaps.items():
            text = text.replace(told, here)
        return text

    def told(self, text: str) -> str:
        """Put what was seen into the page's words."""
        for told, here in self.swaps.items():
            text = text.replace(here, told)
        return text.replace(str(self.home), "/home/ops")


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        return taken.getsockname()[1]


def key_copy() -> Path:
    """The newest copy of the recipient's key that is beside the checkout."""
    return RENEWED if RENEWED.exists() else SHIPPED


@contextlib.contextmanager
def machine(words: str, *, folder: Path, made: Materials, port: str | None) -> Iterator[Machine]:
    """Give a sandbox of this kind; nothing of it remains."""
    kinds = set(words.split())
    if not kinds <= WORDS:
        raise ValueError(f"fixture={words!r}: {sorted(kinds - WORDS)} is none of {sorted(WORDS)}")
    home = folder / "home"
    home.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        newcomer = "newcomer" in kinds
        gnupg = stack.enter_context(throwaway_home(os.environ)) if newcomer else made.gnupg
        mailbox = stack.enter_context(
            mail_server(context=server_context(made.relay_pem), user=OPERATOR, password=PASSWORD)
        )
        relay_port = free_port() if "down" in kinds else mailbox.port
        if not newcomer:
            key_file = None if "shipped" in kinds else home / "clever-cloud.asc"
            write_settings(home, made, relay_port=relay_port, key_file=key_file)
        if "nothing" not in kinds:
            write_files(home, made)
        passing = stack.enter_context(temporary())
        shell = Shell(
            folder / "shell", {**environment(home, gnupg, folder), "TMPDIR": str(passing)}
        )
        write_programs(folder, made)
        shell.start(home)
        found = Machine(home, shell, relay_port, mailbox=mailbox)
        found.swaps |= {
            "/etc/letsencrypt/": f"{home}/letsencrypt/",
            "smtp.example.org:465": f"127.0.0.1:{relay_port}",
            "relay accept smtp.example.org": "relay accept 127.0.0.1",
            "inspect example.org": f"inspect {made.sources.removeprefix('https://')}",
        }
        if port:
            found.swaps[port] = str(free_port())
        try:
            if "outbox" in kinds:
                fill_outbox(found, made)
            yield found
        finally:
            shell.end_jobs()


def environment(home: Path, gnupg: Path, folder: Path) -> dict[str, str]:
    return {
        "PATH": str(folder / "bin"),
        "HOME": str(home),
        "GNUPGHOME": str(gnupg),
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "COLUMNS": "80",
        "EDITOR": "true",
        "RENEWED_LINEAGE": str(home / "letsencrypt" / "live" / "example.org"),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def write_settings(home: Path, made: Materials, *, relay_port: int, key_file: Path | None) -> None:
    folder = home / ".config" / "certmail"
    folder.mkdir(parents=True)
    password = home / ".relay-password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    (folder / "config.toml").write_text(
        f'[sender]\naddress = "{OPERATOR}"\n\n'
        f'[relay]\nhost = "127.0.0.1"\nport = {relay_port}\nuser = "{OPERATOR}"\n'
        f'ca_file = "{made.ca_file}"\npassword_command = "cat {password}"\n\n'
        + (f'[key]\nfile = "{key_file}"\n' if key_file else "")
    )


@contextlib.contextmanager
def temporary() -> Iterator[Path]:
    """Give a folder with a short name for what a page makes in passing, GnuPG homes among it."""
    folder = Path(tempfile.mkdtemp(prefix="cm-", dir="/tmp"))
    try:
        yield folder
    finally:
        for home in folder.iterdir():
            if home.is_dir():
                subprocess.run(
                    ["gpgconf", "--homedir", home, "--kill", "all"],
                    stderr=subprocess.DEVNULL,
                    check=False,
                )
        shutil.rmtree(folder)


def private(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)


def write_files(home: Path, made: Materials) -> None:
    """Put down what pages speak of: bundles good and bad, parts, a lineage, the project's files."""
    good = made.certificates["bundle"]
    private(home / "bundle.pem", good)
    private(home / "broken.pem", b"Your certificate:\r\n" + good.replace(b"\n", b"\r\n"))
    for name in ("a", "b", "c"):
        private(home / f"{name}.pem", made.certificates[name])
        private(home / "bundles" / f"{name}.pem", made.certificates[f"bundles/{name}"])
    live = home / "letsencrypt" / "live"
    places = {
        home: good,
        live / "example.org": made.certificates["renewed"],
        live / "shop.example": made.certificates["shop"],
    }
    for place, pem in places.items():
        key, leaf, *chain = re.findall(rb"-----BEGIN .*?-----END [^\n]*\n", pem, re.DOTALL)
        private(place / "privkey.pem", key)
        private(place / "cert.pem", leaf)
        private(place / "chain.pem", b"".join(chain))
        private(place / "fullchain.pem", leaf + b"".join(chain))
    shutil.copy(key_copy(), home / "clever-cloud.asc")
    for name in ("docs", "keys", "tests"):
        (home / name).symlink_to(ROOT / name)


def write_programs(folder: Path, made: Materials) -> None:
    """Fill the PATH: certmail in the page's world, and the programs of the list."""
    place = folder / "bin"
    place.mkdir()
    for name in PROGRAMS:
        found = shutil.which(name)
        if found:
            (place / name).symlink_to(found)
    accept = "" if RENEWED.exists() else CLEVER_CLOUD.pin.text
    known = {
        "sources": made.sources,
        "ca_file": str(made.ca_file),
        "domains": made.domains,
        "accept": accept,
        "ways": str(folder / "ways"),
    }
    (folder / "world.json").write_text(json.dumps(known))
    script(place / "python3", f'exec "{sys.executable}" "$@"')
    for name, said in STAND_INS.items():
        script(place / name, f'echo "{said}"')
    here = Path(__file__).with_name("here.py")
    script(place / "certmail", f'exec "{sys.executable}" "{here}" "{folder}/world.json" "$@"')


def script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def fill_outbox(found: Machine, made: Materials) -> None:
    """Leave one message that arrived and one that waits, under the name that pages use."""
    arrived = found.shell.run("certmail send a.pem --yes --json")
    sent = found.shell.run(f"certmail send b.pem --yes --json --relay-port {free_port()}")
    waiting = json.loads(sent.text[sent.text.index("{") : sent.text.rindex("}") + 1])
    assert (arrived.status, waiting["exit_status"]) == (0, 19), arrived.text + sent.text
    found.swaps["3f2a9c"] = waiting["outbox"][:6]


def make_certificates(authority: Authority) -> dict[str, bytes]:
    names = {
        "bundle": ("example.org", "www.example.org"),
        "renewed": ("example.org", "www.example.org"),
        "shop": ("shop.example", "www.shop.example"),
        **{name: (f"{name}.shop.example",) for name in "abc"},
        **{f"bundles/{name}": (f"{name}.many.example",) for name in "abc"},
    }
    return {name: throwaway_bundle(authority, *hosts) for name, hosts in names.items()}
