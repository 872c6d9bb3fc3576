"""What ``ps e`` shows of certmail and all that it starts, while it holds key and password."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.smtp import SMTP

from tests.cli.conftest import PASSWORD
from tests.leaks.conftest import SEND
from tests.leaks.onlooker import Onlooker, Shown, told_by
from tests.secrets.support import secret_service

if TYPE_CHECKING:
    from tests.leaks.conftest import Watched

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is a folder of Linux's")


@pytest.fixture
def onlooker() -> Onlooker:
    return Onlooker()


@pytest.fixture
def held(onlooker, monkeypatch) -> list[set[Shown]]:
    """What was shown at the moment when the relay had been told that a login comes."""
    moments = []

    async def look(self, arg):
        moments.append(onlooker.look())
        await plain(self, arg)

    plain = SMTP.smtp_AUTH
    monkeypatch.setattr(SMTP, "smtp_AUTH", look)
    return moments


def slow_source(watched: Watched) -> tuple[str, ...]:
    """Give the way to the relay, with a command that stays a while when it has told the word."""
    source = watched.give("source", b"#!/bin/sh\ncat word\nexec sleep 0.3\n")
    source.chmod(0o700)
    watched.give("word", f"{PASSWORD}\n".encode())
    return (*watched.relay.flags[:-1], str(source))


def key_line(watched: Watched) -> str:
    """Give a line of the private key, as it stands in the file."""
    return watched.bundles[0].partition(b"PRIVATE KEY-----\n")[2].splitlines()[5].decode()


def test_of_what_is_held_nothing_is_shown(watched: Watched, onlooker: Onlooker, held):
    """Neither word of the password nor line of the key, of no process, at no moment."""
    ran = onlooker.run(watched.user, *SEND, "bundle.pem", *slow_source(watched))
    assert ran.status == 0, ran.err
    assert {one.program for one in held[0]} >= {"certmail"}
    assert onlooker.programs >= {"certmail", "gpg", "sleep"}
    assert told_by(onlooker.shown, watched.secrets) == set()


@pytest.mark.peer
@pytest.mark.xdist_group("keyring")
def test_nor_while_the_keyring_is_given_it(watched, onlooker, held, tmp_path_factory):
    home = tmp_path_factory.mktemp("kr")
    home.chmod(0o700)
    flags = watched.relay.flags[: watched.relay.flags.index("--relay-password-command")]
    with secret_service(home) as desktop:
        watched.user.extra |= {n: desktop[n] for n in desktop if n.startswith(("DBUS", "XDG_RUN"))}
        word = f"{PASSWORD}\n".encode()
        ran = onlooker.run(watched.user, "secret", "set", *flags, "--password-stdin", stdin=word)
    assert ran.status == 0, ran.err
    assert held
    workers = [one for one in onlooker.shown if b"\0-I\0" in one.octets]
    assert workers, "the process that speaks to the keyring was not seen"
    assert told_by(onlooker.shown, watched.secrets) == set()


# That the onlooker can see


def test_the_onlooker_sees_what_is_shown(watched: Watched, onlooker: Onlooker, held):
    """The same send, by somebody who gives both away."""
    watched.user.extra["NOTE"] = key_line(watched)
    told = (*watched.relay.flags[:-1], f"echo {PASSWORD}")
    ran = onlooker.run(watched.user, *SEND, "bundle.pem", *told)
    assert ran.status == 0, ran.err
    both = {
        "the password in the arguments of certmail",
        "a line of the bundle in the variables of certmail",
    }
    assert told_by(held[0], watched.secrets) >= both
    assert told_by(onlooker.shown, watched.secrets) >= both
