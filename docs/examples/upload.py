"""A small web application: upload a bundle, see what is wrong with it, or have it handed over.

The standard library only. The upload is read into memory, checked, sealed, kept in an outbox and
offered to the relay; it is never written to disk. Put it behind TLS and a login of your own: who
can reach the form can send in your name.
"""

from __future__ import annotations

import email
import email.policy
import html
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

import certmail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from wsgiref.types import StartResponse, WSGIEnvironment

MAX_UPLOAD_OCTETS: Final = 1024 * 1024

_FORM: Final = """<h1>Hand a certificate to Clever Cloud</h1>
<form method="post" enctype="multipart/form-data">
<p><label>Bundle (key, certificate, intermediates) <input type="file" name="bundle"></label></p>
<p><label>It must cover <input name="domain" placeholder="shop.example"></label></p>
<p><button>Check and send</button></p>
</form>"""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the application was given at its start; nothing in it changes."""

    key: certmail.PinnedKey
    signer: certmail.Signer
    gnupg: certmail.GnuPG
    relay: certmail.Relay
    secret: certmail.Secret
    outbox: certmail.Outbox
    now: Callable[[], datetime]

    def hand_over(self, pem: bytes, *, domains: tuple[str, ...]) -> certmail.Handed:
        """Check, seal, keep, offer; once `keep` returns, a crash loses nothing."""
        checked = certmail.require_checked(certmail.check(pem, at=self.now(), domains=domains))
        sealing = certmail.seal(checked, key=self.key, signer=self.signer, gnupg=self.gnupg)
        entry = self.outbox.keep(sealing, relay=self.relay, label="upload")
        return self.outbox.hand_over_sync(entry, key=self.key, relay=self.relay, secret=self.secret)


@dataclass(frozen=True, slots=True)
class Application:
    """The form and what comes of it, as a WSGI application (PEP 3333)."""

    desk: Desk
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ["REQUEST_METHOD"] != "POST":
            return _page(start, HTTPStatus.OK, _FORM)
        if environ.get("HTTP_SEC_FETCH_SITE", "same-origin") != "same-origin":
            return _page(start, HTTPStatus.FORBIDDEN, "<p>This form is used from its own page.</p>")
        size = int(environ.get("CONTENT_LENGTH") or 0)
        if not 0 < size <= MAX_UPLOAD_OCTETS:
            return _page(start, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "<p>That is no bundle.</p>")
        fields = _fields(environ["CONTENT_TYPE"], environ["wsgi.input"].read(size))
        status, body = self._hand_over(fields)
        return _page(start, status, body)

    def _hand_over(self, fields: dict[str, bytes]) -> tuple[HTTPStatus, str]:
        """Hand the upload over, and say what came of it."""
        domains = tuple(fields.get("domain", b"").decode("utf-8", "replace").split())
        try:
            # GnuPG's agent serves one card at a time too.
            with self.one_at_a_time:
                handed = self.desk.hand_over(fields.get("bundle", b""), domains=domains)
        except certmail.BundleRefused as refused:
            return HTTPStatus.UNPROCESSABLE_ENTITY, _findings(refused.findings)
        except certmail.CertmailError as error:
            return HTTPStatus.CONFLICT, _error(error)
        if handed.error is not None:
            return HTTPStatus.BAD_GATEWAY, _error(handed.error)
        said = handed.receipt.reply if handed.receipt else handed.outcome.todo
        sent = f"<p>{html.escape(handed.entry.record.message_id)}: {html.escape(said)}</p>"
        return HTTPStatus.OK, f"<h1>Handed over</h1>{sent}"


def _fields(content_type: str, body: bytes) -> dict[str, bytes]:
    """Read a form in memory (RFC 7578); a file larger than memory was refused before."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    form = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    return {
        str(part.get_param("name", header="content-disposition")): cast(
            "bytes", part.get_payload(decode=True)
        )
        for part in form.iter_parts()
    }


def _findings(findings: tuple[certmail.Finding, ...]) -> str:
    rows = "".join(
        f"<li><b>{html.escape(found.code)}</b> {html.escape(found.what)}."
        f" {html.escape(found.next)}.</li>"
        for found in findings
    )
    return f"<h1>Not sent</h1><ul>{rows}</ul>"


def _error(error: certmail.CertmailError) -> str:
    parts = (error.what, error.why, error.next, error.left.value)
    rows = "".join(f"<p>{html.escape(part)}.</p>" for part in parts)
    return f"<h1>{html.escape(error.code)}</h1>{rows}"


def _page(start: StartResponse, status: HTTPStatus, body: str) -> list[bytes]:
    octets = f"<!doctype html><meta charset=utf-8><title>certmail</title>{body}".encode()
    start(
        f"{status.value} {status.phrase}",
        [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(octets))),
            ("Content-Security-Policy", "default-src 'none'; form-action 'self'"),
            ("Cache-Control", "no-store"),
        ],
    )
    return [octets]
