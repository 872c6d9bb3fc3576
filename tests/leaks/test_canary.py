"""The real commands under strace: no octet of key or password but in the pipes to gpg."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization

from certmail.rehearsal.authority import throwaway_authority, throwaway_bundle
from tests.cli.conftest import PASSWORD
from tests.cli.story import ACCEPT
from tests.leaks.breakers import BEFORE, LEAKS
from tests.leaks.conftest import CAT, SEND
from tests.leaks.law import LETTER, Allowed, breaches, flows
from tests.leaks.trace import traced
from tests.secrets.support import secret_service

if TYPE_CHECKING:
    from tests.leaks.conftest import Watched

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(sys.platform != "linux", reason="strace is a program of Linux's"),
]


def ways(watched: Watched, done) -> tuple[set, set]:
    """Give the ways that the bundle and the password took."""
    found = flows(done, watched.secrets)
    passwords = set(watched.secrets.password.values())
    return tuple(
        set().union(*(flow.ways for flow in found if (flow.of in passwords) is kind))
        for kind in (False, True)
    )


def test_a_send_gives_the_bundle_to_gpg_and_the_password_to_nobody(watched: Watched):
    """Signed, verified, encrypted; that those ways are seen shows that the others would be."""
    done = watched.run(*SEND, "--json", "bundle.pem", *watched.relay.flags)
    assert done.status == 0, done.err.decode()
    assert watched.broken(done) == []
    assert ways(watched, done) == (LETTER, CAT)
    assert len(watched.relay.mailbox.delivered) == 1
    # What is checked is what is sealed: the file is opened once.
    opened = [a for a in done.acts if a.name == "openat" and a.strings[0].endswith(b"bundle.pem")]
    assert len(opened) == 1


def test_a_preview_and_its_page_hold_nothing_and_dial_nobody(watched: Watched, renewed):
    made = watched.run(
        "-vv", "--debug", "preview", "bundle.pem", "--output", "m.eml", "--html", "page.html",
    )  # fmt: skip
    assert made.status == 0, made.err.decode()
    assert watched.broken(made, dials=()) == []
    assert (watched.user.home / "page.html").stat().st_size > 10_000
    sent = watched.run(
        "-vv", "--debug", "send", "--sealed", "m.eml", "--yes", "--key-file", renewed,
        *watched.relay.flags,
    )  # fmt: skip
    assert sent.status == 0, sent.err.decode()
    assert watched.broken(sent) == []


def test_many_at_once_keep_the_law(watched: Watched, renewed, at):
    for name in ("a", "b"):
        pem = throwaway_bundle(throwaway_authority(at), f"{name}.example")
        watched.give(f"{name}.pem", pem, bundle=pem)
    done = watched.run(
        "-vv", "--debug", "send", "a.pem", "b.pem", "--yes", "--key-file", renewed,
        *watched.relay.flags,
    )  # fmt: skip
    assert done.status == 0, done.err.decode()
    assert watched.broken(done) == []
    assert len(watched.relay.mailbox.delivered) == 2


def test_what_waited_is_retried_without_the_bundle(watched: Watched):
    port = watched.relay.flags.index("--relay-port") + 1
    closed = (*watched.relay.flags[:port], "9", *watched.relay.flags[port + 1 :])
    waits = watched.run(*SEND, "bundle.pem", *closed)
    assert waits.status == 19, waits.err.decode()
    assert watched.broken(waits, dials=(9,)) == []
    done = watched.run("-vv", "--debug", "outbox", "retry", "--now", ACCEPT, *watched.relay.flags)
    assert done.status == 0, done.err.decode()
    assert watched.broken(done) == []
    assert ways(watched, done) == (set(), CAT)


def test_offline_nobody_but_the_relay_is_asked_for_anything(watched: Watched):
    """The key is old, and the settings would have its sources asked: not one name is looked up."""
    watched.user.extra["CERTMAIL_KEY_REFRESH"] = "auto"
    done = watched.run(*SEND, "--offline", "bundle.pem", *watched.relay.flags)
    assert done.status == 0, done.err.decode()
    assert watched.broken(done) == []
    dialled = {act.address for act in done.acts if act.address is not None}
    assert dialled == {("127.0.0.1", watched.relay.mailbox.port)}


def test_refusals_quote_nothing(watched: Watched, bundle_pem):
    """A broken bundle, and a password that the relay does not take."""
    body = bundle_pem.replace(b"\n", b"\r\n").replace(
        b"-----BEGIN PRIVATE", b"x\r\n-----BEGIN PRIVATE"
    )
    watched.give("broken.pem", body)
    refused = watched.run(*SEND, "broken.pem", *watched.relay.flags)
    assert refused.status == 10, refused.err.decode()
    assert watched.broken(refused, dials=()) == []
    watched.passwords.append("kanari-falsches-wort")
    wrong = watched.give("wrong", b"kanari-falsches-wort\n")
    flags = [f"cat {wrong}" if word.startswith("cat ") else word for word in watched.relay.flags]
    turned_away = watched.run(*SEND, "bundle.pem", *flags)
    assert turned_away.status == 13, turned_away.err.decode()
    assert watched.broken(turned_away) == []


def test_a_check_shows_nothing_of_what_it_reads(watched: Watched, bundle_pem):
    watched.give("broken.pem", bundle_pem[:1200] + b"!" + bundle_pem[1201:])
    for words in (("bundle.pem", "--json"), ("broken.pem",), ("bundle.pem", "broken.pem")):
        done = watched.run("-vv", "--debug", "check", *words)
        assert done.status in {0, 10}, done.err.decode()
        assert watched.broken(done, dials=()) == []
        assert ways(watched, done) == (set(), set())


def test_a_repair_writes_into_the_file_that_was_asked_for_and_no_other(watched, bundle_pem):
    watched.give("broken.pem", bundle_pem.replace(b"\n", b"\r\n"))
    fixed = watched.user.home / "fixed.pem"
    done = watched.run("-vv", "--debug", "bundle", "broken.pem", "--output", "fixed.pem")
    assert done.status == 0, done.err.decode()
    assert fixed.read_bytes() == bundle_pem
    assert watched.broken(done, dials=(), wrote=(fixed,)) == []
    assert watched.broken(done, dials=()) != []


def test_parts_and_a_passphrase_stay_in_memory(watched: Watched, bundle_pem):
    key, rest = re.match(
        rb"(.*?PRIVATE KEY-----\n.*?PRIVATE KEY-----\n)(.*)", bundle_pem, re.DOTALL
    ).groups()
    passphrase = "kanari-passphrase-77"
    watched.passwords.append(passphrase)
    loaded = serialization.load_pem_private_key(key, None)
    watched.give("key.pem", loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    ))  # fmt: skip
    watched.give("chain.pem", rest)
    watched.give("passphrase", f"{passphrase}\n".encode())
    done = watched.run(
        *SEND, "--key", "key.pem", "--cert", "chain.pem", "--password-command", "cat passphrase",
        *watched.relay.flags,
    )  # fmt: skip
    assert done.status == 0, done.err.decode()
    assert watched.broken(done) == []
    assert ways(watched, done) == (LETTER, CAT)


def test_a_bundle_on_standard_input_is_read_from_there_alone(watched: Watched, bundle_pem):
    (watched.user.home / "bundle.pem").unlink()
    done = watched.run(*SEND, "-", *watched.relay.flags, stdin=bundle_pem)
    assert done.status == 0, done.err.decode()
    assert watched.broken(done) == []


@pytest.mark.xdist_group("keyring")
def test_the_keyring_gets_the_password_and_nobody_else(watched: Watched, tmp_path_factory):
    """To its own process by a pipe, and from there over the bus under a key of the session's."""
    home = tmp_path_factory.mktemp("kr")
    home.chmod(0o700)
    at = watched.relay.flags.index("--relay-password-command")
    flags = watched.relay.flags[:at]
    with secret_service(home) as desktop:
        watched.user.extra |= {n: desktop[n] for n in desktop if n.startswith(("DBUS", "XDG_RUN"))}
        kept = watched.run(
            "-vv", "--debug", "secret", "set", *flags, "--password-stdin",
            stdin=f"{PASSWORD}\n".encode(),
        )  # fmt: skip
        assert kept.status == 0, kept.err.decode()
        worker = {name for act in kept.acts if (name := act.program) and "-I" in act.argv}
        assert len(worker) == 1
        [python] = worker
        assert watched.broken(kept, password={("certmail", python)}) == []
        sent = watched.run(*SEND, "bundle.pem", *flags)
        assert sent.status == 0, sent.err.decode()
        assert watched.broken(sent, password={(python, "certmail")}) == []
        assert ways(watched, sent) == (LETTER, {(python, "certmail")})


# That the harness can fail


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.replace(" ", "-"))
def test_the_law_sees_what_it_must_see(watched: Watched, leak):
    port = watched.relay.mailbox.port
    done = traced(
        [sys.executable, "-c", BEFORE + LEAKS[leak], str(port)],
        env=watched.user.environment(),
        cwd=watched.user.home,
        stdin=b"",
        notes=watched.root / "notes",
    )
    assert done.status == 0, done.err.decode()
    allowed = Allowed(addresses=[("127.0.0.1", port)])
    assert (breaches(done, watched.secrets, allowed) == []) is (leak == "nothing")
