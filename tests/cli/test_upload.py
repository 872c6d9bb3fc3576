"""``certmail upload``: what to paste where, and never a line of the key."""

from __future__ import annotations

import shlex
import stat
import sys

import pytest

from certmail.recipient import UPLOAD_FORM
from tests.bundle import make
from tests.bundle.assemble import layouts
from tests.cli.test_terminal import Terminal

ASKED = b"Open the form in your browser now? [y/N]:"


def key_lines(pem: bytes) -> list[str]:
    return pem.decode().split("-----END PRIVATE KEY")[0].splitlines()[1:]


def blocks(pem: bytes) -> list[tuple[int, int]]:
    """Where the blocks of a file stand, counted by hand."""
    rows = pem.decode().splitlines()
    begins = [n for n, row in enumerate(rows, 1) if row.startswith("-----BEGIN")]
    ends = [n for n, row in enumerate(rows, 1) if row.startswith("-----END")]
    return list(zip(begins, ends, strict=True))


def test_a_good_file_is_to_be_pasted_as_it_is(user, bundle, bundle_pem):
    before = {path.name for path in user.home.iterdir()}
    ran = user("upload", bundle.name)
    assert (ran.status, ran.err) == (0, "")
    key, leaf, ca = blocks(bundle_pem)
    lines = bundle_pem.count(b"\n")
    assert f"1. Open the form:\n     {UPLOAD_FORM}\n" in ran.out
    assert f"2. Open bundle.pem in an editor, and paste all of it into the form,\n   {lines}" in (
        ran.out
    )
    rows = [line.split() for line in ran.out.splitlines() if line.strip().startswith("lines")]
    assert [(int(row[1]), int(row[3]), row[4]) for row in rows] == [
        (*key, "private"),
        (*leaf, "certificate"),
        (*ca, "intermediate"),
    ]
    assert "certmail acme-test shop.example" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    assert {path.name for path in user.home.iterdir()} == before


@pytest.mark.parametrize("flags", [(), ("--json",), ("--repair",)], ids=" ".join)
def test_no_line_of_the_key_is_shown(user, bundle, bundle_pem, flags):
    ran = user("upload", bundle, *flags)
    assert ran.status == 0
    assert [line for line in key_lines(bundle_pem) if line in ran.out + ran.err] == []


def test_json_says_what_to_paste(user, bundle, bundle_pem):
    ran = user("upload", bundle, "--json")
    assert ran.json["schema"] == "certmail.upload/1"
    assert (ran.json["form"], ran.json["make"], ran.json["good"]) == (UPLOAD_FORM, None, True)
    assert [tuple(part["lines"]) for part in ran.json["paste"]] == blocks(bundle_pem)
    assert ran.json["lines"] == bundle_pem.count(b"\n")


def test_a_lineage_is_to_be_written_first_and_the_command_that_is_told_does_it(user, tmp_path):
    live = layouts.certbot(tmp_path / "le")
    ran = user("upload", "--lineage", live, "--json")
    assert (ran.status, ran.json["good"]) == (0, True), ran.err
    told = shlex.split(ran.json["make"])
    assert told[0] == "certmail"
    assert user(*told[1:]).status == 0
    written = user.home / told[-1]
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert written.read_bytes().count(b"\n") == ran.json["lines"]
    assert [tuple(part["lines"]) for part in ran.json["paste"]] == blocks(written.read_bytes())
    shown = user("upload", "--lineage", live).out
    assert f"1. Write the bundle, readable by you alone:\n     {ran.json['make']}\n" in shown
    assert "rm upload.pem" in shown


def test_parts_and_what_chooses_among_them_are_told_again(user, tmp_path):
    parts = layouts.put(tmp_path / "a b", key__pem=make.key_pem(), cert__pem=layouts.fullchain())
    ran = user(
        "upload", "--key", parts / "key.pem", "--cert", parts / "cert.pem",
        "--domain", layouts.HOST, "--json",
    )  # fmt: skip
    words = shlex.split(ran.json["make"])
    assert words == [
        "certmail", "bundle", "--key", str(parts / "key.pem"), "--cert", str(parts / "cert.pem"),
        "--domain", layouts.HOST, "--output", "upload.pem",
    ]  # fmt: skip
    assert user(*words[1:]).status == 0


def test_what_the_form_would_not_take_is_refused_with_its_findings(user, bundle, bundle_pem):
    bundle.write_bytes(bundle_pem.replace(b"\n", b"\r\n"))
    ran = user("upload", bundle)
    assert ran.status == 10
    assert "LINES-CRLF" in ran.out
    assert UPLOAD_FORM not in ran.out
    ran = user("upload", bundle, "--json")
    assert (ran.status, ran.json["good"], ran.json["paste"]) == (10, False, [])
    ran = user("upload", bundle, "--repair")
    assert ran.status == 0
    assert "turned Windows line ends into line feeds" in ran.out
    assert f"certmail bundle {bundle} --output upload.pem" in ran.out
    assert b"\r\n" in bundle.read_bytes()


def test_what_cannot_be_repaired_is_refused(user, tmp_path):
    ran = user("upload", "--key", tmp_path / "none", "--cert", tmp_path / "none")
    assert (ran.status, ran.code) == (10, "BUNDLE-UNREADABLE")


def test_a_wildcard_is_not_sent_to_lets_encrypt(user, tmp_path):
    path = tmp_path / "wild.pem"
    leaf = make.pem_of(make.make_leaf(make.lower(), names=["*.example.org", "example.org"]))
    path.write_bytes(make.key_pem() + leaf + make.chain_pem())
    path.chmod(0o600)
    ran = user("upload", path)
    assert ran.status == 0, ran.out + ran.err
    assert "acme-test" not in ran.out


def test_from_standard_input_it_is_what_was_piped_in(user, bundle_pem):
    ran = user("upload", "-", stdin=bundle_pem)
    assert ran.status == 0
    assert "what was piped in" in ran.out


@pytest.fixture
def browser(user):
    """A browser that notes what it was given, and what of certmail's it was told."""
    program, notes = user.home / "browser", user.home / "opened"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$#" "$@" >"{notes}"\n')
    program.chmod(0o700)
    user.extra = {**user.extra, "BROWSER": f"{program} %s", "DISPLAY": ":9"}
    return notes


def test_the_browser_gets_the_address_and_nothing_else(user, bundle, browser):
    ran = user("upload", bundle, "--open")
    assert ran.status == 0
    assert browser.read_text() == f"1\n{UPLOAD_FORM}\n"


def test_without_being_asked_to_no_browser_is_opened(user, bundle, browser):
    assert user("upload", bundle).status == 0
    assert not browser.exists()


def test_for_a_bundle_that_is_refused_no_browser_is_opened(user, bundle, browser):
    bundle.write_text("nothing")
    assert user("upload", bundle, "--open").status == 10
    assert not browser.exists()


@pytest.mark.parametrize(("said", "opened"), [(b"y\n", True), (b"\n", False)])
def test_at_a_terminal_the_operator_is_asked(user, bundle, browser, said, opened):
    terminal = Terminal(user, "upload", bundle)
    assert ASKED in terminal.until(ASKED), terminal.seen
    terminal.type(said)
    assert (terminal.end(), browser.exists()) == (0, opened)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a screen")
def test_without_a_screen_the_address_is_enough(user, bundle):
    ran = user("upload", bundle, "--open")
    assert ran.status == 0
    assert UPLOAD_FORM in ran.out
    assert "no browser to open" in ran.err
    terminal = Terminal(user, "upload", bundle)
    assert terminal.end() == 0
    assert b"browser" not in terminal.seen


def test_opening_is_for_people(user, bundle):
    assert user("upload", bundle, "--open", "--json").status == 2
