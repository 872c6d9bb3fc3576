"""Whatever a relay answers in a login: it ends, in words of ours, and the secret stays one."""

from __future__ import annotations

import asyncio
import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certmail.delivery import auth, login
from certmail.delivery.exchange import Unexpected
from certmail.delivery.relay import Relay
from certmail.delivery.replies import Reply
from certmail.errors import CertmailError
from certmail.submission import Mode
from certmail.values import Hostname, Secret, SecretKind
from tests.delivery.hostile import PASSWORD, USER

RELAY = Relay(Hostname("relay.test"), 465, Mode.IMPLICIT, user=USER)
TEXTS = {SecretKind.PASSWORD: PASSWORD, SecretKind.TOKEN: "canary.Token-7f3a"}
CODES = st.sampled_from([235, 250, 334, 334, 334, 334, 354, 421, 454, 501, 535])
SCRAMMED = st.builds(
    "r={}{},s={},i={}{}".format,
    st.sampled_from(["NONCE", "NONCE", "NONCE", "", "other"]),
    st.text("!xyz", max_size=3),
    st.binary(max_size=20).map(lambda octets: base64.b64encode(octets).decode()),
    st.one_of(st.sampled_from([4096, 4097]), st.integers(-5, 10**12)),
    st.sampled_from(["", ",m=x", ",x=y", "\x00", ",r=again"]),
)
CHALLENGES = st.one_of(
    st.binary(max_size=80),
    SCRAMMED.map(str.encode),
    st.binary(max_size=40).map(lambda octets: b"v=" + base64.b64encode(octets)),
    st.sampled_from([b"", b"e=other-error", b'{"status":"400"}', b"[[[[", b"Username:"]),
).map(lambda octets: base64.b64encode(octets).decode())
TEXTS_OF_REPLIES = st.one_of(CHALLENGES, st.text(max_size=30))
REPLIES = st.lists(
    st.builds(Reply, CODES, st.lists(TEXTS_OF_REPLIES, min_size=1, max_size=2).map(tuple)),
    max_size=6,
)


def filled_in(reply: Reply, first: bytes) -> Reply:
    """Put the client's own nonce where a challenge has the word for it."""
    words = first.split(b" ")
    nonce = base64.b64decode(words[2]).rpartition(b"r=")[2] if len(words) > 2 else b""

    def fill(text: str) -> str:
        try:
            octets = base64.b64decode(text.encode("ascii"), validate=True)
        except ValueError:
            return text
        return base64.b64encode(octets.replace(b"NONCE", nonce)).decode()

    return Reply(reply.code, tuple(fill(text) for text in reply.lines))


@pytest.mark.parametrize("mechanism", auth.Mechanism, ids=lambda mechanism: mechanism.value)
@settings(max_examples=150, deadline=None)
@given(replies=REPLIES)
def test_any_talk_ends_in_a_verdict_of_ours(mechanism, replies):
    """A success is believed of a relay that said 235 last, and of SCRAM only with a proof."""
    secret = Secret(TEXTS[mechanism.kind], mechanism.kind)
    exchange = login.begin(
        mechanism, relay=RELAY, user=USER, secret=secret, end_point=b"hash of the certificate"
    )
    said: list[bytes] = []
    heard: list[Reply] = []

    async def say(line: bytes) -> Reply:
        said.append(line)
        reply = replies[len(heard)] if len(heard) < len(replies) else Reply(535, ("no",))
        heard.append(filled_in(reply, said[0]))
        return heard[-1]

    try:
        refused = asyncio.run(login.converse(mechanism, exchange, say=say))
    except (Unexpected, CertmailError) as error:
        words = [repr(vars(error)), str(error)]
    else:
        words = []
        if refused is None:
            assert heard[-1].code == 235
            assert not mechanism.is_scram
        else:
            assert refused.reply is heard[-1]
            assert refused.reply.code not in {235, 334}
    assert all(word.isprintable() and secret.reveal() not in word for word in words)
    assert 1 <= len(said) <= 5
    assert said[0].startswith(f"AUTH {mechanism.value}".encode())
    assert len([line for line in said if line.startswith(b"AUTH")]) == 1
    if mechanism.is_scram:
        octets = b"".join(said)
        assert secret.reveal().encode() not in octets
        assert base64.b64encode(secret.reveal().encode()).rstrip(b"=") not in octets


@given(st.text(max_size=300))
def test_what_is_not_of_the_secret_is_left_as_it_is(text):
    secret = Secret("canary-Pässword-7f3a")
    exchange = login.begin(
        auth.Mechanism.PLAIN, relay=RELAY, user=USER, secret=secret, end_point=None
    )
    redacted = login.redactor(exchange, user=USER, secret=secret)(text)
    assert secret.reveal() not in redacted
    assert redacted == text or "<redacted>" in redacted
