"""Many bundles in one run, against bare GnuPG's ceiling and against peers in a loop; and large ones."""

from __future__ import annotations

import base64
import os
import shutil
import smtplib
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import apart, once
from benchmarks.opened import NOT_DONE, proofs
from benchmarks.peers import contenders
from benchmarks.place import PASSWORD, RECIPIENT, SENDER, USER, folder_of
from benchmarks.tables import Table
from certmail.submission import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.place import Place

WORKERS = 2


def batch(place: Place, *, signer: str, count: int, rounds: int = 3) -> Table:
    """Measure a batch beside what GnuPG alone could do, and beside loops over the peers."""
    folder = folder_of(place, count)
    port = place.discard_ports[Mode.IMPLICIT]
    those = {
        one.name: one
        for one in contenders(place, mode=Mode.IMPLICIT, port=port, signer=signer)
    }  # fmt: skip
    storing = contenders(place, mode=Mode.IMPLICIT, port=place.ports[Mode.IMPLICIT], signer=signer)
    said = proofs(place, storing, signer=signer)
    failed = [name for name, words in said.items() if words.startswith(NOT_DONE)]
    letter = b"Content-Type: text/plain\r\n\r\n" + base64.encodebytes(os.urandom(4096))
    send = (
        *place.certmail, "--config", str(place.root / f"peers-implicit-{port}-{signer}/certmail.toml"),
        "send", str(folder), "--yes", "--again", "--connections", str(WORKERS),
    )  # fmt: skip
    ways: dict[str, Callable[[], float]] = {
        "certmail send folder/": lambda: _certmail(place, send),
        "floor of a batch": lambda: (
            once(
                (
                    sys.executable,
                    str(place.root / f"peers-implicit-{port}-{signer}/floor_of_many.py"),
                    str(folder),
                ),
                env=place.environment,
                cwd=place.root,
            ).wall_ms
            / 1e3
        ),
        "gpg alone: sign, encrypt": lambda: _gpg(place, signer, letter, count, verify=False),
        "gpg alone: sign, verify, encrypt": lambda: _gpg(place, signer, letter, count, verify=True),
    }
    for name, one in those.items():
        if name not in {"certmail", "floor", "check, then floor", *failed}:
            ways[f"{name} in a loop"] = lambda one=one: _loop(place, one, folder)  # type: ignore[misc]
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            place.forget_relays()
            seconds[name].append(way())
            _forget_homes(place)
    rate = {name: count / median(found) for name, found in seconds.items()}
    ours = rate["certmail send folder/"]
    table = Table(
        f"batch-{signer}", f"{count} bundles, signed with {signer}",
        f"Messages a second. GnuPG's ceiling is reached by {WORKERS} workers that do nothing but run"
        " it, each with a home of its own; verifying is what certmail does with each signature before"
        " it encrypts. The floor signs, verifies, encrypts, keeps and delivers on the same packages and"
        " the same processors, and checks nothing.",
        ("way", "messages/s", "ms a message", "certmail ÷ it"), unit="messages/s",
    )  # fmt: skip
    for name, found in rate.items():
        table.rows.append((name, f"{found:.1f}", f"{1e3 / found:.1f}", f"{ours / found:.2f}"))
        table.bars.append((name, found))
    table.aim("at least 0.5 × the floor", ours / rate["floor of a batch"], 0.5, at_least=True)
    table.aim("at least 0.9 × gpg alone: sign, encrypt", ours / rate["gpg alone: sign, encrypt"], 0.9, at_least=True)  # fmt: skip
    loops = [found for name, found in rate.items() if name.endswith("loop")]
    table.aim("at least 3 × the best peer in a loop", ours / max(loops), 3, at_least=True)
    return table


def memory(place: Place, *, counts: Sequence[int]) -> Table:
    """Measure the largest resident size of batches of growing length, and the cost of each message."""
    port = place.discard_ports[Mode.IMPLICIT]
    contenders(place, mode=Mode.IMPLICIT, port=port, signer="ed25519")
    settings = place.root / f"peers-implicit-{port}-ed25519/certmail.toml"
    table = Table(
        "memory", "Memory and cost as a batch grows", "The largest resident size of the one process.",
        ("bundles", "peak MiB", "ms a message", "CPU ms a message"), unit="MiB",
    )  # fmt: skip
    peaks = []
    for count in counts:
        place.forget_relays()
        folder = folder_of(place, count)
        send = (
            *place.certmail, "--config", str(settings),
            "send", str(folder), "--yes", "--json", "--connections", str(WORKERS),
        )  # fmt: skip
        cost = apart(send, env=place.environment, cwd=place.root)
        peaks.append(cost.peak_mib)
        each = (f"{cost.wall_ms / count:.1f}", f"{cost.cpu_ms / count:.1f}")
        table.rows.append((f"{count}", f"{cost.peak_mib:.1f}", *each))
        table.bars.append((f"{count} bundles", cost.peak_mib))
    table.aim(f"peak of {counts[-1]} at most 1.1 × that of {counts[0]}", peaks[-1] / peaks[0], 1.1)
    return table


def large(place: Place, *, rounds: int, octets: int = 10 * 2**20) -> Table:
    """Measure the transport with a message of ten MiB, beside smtplib with the same octets."""
    from certmail.delivery.outcome import Stage
    from certmail.delivery.relay import Relay
    from certmail.delivery.smtp import deliver
    from certmail.secrets import from_memory
    from certmail.values import Hostname, Secret
    from tests.delivery.message import sealed as sealed_of

    sealed = sealed_of(octets=octets * 3 // 4)
    port = place.discard_ports[Mode.IMPLICIT]
    relay = Relay(Hostname("localhost"), port, Mode.IMPLICIT, user=USER, ca_file=place.ca_file)
    wire = sealed.wire()

    wired: list[float] = []

    def ours() -> None:
        at: dict[Stage, float] = {}
        deliver(
            sealed,
            relay=relay,
            secret=from_memory(Secret(PASSWORD)),
            now=lambda: datetime.now(UTC),
            progress=lambda stage: at.__setitem__(stage, time.perf_counter()),
        )
        wired.append(at[Stage.VERDICT] - at[Stage.BODY])

    def theirs() -> None:
        context = ssl.create_default_context(cafile=place.ca_file)
        with smtplib.SMTP_SSL(
            "localhost", port, local_hostname="[127.0.0.1]", context=context
        ) as far:
            far.ehlo()
            far.user, far.password = USER, PASSWORD
            far.auth("PLAIN", far.auth_plain)
            far.sendmail(SENDER, [RECIPIENT], wire)

    def raw() -> None:
        _raw_tls(wire, place)

    took: dict[str, list[float]] = {
        "certmail's transport": [],
        "smtplib": [],
        "a TLS socket alone": [],
    }
    for number in range(rounds + 1):
        for name, act in zip(took, (ours, theirs, raw), strict=True):
            began = time.perf_counter()
            act()
            if number:
                took[name].append(time.perf_counter() - began)
    table = Table(
        "large", f"A message of {len(wire) / 2**20:.0f} MiB",
        "From the dial to the verdict; certmail proves all of the message once more before it dials. The"
        " bare socket pours the same octets into a"
        " server that throws them away.",
        ("way", "ms", "MiB/s"),
    )  # fmt: skip
    for name, found in took.items():
        table.rows.append(
            (name, f"{1e3 * median(found):.0f}", f"{len(wire) / 2**20 / median(found):.0f}")
        )
        table.bars.append((name, 1e3 * median(found)))
    text = median(wired[1:])
    table.rows.append(
        ("certmail: the text alone", f"{1e3 * text:.0f}", f"{len(wire) / 2**20 / text:.0f}")
    )
    table.bars.append(("certmail: the text alone", 1e3 * text))
    table.aim("the text alone: at most 1.1 × smtplib", text / median(took["smtplib"]), 1.1)
    return table


def _certmail(place: Place, send: Sequence[str]) -> float:
    return once(send, env=place.environment, cwd=place.root).wall_ms / 1e3


def _loop(place: Place, one: object, folder: Path) -> float:
    began = time.perf_counter()
    for bundle in sorted(folder.glob("*.pem"))[:25]:
        once(one.on(bundle), env=place.environment, cwd=place.root)  # type: ignore[attr-defined]
    each = (time.perf_counter() - began) / min(25, len(list(folder.glob("*.pem"))))
    return each * len(list(folder.glob("*.pem")))


def _gpg(place: Place, signer: str, letter: bytes, count: int, *, verify: bool) -> float:
    """Run nothing but GnuPG, in the same number of workers, as fast as it goes."""
    key = place.root / "recipient.gpg"
    own = place.root / "signers.gpg"
    if not key.exists():
        key.write_bytes(_out(place, "--homedir", place.recipient_home, "--export", place.recipient))
        own.write_bytes(_out(place, "--homedir", place.gnupg, "--export"))
    local = threading.local()

    def home() -> str:
        if not hasattr(local, "home"):
            local.home = str(place.root / f"run/bare-{threading.get_ident()}")
            Path(local.home).mkdir(mode=0o700, exist_ok=True)
        return str(local.home)

    def each(_: int) -> None:
        quiet = ("--batch", "--no-tty", "--quiet", "--no-options", "-z", "0")
        apart = (*quiet, "--homedir", home(), "--no-autostart", "--trust-model", "always")
        signed = _out(
            place, *quiet, "--homedir", place.gnupg, "--local-user", place.signers[signer], "--sign",
            stdin=letter,
        )  # fmt: skip
        if verify:
            _out(place, *apart, "--no-default-keyring", "--keyring", own, "--verify", stdin=signed)
        _out(
            place, *apart, "--no-default-keyring", "--keyring", key, "--no-literal",
            "--recipient", place.recipient, "--encrypt", stdin=signed,
        )  # fmt: skip

    began = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(each, range(count)))
    return time.perf_counter() - began


def _forget_homes(place: Place) -> None:
    for left in (place.root / "run").glob("bare-*"):
        shutil.rmtree(left, ignore_errors=True)


def _out(place: Place, *words: object, stdin: bytes = b"") -> bytes:
    done = subprocess.run(
        ["gpg", *map(str, words)],
        input=stdin,
        capture_output=True,
        env=place.environment,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    return done.stdout


def _raw_tls(wire: bytes, place: Place) -> None:
    import socket

    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(place.storing.root / "relay.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def sink() -> None:
            connection, _ = listener.accept()
            with server.wrap_socket(connection, server_side=True) as far:
                while far.recv(65536):
                    pass

        thread = threading.Thread(target=sink, daemon=True)
        thread.start()
        context = ssl.create_default_context(cafile=place.ca_file)
        with (
            socket.create_connection(listener.getsockname()) as near,
            context.wrap_socket(near, server_hostname="localhost") as secured,
        ):
            secured.sendall(wire)
        thread.join(30)
