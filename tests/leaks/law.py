"""Where the octets of a private key and a password may be: the law, and who broke it.

In: what is secret, and what a command did. Out: sentences, one for each octet string that was
where it may not be.
"""

from __future__ import annotations

import base64
import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.leaks.trace import READS, WRITES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.leaks.trace import Act, Traced

PIECE: Final = 16
"""Octets of a piece that nothing else can hold by chance."""

PLAINTEXT_STEPS: Final = ("--sign", "--verify", "--encrypt")
"""What gpg is told to do when it is given the letter, or the signed letter."""


@dataclass(frozen=True)
class Secrets:
    """Pieces of what is secret, by what they are of."""

    bundle: Mapping[bytes, str]
    password: Mapping[bytes, str] = field(default_factory=dict)

    def found_in(self, octets: bytes) -> Iterator[str]:
        for pieces in (self.bundle, self.password):
            for piece, of in pieces.items():
                if piece in octets:
                    yield of


def pieces_of_bundle(pem: bytes) -> dict[bytes, str]:
    """Cut every line of the file into pieces, and the secret numbers in each of their forms."""
    lines = [line for line in pem.splitlines() if not line.startswith(b"-----")]
    found = {
        line[at : at + PIECE]: "a line of the bundle"
        for line in lines
        for at in range(0, len(line) - PIECE + 1, PIECE)
    }
    for skipped in range(3):
        # The letter carries the file as an attachment in base64: text that is encoded once more.
        again = base64.b64encode(pem[skipped:])
        for at in range(0, len(again) - PIECE - 4, PIECE):
            found[again[at : at + PIECE]] = "the bundle in base64"
    for name, number in secret_numbers(pem).items():
        for at in range(0, len(number) - PIECE + 1, PIECE):
            piece = number[at : at + PIECE]
            found[piece] = f"{name} of the private key"
            found[piece.hex().encode()] = found[piece.hex().upper().encode()] = f"{name} in hex"
            found |= dict.fromkeys(in_base64(piece), f"{name} in another base64")
    return found


def secret_numbers(pem: bytes) -> dict[str, bytes]:
    key = serialization.load_pem_private_key(pem[pem.index(b"-----BEGIN PRIVATE") :], None)
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.private_numbers()
    wanted = {"d": numbers.d, "p": numbers.p, "q": numbers.q}
    wanted |= {"dP": numbers.dmp1, "dQ": numbers.dmq1, "qInv": numbers.iqmp}
    return {
        name: number.to_bytes((number.bit_length() + 7) // 8, "big")
        for name, number in wanted.items()
    }


def in_base64(octets: bytes) -> set[bytes]:
    """Give what base64 makes of ``octets`` at each of the three offsets, without its edges."""
    forms = set()
    for skipped in range(3):
        whole = octets[skipped:]
        forms.add(base64.b64encode(whole[: len(whole) // 3 * 3]))
    return forms


def pieces_of_password(password: str, *, user: str = "ops") -> dict[bytes, str]:
    """Give the password in the forms in which protocols and careless programs show it."""
    plain = password.encode()
    forms = {
        plain: "the password",
        base64.b64encode(plain).rstrip(b"="): "the password in base64",
        base64.b64encode(f"\0{user}\0{password}".encode()): "the login of SASL PLAIN",
        plain.hex().encode(): "the password in hex",
        plain[::-1]: "the password backwards",
    }
    return forms | dict.fromkeys(in_base64(plain), "the password in another base64")


@dataclass(frozen=True)
class Allowed:
    """What one command may do more than the law lets every command do.

    ``files`` may hold the bundle: the user asked for that. ``addresses`` may be dialled.
    ``password`` are the ways, from one program to another, that the password may take.
    """

    files: Sequence[Path] = ()
    addresses: Sequence[tuple[str, int]] = ()
    password: Collection[tuple[str, str]] = ()


@dataclass(frozen=True)
class Flow:
    """Octets of something secret that went somewhere; ``readers`` is known of pipes alone."""

    of: str
    writers: frozenset[str]
    target: str
    readers: frozenset[str]

    def __str__(self) -> str:
        """Say what was written by whom, and where."""
        return f"{'/'.join(sorted(self.writers))}: {self.of} written to {self.target}"

    @property
    def ways(self) -> set[tuple[str, str]]:
        """From whom to whom, where this is a pipe with two known ends."""
        if not self.target.startswith("pipe:"):
            return set()
        return {(one, other) for one in self.writers for other in self.readers}


LETTER: Final = frozenset(
    {
        *(("certmail", f"gpg {step}") for step in PLAINTEXT_STEPS),
        ("gpg --sign", "certmail"),
    }
)
"""The ways that the bundle takes: to be signed, back, to be verified, to be encrypted."""


def flows(done: Traced, secrets: Secrets) -> list[Flow]:
    """Follow what is secret through every write, however it was cut into pieces."""
    streams: dict[str, bytearray] = defaultdict(bytearray)
    writers: dict[str, set[str]] = defaultdict(set)
    readers: dict[str, set[str]] = defaultdict(set)
    for act in done.acts:
        if act.name in READS:
            readers[act.target].add(who(act))
        elif act.name in WRITES:
            writers[act.target].add(who(act))
            streams[act.target] += b"".join(act.strings)
    return [
        Flow(of, frozenset(writers[target]), target, frozenset(readers[target]))
        for target, stream in streams.items()
        for of in sorted(set(secrets.found_in(bytes(stream))))
    ]


def breaches(done: Traced, secrets: Secrets, allowed: Allowed) -> list[str]:
    """Say what broke the law, if anything did."""
    broken = [str(flow) for flow in flows(done, secrets) if not may_flow(flow, secrets, allowed)]
    for act in done.acts:
        if act.name not in READS and act.name not in WRITES:
            broken += [
                f"{who(act)}: {of} among the arguments of {act.name}"
                for octets in act.strings
                for of in secrets.found_in(octets)
            ]
        broken += out_of_bounds(act, allowed)
    return broken


def who(act: Act) -> str:
    """Name the program of an act: certmail, or gpg with what it was told to do."""
    step = next((word for word in PLAINTEXT_STEPS if word in act.argv), "")
    if act.program == "gpg":
        return f"gpg {step}".strip()
    return "certmail" if act.argv[1:3] == ("-m", "certmail") else act.program


def may_flow(flow: Flow, secrets: Secrets, allowed: Allowed) -> bool:
    if flow.of in secrets.password.values():
        return bool(flow.ways) and flow.ways <= set(allowed.password)
    return bool(flow.ways and flow.ways <= LETTER) or any(
        is_of(flow.target, path) for path in allowed.files
    )


def is_of(target: str, path: Path) -> bool:
    """Tell whether ``target`` is that file, or what becomes it once it is whole."""
    partial = rf"{re.escape(str(path.parent))}/\.{re.escape(path.name)}\.\d+\.partial"
    return target == str(path) or re.fullmatch(partial, target) is not None


LOCAL: Final = re.compile(r"/S\.gpg-agent\Z|nscd/socket|dbus|/keyring/|userdb")
"""Sockets of this machine that certmail, gpg and the keyring may ask."""


def out_of_bounds(act: Act, allowed: Allowed) -> Iterator[str]:
    """Say whether a call reaches further than the command may."""
    if act.address is not None and act.name in {"connect", "sendto", "sendmsg", "bind"}:
        address, port = act.address
        if (address, port) not in allowed.addresses and not (act.name == "bind" and port == 0):
            yield f"{who(act)}: {act.name} to {address} port {port}"
    elif act.name == "connect" and b"AF_UNIX" in act.rest:
        path = act.strings[-1].decode("utf-8", "replace")
        if not LOCAL.search(path):
            yield f"{who(act)}: connect to {path}"
    elif act.name == "mmap" and b"MAP_SHARED" in act.rest and b"PROT_WRITE" in act.rest:
        # The index of SQLite's journal holds page numbers.
        if b"MAP_ANONYMOUS" not in act.rest and not mapped(act).endswith("-shm"):
            yield f"{who(act)}: maps {mapped(act)} to write to it"
    elif act.name in {"memfd_create", "shmget", "mq_open", "io_uring_setup", "add_key", "ptrace"}:
        yield f"{who(act)}: {act.name}"
    elif (act.opened_to_write or "").startswith("/dev/shm/"):
        yield f"{who(act)}: opens {act.opened_to_write}"


def mapped(act: Act) -> str:
    named = re.search(rb"\d+<((?:\\x[0-9a-f]{2})+)>", act.rest)
    return "" if named is None else bytes.fromhex(named[1].replace(b"\\x", b"").decode()).decode()


def lying_in(folders: Sequence[Path], secrets: Secrets, *, but: Sequence[Path]) -> list[str]:
    """Say which files below ``folders`` hold, or are called, what is secret."""
    spared = {path.resolve() for path in but}
    broken = []
    for folder in folders:
        for path in folder.rglob("*"):
            name = os.fsencode(path.name)
            broken += [f"{of} in the name {path}" for of in secrets.found_in(name)]
            if path.is_file() and path.resolve() not in spared:
                broken += [f"{of} in {path}" for of in secrets.found_in(path.read_bytes())]
    return broken
