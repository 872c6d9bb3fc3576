r"""Ask GnuPG what a key is: import it into an empty home and list it.

Comes in: binary key packets. Goes out: a `GpgKeyReport`, a witness's statement for the key room to
judge. The listing is GnuPG's colon format (doc/DETAILS), read as bytes and split on ``\n`` only:
user IDs may hold U+0085 or U+2028, at which friendlier readers start a new line.
"""

from __future__ import annotations

import re
from dataclasses import field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NoReturn

from certmail.errors import CertmailError, SealError
from certmail.frozen import slotted
from certmail.gnupg.homes import throwaway_home
from certmail.gnupg.runner import Gpg, Result, run
from certmail.key import refusals
from certmail.key.witness import GpgKey, GpgKeyReport, GpgSignature, GpgUserId, GpgVerdict
from certmail.values import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMEOUT_S: Final = 60.0
"""Importing and listing one key takes milliseconds."""

MAX_LINES: Final = 20_000

_IMPORT: Final = (
    "--no-autostart",
    # Nothing is to be repaired, merged or left out before it is listed.
    "--import-options",
    "no-import-clean,no-import-minimal,no-repair-keys",
    "--import",
)
_LIST: Final = (
    # Not --no-sig-cache: with it GnuPG 2.2.40 aborts (double free) at a certification by a key it
    # does not have. The home is fresh, so what is cached was verified a moment ago.
    "--no-autostart",
    "--with-colons",
    "--fixed-list-mode",
    "--with-subkey-fingerprint",
    "--check-sigs",
)
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([nrfvb0\\]))")
_CONTROLS: Final = {b"n": b"\n", b"r": b"\r", b"f": b"\f", b"v": b"\v", b"b": b"\b", b"0": b"\0"}
_VERDICTS: Final = {"!": GpgVerdict.GOOD, "-": GpgVerdict.BAD, "?": GpgVerdict.NO_KEY}
_IMPORT_RES_FIELDS: Final = 14
_OTHER_PARTS: Final = frozenset({"uat", "sec", "ssb", "crt", "crs"})
"""Records that own the signatures after them, and that nothing here uses."""


def report(
    gpg: Gpg,
    packets: bytes,
    *,
    env: Mapping[str, str],
    at: datetime,
    timeout_s: float = TIMEOUT_S,
) -> GpgKeyReport:
    """Report on ``packets`` from a throw-away home.

    Raises:
        SealError: ``GPG-…``.
        KeyRefused: ``WITNESSES-DISAGREE``, when GnuPG sees something else than one public key.
    """
    with throwaway_home(env) as home:
        return import_and_list(gpg, packets, home=home, env=env, at=at, timeout_s=timeout_s)


def import_and_list(
    gpg: Gpg,
    packets: bytes,
    *,
    home: Path,
    env: Mapping[str, str],
    at: datetime,
    timeout_s: float = TIMEOUT_S,
) -> GpgKeyReport:
    """Import ``packets`` into an empty ``home`` and list what is there, as of ``at``.

    Afterwards ``home`` holds that key, ready to encrypt to. Only the listing runs under a set
    clock, so that both witnesses speak of the same instant.

    Raises:
        As `report`.
    """
    imported = run(gpg, *_IMPORT, home=home, stdin=packets, env=env, timeout_s=timeout_s)
    if not _was_taken(imported):
        return GpgKeyReport(at=at, primary=None, user_ids=(), subkeys=())
    clock = ("--faked-system-time", f"{at.astimezone(UTC):%Y%m%dT%H%M%S}!")
    listed = run(gpg, *clock, *_LIST, home=home, env=env, timeout_s=timeout_s)
    if listed.returncode != 0:
        _refuse_failed("GnuPG does not list the key it has just imported")
    return read_listing(listed.stdout, at=at)


def read_listing(listing: bytes, *, at: datetime) -> GpgKeyReport:
    """Read a colon listing of exactly one public key.

    Raises:
        KeyRefused: ``WITNESSES-DISAGREE``.
        SealError: ``GPG-FAILED``.
    """
    lines = listing.split(b"\n")
    if len(lines) > MAX_LINES:
        _refuse_failed("GnuPG's listing of one key is longer than any key")
    records = [_Record(line) for line in lines if line]
    parts: list[_Part] = []
    for record in records:
        if record.kind in {"pub", "sub", "uid"} or record.kind in _OTHER_PARTS:
            parts.append(_Part(record))
        elif record.kind == "fpr" and parts and parts[-1].fingerprint is None:
            parts[-1].fingerprint = record.fingerprint()
        elif record.kind in {"sig", "rev"} and parts:
            parts[-1].signatures.append(record.signature())
    primaries = [part.key() for part in parts if part.record.kind == "pub"]
    if len(primaries) != 1 or parts[0].record.kind != "pub":
        raise refusals.disagree(f"GnuPG sees {len(primaries)} public keys where we see one")
    return GpgKeyReport(
        at=at,
        primary=primaries[0],
        user_ids=tuple(part.user_id() for part in parts if part.record.kind == "uid"),
        subkeys=tuple(part.key() for part in parts if part.record.kind == "sub"),
    )


@slotted
class _Record:
    """One line of the listing, split at its colons."""

    line: bytes

    @property
    def kind(self) -> str:
        return self.text(1)

    def raw(self, number: int) -> bytes:
        """Give a field, counted from 1 as in doc/DETAILS."""
        fields = self.line.split(b":")
        return fields[number - 1] if number <= len(fields) else b""

    def text(self, number: int) -> str:
        return self.raw(number).decode("ascii", "replace")

    def number(self, number: int) -> int:
        text = self.text(number)
        if not (text.isascii() and text.isdigit() and len(text) <= 10):  # noqa: PLR2004 - 32 bits
            _refuse_failed("GnuPG's listing has no number where its format has one")
        return int(text)

    def instant(self, number: int) -> datetime | None:
        """Give a date: seconds since 1970, or ISO 8601 basic (doc/DETAILS, field 6)."""
        text = self.text(number)
        if not text or text == "0":
            return None
        if "T" in text:
            try:
                return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
            except ValueError:
                _refuse_failed("GnuPG's listing has no date where its format has one")
        return datetime.fromtimestamp(self.number(number), UTC)

    def fingerprint(self) -> Fingerprint:
        try:
            return Fingerprint(self.text(10))
        except CertmailError:
            _refuse_failed("GnuPG's listing has no version 4 fingerprint where one belongs")

    def signature(self) -> GpgSignature:
        kind = self.text(11)[:2]
        try:
            number = int(kind, 16)
        except ValueError:
            _refuse_failed("GnuPG's listing has a signature without a type")
        return GpgSignature(
            verdict=_VERDICTS.get(self.text(2)[:1], GpgVerdict.ERROR),
            type=number,
            issuer_key_id=self.text(5),
            created=self.instant(6),
        )


@slotted
class _Part:
    """A key, subkey or user ID of the listing, and the signatures under it."""

    record: _Record
    fingerprint: Fingerprint | None = None
    signatures: list[GpgSignature] = field(default_factory=list)

    def key(self) -> GpgKey:
        if self.fingerprint is None:
            _refuse_failed("GnuPG lists a key without its fingerprint")
        return GpgKey(
            fingerprint=self.fingerprint,
            validity=self.record.text(2),
            algorithm=self.record.number(4),
            bits=self.record.number(3),
            created=self.record.instant(6),
            expires=self.record.instant(7),
            capabilities=self.record.text(12),
            signatures=tuple(self.signatures),
        )

    def user_id(self) -> GpgUserId:
        return GpgUserId(
            raw=unescape(self.record.raw(10)),
            validity=self.record.text(2),
            signatures=tuple(self.signatures),
        )


def unescape(field_: bytes) -> bytes:
    r"""Undo the escapes of a colon field: ``\xNN`` and C's letters (doc/DETAILS, field 10)."""

    def one(match: re.Match[bytes]) -> bytes:
        if match[1] is not None:
            return bytes.fromhex(match[1].decode("ascii"))
        return _CONTROLS.get(match[2], match[2])

    return _ESCAPE.sub(one, field_)


def _was_taken(imported: Result) -> bool:
    """Tell whether exactly one public key arrived in the empty home, and no secret one.

    IMPORT_RES counts: 1 seen, 3 imported, 10 secret keys read (doc/DETAILS). Which key it is, the
    listing says.
    """
    results = imported.all("IMPORT_RES")
    if len(results) != 1 or len(results[0].args) < _IMPORT_RES_FIELDS:
        _refuse_failed("GnuPG does not say what became of an import")
    args = results[0].args
    seen, taken, private = args[0], args[2], args[9]
    if private != "0" or seen not in {"0", "1"}:
        raise refusals.disagree(
            f"GnuPG sees {seen} public and {private} secret keys where we see one"
        )
    return taken == "1"


def _refuse_failed(what: str) -> NoReturn:
    raise SealError(
        "GPG-FAILED",
        what,
        why="without its word on the key there is only one witness",
        next="gpg --version  (is it the GnuPG of your system?)",
    ) from None
