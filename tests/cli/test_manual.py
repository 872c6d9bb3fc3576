"""The man pages: whole, without a complaint, 80 columns wide, and the same at every building."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from certmail import RELEASED, __version__
from certmail.cli.entry import certmail
from certmail.cli.manual import man_pages
from certmail.settings.keys import KEYS
from tests.cli.conftest import ROOT
from tests.cli.test_help import contexts, words
from tests.peers import need

PAGES = man_pages(certmail)


def rendered(text: str, *, width: int = 78) -> str:
    """Give a page as a terminal shows it, without weights."""
    shown = mandoc("-T", "utf8", "-O", f"width={width}", text=text)
    return re.sub(r".\x08", "", shown)


def mandoc(*arguments: str, text: str) -> str:
    ended = subprocess.run(
        [need("mandoc"), *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.stdout + ended.stderr


def test_every_command_and_the_settings_have_a_page():
    commands = {"-".join(("certmail", *words(one).split())) for one in contexts()}
    assert set(PAGES) == {*(f"{name}.1" for name in commands), "certmail-settings.5"}


@pytest.mark.peer
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_linted_without_a_complaint(name):
    assert mandoc("-T", "lint", text=PAGES[name]) == ""


@pytest.mark.peer
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_80_columns(name):
    """A fingerprint in an example stays whole, so that it can be copied."""
    long = [line for line in rendered(PAGES[name]).splitlines() if len(line) > 80]
    assert [line for line in long if "--fingerprint" not in line] == []


@pytest.mark.peer
@pytest.mark.parametrize("context", contexts(), ids=lambda one: one.command_path)
def test_a_page_says_what_help_says(context):
    """Each word of --help: the same purpose, options, examples and statuses."""
    page = rendered(PAGES["-".join(("certmail", *words(context).split())) + ".1"], width=999)
    flat = " ".join(page.split()).casefold()
    for line in context.get_help().partition("\n\n")[2].splitlines():
        for word in re.findall(r"--[a-z-]+|\b[a-z]{4,}\b", line.casefold()):
            assert word in flat, line


@pytest.mark.peer
def test_every_setting_is_in_its_page():
    page = rendered(PAGES["certmail-settings.5"])
    for key in KEYS:
        for shown in (key.line, key.flag, key.variable):
            assert shown in page


def test_pages_are_ascii_and_the_same_at_every_building(tmp_path):
    made = []
    for name, seed in (("one", "1"), ("two", "2")):
        subprocess.run(
            [sys.executable, "-m", "certmail.cli.write_manual", tmp_path / name],
            env={"PYTHONHASHSEED": seed, "COLUMNS": "40", "LC_ALL": "C", "TZ": f"UTC{seed}"},
            cwd=ROOT,
            check=True,
            timeout=60,
        )
        made.append({p.name: p.read_bytes() for p in (tmp_path / name).rglob("*.[15]")})
    assert made[0] == made[1] == {name: text.encode("ascii") for name, text in PAGES.items()}


def test_the_pages_bear_the_day_of_the_release():
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", RELEASED)
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.search(rf"^## \[{re.escape(__version__)}\] - (\S+)$", log, re.MULTILINE)
    assert released is None or released[1] == RELEASED


def test_foreign_signs_cannot_become_requests():
    from certmail.cli import troff

    assert troff.escaped(".so /etc/passwd") == "\\&.so /etc/passwd"
    assert troff.escaped("'x \\fB-…") == "\\&'x \\efB\\-\\[u2026]"
    assert troff.filled("a " * 39 + ".so x")[1] == "\\&.so x"
