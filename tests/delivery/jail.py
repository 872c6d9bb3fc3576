"""A relay from a Debian package that cannot be installed beside Postfix: unpacked, and shut in.

All of Debian's mail servers conflict with each other, so they are not installed. The package is
downloaded and unpacked into a folder, its libraries are put beside it, and the program runs with
that folder as its root: it finds its paths, users and spool where it was built to look, and touches
nothing of the system's.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.peers import need

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PATIENCE_S = 15.0

PASSWD = """\
root:x:0:0::/:/bin/sh
mail:x:8:8::/mail:/bin/false
Debian-exim:x:901:901::/spool:/bin/false
opensmtpd:x:902:902::/var/lib/opensmtpd/empty:/bin/false
opensmtpq:x:903:903::/var/lib/opensmtpd/empty:/bin/false
"""

DEVICES = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9)}


def unavailable(reason: str) -> None:
    """Skip on a laptop, fail where CI is set."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True)
class Jail:
    root: Path

    def put(self, path: str, text: str | bytes, *, mode: int = 0o644) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        file.chmod(mode)

    def folder(self, path: str, *, owner: tuple[int, int] = (0, 0), mode: int = 0o755) -> Path:
        folder = self.root / path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, *owner)
        folder.chmod(mode)
        return folder

    @property
    def log(self) -> str:
        return (self.root / "output").read_text(errors="replace")

    def delivered(self, *, folder: str = "mail/new", patience_s: float = PATIENCE_S) -> list[bytes]:
        """Give the mails in the maildir, once there is one."""
        box = self.root / folder
        end = time.monotonic() + patience_s
        while not (box.is_dir() and any(box.iterdir())) and time.monotonic() < end:
            time.sleep(0.05)
        return [file.read_bytes() for file in sorted(box.glob("*"))]

    def forget(self) -> None:
        for file in (self.root / "mail/new").glob("*"):
            file.unlink()

    @contextmanager
    def running(self, *command: str, ports: Sequence[int]) -> Iterator[None]:
        """Run ``command`` inside until the block ends, with all that it starts."""
        with (self.root / "output").open("wb") as output:
            child = subprocess.Popen(
                ["chroot", str(self.root), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )
            try:
                await_ports(ports, child, self.root / "output")
                yield
            finally:
                end(child)


def await_ports(ports: Sequence[int], child: subprocess.Popen[bytes], output: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if child.poll() is not None or time.monotonic() > until:
                    pytest.fail(f"{child.args} does not listen: {output.read_text()[-2000:]}")
                time.sleep(0.05)


def end(child: subprocess.Popen[bytes]) -> None:
    """End a server and its processes: asked first, so that it ends its children, then told."""
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(5)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait(5)


@contextmanager
def jail(package: str, *, cache: Path) -> Iterator[Jail]:
    """Unpack ``package`` and what it needs into a root of its own."""
    need("apt-get")
    need("dpkg-deb", package="dpkg")
    if os.geteuid() != 0:
        unavailable(f"{package} is shut in by root only")
    with tempfile.TemporaryDirectory(prefix="certmail-jail-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        for archive in _archives(package, cache):
            subprocess.run(["dpkg-deb", "-x", archive, root], check=True, timeout=60)
        _merge_usr(root)
        _add_libraries(root)
        (root / "dev").mkdir(exist_ok=True)
        for name, numbers in DEVICES.items():
            device = root / "dev" / name
            try:
                os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(*numbers))
            except PermissionError:  # some containers; a file that is empty does for these servers
                device.touch()
            device.chmod(0o666)
        made = Jail(root)
        made.put("etc/passwd", PASSWD)
        made.put(
            "etc/group", re.sub(r"^(\S+):x:\d+:(\d+):.*$", r"\1:x:\2:", PASSWD, flags=re.MULTILINE)
        )
        made.put("etc/services", "smtp 25/tcp\nsubmission 587/tcp\nsubmissions 465/tcp\n")
        made.put("etc/hosts", "127.0.0.1 localhost\n")
        made.put("etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        made.folder("tmp", mode=0o1777)
        made.folder("mail", owner=(8, 8))
        yield made


def _archives(package: str, cache: Path) -> list[Path]:
    """Give the package's archive and those of libraries that this system lacks."""
    found: dict[str, Path] = {}
    wanted = [package]
    while wanted:
        name = wanted.pop()
        if name in found or (name != package and _installed(name)):
            continue
        found[name] = _archive(name, cache)
        wanted += [
            library
            for line in _run("dpkg-deb", "-f", str(found[name]), "Depends").split(",")
            if (library := line.split("|")[0].split("(")[0].strip()).startswith("lib")
        ]
    return list(found.values())


def _installed(name: str) -> bool:
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", name],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout == "installed"


def _archive(name: str, cache: Path) -> Path:
    """Give the archive from the cache, or have apt download and verify it."""
    cached = sorted(cache.glob(f"{name}_*.deb"))
    if cached:
        return cached[-1]
    for refresh in (False, True):
        if refresh:
            subprocess.run(
                ["apt-get", "-qq", "update"], check=False, capture_output=True, timeout=120
            )
        subprocess.run(
            ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", name],
            check=False,
            cwd=cache,
            capture_output=True,
            timeout=120,
        )
        if cached := sorted(cache.glob(f"{name}_*.deb")):
            return cached[-1]
    unavailable(f"the package {name} cannot be downloaded")
    raise AssertionError


def _merge_usr(root: Path) -> None:
    for name in ("bin", "sbin", "lib", "lib64"):
        inside, merged = root / name, root / "usr" / name
        merged.mkdir(parents=True, exist_ok=True)
        if inside.is_dir() and not inside.is_symlink():
            shutil.copytree(inside, merged, dirs_exist_ok=True, symlinks=True)
            shutil.rmtree(inside)
        inside.symlink_to(f"usr/{name}")


def _add_libraries(root: Path) -> None:
    """Put every shared library that the programs need where they look for it."""
    own = ":".join(str(folder) for folder in (root / "usr" / "lib").rglob("*") if folder.is_dir())
    programs = [
        file
        for file in root.rglob("*")
        if file.is_file() and not file.is_symlink() and file.read_bytes()[:4] == b"\x7fELF"
    ]
    shell = Path("/bin/sh").resolve()
    for program in (*programs, shell):
        listed = _run("ldd", str(program), env={**os.environ, "LD_LIBRARY_PATH": own})
        for path in re.findall(r"(/\S+) \(0x", listed):
            if not path.startswith(str(root)):
                _copy(Path(path), root)
    shutil.copy2(shell, root / "usr/bin/sh")


def _copy(file: Path, root: Path) -> None:
    target = root / str(file.parent).lstrip("/") / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(file.resolve(), target)


def _run(*command: str, env: dict[str, str] | None = None) -> str:
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, env=env
    ).stdout
