"""Targets: a relay's replies, a sealed file, its record, and a domain's policy."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from certmail.delivery.replies import Reply, ReplyFault, ReplyReader
from certmail.key import pin
from certmail.message.letter import OuterHeaders
from certmail.message.record import SCHEMA, SealRecord, read_record
from certmail.message.seal import SealedMessage, Signature, parse_sealed, recall
from certmail.names.sts import Policy, StsMode, read_policy
from certmail.recipient import CLEVER_CLOUD
from certmail.values import Address, Fingerprint
from tests.fuzz.of_keys import encrypted
from tests.fuzz.target import Target, fit_to_show, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHA256 = "ab" * 32


def _replies(data: bytes) -> None:
    """However the octets arrive, what is read is the same reply, or the same fault."""
    whole = _read([data])
    assert whole == _read([data[at : at + 1] for at in range(len(data))]) or _lines_end(data)
    half = len(data) // 2
    assert _read([data[:half], data[half:]]) == whole or _lines_end(data)


def _lines_end(data: bytes) -> bool:
    """A reply that ends before the data does is answered to before the rest has come."""
    return any(_read([data[:end]])[0] == "reply" for end in range(1, len(data)))


def _read(chunks: list[bytes]) -> tuple[object, ...]:
    reader = ReplyReader()
    for chunk in chunks:
        try:
            read = reader.feed(chunk)
        except ReplyFault as fault:
            return ("fault", fault.fault)
        if read is not None:
            reply, octets = read
            _fit(reply)
            assert octets.endswith(b"\r\n")
            return ("reply", reply, octets)
    return ("nothing",)


def _fit(reply: Reply) -> None:
    fit_to_show(reply.text(), reply.enhanced or "")
    assert 200 <= reply.code <= 559
    assert len(reply.lines) >= 1


@cache
def pinned() -> pin.PinnedKey:
    """Make a pinned key without a block: only what a sealed file is held against."""
    subkey = Fingerprint("9876" * 10)
    return pin.PinnedKey(
        recipient=CLEVER_CLOUD, fingerprint=CLEVER_CLOUD.pin, encryption_subkey=subkey,
        user_id="Example", algorithm="RSA", bits=4096, created=AT, expires=None,
        subkey_algorithm="RSA", subkey_bits=4096, subkey_created=AT, subkey_expires=None,
        usability=pin.Usability.TODAY, source="a test", at=AT, packets=b"",
        witness=pin._WITNESS,
    )  # fmt: skip


def signature() -> Signature:
    return recall(signer=CLEVER_CLOUD.pin, key=CLEVER_CLOUD.pin, hash_name="SHA-256", created=AT)


def sealed(packets: bytes | None = None) -> SealedMessage:
    return SealedMessage(
        outer=OuterHeaders(
            sender=Address("ops@sender.example"),
            recipient=CLEVER_CLOUD.address,
            date="Mon, 23 Nov 2026 12:00:00 +0000",
            message_id=f"<{'0f' * 16}@sender.example>",
        ),
        pinned=pinned(),
        signature=signature(),
        boundary=f"=_{'5a' * 16}",
        packets=encrypted(pinned().encryption_subkey.key_id) if packets is None else packets,
    )


def _sealed(data: bytes) -> None:
    """A sealed file is read to its last octet, and rendered again to the same."""
    found = []
    refused(
        lambda: found.append(
            parse_sealed(data, pinned=pinned(), signature=signature(), copy_for=None)
        )
    )
    for message in found:
        assert message.wire() == data
        assert message.recipient == CLEVER_CLOUD
        fit_to_show(message.sender.text, message.message_id)


def _record(data: bytes) -> None:
    """A record is one that certmail could have written, or is refused."""
    text = data.decode("utf-8", "replace")
    found: list[SealRecord] = []
    refused(lambda: found.append(read_record(text, sha256=SHA256)))
    for record in found:
        assert read_record(record.to_json(), sha256=SHA256) == record
        # Nothing is read as something else than what was written.
        written = {"certificate_serial": None, **json.loads(text)}
        assert json.loads(record.to_json()) == written
        assert record.ends.utcoffset() == UTC.utcoffset(None)
        assert record.signature().created.utcoffset() == UTC.utcoffset(None)


def seal_record() -> SealRecord:
    return SealRecord(
        schema=SCHEMA, sha256=SHA256, message_id="<a@b.example>", reference="ref",
        checked_at=AT.isoformat(), signer=CLEVER_CLOUD.pin.text, signing_key=CLEVER_CLOUD.pin.text,
        hash_name="SHA-256", signed_at=AT.isoformat(), recipient_key=CLEVER_CLOUD.pin.text,
        recipient_subkey="9876" * 10, copy_for=None, names=("shop.example",),
        certificate_sha256="cd" * 32, certificate_ends=AT.isoformat(), certificate_serial="0A",
    )  # fmt: skip


def _records() -> Iterator[bytes]:
    whole = asdict(seal_record())
    yield seal_record().to_json().encode()
    for part, value in (
        ("names", "shop.example"),
        ("names", {"a": 1}),
        ("copy_for", "9876" * 10),
        ("signed_at", "2026-11-23T12:00:00"),
        ("certificate_serial", None),
    ):
        yield json.dumps({**whole, part: value}).encode()


def _policy(data: bytes) -> None:
    """A policy is one that names hosts, or there is a clause that says what is wrong."""
    try:
        policy = read_policy(data)
    except ValueError as fault:
        clause = str(fault)
    else:
        _fit_policy(policy)
        return
    fit_to_show(clause)
    assert clause.startswith(("it ", "a ")), "not a clause of ours"


def _fit_policy(policy: Policy) -> None:
    assert policy.patterns or policy.mode is StsMode.NONE
    assert all(policy.covers(p.replace("*", "a", 1)) for p in policy.patterns)


POLICY = (
    b"version: STSv1\r\nmode: enforce\r\nmx: mx.example.org\r\nmx: *.example.org\r\n"
    b"max_age: 86400\r\n"
)

TARGETS = (
    Target(
        "replies",
        _replies,
        lambda: (
            b"250-relay.example.org at your service\r\n250-SIZE 35882577\r\n250 SMTPUTF8\r\n",
            b"550 5.7.1 no\r\n",
            b"354\r\n",
            b"220-a\r\n221 b\r\n",
            b"250 a\r\n250 b\r\n",
            b"250-\xff\r\n250 \x1b[31m\r\n",
        ),
        (b"\r\n", b"250-", b"250 ", b"421 ", b"5.7.1 ", b"\n", b"\r", b"\x00"),
        octets=600,
    ),
    Target(
        "sealed",
        _sealed,
        lambda: (sealed().wire(),),
        tuple(sealed().wire().split(b"\r\n")[:12]),
    ),
    Target(
        "record",
        _record,
        _records,
        tuple(f'"{name}": '.encode() for name in asdict(seal_record())),
    ),
    Target("policy", _policy, lambda: (POLICY,), tuple(POLICY.splitlines(keepends=True))),
)
