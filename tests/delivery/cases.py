"""The hostile table: everything a relay, or somebody in between, can do wrong, as data.

Each case says what is done, what certmail must make of it, how far the talk may get and whether the
password may be read. `test_hostile` holds certmail to it in both modes; `tests.control` shows the
same relays to other programs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from certmail.submission import Mode, TlsPath
from tests.delivery import certificates
from tests.delivery.conftest import server_context
from tests.delivery.hostile import PASSWORD, USER, Deed, Reaction, Talk

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    import trustme

STEPS = ("EHLO", "AUTH", "MAIL", "RCPT", "DATA")
"""What is said inside TLS, in order; "DATA" stands for the text and its dot too."""

HEARD_AT = {"greeting": 0, "ehlo-inside": 1, "auth": 2, "mail": 3, "rcpt": 4, "data": 5, "dot": 5}
"""How many of the steps the relay has heard when it misbehaves at a point."""

BOTH = (Mode.IMPLICIT, Mode.STARTTLS)


class Truth(Enum):
    """What a client that understood would say."""

    ACCEPTED = "accepted"
    FAILED = "not accepted"
    UNKNOWN = "nobody knows"


class Family(Enum):
    """What is attacked."""

    TLS = "the TLS connection"
    CLEAR = "what is said before TLS"
    LOGIN = "the login"
    REPLY = "the form and time of replies"
    REFUSAL = "refusals"
    LOSS = "connections that end or stall"
    VERDICT = "the verdict"
    HONEST = "honest relays"


def good(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority.issue_cert("localhost", "127.0.0.1"))


@dataclass(frozen=True)
class Case:
    name: str
    family: Family
    code: str | None
    acts: Mapping[str, Reaction] = field(default_factory=dict)
    heard: int = 0
    """How many of `STEPS` the relay hears, inside TLS."""
    bye: bool = False
    """Whether QUIT follows them."""
    reads: int = 0
    context: Callable[[trustme.CA], ssl.SSLContext] = good
    modes: tuple[Mode, ...] = BOTH
    mechanisms: bytes = b"PLAIN LOGIN"
    offers: bytes = b""
    wishes: Mapping[str, Any] = field(default_factory=dict)
    """What certmail is asked for beyond the usual; other programs are not asked."""
    ours: bool = False
    """Whether only certmail is held to it: another program may do otherwise and be right."""
    stalls: bool = False
    octets: int = 9000

    @property
    def truth(self) -> Truth:
        if self.code is None:
            return Truth.ACCEPTED
        return Truth.UNKNOWN if self.code == "DELIVERY-UNKNOWN" else Truth.FAILED

    @property
    def steps(self) -> list[str]:
        return [*STEPS[: self.heard], *(["QUIT"] if self.bye else [])]


def tls(name: str, code: str, context=good, **more: Any) -> Case:
    return Case(name, Family.TLS, code, context=context, **more)


def at(point: str) -> dict[str, int]:
    """Say how far the talk has come at ``point``, and whether the password was read."""
    heard = HEARD_AT[point]
    return {"heard": heard, "reads": int(heard > 1)}


def refusal(point: str, reply: str, code: str, family: Family = Family.REFUSAL) -> Case:
    """A relay that says no; it hears QUIT, unless it said that it is leaving."""
    acts = {point: reply.encode() + b"\r\n"}
    bye = not reply.startswith("421")
    return Case(f"{point}: {reply}", family, code, acts, bye=bye, **at(point))


def broken(
    name: str, point: str, reaction: Reaction, code: str = "RELAY-PROTOCOL", **more: Any
) -> Case:
    """A relay that cannot be believed; it hears no more."""
    return Case(f"{point}: {name}", Family.REPLY, code, {point: reaction}, **(at(point) | more))


def say(*parts: bytes) -> Callable[[Talk], None]:
    return lambda talk: talk.say(*parts, pause_s=0)


def _cases() -> Iterator[Case]:
    yield from _certificates()
    yield from _handshakes()
    yield from _in_clear()
    yield from _refusals()
    yield from _logins()
    yield from _losses()
    yield from _malformed()
    yield from _unasked()
    yield from _verdicts()
    yield from _honest()


def _certificates() -> Iterator[Case]:
    certificate, name = "RELAY-TLS-CERTIFICATE", "RELAY-TLS-HOSTNAME"
    handshake = "RELAY-TLS-HANDSHAKE"
    yield tls("a self-signed certificate", certificate, certificates.self_signed)
    yield tls("an unknown authority", certificate, certificates.from_unknown_authority)
    yield tls("an expired certificate", certificate, certificates.expired)
    yield tls("a certificate of tomorrow", certificate, certificates.not_yet_valid)
    yield tls("an RSA key of 1024 bits", certificate, certificates.weak_key)
    yield tls("a certificate for clients only", certificate, certificates.for_clients_only)
    yield tls("a certificate issued by another leaf", certificate, certificates.issued_by_a_leaf)
    yield tls("another host's certificate", name, certificates.wrong_host)
    yield tls("another domain's wildcard", name, certificates.wildcard_for_another)
    yield tls("a wildcard for everything", name, certificates.for_every_name)
    yield tls("a longer name that begins alike", name, certificates.for_a_longer_name)
    yield tls("the address, not the name", name, certificates.for_the_address_only)
    yield tls("the name as Common Name only", name, certificates.common_name_only)
    yield tls("TLS 1.1", "RELAY-TLS-VERSION", certificates.tls_1_1_only)
    yield tls("CBC ciphers only", handshake, certificates.cbc_only)
    yield tls("no forward secrecy", handshake, certificates.static_rsa_only)
    yield tls("no certificate at all", handshake, certificates.without_a_certificate)
    yield tls("no encryption at all", handshake, certificates.without_encryption)
    # After the handshake: known from inside TLS, before the password is read.
    yield tls(
        "a key that is not the pinned one", "RELAY-TLS-PIN", wishes={"spki_pins": ("0" * 64,)}
    )
    yield tls(
        "a client certificate wanted and none given",
        "RELAY-TLS-CLIENT-CERT",
        certificates.wants_a_certificate,
    )


def _handshakes() -> Iterator[Case]:
    def handshake(name: str, reaction: Reaction, code: str = "RELAY-TLS-HANDSHAKE", **more: Any):
        return tls(f"handshake: {name}", code, acts={"handshake": reaction}, **more)

    def with_octets(octets: bytes) -> Callable[[Talk], None]:
        def react(talk: Talk) -> None:
            talk.sock.recv(4096)
            talk.say(octets)
            talk.wait()

        return react

    yield handshake("closed", Deed.DROP)
    yield handshake("reset", Deed.RESET)
    yield handshake("silent", Deed.SILENCE, "RELAY-TIMEOUT", stalls=True)
    yield handshake("a fatal alert", with_octets(b"\x15\x03\x03\x00\x02\x02\x28"))
    yield handshake("SSL 3.0", with_octets(b"\x16\x03\x00\x00\x04\x0e\x00\x00\x00"), UNLIKE_TLS)
    yield handshake("noise", with_octets(bytes(range(128, 256)) * 4), UNLIKE_TLS)
    yield handshake("plain SMTP", with_octets(b"250 relay.test\r\n"), UNLIKE_TLS)
    yield handshake(
        "half a ServerHello",
        with_octets(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"),
        "RELAY-TIMEOUT",
        stalls=True,
    )


UNLIKE_TLS = "RELAY-TLS-HANDSHAKE RELAY-TLS-INJECTION RELAY-TLS-VERSION"
"""What is no TLS is a wrong port, or, where STARTTLS was agreed on, somebody in between."""

NO_STARTTLS = b"250-relay.test\r\n250 SIZE\r\n"


def _in_clear() -> Iterator[Case]:
    def clear(name: str, code: str, acts: Mapping[str, Reaction], **more: Any) -> Case:
        return Case(name, Family.CLEAR, code, acts, modes=(Mode.STARTTLS,), **more)

    no_tls, refused = "RELAY-NO-TLS", "RELAY-STARTTLS-REFUSED"
    auth, injected = "RELAY-AUTH-BEFORE-TLS", "RELAY-TLS-INJECTION"
    yield clear("STARTTLS taken away", no_tls, {"ehlo": NO_STARTTLS})
    yield clear(
        "STARTTLS taken away, AUTH left", auth, {"ehlo": b"250-x\r\n250 AUTH PLAIN LOGIN\r\n"}
    )
    yield clear("STARTTLS taken away, AUTH= left", auth, {"ehlo": b"250-x\r\n250 AUTH=PLAIN\r\n"})
    named = {"ehlo": b"250 STARTTLS\r\n"}
    yield clear("STARTTLS as the relay's name", no_tls, named, ours=True)
    yield clear("STARTTLS misspelled", no_tls, {"ehlo": b"250-x\r\n250 XXXXXXXX\r\n"})
    yield clear("EHLO: 530", auth, {"ehlo": b"530 5.7.0 log in first\r\n"})
    yield clear("EHLO: 502, only HELO", "RELAY-REFUSED", {"ehlo": b"502 5.5.1 HELO\r\n"})
    yield clear("EHLO: 451", "RELAY-TEMPORARY", {"ehlo": b"451 4.3.0 not now\r\n"})
    for reply, code in {
        "454 4.7.0 no key today": refused,
        "502 5.5.1 no": refused,
        "554 5.7.3 no": refused,
        "530 5.7.0 log in": auth,
        "538 5.7.11 log in": auth,
        "421 4.3.2 closing": "RELAY-TEMPORARY",
        "354 go ahead": "RELAY-PROTOCOL",
        "250 ok": "RELAY-PROTOCOL",
    }.items():
        yield clear(f"STARTTLS: {reply}", code, {"starttls": reply.encode() + b"\r\n"})
    mixed = {"starttls": b"454-no\r\n220 yes\r\n"}
    yield clear("STARTTLS: 454 and 220 in one", "RELAY-PROTOCOL", mixed)
    yield clear("STARTTLS: dropped", "RELAY-DISCONNECTED", {"starttls": Deed.DROP})
    yield clear("STARTTLS: silent", "RELAY-TIMEOUT", {"starttls": Deed.SILENCE}, stalls=True)
    wait = {"handshake": Talk.wait}
    glued = b"220 go\r\n250-x\r\n250 AUTH PLAIN\r\n"
    yield clear("replies glued to the 220", injected, {"starttls": glued})
    yield clear("half a line glued to the 220", injected, {"starttls": b"220 go\r\n250"})
    later = lambda talk: talk.say(b"220 go\r\n", b"250 AUTH PLAIN\r\n")  # noqa: E731
    yield clear("a reply after the 220", injected, {"starttls": later, **wait})
    yield clear(
        "a 220 glued to the EHLO", injected, {"ehlo": b"250-x\r\n250 STARTTLS\r\n220 go\r\n"}
    )
    yield clear(
        "an EHLO glued to the greeting", injected, {"greeting": b"220 x\r\n250 STARTTLS\r\n"}
    )
    all_at_once = b"454 no\r\n235 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n"
    yield clear(
        "a whole session after STARTTLS", refused + " " + injected, {"starttls": all_at_once}
    )
    yield Case(
        "AUTH in clear, none inside",
        Family.CLEAR,
        "RELAY-AUTH-NOT-OFFERED",
        {"ehlo": b"250-x\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", "ehlo-inside": b"250 x\r\n"},
        heard=1,
        bye=True,
        modes=(Mode.STARTTLS,),
    )


def _refusals() -> Iterator[Case]:
    temporary, refused = "RELAY-TEMPORARY", "RELAY-REFUSED"
    for point in ("greeting", "ehlo-inside", "mail", "rcpt", "data", "dot"):
        yield refusal(point, "421 4.3.2 closing", temporary)
        yield refusal(point, "451 4.3.0 local trouble", temporary)
        yield refusal(point, "554 5.7.1 no", refused)
    yield refusal("mail", "530 5.7.57 log in", refused)
    yield refusal("mail", "552 5.2.3 too big", "RELAY-TOO-LARGE")
    yield refusal("mail", "553 5.7.1 not your address", refused)
    yield refusal("rcpt", "450 4.2.0 greylisted", temporary)
    yield refusal("rcpt", "452 4.5.3 too many", temporary)
    yield refusal("rcpt", "550 5.1.1 nobody", refused)
    yield refusal("rcpt", "550 5.7.60 not as that sender", refused)
    yield refusal("rcpt", "551 5.1.6 elsewhere", refused)
    yield refusal("dot", "452 4.3.1 disk full", temporary)
    yield refusal("dot", "550 5.7.1 spam", refused)
    yield refusal("dot", "552 5.3.4 too big", "RELAY-TOO-LARGE")
    too_small = b"250-relay.test\r\n250-SIZE 1000\r\n250 AUTH PLAIN\r\n"
    yield Case(
        "a limit below the message",
        Family.REFUSAL,
        "RELAY-TOO-LARGE",
        {"ehlo-inside": too_small},
        heard=2,
        bye=True,
        reads=1,
    )
    yield Case(
        "REQUIRETLS demanded and not offered",
        Family.REFUSAL,
        "RELAY-NO-TLS-PATH",
        heard=1,
        bye=True,
        wishes={"tls_path": TlsPath.REQUIRED},
    )


def _logins() -> Iterator[Case]:
    refused, mechanism = "RELAY-AUTH-REFUSED", "RELAY-AUTH-MECHANISM"
    for reply, code in {
        "535 5.7.8 wrong": refused,
        "535 5.7.139 switched off": refused,
        "534 5.7.9 app password": refused,
        "530 5.7.0 log in": refused,
        "538 5.7.11 encrypt": refused,
        "501 5.5.2 cannot decode": refused,
        "454 4.7.0 try later": "RELAY-AUTH-TEMPORARY",
        "421 4.7.0 too many": "RELAY-TEMPORARY",
        "504 5.5.4 mechanism": mechanism,
    }.items():
        yield refusal("auth", reply, code, Family.LOGIN)
    for name, mechanisms, code in (
        ("no mechanism", b"", "RELAY-AUTH-NOT-OFFERED"),
        ("only mechanisms of others", b"DIGEST-MD5 NTLM", mechanism),
        ("only tokens", b"XOAUTH2 OAUTHBEARER", mechanism),
        ("only a login bound to the channel", b"SCRAM-SHA-256-PLUS", mechanism),
    ):
        yield Case(
            name,
            Family.LOGIN,
            code,
            heard=1,
            bye=True,
            mechanisms=mechanisms,
            ours=bool(mechanisms),
        )
    for name, reaction in {
        "success before anything": say(b"235 welcome\r\n"),
        "a challenge that is no base64": say(b"334 Username:\r\n"),
        "a challenge of two lines": say(b"334-VXNlcg==\r\n334 VXNlcg==\r\n"),
    }.items():
        # LOGIN is what has challenges. The exchange is cancelled with "*" where it would go on.
        yield Case(
            f"AUTH LOGIN: {name}",
            Family.LOGIN,
            "RELAY-PROTOCOL",
            {"auth": reaction},
            heard=2,
            bye=True,
            reads=1,
            mechanisms=b"LOGIN",
        )
    echo = f"535 5.7.8 {PASSWORD} \x1b[2J is wrong for {USER}".encode()
    yield Case(
        "auth: the password comes back, with escapes",
        Family.LOGIN,
        refused,
        {"auth": echo + b"\r\n"},
        bye=True,
        **at("auth"),
    )


def _losses() -> Iterator[Case]:
    for point in ("ehlo-inside", "auth", "mail", "rcpt", "data"):
        yield _lost(point, Deed.DROP, "closed")
        yield _lost(point, Deed.RESET, "reset")
    for point in ("greeting", "ehlo-inside", "auth", "rcpt", "data"):
        yield _lost(point, Deed.SILENCE, "silent", "RELAY-TIMEOUT", stalls=True)
    yield _lost("greeting", Deed.DROP, "closed")

    def drop_by_drop(talk: Talk) -> None:
        for octet in b"220 relay.test ESMTP and much more to say, slowly\r\n":
            time.sleep(0.15)
            talk.say(bytes([octet]))

    slow = "an octet at a time"
    yield _lost("greeting", drop_by_drop, slow, "RELAY-TIMEOUT", stalls=True, ours=True)

    def leave_in_the_middle(talk: Talk) -> None:
        talk.sock.recv(1024)
        talk.reset()

    yield Case(
        "body: reset in the middle",
        Family.LOSS,
        "RELAY-DISCONNECTED",
        {"body": leave_in_the_middle},
        octets=3_000_000,
        **at("data"),
    )


def _lost(
    point: str, deed: Reaction, name: str, code: str = "RELAY-DISCONNECTED", **more: Any
) -> Case:
    return Case(f"{point}: {name}", Family.LOSS, code, {point: deed}, **(at(point) | more))


MALFORMED = {
    "no code": b"ok\r\n",
    "two digits": b"25 ok\r\n",
    "four digits": b"2500 ok\r\n",
    "a sign": b"+25 ok\r\n",
    "an underscore": b"2_5 ok\r\n",
    "a space before": b" 250 ok\r\n",
    "text glued to the code": b"250ok\r\n",
    "a code of 1yz": b"150 ok\r\n",
    "a code of 6yz": b"650 ok\r\n",
    "a code of x9z": b"290 ok\r\n",
    "Arabic digits": "٢٥٠ ok\r\n".encode(),
    "a bare LF": b"250 ok\n",
    "a CR in the text": b"250 a\rb\r\n",
    "a NUL in the text": b"250 a\x00b\r\n",
    "an empty line": b"\r\n",
    "550 and 250 in one": b"550-no\r\n250 ok\r\n",
    "250 and 550 in one": b"250-ok\r\n550 no\r\n",
    "a line of 4,000 octets": b"250 " + b"x" * 4000 + b"\r\n",
    "a line without end": b"250 " + b"x" * 40000,
    "4,000 lines": b"250-more\r\n" * 4000,
}


def _malformed() -> Iterator[Case]:
    for name, octets in MALFORMED.items():
        yield broken(name, "rcpt", octets)
    for name in ("550 and 250 in one", "250 and 550 in one", "four digits", "a bare LF", "a sign"):
        yield broken(name, "dot", MALFORMED[name], "DELIVERY-UNKNOWN")
    for point, reply in (
        ("ehlo-inside", b"220 x\r\n"),
        ("mail", b"354 x\r\n"),
        ("rcpt", b"354 x\r\n"),
        ("data", b"250 x\r\n"),
    ):
        name = f"a {reply[:3].decode()} where it means nothing"
        yield broken(name, point, reply, bye=reply[:3] == b"250")


def _unasked() -> Iterator[Case]:
    """Replies before their questions: the answer to the dot comes before the dot."""
    yield Case(
        "an early 250 glued to the 354, then 554",
        Family.VERDICT,
        "RELAY-PROTOCOL",
        {"data": b"354 go\r\n250 2.0.0 early\r\n", "dot": b"554 5.7.1 no\r\n"},
        **at("data"),
    )
    yield Case(
        "half an early 250 glued to the 354",
        Family.VERDICT,
        "RELAY-PROTOCOL",
        {"data": b"354 go\r\n25", "dot": b"0 ok\r\n"},
        **at("data"),
    )
    yield Case(
        "an early 250 while the text goes out",
        Family.VERDICT,
        "RELAY-PROTOCOL DELIVERY-UNKNOWN",
        {"data": say(b"354 go\r\n", b"250 2.0.0 early\r\n"), "dot": b"554 5.7.1 no\r\n"},
        **at("data"),
    )
    yield broken("235 and 250 at once", "auth", b"235 welcome\r\n250 ok\r\n")
    yield broken("250 and 250 at once", "mail", b"250 ok\r\n250 ok\r\n")
    yield broken("250 and 354 at once", "rcpt", b"250 ok\r\n354 go\r\n")
    yield broken("EHLO and 235 at once", "ehlo-inside", b"250 x\r\n235 welcome\r\n")


def _verdicts() -> Iterator[Case]:
    unknown = "DELIVERY-UNKNOWN"

    def verdict(name: str, acts: Mapping[str, Reaction], **more: Any) -> Case:
        return Case(name, Family.VERDICT, unknown, acts, **(at("dot") | more))

    yield verdict("dot: closed", {"dot": Deed.DROP})
    yield verdict("dot: reset", {"dot": Deed.RESET})
    yield verdict("dot: silent", {"dot": Deed.SILENCE}, stalls=True)
    yield verdict("dot: half a 250", {"dot": lambda talk: (talk.say(b"250 o"), talk.leave())})
    yield verdict("dot: 250 and 554 at once", {"dot": b"250 ok\r\n554 no\r\n"})
    for reply in (b"251 ok", b"220 ok", b"235 ok"):
        yield verdict(f"dot: {reply.decode()}", {"dot": reply + b"\r\n"}, bye=reply[:3] != b"220")
    yield verdict("dot: 354 more", {"dot": b"354 more\r\n"})
    yield verdict("250, and 554 where goodbye is awaited", {"quit": b"554 no\r\n"}, bye=True)


def _honest() -> Iterator[Case]:
    def honest(name: str, acts: Mapping[str, Reaction], **more: Any) -> Case:
        return Case(name, Family.HONEST, None, acts, heard=5, bye=True, reads=1, **more)

    yield honest("nothing strange", {})
    yield honest("TLS 1.2", {}, context=certificates.tls_1_2)
    yield honest("a verdict of three lines", {"dot": b"250-2.0.0 a\r\n250-\r\n250 b\r\n"})
    yield honest("a verdict without text", {"dot": b"250\r\n"})
    yield honest("251 to the recipient", {"rcpt": b"251 2.1.5 will forward\r\n"})
    yield honest("DSN and REQUIRETLS offered", {}, offers=b"DSN\nREQUIRETLS")
    yield honest("goodbye: closed", {"quit": Deed.DROP})
    yield honest("goodbye: reset", {"quit": Deed.RESET})
    yield honest("only LOGIN", {}, mechanisms=b"LOGIN")
    slowly = lambda talk: talk.say(*(bytes([o]) for o in b"250 ok\r\n"), pause_s=0.01)  # noqa: E731
    yield honest("a verdict an octet at a time", {"dot": slowly})


CASES = tuple(_cases())
