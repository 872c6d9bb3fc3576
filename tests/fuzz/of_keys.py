"""Targets: armor, packets, and copies of a key from anywhere."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certmail.gnupg.report import read_listing
from certmail.key import armor
from certmail.key.framing import Damage, Tag, build, split
from certmail.key.packets import read_encrypted, read_key_block, read_signed
from certmail.key.renew import blocks
from certmail.key.renew.reading import read_copy
from certmail.key.renew.statements import merge
from certmail.key.selfsig import verify
from certmail.recipient import Recipient
from certmail.values import Address, Fingerprint
from tests.fuzz.target import ROOT, Target, fit_to_show, refused
from tests.key.forge import Forge, subpacket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certmail.key.renew.reading import Copy

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
PUBLISHED = ROOT / "keys" / "clever-cloud.asc"


@cache
def forge() -> Forge:
    """Give a key that guards nothing: the same in every run."""
    return Forge(secret=Ed25519PrivateKey.from_private_bytes(b"certmail fuzzes; guards nothing!"))


@cache
def recipient() -> Recipient:
    return Recipient("Example", Address("to@example.org"), Fingerprint(forge().fingerprint))


@cache
def block() -> bytes:
    return forge().block()


@cache
def revocation() -> bytes:
    return forge().sign(0x20, more=subpacket(29, b"\x02superseded"))


def _armor(data: bytes) -> None:
    """A block gives packets or a refusal; a message has one spelling."""
    found = []
    refused(lambda: found.append(armor.decode(data)))
    for one in found:
        fit_to_show(*one.headers)
        if one.packets:
            again = armor.decode(armor.encode(armor.PUBLIC_KEY_BLOCK, one.packets))
            assert again.packets == one.packets
    packets = []
    refused(lambda: packets.append(armor.decode_message(data)))
    for octets in packets:
        assert armor.encode(armor.MESSAGE, octets) == data.replace(b"\r\n", b"\n")


def _packets(data: bytes) -> None:
    """Every octet belongs to a packet, or there is damage; what is split is built again."""
    try:
        packets = split(data)
    except Damage as damage:
        fit_to_show(str(damage))
    else:
        assert all(fit_to_show(packet.name) is None for packet in packets)
        known = [p for p in packets if p.tag in set(Tag)]
        again = split(b"".join(build(Tag(p.tag), p.body) for p in known))
        assert [(p.tag, p.body) for p in again] == [(p.tag, p.body) for p in known]
    refused(lambda: read_encrypted(data))
    refused(lambda: read_signed(data))
    refused(lambda: verify(read_key_block(data)))


def _copy(data: bytes) -> None:
    """What a copy adds is the pinned key's own word; to unite is a matter of sets."""
    copies: list[Copy] = []
    refused(lambda: copies.append(read_copy(data, recipient=recipient())))
    primary = read_copy(block(), recipient=recipient()).known.primary
    refused(lambda: copies.append(read_copy(data, recipient=recipient(), primary=primary)))
    for copy in copies:
        fit_to_show(*copy.ignored, *(statement.words for statement in copy.known.statements))
        known, ours = copy.known, read_copy(block(), recipient=recipient()).known
        assert known.fingerprint == recipient().pin
        assert merge(known, known) == merge(known) == known
        both = merge(known, ours)
        assert both == merge(ours, known)
        assert both.digests == known.digests | ours.digests
        again = read_copy(both.packets(), recipient=recipient())
        assert (again.known, again.ignored) == (both, ())
        assert again.known.packets() == both.packets()


def _page(data: bytes) -> None:
    """A page, a text, a mail: blocks of packets, each with its refusal or its octets."""

    def read() -> None:
        for found in blocks.find(data):
            assert (found.refusal is None) == bool(found.packets)
            if found.refusal is not None:
                fit_to_show(found.refusal.what, found.refusal.why, found.refusal.next)

    refused(read)


def _listing(data: bytes) -> None:
    """What GnuPG lists is read into values, or refused."""
    refused(lambda: read_listing(data, at=AT))


def _armored() -> Iterator[bytes]:
    yield PUBLISHED.read_bytes()
    yield armor.encode(armor.PUBLIC_KEY_BLOCK, block())
    yield armor.encode(armor.MESSAGE, os.urandom(0) + bytes(range(200)))
    yield block()


def encrypted(key_id: str = "218B86BD5278460F") -> bytes:
    """Give the packets of a message to a key; nothing is in it."""
    session = b"\x03" + bytes.fromhex(key_id) + b"\x12\x01\x07" + b"s" * 40
    return build(Tag.PKESK, session) + build(Tag.SEIPD, b"\x01" + b"c" * 60)


def signed() -> bytes:
    """Give a signed message in the clear; nobody made the signature."""
    who = bytes.fromhex(forge().fingerprint)
    one_pass = build(Tag.ONE_PASS_SIGNATURE, b"\x03\x00\x08\x16" + who[-8:] + b"\x01")
    literal = build(Tag.LITERAL, b"b\x00" + b"\x6a\x00\x00\x00" + b"a letter")
    return one_pass + literal + forge().sign(0x00, unhashed=subpacket(16, who[-8:]))


def _binary() -> Iterator[bytes]:
    yield armor.decode(PUBLISHED.read_bytes()).packets
    yield from (block(), encrypted(), signed(), block() + revocation())
    yield b"\xcb\xe9" + b"a" * 512 + b"\xe1bb\x01c"


def _copies() -> Iterator[bytes]:
    yield block()
    yield armor.encode(armor.PUBLIC_KEY_BLOCK, block())
    yield revocation()
    yield forge().primary() + revocation() + forge().user_id() + forge().subkey()
    other = Forge(secret=Ed25519PrivateKey.from_private_bytes(b"another one that guards nothing!"))
    yield other.block() + block()
    # A subkey's binding behind a user ID, as some servers lay it out.
    yield forge().primary() + forge().subkey() + forge().user_id()


def _pages() -> Iterator[bytes]:
    text = armor.encode(armor.PUBLIC_KEY_BLOCK, block())
    yield text
    yield b"<html><body><pre>" + text.replace(b"\n", b"<br>\n") + b"</pre><script>x</script>"
    yield b"> " + text.replace(b"\n", b"\n> ")
    yield text.decode().encode("utf-16")
    yield b"Dear all,\n\n" + text + b"\n-- \nSupport\n" + text.replace(b"=", b"&#61;")


LISTING = b"""\
tru::1:1700000000:0:3:1:5
pub:u:255:22:0123456789ABCDEF:1780315200:::u:::scESC::::ed25519:::0:
fpr:::::::::0123456789ABCDEF0123456789ABCDEF01234567:
uid:u::::1780315200::AA::Recipient <to@example.org>::::::::::0:
sig:!::22:0123456789ABCDEF:1780315200::::\\x3a:13x::0123456789ABCDEF0123456789ABCDEF01234567:::8:
sub:u:255:18:1123456789ABCDEF:1780315200::::::e::::cv25519::
fpr:::::::::1123456789ABCDEF0123456789ABCDEF01234567:
sig:!::22:0123456789ABCDEF:1780315200:::::18x:::::8:
rev:!::22:0123456789ABCDEF:1780315200:::::28x:::::8:
"""

PACKET_WORDS = (
    b"\x99\x00\x33",
    b"\xc6\x33\x04",
    b"\xc2\x5e\x04\x13",
    b"\xcd\x1a",
    b"\xce\x38\x04",
    b"\x05\x02\x6a\x1d\x73\xc0",
    b"\x09\x10",
    b"\x16\x21\x04",
    b"\xff\x00\x00\x00\x05",
    b"\x2b\x06\x01\x04\x01\xda\x47\x0f\x01",
    b"\xd2\x3d\x01",
)
ARMOR_WORDS = (
    b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n",
    b"-----END PGP PUBLIC KEY BLOCK-----\n",
    b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
    b"-----BEGIN PGP MESSAGE-----\n\n",
    b"-----END PGP MESSAGE-----\n",
    b"Comment: x\n",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"\n=AAAA\n",
)

TARGETS = (
    Target("armor", _armor, _armored, ARMOR_WORDS),
    Target("packets", _packets, _binary, PACKET_WORDS),
    Target("copy", _copy, _copies, (*PACKET_WORDS, *ARMOR_WORDS)),
    Target(
        "page",
        _page,
        _pages,
        (
            *ARMOR_WORDS,
            b"<html>",
            b"<br>",
            b"<script>",
            b"</script>",
            b"<style",
            b"<template",
            b"&#61;",
            b"&nbsp;",
            b"> ",
            b"\xff\xfe",
            b"\xe2\x80\x8b",
        ),
    ),
    Target("listing", _listing, lambda: (LISTING,), tuple(LISTING.split(b"\n"))),
)
