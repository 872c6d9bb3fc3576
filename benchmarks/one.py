"""One run: starting, checking, and sending one bundle, against what people use today."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from benchmarks.measure import apart, in_turns
from benchmarks.opened import NOT_DONE, proofs
from benchmarks.peers import contenders
from benchmarks.place import ROOT
from benchmarks.slow_wire import slow_wire
from benchmarks.tables import Table
from certmail.submission import Mode

if TYPE_CHECKING:
    from benchmarks.measure import Measured
    from benchmarks.place import Place

BARE = (sys.executable, "-c", "pass")


def starting(place: Place, *, rounds: int) -> Table:
    """Measure the first answers of the command line."""
    measured = in_turns(
        {
            "python -c pass": BARE,
            "certmail --version": (*place.certmail, "--version"),
            "certmail --help": (*place.certmail, "--help"),
            "certmail send --help": (*place.certmail, "send", "--help"),
        },
        rounds=rounds, env=place.environment, cwd=place.root,
    )  # fmt: skip
    bare = measured["python -c pass"].wall_ms
    table = Table(
        "starting", "The first answer",
        "Whole processes, beside an interpreter that does nothing.",
        ("command", "ms", "from … to", "× bare Python"),
    )  # fmt: skip
    for name, found in measured.items():
        table.rows.append(
            (name, f"{found.wall_ms:.1f}", found.spread, f"{found.wall_ms / bare:.2f}")
        )
        table.bars.append((name, found.wall_ms))
    table.aim(
        "--version at most 1.3 × bare Python", measured["certmail --version"].wall_ms / bare, 1.3
    )
    table.aim("--help at most 5 × bare Python", measured["certmail --help"].wall_ms / bare, 5)
    return table


def checking(place: Place, *, rounds: int) -> Table:
    """Measure the check of a bundle: sound ones, and one that cannot be read."""
    broken = place.root / "broken.pem"
    broken.write_bytes(
        place.bundle().read_bytes().replace(b"-----END PRIVATE", b"-----END PRIVAT", 1)
    )
    shell = (
        "bash", "-c",
        'k=$(openssl pkey -in "$0" -pubout); c=$(openssl x509 -in "$0" -noout -pubkey);'
        ' [ "$k" = "$c" ] && openssl x509 -in "$0" -noout -checkend 86400 >/dev/null'
        ' && openssl pkey -in "$0" -check -noout >/dev/null',
        str(place.bundle()),
    )  # fmt: skip
    refused = ("bash", "-c", '"$@"; [ $? = 10 ]', "sh", *place.certmail, "check", str(broken))
    measured = in_turns(
        {
            "python -c pass": BARE,
            "certmail check, RSA 2048": (*place.certmail, "check", str(place.bundle())),
            "certmail check, RSA 4096": (*place.certmail, "check", str(place.bundle(4096))),
            "certmail check, not PEM": refused,
            "openssl, three questions": shell,
        },
        rounds=rounds, env=place.environment, cwd=place.root,
    )  # fmt: skip
    bare = measured["python -c pass"].wall_ms
    table = Table(
        "checking", "Checking a bundle",
        "Every check of `docs/check.md`, the private key's numbers and the chain's signatures among"
        " them. OpenSSL is asked three questions: is the key the certificate's, is it sound, has the"
        " certificate expired.",
        ("command", "ms", "from … to", "over bare Python"),
    )  # fmt: skip
    for name, found in measured.items():
        over = f"{found.wall_ms - bare:.0f}"
        table.rows.append((name, f"{found.wall_ms:.1f}", found.spread, over))
        table.bars.append((name, found.wall_ms))
    table.aim(
        "RSA 2048: at most 120 ms over bare Python",
        measured["certmail check, RSA 2048"].wall_ms - bare, 120,
    )  # fmt: skip
    table.aim(
        "not PEM: at most 60 ms over bare Python",
        measured["certmail check, not PEM"].wall_ms - bare, 60,
    )  # fmt: skip
    return table


def sending(place: Place, *, rounds: int, mode: Mode, one_way_s: float = 0.0) -> Table:
    """Measure one send with every contender, each mail opened once."""
    port = place.ports[mode]
    if one_way_s:
        with slow_wire(port, one_way_s=one_way_s) as near:
            return _sending(place, rounds=rounds, mode=mode, port=near, one_way_s=one_way_s)
    return _sending(place, rounds=rounds, mode=mode, port=port, one_way_s=0)


def _sending(place: Place, *, rounds: int, mode: Mode, port: int, one_way_s: float) -> Table:
    place.forget_relays()
    those = contenders(place, mode=mode, port=port, signer="rsa3072")
    bundle = place.bundle()
    said = proofs(place, those, signer="rsa3072")
    done = [one for one in those if not said[one.name].startswith(NOT_DONE)]
    measured = in_turns(
        {one.name: one.on(bundle) for one in done},
        rounds=rounds, env=place.environment, cwd=place.root,
    )  # fmt: skip
    ours = measured["certmail"].wall_ms
    words = "TLS from the first byte" if mode is Mode.IMPLICIT else "STARTTLS"
    delay = f", {2e3 * one_way_s:.0f} ms round trip" if one_way_s else ""
    name = f"sending-{mode.value}" + (f"-{2e3 * one_way_s:.0f}ms" if one_way_s else "")
    table = Table(
        name, f"Sending one bundle, {words}{delay}",
        "From the file to the relay's verdict; signed with RSA 3072 by an agent that is warm. Each"
        " contender's mail was opened once by the recipient's key: "
        + "; ".join(f"{key}: {value}" for key, value in said.items()) + ".",
        ("contender", "what it is", "ms", "from … to", "CPU ms", "peak MiB", "certmail ÷ it"),
    )  # fmt: skip
    for one in those:
        if one not in done:
            table.rows.append((one.name, said[one.name], *("—",) * 5))
            continue
        found = measured[one.name]
        peak = apart(one.on(bundle), env=place.environment, cwd=place.root).peak_mib
        table.rows.append(
            (
                one.name, one.says, f"{found.wall_ms:.0f}", found.spread, f"{found.cpu_ms:.0f}",
                f"{peak:.0f}", f"{ours / found.wall_ms:.2f}",
            )
        )  # fmt: skip
        table.bars.append((one.name, found.wall_ms))
    if mode is Mode.IMPLICIT and not one_way_s:
        _targets(table, measured, ours)
    return table


def _targets(table: Table, measured: dict[str, Measured], ours: float) -> None:
    bounds = (
        *(("shell", 0.75), ("envelope", 1.0), ("minimal", 1.4)),
        *(("floor", 1.25), ("check, then floor", 1.0)),
    )
    for name, bound in bounds:
        if name in measured:
            table.aim(f"at most {bound} × {name}", ours / measured[name].wall_ms, bound)


def rehearsing(place: Place, *, rounds: int) -> Table:
    """Measure the rehearsal: every step for real, and twenty attacks."""
    command = (sys.executable, "-m", "certmail", "rehearse")
    # As it is installed: the rehearsal brings a recipient of its own.
    env = {"PATH": os.environ["PATH"], "HOME": str(place.root)}
    found = in_turns({"r": command}, rounds=rounds, env=env, cwd=ROOT)["r"]
    table = Table(
        "rehearsing", "The rehearsal", "Throw-away keys, a relay, a letter opened, the refusals.",
        ("command", "ms", "from … to"), [("certmail rehearse", f"{found.wall_ms:.0f}", found.spread)],
    )  # fmt: skip
    table.aim("at most 3 s with a warm cache", found.wall_ms / 1e3, 3)
    return table
