"""Relays that nobody here wrote, besides Postfix: Exim, OpenSMTPD and Dovecot, in both modes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from certmail.submission import Mode
from tests.delivery.attempt import attempt, refuse_leak
from tests.delivery.conftest import server_context
from tests.delivery.dovecot import running
from tests.delivery.front import Front
from tests.delivery.hostile import PASSWORD, USER
from tests.delivery.jail import jail
from tests.delivery.message import sealed
from tests.delivery.postfix import free_ports
from tests.delivery.test_postfix import PATIENT, without_trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import trustme


BOTH = pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.name)


class Mailbox(Protocol):
    """Where a relay puts what it accepted."""

    def delivered(self) -> list[bytes]: ...

    def forget(self) -> None: ...


@dataclass
class Running:
    ports: dict[Mode, int]
    mailbox: Mailbox
    log: Path
    logins: bool = True
    dsn: str = "asked"


EXIM = """\
primary_hostname = relay.test
local_interfaces = <; 127.0.0.1.{implicit} ; 127.0.0.1.{starttls}
tls_on_connect_ports = {implicit}
tls_advertise_hosts = *
tls_certificate = /etc/relay.pem
tls_privatekey = /etc/relay.pem
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
dsn_advertise_hosts = *
message_size_limit = 200000
helo_verify_hosts =
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
log_file_path = /log/%s
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  require message = log in first
          authenticated = *
  accept
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  maildir_format
  directory = /mail
  user = mail
  group = mail
  return_path_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
"""

OPENSMTPD = """\
listen on 127.0.0.1 port {plain} hostname relay.test
smtp max-message-size 200000
action box maildir "/mail" virtual {{ "@" = mail }}
match from any for any action box
"""


def ports_and_words() -> tuple[dict[Mode, int], dict[str, object]]:
    ports = dict(zip(Mode, free_ports(len(Mode)), strict=True))
    words = {"implicit": ports[Mode.IMPLICIT], "starttls": ports[Mode.STARTTLS]}
    return ports, {**words, "user": USER, "password": PASSWORD}


def chain_and_key(authority: trustme.CA) -> bytes:
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    return leaf.private_key_and_cert_chain_pem.bytes()


@contextmanager
def exim(authority: trustme.CA, cache: Path) -> Iterator[Running]:
    ports, words = ports_and_words()
    with jail("exim4-daemon-light", cache=cache) as made:
        made.put("etc/exim4/exim4.conf", EXIM.format(**words))
        made.put("etc/relay.pem", chain_and_key(authority))
        made.folder("var/spool/exim4", owner=(901, 901))
        made.folder("var/log/exim4", owner=(901, 901))
        made.folder("run/exim4", owner=(901, 901))
        (made.root / "usr/sbin/exim4").chmod(0o4755)
        made.folder("log", owner=(901, 901))
        with made.running("/usr/sbin/exim4", "-bdf", "-q1h", ports=list(ports.values())):
            yield Running(ports, made, made.root / "log/main")


@contextmanager
def opensmtpd(authority: trustme.CA, cache: Path) -> Iterator[Running]:
    """Behind TLS of the tests: Debian's 6.8 fails every handshake under OpenSSL 3.

    It keeps its key in another process by a way that OpenSSL 3 closed. Since it offers logins
    inside its own TLS only, there is none.
    """
    [plain] = free_ports(1)
    context = server_context(authority.issue_cert("localhost", "127.0.0.1"))
    with jail("opensmtpd", cache=cache) as made, Front(context, plain) as front:
        made.put("etc/smtpd.conf", OPENSMTPD.format(plain=plain))
        made.folder("var/lib/opensmtpd/empty", mode=0o711)
        made.folder("var/spool/smtpd", mode=0o711)
        made.folder("var/run")
        with made.running("/usr/sbin/smtpd", "-d", ports=[plain]):
            yield Running(front.ports, made, made.root / "output", logins=False)


@contextmanager
def dovecot(authority: trustme.CA, cache: Path) -> Iterator[Running]:
    with running(chain_and_key(authority)) as (ports, sink, log):
        # Dovecot offers what the relay behind it offers.
        yield Running(ports, sink, log, dsn="not offered")


RELAYS = {"exim": exim, "opensmtpd": opensmtpd, "dovecot": dovecot}

pytestmark = [
    pytest.mark.peer,
    pytest.mark.xdist_group("relays"),
]


@pytest.fixture(scope="module", params=RELAYS)
def relay(request, authority, tmp_path_factory):
    kept = getattr(request.config, "cache", None)
    cache = kept.mkdir("certmail-packages") if kept else tmp_path_factory.mktemp("packages")
    with RELAYS[request.param](authority, cache) as running:
        yield running


def send(relay: Running, mode: Mode, ca_file, **more):
    relay.mailbox.forget()
    user = {} if relay.logins else {"user": None}
    return attempt(relay.ports[mode], mode=mode, ca_file=ca_file, timeouts=PATIENT, **(user | more))


@BOTH
def test_the_very_octets_that_were_sealed_are_delivered(mode, relay, ca_file):
    message = sealed()
    tried = send(relay, mode, ca_file, message=message)
    assert tried.code is None, tried.error
    assert tried.receipt.mechanism == ("PLAIN" if relay.logins else None)
    [delivered] = relay.mailbox.delivered()
    assert without_trace(delivered.replace(b"\r\n", b"\n")) == message.wire()
    assert tried.receipt.dsn == relay.dsn


@BOTH
def test_a_wrong_password_is_refused_once(mode, relay, ca_file):
    if not relay.logins:
        return  # it offers none without TLS of its own
    tried = send(relay, mode, ca_file, password="wrong-canary-1")
    assert tried.code == "RELAY-AUTH-REFUSED"
    assert "535" in tried.error.what
    assert tried.reads == 1


@BOTH
def test_nobody_is_trusted_without_their_authority(mode, relay):
    tried = send(relay, mode, None)
    assert (tried.code, tried.reads) == ("RELAY-TLS-CERTIFICATE", 0)


@BOTH
def test_without_a_login_nothing_is_accepted(mode, relay, ca_file):
    if not relay.logins:
        return  # it offers none without TLS of its own
    tried = send(relay, mode, ca_file, user=None)
    assert tried.code == "RELAY-REFUSED"


@BOTH
def test_a_message_over_the_announced_limit_stays_here(mode, relay, ca_file):
    tried = send(relay, mode, ca_file, message=sealed(octets=300_000))
    assert tried.code == "RELAY-TOO-LARGE"
    assert "the limit is 200000" in tried.error.what


def test_no_log_holds_the_password(relay):
    refuse_leak(relay.log.read_text(errors="replace"))
