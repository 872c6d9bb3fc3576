"""``check`` and ``inspect``: the page, its JSON, their exit numbers, and what is never shown."""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509

from certmail import inspection, lookups, stores
from certmail.bundle.further import Kind, Question
from certmail.errors import BundleError, UsageError
from certmail.values import Hostname
from certmail.web.fetch import Reach
from tests.bundle import make
from tests.bundle.make import DAY, der_of, pem_of, rsa_key

GOLDEN = Path(__file__).with_name("golden")
AT = "2026-11-23T12:00:00Z"
OPTIONS = ("--at", AT)


@pytest.fixture
def put(tmp_path):
    def write(name: str, data: bytes, mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        path.chmod(mode)
        return path

    return write


@pytest.fixture
def check(user):
    """Run the command in a locale of UTF-8, for the time of the test certificates."""
    user.extra = {"PYTHONUTF8": "1"}
    return lambda *arguments, **given: user("check", *OPTIONS, *arguments, **given)


def normal(text: str) -> str:
    """Leave out what differs between runs: digests and serial numbers."""
    return re.sub(r"\b[0-9a-f]{30,40}\b", "SERIAL", text)


def broken() -> bytes:
    """Make a file with several defects, one of them in a boundary."""
    data = make.key_pem() + make.chain_pem() + make.leaf_pem()
    return b"# our key\n" + data.replace(b"-----END PRIVATE", b"----END PRIVATE").rstrip()


PAGES = {
    "good": (make.bundle, ()),
    "several-defects": (broken, ()),
    "wrong-order": (lambda: make.key_pem() + make.chain_pem() + make.leaf_pem(), ()),
    "expired": (make.bundle, ("--at", "2027-02-21")),
    "not-yet": (make.bundle, ("--at", "2026-11-01")),
    "unreadable": (lambda: make.key_pem()[:900], ()),
    "no-key": (lambda: make.leaf_pem() + make.chain_pem(), ()),
    "leaf-alone": (lambda: make.key_pem() + make.leaf_pem(), ()),
    "alien": (lambda: make.bundle() + pem_of(make.make_ca("Stranger").certificate), ()),
    "idn": (
        lambda: make.with_leaf(
            make.make_leaf(make.lower(), names=(make.HOST, "xn--mller-kva.example"))
        ),
        ("--domain", "müller.example", "--domain", "münchen.example"),
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_reads_like_this(check, put, name):
    """Set CERTMAIL_GOLDEN=write to write the pages anew; then read them."""
    build, flags = PAGES[name]
    put("bundle.pem", build())
    shown = normal(check("bundle.pem", *flags).out)
    page = GOLDEN / f"{name}.txt"
    if os.environ.get("CERTMAIL_GOLDEN") == "write":
        page.write_text(shown)
    assert shown == page.read_text()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_80_columns_and_shows_no_body(name):
    text = (GOLDEN / f"{name}.txt").read_text()
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert re.findall(r"[A-Za-z0-9+/]{40,}", text) == []


TERMINALS = {
    "60": {"COLUMNS": "60"},
    "40": {"COLUMNS": "40"},
    "colour": {"CLICOLOR_FORCE": "1", "TERM": "xterm-256color"},
    "colour-60": {"CLICOLOR_FORCE": "1", "TERM": "xterm-256color", "COLUMNS": "60"},
    "ascii": {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
    "ascii-60": {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "COLUMNS": "60"},
}


@pytest.mark.parametrize("name", ["good", "expired"])
@pytest.mark.parametrize("terminal", TERMINALS)
def test_on_other_terminals_the_page_reads_like_this(user, put, name, terminal):
    """Narrow ones, coloured ones, and such as know ASCII alone."""
    build, flags = PAGES[name]
    put("bundle.pem", build())
    user.extra = {"PYTHONUTF8": "1", **TERMINALS[terminal]}
    shown = normal(user("check", *OPTIONS, "bundle.pem", *flags).out)
    page = GOLDEN / f"{name}.{terminal}.txt"
    if os.environ.get("CERTMAIL_GOLDEN") == "write":
        page.write_text(shown)
    assert shown == page.read_text()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert [
        line for line in plain.splitlines() if len(line) > int(user.environment()["COLUMNS"])
    ] == []
    assert plain.isascii() == terminal.startswith("ascii")
    assert (plain != shown) == terminal.startswith("colour")
    if terminal == "colour":
        assert plain == (GOLDEN / f"{name}.txt").read_text()


def test_without_unicode_the_page_is_ascii(user, put):
    put("bundle.pem", make.bundle())
    user.extra = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    ran = user("check", *OPTIONS, "bundle.pem")
    assert ran.status == 0
    assert ran.out.isascii()
    assert "`- www.example.org" in ran.out


def test_colour_is_for_terminals_and_no_color_is_respected(put, monkeypatch, capsys):
    from certmail.bundle.check import check as run
    from certmail.cli import check_screen
    from certmail.cli.ink import show

    page = check_screen.draw_verdict(
        run(broken(), at=make.AT), data=broken(), at=make.AT
    )  # fmt: skip
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    show(page)
    assert "\x1b[31m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    show(page)
    assert "\x1b[" not in capsys.readouterr().out


class TestExit:
    def test_warnings_count_only_where_it_is_asked(self, check, put):
        put("bundle.pem", make.bundle() + pem_of(make.root().certificate))
        assert check("bundle.pem").status == 0
        ran = check("bundle.pem", "--strict")
        assert (ran.status, "warnings count" in ran.out) == (10, True)
        assert check("bundle.pem", "--strict", "--json").json["good"] is False

    def test_of_several_files_the_worst_counts(self, check, put):
        put("good.pem", make.bundle())
        put("bad.pem", make.bundle().replace(b"\n", b"\r\n"))
        assert check("good.pem", "good.pem").status == 0
        ran = check("good.pem", "bad.pem", "nowhere.pem")
        assert ran.status == 10
        summary = ran.out.partition("summary\n")[2].splitlines()
        assert [(row.split()[0], row.split()[-1]) for row in summary] == [
            ("good", "www.example.org"),
            ("refused", "www.example.org"),
            ("unread", "nowhere.pem"),
        ]

    def test_several_files_are_one_json_object(self, check, put):
        put("good.pem", make.bundle())
        ran = check("good.pem", "nowhere.pem", "--json")
        assert (ran.json["schema"], ran.json["good"]) == ("certmail.checks/1", False)
        assert [
            (b["file"], b["good"], b["error"] and b["error"]["code"]) for b in ran.json["bundles"]
        ] == [
            ("good.pem", True, None),
            ("nowhere.pem", False, "BUNDLE-UNREADABLE"),
        ]

    def test_keys_of_several_files_that_share_a_prime_are_both_refused(self, check, put):
        put("one.pem", make.bundle_of(make.shared_prime_key(), make.make_leaf(
            make.upper(), key=make.shared_prime_key())))  # fmt: skip
        own = make.rsa_key("Test Lower")
        put("two.pem", make.bundle_of(own, make.make_leaf(make.upper(), key=own)))
        ran = check("one.pem", "two.pem", "--json")
        for one in ran.json["bundles"]:
            assert "KEY-SHARED-FACTOR" in [f["code"] for f in one["findings"]]


class TestOptions:
    def test_a_time_without_zone_is_utc(self, user, put):
        put("bundle.pem", make.bundle())
        for text in ("2026-11-23", "2026-11-23T13:00:00+01:00", "20261123T120000Z"):
            ran = user("check", "bundle.pem", "--json", "--at", text)
            assert ran.json["at"].endswith("+00:00")
            assert ran.status == 0
        assert user("check", "bundle.pem", "--at", "soon").code == "TIME-MALFORMED"
        assert user("check", "bundle.pem", "--at", "0001-01-01T00:00+10:00").status == 2

    def test_the_days_of_warning(self, check, put):
        put("bundle.pem", make.bundle())
        found = check("bundle.pem", "--warn-days", "90", "--json").json["findings"]
        assert [f["code"] for f in found] == ["LEAF-EXPIRES-SOON"]

    def test_a_file_that_others_may_read_is_a_warning(self, check, put):
        put("bundle.pem", make.bundle(), mode=0o640)
        (finding,) = check("bundle.pem", "--json").json["findings"]
        assert (finding["code"], finding["severity"]) == ("KEY-FILE-OPEN", "warning")
        put("chain.pem", make.chain_pem(), mode=0o644)
        codes = [f["code"] for f in check("chain.pem", "--json").json["findings"]]
        assert "KEY-FILE-OPEN" not in codes

    def test_trust_in_a_file_names_the_root(self, check, put):
        data, root = make.trusted_bundle()
        put("bundle.pem", data)
        put("roots.pem", pem_of(x509.load_der_x509_certificate(root)))
        ran = check("bundle.pem", "--trust", "roots.pem", "--json")
        assert (ran.status, ran.json["anchor"]) == (0, "CN=Proper Root, of roots.pem")

    def test_a_store_that_does_not_know_the_root_refuses(self, check, put):
        put("bundle.pem", make.trusted_bundle()[0])
        ran = check("bundle.pem", "--trust", "certifi", "--json")
        assert [f["code"] for f in ran.json["findings"]] == ["CHAIN-UNTRUSTED"]

    def test_a_store_that_cannot_be_read_is_never_replaced_by_another(self, check, put):
        put("bundle.pem", make.bundle())
        put("empty.pem", b"")
        for store in ("nowhere.pem", "empty.pem", "bundle.pem/x"):
            assert check("bundle.pem", "--trust", store).code == "TRUST-UNREADABLE"

    def test_a_list_of_broken_keys_is_looked_into(self, check, put):
        from certmail.bundle.weak import fingerprint

        own = make.rsa_key("leaf").public_key().public_numbers().n
        put("bundle.pem", make.bundle())
        put("list", fingerprint(own) + b"\n")
        found = check("bundle.pem", "--blocklist", "list", "--json").json["findings"]
        assert [f["code"] for f in found] == ["KEY-DEBIAN"]
        assert check("bundle.pem", "--blocklist", "nowhere").code == "BLOCKLIST-UNREADABLE"

    def test_a_certificate_to_be_replaced_may_be_a_file(self, check, put):
        put("bundle.pem", make.bundle())
        old = make.make_leaf(make.lower(), end=make.AT + 300 * DAY, key=rsa_key("old"))
        put("old.pem", pem_of(old))
        found = check("bundle.pem", "--replaces", "old.pem", "--json").json["findings"]
        assert [f["code"] for f in found] == ["REPLACE-LATER"]
        put("nothing.pem", b"nothing\n")
        refused = check("bundle.pem", "--replaces", "nothing.pem")
        assert refused.code == "REPLACE-NO-CERTIFICATE"


def test_no_output_shows_a_line_of_the_key(check, put):
    key_lines = make.key_pem().decode().splitlines()[1:-1]
    for data in (broken(), make.key_pem().replace(b"\n", b" ")):
        put("bundle.pem", data)
        for flags in ((), ("--json",)):
            ran = check("bundle.pem", *flags)
            assert [line for line in key_lines if line[:16] in ran.out + ran.err] == []


@contextmanager
def serving(pem: bytes, tmp_path: Path, *, version: ssl.TLSVersion | None = None):
    """Serve a chain on loopback until the block ends."""
    path = tmp_path / "served.pem"
    path.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    with context.wrap_socket(connection, server_side=True) as secured:
                        heard.append(secured.recv(100))
                except OSError:
                    continue

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


class TestInspect:
    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_a_certificate_that_is_refused_is_read_all_the_same(self, tmp_path, version):
        """RFC 8446 §4.4.2, RFC 5246 §7.4.2; and not one octet of data is sent."""
        with serving(make.bundle(), tmp_path, version=version) as (port, heard):
            shown = inspection.inspect(Hostname("127.0.0.1"), port, timeout_s=10)
        expected = (make.leaf(), make.lower().certificate, make.upper().certificate)
        assert shown.chain == tuple(map(der_of, expected))
        assert shown.refusal
        assert heard == []

    def test_what_the_bundle_changes_is_said(self, user, put, tmp_path):
        old = make.make_leaf(make.lower(), names=(make.HOST, "old.example"), key=rsa_key("old"),
                             end=make.AT + 300 * DAY)  # fmt: skip
        put("bundle.pem", make.bundle())
        served = make.pkcs8(rsa_key("old")) + pem_of(old) + make.chain_pem()
        with serving(served, tmp_path) as (port, _):
            ran = user("inspect", f"127.0.0.1:{port}", "--bundle", "bundle.pem")
            as_json = user("inspect", f"127.0.0.1:{port}", "--bundle", "bundle.pem", "--json")
            replaced = user("check", "bundle.pem", "--replaces", f"127.0.0.1:{port}", "--json",
                            *OPTIONS)  # fmt: skip
        assert (ran.status, ran.err) == (0, "")
        told = " ".join(ran.out.split())
        assert "NO LONGER COVERED: old.example" in told
        assert "a new key" in told
        assert "211 days EARLIER" in told
        assert max(map(len, ran.out.splitlines())) <= 80
        assert as_json.json["schema"] == "certmail.inspect/1"
        assert as_json.json["change"]["names_lost"] == ["old.example"]
        assert len(as_json.json["served"]) == 3
        codes = [f["code"] for f in replaced.json["findings"]]
        assert codes == ["REPLACE-LATER", "REPLACE-NAMES"]

    def test_where_nothing_listens_or_speaks_tls_is_told(self, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        with pytest.raises(UsageError) as refused:
            inspection.inspect(Hostname("127.0.0.1"), port, timeout_s=5)
        assert refused.value.code == "SERVER-UNREACHABLE"
        for greeting, code in ((b"220 mail\r\n", "SERVER-NO-TLS"), (b"", "SERVER-UNREACHABLE")):
            with talking(greeting) as port, pytest.raises(UsageError) as refused:
                inspection.inspect(Hostname("127.0.0.1"), port, timeout_s=1)
            assert refused.value.code == code

    @pytest.mark.parametrize("typed", ["", ":", "a b", "x:0", "x:65536", "x:y", "[::1", "x:१"])
    def test_what_is_no_server_is_refused(self, typed):
        from certmail.cli.inspect_command import address

        with pytest.raises(UsageError) as refused:
            address(typed)
        assert refused.value.code == "SERVER-MALFORMED"

    @pytest.mark.parametrize(
        ("typed", "host", "port"),
        [
            ("www.example.org", "www.example.org", 443),
            ("https://www.example.org/path", "www.example.org", 443),
            ("www.example.org:8443", "www.example.org", 8443),
            ("[2001:db8::1]:8443", "2001:db8::1", 8443),
            ("2001:db8::1", "2001:db8::1", 443),
            ("müller.example", "xn--mller-kva.example", 443),
        ],
    )
    def test_a_server_is_typed_in_the_usual_ways(self, typed, host, port):
        from certmail.cli.inspect_command import address

        assert address(typed) == (Hostname(host), port)

    def test_any_message_is_cut_or_refused(self):
        for size in range(40):
            assert inspection.parse(b"\x03\x04\x0b\0\0\0\0" + b"\xff" * size) == ()
            assert inspection.parse(os.urandom(size)) is not None


@contextmanager
def talking(greeting: bytes):
    """Say something that is not TLS, or nothing."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        connection, _ = listener.accept()
        with connection:
            if greeting:
                connection.sendall(greeting)
            connection.settimeout(3)
            try:
                while connection.recv(4096):
                    pass
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(10)
        listener.close()


class _CA(BaseHTTPRequestHandler):
    """Answers by path: a list, nothing, a redirect, or what was posted; as a proxy, nothing."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status = {"/list": 200, "/moved": 302}.get(self.path, 404)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/list")
        self.end_headers()
        if status == 200:
            self.wfile.write(b"a list")

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers["Content-Type"].encode() + self.rfile.read(size))

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@dataclass
class _Authority:
    """Where the CA answers on loopback, and what it was asked."""

    base: str
    asked: list[str]

    def __str__(self) -> str:
        return self.base

    @property
    def reach(self) -> Reach:
        """The only way to a private address: a program that calls this one gives it."""
        return Reach(private=frozenset({self.base.removeprefix("http://"), "127.0.0.1:1"}))


@pytest.fixture
def authority():
    with ThreadingHTTPServer(("127.0.0.1", 0), _CA) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield _Authority(f"http://127.0.0.1:{server.server_address[1]}", server.asked)
        server.shutdown()
        thread.join(10)


def leaf_with_list(url: str) -> x509.Certificate:
    """Issue a leaf whose revocation list lies there."""
    place = x509.UniformResourceIdentifier(url)
    points = x509.CRLDistributionPoints([x509.DistributionPoint([place], None, None, None)])
    return make.make_leaf(make.lower(), extra=(points,))


class TestLookups:
    def test_a_list_is_fetched_and_a_question_is_posted(self, authority):
        asked = (
            Question(Kind.CRL, f"{authority}/list", b"", "A"),
            Question(Kind.OCSP, f"{authority}/ocsp", b"question", "B"),
        )
        assert [answer.octets for answer in lookups.ask(asked, reach=authority.reach)] == [
            b"a list",
            b"application/ocsp-requestquestion",
        ]

    def test_failures_are_answers_and_no_redirect_is_followed(self, authority, monkeypatch):
        urls = (f"{authority}/moved", f"{authority}/absent", "http://127.0.0.1:1/", "http://[::x/")
        asked = [Question(Kind.CRL, url, b"", "A") for url in urls]
        answers = lookups.ask(asked, reach=authority.reach)
        assert [(answer.octets, answer.reason) for answer in answers] == [
            (None, "HTTP status 302"),
            (None, "HTTP status 404"),
            (None, "no connection"),
            (None, "no connection"),
        ]
        monkeypatch.setattr(lookups, "MAX_OCTETS", 3)
        listed = Question(Kind.CRL, f"{authority}/list", b"", "A")
        (large,) = lookups.ask([listed], reach=authority.reach)
        assert (large.octets, large.reason) == (None, "more than 3 octets")
        (late,) = lookups.ask([listed], timeout_s=-1)
        assert late.reason == "no time was left"

    def test_the_whole_way_of_a_revoked_certificate(self, authority, check, put, user):
        """The environment's proxy is the user's own, so it may be on loopback."""
        user.extra["http_proxy"] = authority.base
        put("bundle.pem", make.with_leaf(leaf_with_list("http://crl.example.org/absent")))
        found = check("bundle.pem", "--revocation", "--json").json["findings"]
        assert {f["code"] for f in found} == {"CHAIN-REVOCATION-UNTOLD"}
        assert any("HTTP status 404" in f["why"] for f in found)
        assert authority.asked == ["http://crl.example.org/absent"]

    @pytest.mark.parametrize("way", ["direct", "proxied"])
    def test_a_private_address_that_a_certificate_names_is_not_asked(
        self, authority, check, put, user, way
    ):
        """A certificate must not make this machine knock at its own network."""
        if way == "proxied":
            user.extra["http_proxy"] = authority.base
        put("bundle.pem", make.with_leaf(leaf_with_list(f"{authority}/list")))
        found = check("bundle.pem", "--revocation", "--json").json["findings"]
        assert {f["code"] for f in found} == {"CHAIN-REVOCATION-UNTOLD"}
        assert any("private network" in f["why"] for f in found)
        assert authority.asked == []

    def test_a_name_that_leads_to_a_private_address_is_not_asked(self, authority):
        """Nor any of its other addresses: a mixture is how rebinding looks."""
        port = authority.base.rpartition(":")[2]
        inner = Reach(resolve=lambda host, port: ("93.184.216.34", "127.0.0.1"))
        question = Question(Kind.OCSP, f"http://ocsp.example.org:{port}/", b"question", "A")
        (answer,) = lookups.ask([question], reach=inner)
        assert answer.octets is None
        assert "private network" in answer.reason


def test_a_store_is_called_by_its_name():
    assert stores.anchors("certifi").name.startswith("certifi ")
    assert len(stores.anchors("certifi").certificates) > 50
    with pytest.raises(BundleError) as refused:
        stores.anchors("/nowhere/roots.pem")
    assert refused.value.code == "TRUST-UNREADABLE"


def test_help_of_check_and_inspect_names_every_option(user):
    text = user("check", "--help").out
    for option in ("--strict", "--at", "--trust", "--revocation", "--replaces", "--warn-days"):
        assert option in text
    assert "HOST[:PORT]" in user("inspect", "--help").out
