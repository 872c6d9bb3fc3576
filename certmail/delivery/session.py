"""One connection to one relay, from the dial to the verdict.

In: a `Relay`, a `SealedMessage`'s envelope and octets. Out: each step done, or the error that says
why not. Knows RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 1870 (SIZE) and
aiosmtplib. The order of the steps is `smtp`'s.

aiosmtplib runs the session (EHLO, STARTTLS, commands). Its conveniences that connect, log in and
send are not used: they log in over an unproved connection, try every mechanism in turn, rewrite
addresses and cannot tell before the final dot from after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from dataclasses import field
from typing import TYPE_CHECKING, Final

from aiosmtplib import SMTP, SMTPException

from certmail.delivery import auth, envelope, faults, login, outcome, text, tls
from certmail.delivery.dial import dial
from certmail.delivery.exchange import Unexpected
from certmail.delivery.outcome import Stage, Where
from certmail.delivery.proxy import dial_through
from certmail.delivery.replies import Reply, ReplyFault, VettedProtocol
from certmail.events import Teller
from certmail.frozen import slotted
from certmail.submission import Mode, TlsPath
from certmail.values import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from certmail.delivery.auth import Mechanism
    from certmail.delivery.relay import Relay, Timeouts
    from certmail.errors import CertmailError
    from certmail.message.seal import SealedMessage
    from certmail.values import Address, Secret, SecretKind

_tell: Final = Teller(__name__)

GOODBYE_S: Final = 3.0
"""QUIT is a courtesy; nothing depends on its reply."""

PROBE_ENVID: Final = "<certmail-probe@>"
"""The envelope of a probe says in the relay's log what it was."""

_SIZE: Final = re.compile(r"[0-9]{1,20}", re.ASCII)

_GREETED: Final = frozenset({220})
_DONE: Final = frozenset({250})
_WILL_REACH: Final = frozenset({250, 251})
"""RFC 5321 §3.4: 251 comes from a relay that knows a newer host of the recipient's."""
_GO_ON: Final = frozenset({354})

_NO_SUCH_COMMAND: Final = frozenset({500, 502})
"""RFC 5321 §4.2.2: what a relay says that does not know the command."""

_DEAF: Final = frozenset({220, 354, 421})
"""Last replies after which QUIT would be no SMTP: TLS, text or nothing is awaited."""


@slotted
class Session:
    """One connection, how far it has come, and the steps it can take, in their order.

    Built inside a running loop; `close` belongs into a ``finally``. ``facts`` and ``peer`` are
    there once `secure` is done.
    """

    relay: Relay
    timeouts: Timeouts
    progress: Callable[[Stage], None]
    stage: Stage = Stage.CONNECT
    peer: str = "unknown"
    facts: tls.TlsFacts = field(init=False)
    redact: Callable[[str], str] = str
    chosen: Mechanism | None = None
    told: str = ""
    end_point: bytes | None = None
    asked: outcome.Asked = field(default_factory=outcome.Asked)
    context: ssl.SSLContext = field(init=False)
    client: SMTP = field(init=False)
    protocol: VettedProtocol = field(init=False)

    def __post_init__(self) -> None:
        """Make everything that can fail without a connection."""
        self.context = tls.context_for(self.relay)
        self.protocol = VettedProtocol(asyncio.get_running_loop())
        self.client = SMTP(
            hostname=self.relay.host.text,
            local_hostname=self.relay.ehlo_argument,
            timeout=self.timeouts.command_s,
            tls_context=self.context,
        )

    @property
    def where(self) -> Where:
        """Where this session stands, for an error."""
        return Where(self.relay, self.stage, self.redact, self.chosen, self.told)

    def enter(self, stage: Stage) -> None:
        """Say what comes next, then be there."""
        self.progress(stage)
        _tell("stage", now=stage)
        self.stage = stage

    async def open(self) -> Reply:
        """Dial, with TLS from the first byte where that is the mode, and give the greeting."""
        self.enter(Stage.CONNECT)
        with self._faults():
            async with asyncio.timeout(self.timeouts.connect_s):
                await self._dial()
        if self.relay.mode is Mode.IMPLICIT:
            self._prove()
        self.enter(Stage.GREETING)
        with self._faults():
            await self.protocol.read_response(timeout=self.timeouts.command_s)
        return self._answered(_GREETED)

    async def secure(self) -> None:
        """Have TLS proved, and what the relay offers known from inside it.

        RFC 3207 §4.2: the client "MUST discard any knowledge obtained from the server" before
        TLS. aiosmtplib discards it, and EHLO is said again.
        """
        if self.relay.mode is Mode.STARTTLS:
            await self._ehlo(Stage.EHLO)
            if not self.client.supports_extension("starttls"):
                if self.client.server_auth_methods:
                    raise outcome.auth_before_tls(self.relay, "it offers AUTH but no STARTTLS")
                raise outcome.no_tls(self.relay)
            self.enter(Stage.STARTTLS)
            with self._faults():
                await self.client.starttls(timeout=self.timeouts.connect_s)
            self._prove()
        await self._ehlo(Stage.EHLO_INSIDE)
        if self.relay.tls_path is TlsPath.REQUIRED and not self._offers("requiretls"):
            raise outcome.no_tls_path(self.relay)

    def mechanism(self, kind: SecretKind) -> Mechanism:
        """Choose how to log in from what the relay listed inside TLS."""
        self.chosen = auth.choose(self.client.server_auth_methods, relay=self.relay, kind=kind)
        if self.chosen is auth.Mechanism.SCRAM_SHA_256_PLUS:
            live = self.protocol.transport
            tls_object = live.get_extra_info("ssl_object") if live else None
            self.end_point = tls.end_point(tls_object, relay=self.relay)
        return self.chosen

    async def log_in(self, mechanism: Mechanism, *, user: str, secret: Secret) -> None:
        """Try ``secret`` once."""
        exchange = login.begin(
            mechanism, relay=self.relay, user=user, secret=secret, end_point=self.end_point
        )
        self.redact = login.redactor(exchange, user=user, secret=secret)
        self.enter(Stage.AUTH)
        _tell("login", mechanism=mechanism, user=user)
        try:
            refused = await login.converse(mechanism, exchange, say=self._command)
        except Unexpected as fault:
            raise outcome.broken(self.where, str(fault)) from None
        if refused is not None:
            self.told = refused.told
            raise outcome.refused(self.where, refused.reply)

    async def name(self, sealed: SealedMessage, *, size: int) -> None:
        """Give the envelope: exactly the configured addresses, written here.

        aiosmtplib would run them through an address parser that changes its mind between Python
        versions; `Address` has left nothing to quote.
        """
        sized = self._size_parameter(size)
        self.asked = envelope.ask(self.relay, message_id=sealed.message_id, offers=self._offers)
        await self._name(sealed.sender, sealed.recipient.address, *sized)

    async def name_in_vain(self, sender: Address, recipient: Address) -> tuple[Reply, Reply]:
        """Give an envelope that nothing will follow, and take it back (RFC 5321 §4.1.1.5).

        Asks for what a delivery would ask for. Gives the replies to RCPT and to RSET; what the
        relay makes of RSET is no verdict on anything.
        """
        self.asked = envelope.ask(self.relay, message_id=PROBE_ENVID, offers=self._offers)
        named = await self._name(sender, recipient)
        self.enter(Stage.RSET)
        return named, await self._command(b"RSET")

    async def send(self, wire: bytes) -> None:
        """Send the text, dots doubled (RFC 5321 §4.5.2): everything but the final dot."""
        self.enter(Stage.DATA)
        await self._command(b"DATA")
        self._answered(_GO_ON)
        self.enter(Stage.BODY)
        self.protocol.begin_body(unsent_octets=text.CHUNK_OCTETS)
        for chunk in text.chunks(wire):
            with self._faults():
                async with asyncio.timeout(self.timeouts.data_block_s):
                    await self.protocol.write_body(chunk)

    async def commit(self) -> Reply:
        """Write the final dot and wait for the verdict; from the dot on, only a reply can tell."""
        self.progress(Stage.VERDICT)
        _tell("stage", now=Stage.VERDICT)
        with self._faults():
            self.protocol.write(text.FINAL_DOT)
        self.stage = Stage.VERDICT
        try:
            await self.protocol.read_response(timeout=self.timeouts.final_s)
        # Whatever ends this wait, Ctrl-C included, ends it without a verdict.
        except BaseException as fault:  # noqa: BLE001
            reason = faults.why_no_verdict(fault, broken=self.protocol.fault)
            raise outcome.unknown(self.relay, reason) from None
        reply = self._answered(_DONE)
        _tell("accepted", reply=reply.text(self.redact))
        return reply

    async def goodbye(self) -> None:
        """Say QUIT where the relay can hear it (RFC 5321 §4.1.1.10); what comes of it is nothing.

        Not even Ctrl-C: what was found out before must reach the caller.
        """
        last = self.protocol.reply
        if self.protocol.fault or last is None or last.code in _DEAF:
            return
        with contextlib.suppress(SMTPException, OSError, ReplyFault, asyncio.CancelledError):
            await self.client.execute_command(b"QUIT", timeout=GOODBYE_S)

    async def conclude(self) -> None:
        """Say goodbye after a success, and listen: a refusal now is the verdict that came late.

        A relay that said 250 too early says what it really means where 221 is awaited. Anything
        else that goes wrong with QUIT takes nothing back.
        """
        await self.goodbye()
        fault = self.protocol.fault
        said = fault.reply if fault else self.protocol.reply
        if said is not None and said.is_refusal and said.code not in _DEAF:
            late = said.text(self.redact)
            raise outcome.unknown(self.relay, f"it accepted, and then answered again: {late}")

    @property
    def listens(self) -> bool:
        """Whether the last reply is one after which a command may follow."""
        last = self.protocol.reply
        return self.protocol.fault is None and last is not None and last.code not in _DEAF

    @property
    def size_limit(self) -> int | None:
        """How many octets a message may have; None where no fixed limit is in force.

        RFC 1870 §4: zero, or no number, means that there is none.
        """
        announced = self.client.esmtp_extensions.get("size", "").strip()
        return int(announced) or None if _SIZE.fullmatch(announced) else None

    async def rest(self) -> bool:
        """Say RSET between two messages (RFC 5321 §4.1.1.5); tell whether another may follow.

        Also the moment to listen: a refusal now is the verdict on the last message, come late.

        Raises:
            DeliveryUnknown: the message that was accepted before was refused after all.
        """
        with contextlib.suppress(SMTPException, OSError, ReplyFault):
            await self.client.execute_command(b"RSET")
        fault, said = self.protocol.fault, self.protocol.reply
        said = fault.reply if fault else said
        if said is not None and said.is_refusal and said.code not in _DEAF | _NO_SUCH_COMMAND:
            late = said.text(self.redact)
            raise outcome.unknown(self.relay, f"it accepted, and then answered again: {late}")
        return fault is None and said is not None and said.code in _DONE

    async def close(self) -> None:
        """End the connection now; waiting for the other side is what hangs."""
        if not isinstance(self.protocol.transport, asyncio.WriteTransport):
            return
        self.protocol.transport.abort()
        # asyncio closes the socket in the turns that follow, and there may be none after us.
        with contextlib.suppress(asyncio.CancelledError):
            for _ in range(3):
                await asyncio.sleep(0)

    async def _dial(self) -> None:
        """Connect to the first address that answers, and give aiosmtplib the connection.

        aiosmtplib's own connect() tries one address after the other and logs in by itself.
        """
        implicit = self.relay.mode is Mode.IMPLICIT
        host, port, proxy = self.relay.host.text, self.relay.port, self.relay.proxy
        sock = await (dial_through(proxy, host, port) if proxy else dial(host, port))
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: self.protocol,
            sock=sock,
            ssl=self.context if implicit else None,
            server_hostname=self.relay.host.text if implicit else None,
            # A little more than connect_s, so that there is one clock.
            ssl_handshake_timeout=self.timeouts.connect_s + 1 if implicit else None,
        )
        self.client.protocol = self.protocol
        self.client.transport = transport
        peer = printable(str((transport.get_extra_info("peername") or ("unknown",))[0]))
        self.peer = f"{proxy}" if proxy else peer
        _tell("connected", relay=f"{self.relay}", peer=self.peer, mode=self.relay.mode)

    def _prove(self) -> None:
        live = self.protocol.transport
        self.facts = tls.prove(
            live.get_extra_info("ssl_object") if live else None,
            relay=self.relay,
            context=self.context,
        )
        _tell(
            "TLS proved",
            version=self.facts.version,
            cipher=self.facts.cipher,
            certificate_sha256=self.facts.leaf_sha256,
            spki_sha256=self.facts.spki_sha256,
        )

    async def _ehlo(self, stage: Stage) -> None:
        """Say EHLO; a relay that refuses it gets no HELO, which knows neither TLS nor AUTH."""
        self.enter(stage)
        with self._faults():
            await self.client.ehlo()
        _tell.detail("offered", extensions=" ".join(sorted(self.client.esmtp_extensions)))

    async def _name(self, sender: Address, recipient: Address, *sized: bytes) -> Reply:
        self.enter(Stage.MAIL)
        path = b"FROM:<%s>" % sender.text.encode("ascii")
        await self._command(b"MAIL", path, *sized, *envelope.mail(self.asked))
        self._answered(_DONE)
        self.enter(Stage.RCPT)
        path = b"TO:<%s>" % recipient.text.encode("ascii")
        await self._command(b"RCPT", path, *envelope.rcpt(self.asked))
        return self._answered(_WILL_REACH)

    async def _command(self, *words: bytes) -> Reply:
        with self._faults():
            await self.client.execute_command(*words)
        reply = self._reply()
        _tell.detail("replied", code=reply.code, said=reply.text(self.redact))
        return reply

    def _offers(self, extension: str) -> bool:
        """Tell whether the relay listed ``extension``, inside TLS."""
        return self.client.supports_extension(extension)

    def _size_parameter(self, size: int) -> tuple[bytes, ...]:
        """Give SIZE= where the relay knows it (RFC 1870 §3), or refuse before MAIL."""
        if not self.client.supports_extension("size"):
            return ()
        limit = self.size_limit
        if limit is not None and limit < size:
            raise outcome.too_large(self.where, f"it has {size} octets and the limit is {limit}")
        return (b"SIZE=%d" % size,)

    def _reply(self) -> Reply:
        """Give the vetted reply, not aiosmtplib's reading of it."""
        if self.protocol.reply is None:
            raise outcome.disconnected(self.where)
        return self.protocol.reply

    def _answered(self, wanted: frozenset[int]) -> Reply:
        """Give the reply if it is a wanted one; there is no other success."""
        reply = self._reply()
        if reply.code not in wanted:
            raise outcome.refused(self.where, reply)
        return reply

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """Put whatever goes wrong on the wire into words."""
        try:
            yield
        except (SMTPException, OSError, ReplyFault) as fault:
            raise self._explain(fault) from None

    def _explain(self, fault: Exception) -> CertmailError:
        # In TLS 1.3 a server judges the client's certificate when its handshake is over (RFC 8446
        # §4.4.2.4): the alert arrives where a reply is awaited.
        lost = self.protocol.lost
        return faults.explain(
            lost if isinstance(lost, ssl.SSLError) else fault,
            where=self.where,
            broken=self.protocol.fault,
            last=self.protocol.reply,
        )
