"""The page for the colleague who must approve: whole, quiet, readable, names harmless."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import http.server
import itertools
import re
import subprocess
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from certmail.bundle.findings import Finding, Severity
from certmail.cli.approval import Approval, approval
from certmail.cli.approval_page import approval_page, style_sheet
from certmail.cli.markup import tag
from certmail.message.letter import Request
from certmail.walk import Order, seal_bundle
from tests.peers import need

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "br", "wbr"}
WIDTHS = (360, 800, 1440)
HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=y>"


class Strict(html.parser.HTMLParser):
    """Read HTML as a validator would: every element closed, nothing twice, nothing unknown."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert "svg" in self.open, f"<{tag}/> outside SVG"
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.seen if tag == name]


@pytest.fixture(scope="session")
def seen(bundle_pem, at, pinned, signer, engine) -> Approval:
    """A message sealed for real, and what there is to see of it."""
    sealing = seal_bundle(
        Order(bundle_pem, at=at, request=Request(note=f"please & thank you {HOSTILE}")),
        pinned=pinned,
        signer=lambda: signer,
        engine=engine,
    )
    return approval(
        sealing,
        at=at,
        changes=(),
        notices=(),
        refusal=None,
        relay="smtps://smtp.example.org:465",
        kept="sealed message.eml",
    )


@pytest.fixture(scope="session")
def page(seen) -> str:
    return approval_page(seen)


def key_lines(pem: bytes) -> list[str]:
    """Give the lines of the private key's body."""
    body = pem.decode().partition("PRIVATE KEY-----\n")[2].partition("-----END")[0]
    return body.split()


class TestText:
    def test_the_page_is_well_formed_and_has_its_landmarks(self, page):
        read = Strict(page)
        assert read.open == []
        assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
        assert [len(read.all(name)) for name in ("header", "main", "footer", "h1")] == [1] * 4
        headings = [int(tag[1]) for tag, _ in read.seen if re.fullmatch(r"h[1-6]", tag)]
        assert all(after - before <= 1 for before, after in itertools.pairwise(headings))
        ids = {one["id"] for _, one in read.seen if "id" in one}
        assert all(section["aria-labelledby"] in ids for section in read.all("section"))
        assert all(header["scope"] == "row" for header in read.all("th"))
        assert all(picture["role"] == "img" for picture in read.all("svg"))
        assert all("left" in picture["aria-label"] for picture in read.all("svg"))

    def test_nothing_can_be_loaded_run_or_sent(self, page):
        read = Strict(page)
        elements = {tag for tag, _ in read.seen}
        assert not elements & {"script", "link", "img", "iframe", "form", "input", "object", "a"}
        names = {name for _, attributes in read.seen for name in attributes}
        assert not names & {"src", "href", "srcset", "style", "action", "data", "xlink:href"}
        assert not any(name.startswith("on") for name in names)
        assert not re.search(r"url\(|@import|@font-face", style_sheet())

    def test_its_policy_names_its_one_style_sheet(self, page):
        (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = Strict(page).all("meta")[1]
        assert policy["http-equiv"] == "Content-Security-Policy"
        assert policy["content"] == (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        )

    def test_both_readers_the_key_the_chain_and_the_bytes_are_shown(self, page, seen):
        text = Strict(page).text
        for shown in (
            "What anybody on the way sees",
            "What the recipient reads",
            "[...]",
            "TLS certificate for shop.example",
            "multipart/encrypted",
            "application/x-pem-file",
            seen.pinned.fingerprint.text,
            seen.signature.signer.text,
            seen.outside.sha256,
            seen.certificates[0].sha256,
            "$ certmail send --sealed 'sealed message.eml'",
            "smtps://smtp.example.org:465",
        ):
            assert shown in text

    def test_no_line_of_the_private_key_is_in_it(self, page, bundle_pem):
        lines = key_lines(bundle_pem)
        assert len(lines) > 20
        assert [line for line in lines if line in page] == []

    def test_foreign_text_stays_text(self, seen):
        """Names in certificates, findings and files are chosen by strangers."""
        leaf = replace(seen.certificates[0], subject=f"CN={HOSTILE}", names=(HOSTILE,))
        found = Finding("LEAF-X", Severity.WARNING, None, HOSTILE, HOSTILE, HOSTILE)
        hostile = replace(
            seen,
            certificates=(leaf, replace(leaf, issuer=HOSTILE, subject=HOSTILE)),
            findings=(found,),
            changes=(HOSTILE,),
            kept=HOSTILE,
            relay=HOSTILE,
        )
        read = Strict(approval_page(hostile))
        assert read.open == []
        assert {tag for tag, _ in read.seen} & {"script", "img"} == set()
        assert read.text.count(HOSTILE) >= 8

    def test_the_verdict_is_said_in_words(self, seen):
        warned = replace(seen, findings=(Finding("LEAF-X", Severity.WARNING, None, "w", "y", "n"),))
        assert "This can be sent</strong>" in approval_page(seen)
        assert "This can be sent, with 1 warning<" in approval_page(warned)

    def test_what_was_not_kept_is_not_promised(self, seen):
        text = Strict(approval_page(replace(seen, kept=None, relay=None))).text
        assert "--sealed" not in text
        assert "seals the same content anew" in text
        assert "relay.host" in text


def test_an_element_has_a_plain_name():
    with pytest.raises(ValueError, match="plain name"):
        tag("p onclick=x")


def luminance(colour: str) -> float:
    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["day", "night"])
def test_text_keeps_its_contrast(scheme):
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    day, night = re.findall(r":root\{(.*?)\}", style_sheet(), re.DOTALL)[:2]
    colours = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", day if scheme == "day" else night))
    on = {
        "ink": ("ground", "paper", "soft", "open-soft", "shut-soft", "bad-soft"),
        "quiet": ("ground", "paper"),
        "open": ("paper", "open-soft"),
        "shut": ("paper", "shut-soft"),
        "bad": ("paper", "bad-soft"),
    }
    for ink, grounds in on.items():
        for ground in grounds:
            low, high = sorted((luminance(colours[ink]), luminance(colours[ground])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (scheme, ink, ground)


class TestCommand:
    def test_a_preview_writes_the_page_for_the_users_eyes_only(self, user, bundle, tmp_path):
        ran = user("preview", bundle, "--html", "page.html")
        assert ran.status == 0, ran.err
        written = tmp_path / "page.html"
        assert written.stat().st_mode & 0o777 == 0o600
        # The copy of the key that comes along has expired: the page must not say otherwise.
        assert "Today this would be refused" in written.read_text(encoding="utf-8")
        assert "the page for approval is page.html" in ran.out

    def test_a_dry_run_writes_it_too_and_json_names_it(self, user, bundle, tmp_path):
        ran = user("send", bundle, "--dry-run", "--html", "page.html", "--json")
        assert (ran.status, ran.json["page"]) == (0, "page.html")
        assert (tmp_path / "page.html").exists()

    def test_a_page_that_somebody_has_read_is_never_overwritten(self, user, bundle, tmp_path):
        (tmp_path / "page.html").write_text("read")
        ran = user("preview", bundle, "--html", "page.html", "--output", "sealed.eml")
        assert (ran.status, ran.code) == (2, "OUTPUT-EXISTS")
        assert (tmp_path / "page.html").read_text() == "read"
        assert not (tmp_path / "sealed.eml").exists()

    def test_the_page_names_the_file_that_holds_its_bytes(self, user, bundle, tmp_path):
        ran = user("preview", bundle, "--html", "page.html", "--output", "sealed.eml")
        assert ran.status == 0
        digest = hashlib.sha256((tmp_path / "sealed.eml").read_bytes()).hexdigest()
        text = Strict((tmp_path / "page.html").read_text(encoding="utf-8")).text
        assert digest in text
        assert "$ certmail send --sealed sealed.eml" in text

    def test_a_send_writes_no_page(self, user, bundle):
        ran = user("send", bundle, "--html", "page.html", "--yes")
        assert ran.status == 2
        assert "--dry-run" in ran.err


# A page cannot measure itself, since it runs no script: another page holds it in frames.
MEASURE = """<!DOCTYPE html><title>measure</title><body><script>
let left = WIDTHS.length;
for (const width of WIDTHS) {
  const frame = document.createElement("iframe");
  frame.width = width; frame.height = 900; frame.src = "page.html";
  frame.onload = () => {
    const inner = frame.contentDocument, row = document.createElement("p");
    row.className = "measured";
    row.textContent = [width, inner.documentElement.scrollWidth,
      frame.contentWindow.performance.getEntriesByType("resource").length,
      frame.contentWindow.getComputedStyle(inner.querySelector(".card")).backgroundColor].join(";");
    document.body.append(row);
  };
  document.body.append(frame);
}
</script></body>"""


@pytest.fixture
def served(tmp_path):
    """A folder served on loopback, and what was asked of it."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(tmp_path))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def chromium(profile: Path, *arguments: str) -> str:
    """Run the browser without a screen, with nothing of its own talking to the network."""
    ended = subprocess.run(
        [
            need("chromium"),
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            f"--user-data-dir={profile}",
            *arguments,
        ],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode(errors="replace")[-2000:]
    return ended.stdout.decode()


@pytest.mark.peer
@pytest.mark.parametrize(
    ("flags", "paper"), [((), "rgb(255, 253, 249)"), (("--force-dark-mode",), "rgb(28, 31, 36)")]
)
def test_in_a_browser_nothing_runs_over_and_nothing_is_fetched(
    page, served, tmp_path, flags, paper
):
    """Three widths at once, by day and by night; the style sheet is taken by its policy."""
    address, asked = served
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    (tmp_path / "measure.html").write_text(MEASURE.replace("WIDTHS", str(list(WIDTHS))))
    shown = chromium(
        tmp_path / "profile",
        *flags,
        "--virtual-time-budget=10000",
        "--dump-dom",
        f"{address}/measure.html",
    )
    rows = [row.split(";") for row in re.findall(r'<p class="measured">(.*?)</p>', shown)]
    assert sorted((int(width), int(fetched), colour) for width, _, fetched, colour in rows) == [
        (width, 0, paper) for width in WIDTHS
    ]
    assert [(width, needed) for width, needed, *_ in rows if int(needed) > int(width)] == []
    assert set(asked) <= {"/measure.html", "/page.html", "/favicon.ico"}


@pytest.mark.peer
@pytest.mark.parametrize("width", [500, 1440])
def test_a_browser_paints_the_page(page, tmp_path, width):
    """A picture that is one colour would be an empty page."""
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    picture = tmp_path / "page.png"
    chromium(
        tmp_path / "profile",
        "--hide-scrollbars",
        f"--window-size={width},1200",
        f"--screenshot={picture}",
        f"file://{tmp_path / 'page.html'}",
    )
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20]) == width
    assert len(data) > 40_000


def test_a_life_is_told_from_its_ends():
    from certmail.cli.life import Standing, life

    begins = datetime(2026, 1, 1, tzinfo=UTC)
    ends = begins + timedelta(days=100)
    told = {
        days: life(begins, ends, at=begins + timedelta(days=days)) for days in (-1, 0, 50, 99, 101)
    }
    assert [round(one.share, 2) for one in told.values()] == [0, 0, 0.5, 0.99, 1]
    assert [one.standing for one in told.values()] == [
        Standing.NOT_YET,
        Standing.GOOD,
        Standing.GOOD,
        Standing.SOON,
        Standing.OVER,
    ]
    assert told[99].said == "1 day left"
    assert told[101].said == "ended 1 day ago"
    assert life(begins, begins, at=begins).share == 1
