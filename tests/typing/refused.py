"""Lines that must not compile: each error mypy is to report stands behind the line it belongs to.

Nothing here is ever run. `test_typing` asks mypy and compares; a line that begins to compile is a
hole in the types, and a new error is one too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import certmail
from certmail import login, secrets, walk
from certmail.bundle.check import CheckedBundle
from certmail.delivery.relay import Relay
from certmail.message.letter import Letter, Request, compose
from certmail.message.seal import Copy, SealedMessage, seal
from certmail.recipient import CLEVER_CLOUD
from certmail.settings import keys
from certmail.submission import Mode, Reports, TlsPath
from certmail.values import Hostname, Secret, SecretKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from certmail.key.keyblock import KeyBlock
    from certmail.key.pin import PinnedKey
    from certmail.message.letter import Sender
    from certmail.message.seal import Engine, Signer
    from certmail.settings.resolve import Settings


def only_a_sealed_message_is_delivered(
    transport: walk.Transport[None], letter: Letter, checked: CheckedBundle, sealed: SealedMessage
) -> None:
    walk.deliver(sealed, transport=transport)
    walk.deliver(b"From: ops@example.org", transport=transport)  # mypy: arg-type
    walk.deliver(letter, transport=transport)  # mypy: arg-type
    walk.deliver(checked, transport=transport)  # mypy: arg-type
    walk.deliver(sealed.wire(), transport=transport)  # mypy: arg-type
    walk.deliver(None, transport=transport)  # mypy: arg-type
    walk.deliver(sealed, transport=transport, accepted=True)  # mypy: arg-type


def the_library_delivers_only_what_was_sealed(
    made: certmail.Sealing,
    checked: certmail.CheckedBundle,
    relay: certmail.Relay,
    secret: certmail.Secret,
    now: Callable[[], datetime],
) -> None:
    certmail.deliver_sync(made.sealed, relay=relay, secret=secret, now=now)
    certmail.deliver_sync(made, relay=relay, secret=secret, now=now)  # mypy: arg-type
    certmail.deliver_sync(made.letter, relay=relay, secret=secret, now=now)  # mypy: arg-type
    plaintext, wire = made.letter.entity, made.sealed.wire()
    certmail.deliver_sync(plaintext, relay=relay, secret=secret, now=now)  # mypy: arg-type
    certmail.deliver_sync(wire, relay=relay, secret=secret, now=now)  # mypy: arg-type
    certmail.deliver_sync(checked, relay=relay, secret=secret, now=now)  # mypy: arg-type
    certmail.deliver_sync("key", relay=relay, secret=secret, now=now)  # mypy: arg-type
    certmail.deliver_sync(made.sealed, relay=relay, secret="text", now=now)  # mypy: arg-type
    certmail.deliver_sync(made.sealed, relay=relay, secret=secret)  # mypy: call-arg
    certmail.deliver_sync(made.sealed, secret=secret, now=now)  # mypy: call-arg


async def also_where_it_is_awaited(
    made: certmail.Sealing, relay: certmail.Relay, now: Callable[[], datetime]
) -> None:
    await certmail.deliver(made.sealed, relay=relay, secret=None, now=now)
    await certmail.deliver(made, relay=relay, secret=None, now=now)  # mypy: arg-type
    await certmail.deliver(made.letter, relay=relay, secret=None, now=now)  # mypy: arg-type
    await certmail.deliver(b"key", relay=relay, secret=None, now=now)  # mypy: arg-type
    certmail.deliver(made.sealed, relay=relay, secret=None, now=now)  # mypy: unused-coroutine


def the_library_keeps_only_what_was_sealed(
    outbox: certmail.Outbox, sealing: certmail.Sealing, relay: certmail.Relay
) -> None:
    outbox.keep(sealing, relay=relay)
    outbox.keep(sealing.letter, relay=relay)  # mypy: arg-type
    outbox.keep(sealing.letter.bundle.pem, relay=relay)  # mypy: arg-type


def the_library_seals_only_what_was_checked_and_only_to_a_pinned_key(
    verdict: certmail.Verdict,
    key: certmail.PinnedKey,
    signer: certmail.Signer,
    gnupg: certmail.GnuPG,
) -> None:
    checked = certmail.require_checked(verdict)
    certmail.seal(checked, key=key, signer=signer, gnupg=gnupg)
    certmail.seal(verdict, key=key, signer=signer, gnupg=gnupg)  # mypy: arg-type
    certmail.seal(verdict.checked, key=key, signer=signer, gnupg=gnupg)  # mypy: arg-type
    certmail.seal(checked.pem, key=key, signer=signer, gnupg=gnupg)  # mypy: arg-type
    octets, them = certmail.shipped_key(), certmail.CLEVER_CLOUD
    certmail.seal(checked, key=octets, signer=signer, gnupg=gnupg)  # mypy: arg-type
    certmail.seal(checked, key=them, signer=signer, gnupg=gnupg)  # mypy: arg-type


def the_recipient_is_no_argument_and_an_unknown_name_no_name(
    gnupg: certmail.GnuPG, at: datetime
) -> None:
    certmail.pin(b"", recipient=certmail.CLEVER_CLOUD, gnupg=gnupg, at=at)  # mypy: call-arg
    certmail.send_plain(b"key")  # mypy: attr-defined
    certmail.check(b"pem")  # mypy: call-arg


def a_secret_is_no_text_and_is_kept_only_after_a_try(relay: Relay, secret: Secret) -> None:
    entry = secrets.from_keyring(relay, SecretKind.PASSWORD)
    login.try_and_keep(relay, secrets.from_memory(secret), entry=entry)
    login.try_and_keep(relay, secret, entry=entry)  # mypy: arg-type
    login.try_and_keep(relay, "text", entry=entry)  # mypy: arg-type
    login.try_and_keep(relay, entry=entry)  # mypy: call-arg
    secrets.from_memory("text")  # mypy: arg-type
    entry.store("text")  # mypy: arg-type
    Secret("text", "token")  # mypy: arg-type
    Relay(relay.host, 465, Mode.IMPLICIT, login="plain")  # mypy: arg-type


def only_a_checked_bundle_is_composed(pem: bytes, sender: Sender, at: datetime) -> None:
    ask = Request()
    compose(pem, sender=sender, recipient=CLEVER_CLOUD, request=ask, at=at)  # mypy: arg-type


def only_a_letter_is_sealed_and_only_to_a_pinned_key(
    letter: Letter, pinned: PinnedKey, block: KeyBlock, signer: Signer, engine: Engine
) -> None:
    seal(letter, pinned=pinned, signer=signer, engine=engine, copy=Copy.NONE)
    seal(b"text", pinned=pinned, signer=signer, engine=engine, copy=Copy.NONE)  # mypy: arg-type
    seal(letter, pinned=block, signer=signer, engine=engine, copy=Copy.NONE)  # mypy: arg-type
    them = CLEVER_CLOUD
    seal(letter, pinned=them, signer=signer, engine=engine, copy=Copy.NONE)  # mypy: arg-type
    seal(letter, pinned=pinned, signer=None, engine=engine, copy=Copy.NONE)  # mypy: arg-type
    seal(letter, pinned=pinned, signer=signer, engine=engine, copy=False)  # mypy: arg-type


def nobody_else_is_a_witness(other: CheckedBundle) -> None:
    CheckedBundle(  # mypy: call-arg
        pem=other.pem,
        leaf=other.leaf,
        chain=other.chain,
        key=other.key,
        domains=other.domains,
        at=other.at,
    )


def no_relay_goes_without_tls() -> None:
    Relay(Hostname("smtp.example.org"), 25, Mode.PLAIN)  # mypy: attr-defined
    Relay(Hostname("smtp.example.org"), 25, "plain")  # mypy: arg-type
    Relay(Hostname("smtp.example.org"), 25, None)  # mypy: arg-type
    Relay("smtp.example.org", 25, Mode.IMPLICIT)  # mypy: arg-type


def a_wish_is_no_word_and_no_switch() -> None:
    host = Hostname("smtp.example.org")
    Relay(host, 465, Mode.IMPLICIT, tls_path=TlsPath.REQUIRED, reports=Reports.SUCCESS)
    Relay(host, 465, Mode.IMPLICIT, tls_path="required")  # mypy: arg-type
    Relay(host, 465, Mode.IMPLICIT, tls_path=True)  # mypy: arg-type
    Relay(host, 465, Mode.IMPLICIT, reports=None)  # mypy: arg-type
    Relay(host, 465, Mode.IMPLICIT, spki_pins=b"pin")  # mypy: arg-type


def a_proof_is_not_altered(sealed: SealedMessage, pinned: PinnedKey) -> None:
    sealed.packets = b""  # mypy: misc
    pinned.usability = None  # mypy: misc, assignment


def a_secret_is_not_text(secret: Secret) -> str:
    return secret  # mypy: return-value


def a_setting_has_its_keys_type(settings: Settings) -> None:
    host: Hostname = settings.require(keys.RELAY_HOST)
    perhaps: Hostname = settings.get(keys.RELAY_HOST)  # mypy: assignment
    port: str = settings.require(keys.RELAY_PORT)  # mypy: assignment
    settings.require("relay.host")  # mypy: arg-type
    del host, perhaps, port
