"""Python processes with and without a terminal, and a keyring of their own."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers import need
from tests.posix import posix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARY = "canary-Pässword-9b1d"
ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Somebody:
    url: str = "smtps://smtp.example.org:465"
    user: str | None = "ops@example.org"


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", code


def run_in_terminal(code: str, *, type_in: bytes, wait_for: bytes = b": ") -> tuple[int, str]:
    """Run Python on a terminal of its own, answer its question, give its status and screen."""
    child, terminal = posix("pty").fork()
    if child == 0:  # pragma: no cover  # another process
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", code])
    screen = b""
    typed = False
    try:
        while True:
            try:
                chunk = os.read(terminal, 4096)
            except OSError as fault:
                if fault.errno == errno.EIO:
                    break
                raise
            if not chunk:
                break
            screen += chunk
            if not typed and wait_for in screen:
                os.write(terminal, type_in)
                typed = True
    finally:
        os.close(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), screen.decode("utf-8", "replace")


def alone(code: str, *, stdin: str = "", env: dict[str, str] | None = None) -> str:
    """Run Python without a terminal, as a job in the background runs; give what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
        env=env,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


READ = """
import json, sys
from certmail.errors import SecretError
from certmail.secrets.keyring import KeyringEntry
from certmail.values import Secret
act, service, user, secret = json.loads(sys.argv[1]) if len(sys.argv) > 1 else json.load(sys.stdin)
entry = KeyringEntry(service, user)
try:
    if act == "store":
        print("kept in", entry.store(Secret(secret)))
    elif act == "forget":
        entry.forget()
        print("forgotten")
    else:
        print("read", entry.read().reveal())
except SecretError as error:
    print(error.code, "|", error.what, "|", error.next)
"""

SERVICE = "certmail-smtp:smtps://smtp.example.org:465"


def no_bus(home: Path, **more: str) -> dict[str, str]:
    """Make an environment in which no keyring of the machine can be found."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_RUNTIME_DIR": str(home),
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
        **more,
    }


def ask_keyring(
    env: dict[str, str], act="read", service=SERVICE, user="ops@example.org", secret=""
):
    return alone(READ, stdin=json.dumps([act, service, user, secret]), env=env)


@contextmanager
def secret_service(home: Path, *, unlock: bool = True, frozen: bool = False):
    """Start a D-Bus and GNOME's keyring for this test alone; give the environment to reach it.

    One that is frozen is there and never answers.
    """
    daemon = need("gnome-keyring-daemon", package="gnome-keyring")
    need("dbus-daemon", package="dbus")
    (home / "data" / "keyrings").mkdir(parents=True, exist_ok=True)
    env = no_bus(home)
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        env["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        keyring = subprocess.Popen(
            [daemon, "--foreground", "--components=secrets", *(["--unlock"] if unlock else [])],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            keyring.stdin.write(b"login-password" if unlock else b"")
            keyring.stdin.close()
            await_service(env)
            if frozen:
                keyring.send_signal(signal.SIGSTOP)
            yield env
        finally:
            keyring.send_signal(signal.SIGCONT)
            end(keyring)
    finally:
        end(bus)
        bus.stdout.close()


def await_service(env: dict[str, str]) -> None:
    code = """
import time, secretstorage
bus = secretstorage.dbus_init()
for _ in range(100):
    if secretstorage.check_service_availability(bus):
        print("there")
        break
    time.sleep(0.05)
bus.close()
"""
    assert alone(code, env=env) == "there"


@contextmanager
def overheard(env: dict[str, str]) -> Iterator[Callable[[], str]]:
    """Listen on the bus; give a function that ends the listening and tells what was called."""
    program = need("dbus-monitor", package="dbus-bin")
    monitor = subprocess.Popen(
        [program, "--session", "type='method_call'"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    # It says so when it begins to listen.
    first = monitor.stdout.readline()

    def told() -> str:
        end(monitor)
        return first + monitor.stdout.read()

    try:
        yield told
    finally:
        end(monitor)
        monitor.stdout.close()


def end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
