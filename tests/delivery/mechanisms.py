"""The relay's side of a login, honest or not: SCRAM by scramp's server, tokens by hand."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from scramp import ScramException, ScramMechanism

from tests.delivery.hostile import PASSWORD, USER, Talk

if TYPE_CHECKING:
    from collections.abc import Callable

WELCOME = b"235 2.7.0 welcome\r\n"
NO = b"535 5.7.8 no\r\n"
TOKEN = "ya29.canary-Token_7f3a~" + "x" * 40 + "=="

Twist = "Callable[[str], str]"


def same(text: str) -> str:
    return text


def ask(talk: Talk, text: str | bytes) -> bytes:
    """Say a challenge and hear the answer, decoded."""
    octets = text.encode() if isinstance(text, str) else text
    talk.say(b"334 " + base64.b64encode(octets) + b"\r\n")
    heard = talk.hear()
    return b"*" if heard == b"*" else base64.b64decode(heard)


def first_response(talk: Talk) -> bytes:
    """Give what the client says first, on the line of the command or asked for."""
    words = talk.heard[-1].line.split(b" ")
    return base64.b64decode(words[2]) if len(words) > 2 else ask(talk, b"")


def scram(
    *,
    first: Callable[[str], str] = same,
    final: Callable[[str], str] = same,
    password: str = PASSWORD,
    iterations: int = 4096,
    binding: bytes | None = None,
    mechanism: str = "SCRAM-SHA-256",
    end: bytes = WELCOME,
) -> Callable[[Talk], None]:
    """Make a relay's side of SCRAM; ``first`` and ``final`` twist what it says."""
    kept = ScramMechanism(mechanism)
    info = kept.make_auth_info(password, iteration_count=iterations, salt=b"salt" * 4)

    def log_in(talk: Talk) -> None:
        bound = None if binding is None else ("tls-server-end-point", binding)
        server = kept.make_server({USER: info}.get, channel_binding=bound)
        try:
            server.set_client_first(first_response(talk).decode())
            answer = ask(talk, first(server.get_server_first()))
            if answer == b"*":
                talk.say(b"501 5.5.2 cancelled\r\n")
                return
            server.set_client_final(answer.decode())
        except ScramException:
            talk.say(NO)
            return
        said = ask(talk, final(server.get_server_final()))
        talk.say(end if said == b"" else b"501 5.5.2 cancelled\r\n")

    return log_in


def bearer(
    *, token: str = TOKEN, error: dict[str, object] | bytes | None = None, end: bytes = NO
) -> Callable[[Talk], None]:
    """Make a relay's side of OAUTHBEARER and XOAUTH2: it takes ``token`` or tells ``error``."""
    reason = {"status": "invalid_token", "scope": "mail.send"} if error is None else error
    said = reason if isinstance(reason, bytes) else json.dumps(reason).encode()

    def log_in(talk: Talk) -> None:
        mechanism = talk.heard[-1].line.split(b" ")[1]
        fields = first_response(talk).split(b"\x01")
        if mechanism == b"OAUTHBEARER":
            expected = [f"n,a={USER},".encode(), b"host=localhost", fields[2]]
            acknowledged = b"\x01"
            assert fields[2].startswith(b"port=")
        else:
            expected, acknowledged = [f"user={USER}".encode()], b""
        expected += [f"auth=Bearer {token}".encode(), b"", b""]
        if fields == expected:
            talk.say(WELCOME)
            return
        assert ask(talk, said) == acknowledged
        talk.say(end)

    return log_in
