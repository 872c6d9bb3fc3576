"""Every command of the documents is run, as it stands there, and does what the page shows."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from certmail.rehearsal.authority import throwaway_authority
from certmail.rehearsal.server import LOOPBACK
from tests.acme.edges import RIGHT, V4, V6, cloudflare, domain
from tests.docs.compare import agrees
from tests.docs.exceptions import EXCEPTIONS, exception_for
from tests.docs.pages import SHELLS, Block, Command, blocks, pages
from tests.docs.sandbox import (
    OPERATOR,
    RENEWED,
    Machine,
    Materials,
    key_copy,
    machine,
    make_certificates,
)
from tests.keysources.serving import answer, make_trust, web

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pages show a Unix shell")

WITH_COMMANDS = [page for page in pages() if any(b.language in SHELLS for b in blocks(page))]
HTTPS = "https://www.example.org/.well-known/acme-challenge/test"
USAGE, NO_SUCH_PROGRAM = 2, 126
KEY_REFUSED = 11
_ON_OUR_WORD = re.compile(r"^! notice\[KEY-EXPIRED-ACCEPTED\].*\n(?: +.*\n)*", re.MULTILINE)
"""What a send adds where the sandbox had to accept the expired copy."""


@pytest.fixture(scope="session")
def made(tmp_path_factory, make_person) -> Iterator[Materials]:
    """The keys, certificates and servers that every page uses."""
    folder = tmp_path_factory.mktemp("docs")
    authority = throwaway_authority(datetime.now(UTC))
    trust = make_trust(folder, datetime.now(UTC))
    person = make_person(f"Operator <{OPERATOR}>")
    pages = {V4: cloudflare(status="301 Moved", Location=HTTPS), V6: RIGHT}
    with contextlib.ExitStack() as stack:
        sources = stack.enter_context(web(trust.server(), {"*": answer(key_copy().read_bytes())}))
        _, edges, _ = stack.enter_context(domain(pages))
        yield Materials(
            authority=authority,
            gnupg=person.home,
            domains={
                "www.example.org": {V4: tuple(edges[V4].place)},
                "*": {V6: tuple(edges[V6].place)},
            },
            sources=sources.base,
            relay_pem=trust.certificates[LOOPBACK],
            ca_file=trust.ca_file,
            certificates=make_certificates(authority),
        )


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_every_command_of_a_page_does_what_the_page_shows(page, made, tmp_path_factory):
    """Prints the way in which each command was run; one that was not run fails."""
    found = [block for block in blocks(page) if block.language in SHELLS]
    ran: list[tuple[Command, str]] = []
    faults: list[str] = []
    for group in together(found):
        words = group[0].manner.get("fixture", "operator")
        ports = [block.manner["port"] for block in group if "port" in block.manner]
        folder = tmp_path_factory.mktemp("page")
        with machine(words, folder=folder, made=made, port=ports[0] if ports else None) as here:
            for block in group:
                run_block(block, here, ran, faults)
    for command, way in ran:
        print(  # noqa: T201 - shown where the test fails, or with -rP
            f"{page}:{command.line}: {way}: {command.text.splitlines()[0]}"
        )
    assert faults == [], "\n\n".join(faults)
    assert len(ran) == sum(len(block.commands()) for block in found)
    assert all(way for _, way in ran)


def together(found: list[Block]) -> list[list[Block]]:
    """Group a page's blocks by sandbox: a directive that names a fixture begins a new one."""
    groups: list[list[Block]] = []
    for block in found:
        if not groups or "fixture" in block.manner:
            groups.append([])
        groups[-1].append(block)
    return groups


def run_block(
    block: Block, here: Machine, ran: list[tuple[Command, str]], faults: list[str]
) -> None:
    answers = tuple(a for a in block.manner.get("answer", "").split("|") if a)
    if "before" in block.manner:
        prepared = here.shell.run(here.here(block.manner["before"]))
        if prepared.status:
            faults.append(f"{block.page}:{block.line}: before: {prepared.text}")
    for command in block.commands():
        excepted = exception_for(command.text.strip())
        if excepted is not None:
            reason, check = excepted
            try:
                check(command.text)
            except AssertionError as error:
                faults.append(f"{block.page}:{command.line}: {command.text}\n{error}")
            ran.append((command, f"not run, {reason}; checked: {check.__name__}"))
            continue
        here.ways.unlink(missing_ok=True)
        seen = here.shell.run(here.here(command.text), answers=answers)
        way = "run" + (", " + here.ways.read_text().strip() if here.ways.exists() else "")
        text = here.told(seen.text)
        if here.ways.exists():
            text = _ON_OUR_WORD.sub("", text)
        fault = judge(command, block, seen.status, text)
        if fault and not RENEWED.exists() and stopped_at_the_key(command, seen.status, text):
            # Which copy is pinned cannot be said on a command line: without a renewed copy beside
            # the checkout, the run ends where the documents say it ends.
            fault, way = None, "run up to the refusal of the expired key"
        ran.append((command, way))
        if fault:
            faults.append(f"{block.page}:{command.line}: $ {command.text}\n{fault}\n{text}")
    here.shell.end_jobs()


def stopped_at_the_key(command: Command, status: int, seen: str) -> bool:
    """Tell whether it was the key; what comes behind a pipe may end with a status of its own."""
    return "error[KEY-EXPIRED]" in seen and (status == KEY_REFUSED or "|" in command.text)


def judge(command: Command, block: Block, status: int, seen: str) -> str | None:
    """Say what is wrong, if anything."""
    stated = block.manner.get("status")
    refusal_is_shown = any(re.search(r"error\[|^Error: ", line) for line in command.shown)
    if status >= NO_SUCH_PROGRAM and status < 128:
        return f"a program is not in the sandbox's list (status {status})"
    if status == USAGE and not refusal_is_shown and stated is None:
        return "the command line is refused (status 2)"
    if stated is not None:
        wanted = {int(number) for number in stated.split(",")}
    elif refusal_is_shown:
        wanted = set(range(1, 126))
    else:
        wanted = {0}
    if status not in wanted:
        return f"ended with {status}, not with {sorted(wanted)[:3]}"
    if any(line.strip() for line in command.shown) and not agrees(command.shown, seen):
        return "shows something else than the page:\n" + "\n".join(command.shown) + "\n--- seen:"
    return None


def test_every_block_says_what_language_it_is():
    """A command in a block without a name would never be run."""
    hidden = [
        f"{page}:{block.line}"
        for page in pages()
        for block in blocks(page)
        if block.language not in SHELLS
        and re.search(r"^\s*(\$|certmail|gpg|openssl) ", block.text, re.MULTILINE)
        and block.language not in {"toml", "python", "yaml", "ini", "json", "text"}
    ]
    assert hidden == []


def test_every_exception_is_needed():
    typed = [
        command.text.strip()
        for page in pages()
        for block in blocks(page)
        if block.language in SHELLS
        for command in block.commands()
    ]
    needed = {id(found) for text in typed if (found := exception_for(text)) is not None}
    assert [words for words, found in EXCEPTIONS.items() if id(found) not in needed] == []


def test_the_sandbox_has_no_way_out(made, tmp_path):
    with machine("operator", folder=tmp_path / "page", made=made, port=None) as here:
        seen = here.shell.run("certmail inspect example.org")
        assert "name resolution" in seen.text or seen.status, seen.text
        assert here.shell.run("curl https://example.org").status == 127
    assert os.environ.get("HOME") != str(here.home)
