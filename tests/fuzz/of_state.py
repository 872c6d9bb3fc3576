"""Targets: what lies on the disk between two runs."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from certmail.keystore import Keystore, _spell
from certmail.ledger.chain import Ledger
from certmail.ratchet import Offered, Ratchet
from certmail.recipient import CLEVER_CLOUD
from certmail.settings import file as settings_file
from certmail.settings.keys import KEYS
from certmail.settings.resolve import resolve
from tests.fuzz.target import Target, fit_to_show, refused
from tests.test_keystore import NOW, STORED

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path("/etc/certmail/config.toml")


@cache
def folder() -> Path:
    """Make one folder for the process; nothing that is a secret ever lies in it."""
    made = Path(tempfile.mkdtemp(prefix="certmail-fuzz-"))
    made.chmod(0o700)
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def _settings(data: bytes) -> None:
    """A file gives settings that may be shown, or a refusal that names the line."""

    def read() -> None:
        entries = settings_file.parse(data, path=str(HERE))
        last = data.count(b"\n") + 1
        assert all(entry.line is None or 1 <= entry.line <= last for entry in entries)
        found = resolve(flags={}, environ={}, entries=entries, path=HERE)
        for row in found.rows():
            fit_to_show(row.name, row.shown, str(row.origin or ""))

    refusal = refused(read)
    if refusal is not None and refusal.lines is not None:
        assert 1 <= refusal.lines[0] <= refusal.lines[1] <= data.count(b"\n") + 1


def _keystore(data: bytes) -> None:
    """A stored copy is one that certmail could have written, or is refused."""
    store = Keystore(folder(), CLEVER_CLOUD.pin)
    store.path.write_bytes(data)
    found = []
    refused(lambda: found.append(store.read()))
    for stored in found:
        assert stored is not None
        assert stored.heard is None or stored.heard.utcoffset() is not None
        store.path.write_text(_spell(stored, fingerprint=CLEVER_CLOUD.pin))
        assert store.read() == stored


def _ledger(data: bytes) -> None:
    """Any log under any head is followed to its end or to its fault; nothing is written behind it.

    The head is the part up to the first line of its own that says so.
    """
    head, _, log = data.partition(b"\n--log--\n")
    (folder() / "receipts.head").write_bytes(head)
    (folder() / "receipts.jsonl").write_bytes(log)
    ledger = Ledger(folder())
    verdicts = []
    refusal = refused(lambda: verdicts.append(ledger.verify()))
    for record in ledger.records():
        assert isinstance(record, dict)
    added = []
    refused(lambda: added.append(ledger.append({"message_sha256": "ab" * 32, "attempt": 1})))
    if added:
        # What held still holds, and what did not is not made good by a line behind it.
        assert refusal is None
        after = ledger.verify(known=added[0])
        assert after.good == verdicts[0].good
    for verdict in verdicts:
        fit_to_show(verdict.fault or "")
        assert verdict.good or verdict.line is None or verdict.line >= 0


def _ratchet(data: bytes) -> None:
    """What is remembered of relays holds, or is refused; it is never passed over."""
    (folder() / "relays.json").write_bytes(data)
    ratchet = Ratchet(folder())
    offered = Offered("smtps", None, "TLSv1.3", "PLAIN")
    refused(lambda: ratchet.before_dial("smtp.example.org", offered))
    refused(lambda: ratchet.before_secret("smtp.example.org", offered))
    if refused(ratchet.relays) is None:
        assert all(isinstance(host, str) for host in ratchet.relays())


def _settings_seeds() -> Iterator[bytes]:
    yield b"\n".join([b"# all of them", *(key.line.replace(".", ".", 1).encode() for key in KEYS)])
    yield b'[relay]\nhost = "smtp.example.org"\nport = 465\n[sender]\naddress = "ops@example.org"\n'
    yield b'relay = { host = "old.example.org", port = 1 }\nx = [\n1,\n2]\n"a.b" = 1979-05-27\n'


def _ledgers() -> Iterator[bytes]:
    for name in ("receipts.head", "receipts.jsonl"):
        (folder() / name).unlink(missing_ok=True)
    ledger = Ledger(folder())
    for number in range(2):
        ledger.append({"message_sha256": f"{number}" * 64, "attempt": number})
    head = (folder() / "receipts.head").read_bytes().removesuffix(b"\n")
    log = (folder() / "receipts.jsonl").read_bytes()
    yield head + b"\n--log--\n" + log
    yield head + b"\n--log--\n" + log + log.splitlines()[0][:20]
    yield b'{"count": 0, "octets": 0, "sha256": "%s"}\n--log--\n%s' % (b"0" * 64, log)
    yield b'{"count": 1e999, "octets": -1, "sha256": 1}\n--log--\n' + log


def _ratchets() -> Iterator[bytes]:
    (folder() / "relays.json").unlink(missing_ok=True)
    from datetime import UTC, datetime

    ratchet = Ratchet(folder())
    offered = Offered("smtps", "ab" * 32, "TLSv1.3", "SCRAM-SHA-256")
    ratchet.remember("smtp.example.org", offered, at=datetime(2026, 11, 23, tzinfo=UTC))
    yield (folder() / "relays.json").read_bytes()


TARGETS = (
    Target(
        "settings",
        _settings,
        _settings_seeds,
        (*(f"{key.name} = ".encode() for key in KEYS), b"[relay]\n", b"[[relay]]\n", b'"""', b"[["),
    ),
    Target(
        "keystore",
        _keystore,
        lambda: (
            _spell(STORED, fingerprint=CLEVER_CLOUD.pin).encode(),
            _spell(STORED, fingerprint=CLEVER_CLOUD.pin)
            .replace('"parts": [', '"parts": [1,')
            .encode(),
        ),
        (b'"parts": [', b'"attempts": [', b'"answers": [', b'"heard_at": ', NOW.encode(), b"null"),
    ),
    Target(
        "ledger",
        _ledger,
        _ledgers,
        (b"\n--log--\n", b'"count": ', b'"octets": ', b'"previous":', b"NaN", b"1e999", b"-1"),
    ),
    Target(
        "ratchet",
        _ratchet,
        _ratchets,
        (b'"mode": ', b'"pin": ', b'"mechanism": ', b'"at": ', b"null", b"[", b"{"),
    ),
)
