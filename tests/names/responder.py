"""Name servers on loopback: one that answers from a table, and Unbound, which validates.

The table's server is authoritative and stubborn: it says what it is told to say, with the bits it
is told to set, by UDP and by TCP. Behind Unbound it serves a zone that is really signed.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.delivery.postfix import free_ports
from tests.peers import need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOPBACK = "127.0.0.1"
TTL = 300


class Manner(Enum):
    """What the server does instead of answering."""

    SILENT = "says nothing"
    SERVFAIL = "says that it failed"
    BOGUS = "says that it failed, unless told not to check"
    GARBLED = "answers with something that is no DNS"
    TRUNCATED = "answers by UDP that the answer is too long"


@dataclass
class Table:
    """What is served: records by name and type, manners by name; and what was asked."""

    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    manners: dict[str, Manner] = field(default_factory=dict)
    validated: bool = False
    everywhere: Manner | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def server(self) -> tuple[str, int]:
        return LOOPBACK, self.port

    def answer(self, octets: bytes, *, udp: bool) -> bytes | None:
        query = dns.message.from_wire(octets)
        [question] = query.question
        name = question.name.to_text(omit_final_dot=True).lower()
        self.asked.append((name, dns.rdatatype.to_text(question.rdtype)))
        manner = self.manners.get(name, self.everywhere)
        unchecked = bool(query.flags & dns.flags.CD)
        if manner is Manner.SILENT:
            return None
        if manner is Manner.GARBLED:
            return octets[:2] + b"\xff" * 5
        response = dns.message.make_response(query, recursion_available=True)
        if manner is Manner.SERVFAIL or (manner is Manner.BOGUS and not unchecked):
            response.set_rcode(dns.rcode.SERVFAIL)
        elif manner is Manner.TRUNCATED and udp:
            response.flags |= dns.flags.TC
        else:
            self.fill(response, question)
        return response.to_wire(max_size=1232 if udp else 65535)

    def fill(self, response: dns.message.Message, question: dns.rrset.RRset) -> None:
        name = question.name
        alias = self._find(name, "CNAME")
        if alias:
            response.answer.append(alias)
            name = alias[0].target
        found = self._find(name, dns.rdatatype.to_text(question.rdtype))
        if found:
            response.answer.append(found)
        elif not alias and name.to_text(omit_final_dot=True).lower() not in {
            known for known, _ in self.records
        }:
            response.set_rcode(dns.rcode.NXDOMAIN)
        if self.validated:
            response.flags |= dns.flags.AD

    def _find(self, name: dns.name.Name, kind: str) -> dns.rrset.RRset | None:
        lines = self.records.get((name.to_text(omit_final_dot=True).lower(), kind))
        return dns.rrset.from_text(name, TTL, "IN", kind, *lines) if lines else None


@dataclass
class SignedZone(Table):
    """A table that serves one signed zone; ``forged`` names have an answer changed after that."""

    zone: dns.zone.Zone | None = None
    anchor: str = ""
    forged: frozenset[str] = frozenset()

    def fill(self, response: dns.message.Message, question: dns.rrset.RRset) -> None:
        response.flags |= dns.flags.AA
        for kind in (question.rdtype, dns.rdatatype.CNAME):
            with contextlib.suppress(KeyError):
                found = self.zone.find_rrset(question.name, kind)
                if question.name.to_text(omit_final_dot=True) in self.forged:
                    found = dns.rrset.from_text(question.name, TTL, "IN", "MX", "5 mx.evil.test.")
                signed = self.zone.find_rrset(question.name, dns.rdatatype.RRSIG, covers=kind)
                response.answer += [found, signed]
                return
        response.set_rcode(dns.rcode.NXDOMAIN)


@contextmanager
def serving(table: Table) -> Iterator[Table]:
    """Serve ``table`` by UDP and TCP on one port of loopback."""

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            octets, sock = self.request
            said = table.answer(octets, udp=True)
            if said is not None:
                sock.sendto(said, self.client_address)

    class Stream(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(5)
            with contextlib.suppress(OSError):
                length = self.request.recv(2)
                octets = self.request.recv(int.from_bytes(length, "big"))
                said = table.answer(octets, udp=False)
                if said is not None:
                    self.request.sendall(len(said).to_bytes(2, "big") + said)

    class Udp(socketserver.ThreadingUDPServer):
        daemon_threads = True

    class Tcp(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    [table.port] = free_ports(1)
    with Udp(table.server, Datagram) as udp, Tcp(table.server, Stream) as tcp:
        threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            for server in (udp, tcp)
        ]
        for thread in threads:
            thread.start()
        try:
            yield table
        finally:
            for server in (udp, tcp):
                server.shutdown()
            for thread in threads:
                thread.join()


def signed_zone(text: str, *, origin: str, forged: frozenset[str] = frozenset()) -> SignedZone:
    """Sign a zone with a key of its own; ``anchor`` of the result is what to trust."""
    zone = dns.zone.from_text(text, origin=origin, relativize=False)
    key = ec.generate_private_key(ec.SECP256R1())
    public = dns.dnssec.make_dnskey(
        key.public_key(), algorithm=dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257
    )
    with zone.writer() as change:
        dns.dnssec.sign_zone(
            zone, change, keys=[(key, public)], dnskey_ttl=TTL, lifetime=86400, add_dnskey=True
        )
    return SignedZone(zone=zone, anchor=f"{origin} DNSKEY {public}", forged=forged)


CONFIGURATION = """\
server:
  interface: 127.0.0.1
  port: {port}
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/pid"
  use-syslog: no
  logfile: "{folder}/log"
  do-ip6: no
  do-daemonize: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  trust-anchor: "{anchor}"
  local-zone: "test." nodefault
  qname-minimisation: no
  access-control: 127.0.0.0/8 allow
remote-control:
  control-enable: no
stub-zone:
  name: "test."
  stub-addr: 127.0.0.1@{behind}
  stub-prime: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{nobody}
"""


@contextmanager
def validating(zone: SignedZone, folder: Path) -> Iterator[tuple[str, int]]:
    """Run Unbound in front of ``zone``; give its address. It can ask nobody else."""
    program = need("unbound")
    port, nobody = free_ports(2)
    with serving(zone):
        (folder / "unbound.conf").write_text(
            CONFIGURATION.format(
                port=port, folder=folder, anchor=zone.anchor, behind=zone.port, nobody=nobody
            )
        )
        running = subprocess.Popen([program, "-d", "-c", folder / "unbound.conf"])
        try:
            _await(port, folder)
            yield LOOPBACK, port
        finally:
            running.terminate()
            running.wait(10)


def _await(port: int, folder: Path) -> None:
    end = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection((LOOPBACK, port), timeout=1).close()
            return
        if time.monotonic() > end:
            log = folder / "log"
            pytest.fail(log.read_text() if log.exists() else "Unbound did not start")
        time.sleep(0.05)
