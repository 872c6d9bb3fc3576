"""The examples of the documents are programs: typed strictly, and run for real."""

from __future__ import annotations

import asyncio
import http.client
import os
import shutil
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

import certmail
from certmail.rehearsal.reader import open_mail
from tests.conftest import SENDER
from tests.library.conftest import PASSWORD, now

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def test_the_examples_are_typed_strictly(tmp_path):
    """As somebody's own program would be, against the installed package."""
    copies = tmp_path / "examples"
    shutil.copytree(EXAMPLES, copies, ignore=shutil.ignore_patterns("__pycache__"))
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "."],
        cwd=copies,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stdout + ended.stderr


def test_every_example_is_tried_here_and_told_in_the_documents():
    told = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "hand_over.py",
        "serve.py",
        "upload.py",
    }
    for path in EXAMPLES.glob("*.py"):
        assert path.name in told


def test_the_function_hands_a_bundle_over(bundle_pem, engine, post, monkeypatch):
    """With the key that ships, which has expired: it goes as far as the refusal."""
    import hand_over

    sender = hand_over.Sender(
        SENDER, engine, post.relay, post.secret, (certmail.shipped_key(),), now
    )
    with pytest.raises(certmail.KeyRefused) as caught:
        asyncio.run(hand_over.hand_over(bundle_pem, domains=("shop.example",), sender=sender))
    assert (caught.value.code, post.mailbox.sessions) == ("KEY-EXPIRED", 0)


def test_the_function_hands_a_bundle_over_to_the_renewed_key(bundle_pem, engine, post):
    import hand_over

    from tests.cli.conftest import RENEWED

    if not RENEWED.exists():
        pytest.skip("the renewed copy of the key is not beside this checkout")
    copies = (certmail.shipped_key(), RENEWED.read_bytes())
    sender = hand_over.Sender(SENDER, engine, post.relay, post.secret, copies, now)
    receipt = asyncio.run(hand_over.hand_over(bundle_pem, domains=("shop.example",), sender=sender))
    [arrived] = post.mailbox.delivered
    assert receipt.message_id.encode() in arrived.content


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@dataclass
class Browser:
    """Fills in the form."""

    port: int

    def ask(self, method="GET", body=b"", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, "/", body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def upload(self, pem, *, domain, **headers):
        mark = uuid.uuid4().hex
        body = (
            f'--{mark}\r\nContent-Disposition: form-data; name="bundle"; filename="b.pem"\r\n'
            "Content-Type: application/x-x509-ca-cert\r\n\r\n"
        ).encode()
        body += pem
        body += f'\r\n--{mark}\r\nContent-Disposition: form-data; name="domain"\r\n\r\n'.encode()
        body += f"{domain}\r\n--{mark}--\r\n".encode()
        kind = f"multipart/form-data; boundary={mark}"
        return self.ask("POST", body, **{"Content-Type": kind, **headers})


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def browser(pinned, signer, engine, post, state):
    """The application, served by wsgiref; the stand-in's key, so that the mail can be opened."""
    import upload

    desk = upload.Desk(
        pinned, signer, engine, post.relay, post.secret, certmail.Outbox(state, now=now), now
    )
    with make_server("127.0.0.1", 0, upload.Application(desk), handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield Browser(server.server_port)
        server.shutdown()
        thread.join()


def written_below(*folders: Path) -> bytes:
    return b"".join(
        path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()
    )


def test_an_upload_is_handed_over_and_never_rests_in_the_clear(
    browser, post, bundle_pem, receiver, gpg, state, sender
):
    written: list[str] = []
    watching = True

    def watch(event, args):
        if watching and event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            written.append(str(args[0]))

    sys.addaudithook(watch)
    status, page = browser.upload(bundle_pem, domain="shop.example")
    watching = False
    assert (status, "Handed over" in page) == (200, True), page
    [arrived] = post.mailbox.delivered
    opened = open_mail(arrived.content, home=receiver.home, program=gpg.path, env=os.environ)
    assert opened.attachment == bundle_pem
    assert opened.signed_by == sender.fingerprint.text
    on_disk = written_below(state, sender.home)
    assert [line for line in bundle_pem.splitlines() if len(line) > 30 and line in on_disk] == []
    # What this process opened to write: its own state, and nothing else that stays.
    stays = [path for path in written if Path(path).exists() and not path.startswith(str(state))]
    assert [path for path in stays if path != "/dev/null"] == []


def test_a_bad_upload_is_answered_with_every_finding(browser, post, bundle_pem):
    status, page = browser.upload(bundle_pem.replace(b"\n", b"\r\n"), domain="other.example")
    assert (status, post.mailbox.sessions) == (422, 0)
    assert "PEM-CRLF" in page or "CRLF" in page
    assert "NAME" in page


def test_a_second_upload_of_the_same_certificate_is_refused(browser, bundle_pem, post):
    assert browser.upload(bundle_pem, domain="shop.example")[0] == 200
    status, page = browser.upload(bundle_pem, domain="shop.example")
    assert (status, "OUTBOX-ALREADY-SENT" in page) == (409, True)
    assert len(post.mailbox.delivered) == 1


def test_what_is_no_upload_is_refused(browser, post, bundle_pem):
    assert browser.ask()[0] == 200
    assert browser.ask("POST", b"")[0] == 413
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert browser.upload(bundle_pem, domain="shop.example", **cross)[0] == 403
    assert browser.ask("POST", b"not a form", **{"Content-Type": "text/plain"})[0] == 422
    assert post.mailbox.sessions == 0


def test_the_starter_puts_the_desk_together_from_a_file(
    post, relay_files, sender, tmp_path, bundle_pem
):
    """The real recipient's key, as it ships: the desk is whole, and a send is refused."""
    import serve
    import upload

    settings = tmp_path / "settings.toml"
    settings.write_text(
        f'gnupg_home = "{sender.home}"\nsender = "{SENDER}"\nstate = "{tmp_path / "s"}"\n'
        f'relay_host = "127.0.0.1"\nrelay_port = {post.relay.port}\nrelay_user = "ops"\n'
        f'relay_ca_file = "{relay_files / "ca.pem"}"\n'
    )
    desk = serve.desk(settings, secret=certmail.Secret(PASSWORD))
    assert desk.key.fingerprint == certmail.CLEVER_CLOUD.pin
    status, body = upload.Application(desk)._hand_over(
        {"bundle": bundle_pem, "domain": b"shop.example"}
    )
    assert (status, "KEY-EXPIRED" in body, post.mailbox.sessions) == (409, True, 0)
