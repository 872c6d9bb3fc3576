"""Where the processor's time of one message in a batch goes, by the rooms that spend it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from benchmarks.peers import contenders
from benchmarks.place import folder_of
from benchmarks.tables import Table
from certmail.submission import Mode

if TYPE_CHECKING:
    from benchmarks.place import Place

_SHARES: Final = {
    "check": ("certmail.walk:check_bundle",),
    "letter": ("certmail.walk:compose",),
    "seal": ("certmail.walk:seal",),
    "talk to GnuPG": ("certmail.gnupg.engine:run",),
    "outbox and log": (
        "certmail.outbox.store:Outbox.add",
        "certmail.outbox.store:Outbox.move",
        "certmail.ledger.chain:Ledger.append",
    ),
    "session": ("asyncio.base_events:BaseEventLoop.run_forever",),
}

_SAYS: Final = {
    "GnuPG itself": "sign, verify, encrypt: three programs",
    "talk to GnuPG": "start it, feed it, read what it says",
    "check": "every check of the bundle, before the question and again before it is sealed",
    "letter": "write it, and have the library read it back",
    "seal": "read what was signed and what was encrypted, and look for plaintext",
    "outbox and log": "keep it, each step before it is taken, and the receipt, on the disk",
    "session": "prove the message once more, offer it, hear each reply",
    "the rest": "start, threads, the summary",
}

_WATCHED: Final = """\
import importlib, json, os, resource, sys, threading, time
import certmail.cli.batch_send, certmail.gnupg.engine, certmail.ledger.chain, certmail.walk
spent, local = {}, threading.local()

def watch(name, share):
    module, _, path = name.partition(":")
    holder = importlib.import_module(module)
    *above, last = path.split(".")
    for part in above:
        holder = getattr(holder, part)
    real = getattr(holder, last)

    def watched(*given, **named):
        # Of what another share spends within this one, it is relieved.
        inner = getattr(local, "inner", 0.0)
        local.inner, began = 0.0, time.thread_time()
        try:
            return real(*given, **named)
        finally:
            took = time.thread_time() - began
            spent[share] = spent.get(share, 0.0) + took - local.inner
            local.inner = inner + took

    setattr(holder, last, watched)

for share, names in json.loads(sys.argv.pop(1)).items():
    for name in names:
        watch(name, share)

def end(status, leave=os._exit):
    for name, who in (("self", resource.RUSAGE_SELF), ("children", resource.RUSAGE_CHILDREN)):
        used = resource.getrusage(who)
        spent[name] = used.ru_utime + used.ru_stime
    os.write(2, ("\\n" + json.dumps(spent)).encode())
    leave(status)

os._exit = end
from certmail.__main__ import main
main()
"""


def shares(place: Place, *, signer: str, count: int) -> Table:
    """Run one batch, watched: each watched call costs a microsecond more."""
    port = place.discard_ports[Mode.IMPLICIT]
    contenders(place, mode=Mode.IMPLICIT, port=port, signer=signer)
    settings = place.root / f"peers-implicit-{port}-{signer}/certmail.toml"
    place.forget_relays()
    done = subprocess.run(
        (
            sys.executable, "-c", _WATCHED, json.dumps(_SHARES), "--config", str(settings),
            "send", str(folder_of(place, count)), "--yes", "--connections", "2",
        ),
        env=place.environment, cwd=place.root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    spent: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    table = Table(
        "shares", "One message of a batch: the processor's time",
        f"Of {count} bundles, signed with {signer}; in threads of one process, and in the programs that"
        " it starts. What the agent and the relay spend comes on top, on the same processors.",
        ("part", "what it does", "ms a message"),
    )  # fmt: skip
    rows = {"GnuPG itself": spent["children"]} | {share: spent[share] for share in _SHARES}
    rows["the rest"] = spent["self"] - sum(spent[share] for share in _SHARES)
    for name, seconds in sorted(rows.items(), key=lambda row: -row[1]):
        table.rows.append((name, _SAYS[name], f"{1e3 * seconds / count:.1f}"))
        table.bars.append((name, 1e3 * seconds / count))
    return table
