"""A Postfix of our own on loopback: private configuration, queue and log; nothing of the system's.

It offers TLS from the first byte on one port and STARTTLS on another, logins from a private
password file, and delivers whatever it accepts into one maildir.
"""

from __future__ import annotations

import base64
import contextlib
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from certmail.submission import Mode
from tests.delivery.hostile import PASSWORD, USER
from tests.peers import need
from tests.posix import posix

if TYPE_CHECKING:
    from collections.abc import Iterator

    import trustme

MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/log
maillog_file_prefixes = {root}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.test
mydestination =
alias_maps =
local_recipient_maps =
default_transport = {transport}
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
smtpd_tls_chain_files = {root}/relay.pem
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {root}/auth
smtpd_sasl_security_options = noanonymous
smtpd_helo_required = yes
smtpd_helo_restrictions =
  reject_invalid_helo_hostname reject_non_fqdn_helo_hostname reject_unknown_helo_hostname
smtpd_relay_restrictions = permit_sasl_authenticated reject
smtpd_recipient_restrictions = permit_sasl_authenticated reject
smtpd_sender_restrictions = inline:{{blocked@example.org=reject}}, permit
smtpd_peername_lookup = no
message_size_limit = {limit}
"""

MASTER = """\
127.0.0.1:{implicit} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_tls_security_level=encrypt
127.0.0.1:{starttls} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
discard unix - - n - - discard
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Logins:
    """Answer Postfix's question who may log in, in Dovecot's authentication protocol 1.1.

    Only what Postfix asks: PLAIN with an initial response, LOGIN in two steps.
    """

    def __init__(self, path: Path, password: str = PASSWORD) -> None:
        self.password = password
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        path.chmod(0o666)
        self.listener.listen(8)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        # Wakes accept(), which close() alone does not.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rw", encoding="ascii", newline="\n") as wire:
            wire.write("VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n")
            wire.write("SPID\t1\nCUID\t1\nCOOKIE\t0123456789abcdef0123456789abcdef\nDONE\n")
            wire.flush()
            heard: list[str] = []
            for line in wire:
                verb, *words = line.rstrip("\n").split("\t")
                if verb == "AUTH" and words[1] == "PLAIN":
                    response = line.partition("resp=")[2].strip()
                    wire.write(self._verdict(words[0], base64.b64decode(response).decode()))
                elif verb == "AUTH":
                    heard = []
                    wire.write(f"CONT\t{words[0]}\tVXNlcm5hbWU6\n")
                elif verb == "CONT":
                    heard.append(base64.b64decode(words[1]).decode())
                    more = f"CONT\t{words[0]}\tUGFzc3dvcmQ6\n"
                    done = len(heard) == 2
                    wire.write(self._verdict(words[0], "\0" + "\0".join(heard)) if done else more)
                wire.flush()

    def _verdict(self, number: str, said: str) -> str:
        # RFC 4616 §2: whom to act for may stand in front, and is the same or left out.
        acting_for, _, login = said.partition("\0")
        good = acting_for in {"", USER} and login == f"{USER}\0{self.password}"
        verdict = "OK" if good else "FAIL"
        return f"{verdict}\t{number}\tuser={USER}\n"


@dataclass(frozen=True)
class Postfix:
    root: Path
    ports: dict[Mode, int]

    def delivered(self, *, patience_s: float = 10.0) -> list[bytes]:
        """Give the mails in the maildir, once there is one."""
        folder = self.root / "mail" / "box" / "new"
        end = time.monotonic() + patience_s
        while not (folder.is_dir() and any(folder.iterdir())) and time.monotonic() < end:
            time.sleep(0.05)
        return [file.read_bytes() for file in sorted(folder.glob("*"))]

    def forget(self) -> None:
        """Empty the maildir."""
        shutil.rmtree(self.root / "mail" / "box", ignore_errors=True)

    @property
    def log(self) -> str:
        return (self.root / "log").read_text()


@contextmanager
def running(
    authority: trustme.CA,
    *,
    transport: str = "virtual",
    password: str = PASSWORD,
    limit: int = 200_000,
) -> Iterator[Postfix]:
    """Start a Postfix and end it, every process of it; it stores or discards what it accepts."""
    program = need("postfix")
    if os.geteuid() != 0:
        if os.environ.get("CI"):
            pytest.fail("Postfix starts as root only")
        pytest.skip("Postfix starts as root only")
    # Postfix's own user must be able to walk there, which pytest's folders forbid.
    with tempfile.TemporaryDirectory(prefix="certmail-postfix-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        ports = dict(zip(Mode, free_ports(len(Mode)), strict=True))
        _configure(root, ports, authority, transport, limit)
        logins = Logins(root / "auth", password)
        _start(program, root)
        try:
            _await(ports.values(), root)
            yield Postfix(root, ports)
        finally:
            _control(program, root, "abort")
            logins.close()


def _configure(
    root: Path, ports: dict[Mode, int], authority: trustme.CA, transport: str, limit: int
) -> None:
    owner = posix("pwd").getpwnam("postfix")
    for name in ("etc", "queue", "data", "mail"):
        (root / name).mkdir()
    for name in ("data", "mail"):
        os.chown(root / name, owner.pw_uid, owner.pw_gid)
    words = {
        "root": root,
        "transport": transport,
        "limit": limit,
        "uid": owner.pw_uid,
        "gid": owner.pw_gid,
        "implicit": ports[Mode.IMPLICIT],
        "starttls": ports[Mode.STARTTLS],
    }
    (root / "etc" / "main.cf").write_text(MAIN.format(**words))
    (root / "etc" / "master.cf").write_text(MASTER.format(**words))
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    leaf.private_key_and_cert_chain_pem.write_to_path(root / "relay.pem")
    (root / "relay.pem").chmod(0o600)


def _start(program: str, root: Path) -> None:
    """Start it; on a loaded machine its own scripts sometimes give up, and are asked again."""
    for pause_s in (1, 3, 0):
        done = _control(program, root, "start")
        if done.returncode == 0:
            return
        time.sleep(pause_s)
    pytest.fail(f"Postfix did not start: {done.stdout}{done.stderr}")


def _control(program: str, root: Path, act: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, "-c", root / "etc", act],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def _await(ports, root: Path) -> None:
    end = time.monotonic() + 10
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > end:
                    log = root / "log"
                    pytest.fail(log.read_text() if log.exists() else "Postfix did not start")
                time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on; all at once, so that they differ.

    Below those that the system hands out by itself: a server that is not up yet is knocked at, and
    another test's relay must not have got its port meanwhile.
    """
    found: list[socket.socket] = []
    while len(found) < count:
        with contextlib.suppress(OSError):
            found.append(socket.create_server(("127.0.0.1", random.randrange(20_000, 32_000))))
    ports = [sock.getsockname()[1] for sock in found]
    for sock in found:
        sock.close()
    return ports
