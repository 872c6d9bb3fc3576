"""Run a program under strace and read what it and all its children did, octet by octet.

Every line that strace writes becomes an `Act`: which process, running which program, called what,
on which file, pipe or socket, with which octets. Nothing is judged here.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tests.peers import need

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

READS = ("read", "readv", "pread64", "recvfrom", "recvmsg", "recvmmsg")
WRITES = (
    *("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg"),
    *("splice", "tee", "vmsplice", "sendfile", "copy_file_range"),
)
OTHERS = (
    *("execve", "execveat", "clone", "clone3", "fork", "vfork"),
    *("open", "openat", "openat2", "creat", "mkdir", "mkdirat", "mknod", "mknodat"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
    *("connect", "bind", "mmap", "memfd_create", "shmget", "shmat", "shm_open", "mq_open"),
    *("mq_timedsend", "msgsnd", "process_vm_writev", "ptrace", "io_uring_setup", "add_key"),
    *("setxattr", "lsetxattr", "fsetxattr", "prctl", "sethostname", "kill"),
)
LONGEST = 2**20
"""Octets of one string that strace writes out; no call here moves more."""

_CALL = re.compile(rb"(?P<at>\d+\.\d+) (?P<name>\w+)\((?P<rest>.*)", re.DOTALL)
_STRING = re.compile(rb'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_FD = re.compile(rb"-?\d+<((?:\\x[0-9a-f]{2})+|[^>]*)")
_ADDRESS = re.compile(
    rb'(?:sin_port|sin6_port)=htons\((\d+)\).*?"((?:\\x[0-9a-f]{2})*)"', re.DOTALL
)
_OPENS = frozenset({"open", "openat", "openat2", "creat"})


def _plain(hexed: bytes) -> bytes:
    return bytes.fromhex(hexed.replace(b"\\x", b"").decode())


@dataclass(frozen=True)
class Act:
    """One call: ``target`` is what the first descriptor was, as strace names it."""

    at: float
    process: int
    program: str
    argv: tuple[str, ...]
    name: str
    rest: bytes

    @cached_property
    def target(self) -> str:
        found = _FD.match(self.rest)
        if found is None:
            return ""
        raw = found[1]
        return (_plain(raw) if raw.startswith(b"\\x") else raw).decode("utf-8", "replace")

    @property
    def failed(self) -> bool:
        return b") = -1 " in self.rest[-400:]

    @cached_property
    def strings(self) -> list[bytes]:
        """Every string among the arguments: octets, paths, words, variables."""
        found = _STRING.findall(self.rest)
        assert not any(cut for _, cut in found), f"strace cut a string of {self.name} short"
        return [_plain(raw) for raw, _ in found]

    @property
    def address(self) -> tuple[str, int] | None:
        """The address and port of a call that names one."""
        found = _ADDRESS.search(self.rest)
        return None if found is None else (_plain(found[2]).decode(), int(found[1]))

    @property
    def opened_to_write(self) -> str | None:
        """The path, where this call opened a file that it may write."""
        if self.name not in _OPENS or self.failed:
            return None
        writes = self.name == "creat" or re.search(rb"O_(WRONLY|RDWR)", self.rest)
        return os.fsdecode(self.strings[0]) if writes else None


@dataclass(frozen=True)
class Traced:
    """What a command did, and every act of it and of its children, in the order of time."""

    status: int
    out: bytes
    err: bytes
    acts: tuple[Act, ...]


def traced(
    words: Sequence[str], *, env: dict[str, str], cwd: Path, stdin: bytes, notes: Path
) -> Traced:
    """Run ``words`` under strace; ``notes`` is a folder outside of what the command may see."""
    strace = need("strace")
    notes.mkdir()
    names = ",".join(f"?{name}" for name in (*READS, *WRITES, *OTHERS))
    done = subprocess.run(
        [
            strace, "-ff", "--seccomp-bpf", "-qqq", "-v", "-yy", "-xx", "-ttt",
            "-e", "signal=none", "-s", str(LONGEST), "-e", f"trace={names}",
            "-o", str(notes / "of"), *words,
        ],
        env=env, cwd=cwd, input=stdin, capture_output=True, timeout=180, check=False,
    )  # fmt: skip
    acts = tuple(sorted(_acts(notes), key=lambda act: act.at))
    assert acts, done.stderr.decode("utf-8", "replace")
    return Traced(done.returncode, done.stdout, done.stderr, acts)


def _lines(path: Path) -> Iterator[tuple[float, str, bytes]]:
    """Give time, name and the rest of each call; of what was read, the descriptor alone."""
    with path.open("rb") as lines:
        for line in lines:
            found = _CALL.match(line)
            if found is None:
                raise ValueError(f"strace wrote {line[:200]!r}")
            name = found["name"].decode()
            rest = found["rest"].rstrip()
            if name in READS:
                rest = rest[: rest.find(b",")] + rest[-80:]
            yield float(found["at"]), name, rest


def _acts(notes: Path) -> Iterator[Act]:
    """Put threads to their processes, and processes to the programs that they run."""
    calls = {int(path.name.rpartition(".")[2]): list(_lines(path)) for path in notes.iterdir()}
    family = Family(calls)
    for thread, lines in calls.items():
        process = family.process_of(thread)
        for at, name, rest in lines:
            argv = family.argv_of(process, at)
            yield Act(at, process, Path(argv[0]).name if argv else "", argv, name, rest)


class Family:
    """Who was started by whom, and became what."""

    def __init__(self, calls: dict[int, list[tuple[float, str, bytes]]]) -> None:
        self._born: dict[int, tuple[int, float, bool]] = {}
        self._executed: dict[int, list[tuple[float, tuple[str, ...]]]] = {}
        for mother, lines in calls.items():
            for at, name, rest in lines:
                child = rest.rpartition(b"= ")[2].partition(b"<")[0]
                if name in {"clone", "clone3", "fork", "vfork"} and child.isdigit():
                    self._born[int(child)] = (mother, at, b"CLONE_THREAD" in rest)
        for thread, lines in calls.items():
            self._executed.setdefault(self.process_of(thread), []).extend(
                (at, _words(rest))
                for at, name, rest in lines
                if name == "execve" and rest.endswith(b" = 0")
            )

    def process_of(self, thread: int) -> int:
        while thread in self._born and self._born[thread][2]:
            thread = self._born[thread][0]
        return thread

    def argv_of(self, process: int, at: float) -> tuple[str, ...]:
        """Give what ``process`` runs at that time: what it became last, or what its mother was."""
        while True:
            earlier = [argv for when, argv in self._executed.get(process, ()) if when < at]
            if earlier:
                return earlier[-1]
            if process not in self._born:
                return ()
            mother, at, _ = self._born[process]
            process = self.process_of(mother)


def _words(rest: bytes) -> tuple[str, ...]:
    """Give the path of the program, and its arguments behind the first."""
    path, _, arguments = rest.partition(b", [")
    words = _STRING.findall(arguments.partition(b"], ")[0])
    [(program, _)] = _STRING.findall(path)
    return tuple(os.fsdecode(_plain(raw)) for raw in (program, *(raw for raw, _ in words[1:])))
