"""The documents as a site: without a warning, the same twice, whole, and asking for nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

import certmail
from certmail.cli import entry
from tests.docs.exceptions import unknown_in
from tests.docs.pages import ROOT, pages

if TYPE_CHECKING:
    from pathlib import Path

DOCS = ROOT / "docs"
STYLE = DOCS / "_site" / "static" / "certmail.css"
GROUPS = ("Tutorial", "How-to", "Reference", "Explanation")

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<to>[^)\s]+)\)|!\[[^\]]*\]\((?P<image>[^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


def build(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-b", "html"),
            *("-d", str(folder / "doctrees"), str(DOCS), str(folder / "site")),
        ],
        env={
            **os.environ,
            "SOURCE_DATE_EPOCH": "0",
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def sites(tmp_path_factory) -> tuple[Path, Path]:
    """Two builds at once, as ``make docs`` does one."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    building = [build(folder) for folder in folders]
    said = [one.communicate(timeout=300)[0] for one in building]
    assert [one.returncode for one in building] == [0, 0], said[0]
    assert said == ["", ""]
    return folders[0] / "site", folders[1] / "site"


# The site


def test_the_site_builds_without_a_warning_and_the_same_twice(sites):
    one, two = ({p.relative_to(s): p.read_bytes() for p in files(s)} for s in sites)
    assert set(one) == set(two)
    assert [str(name) for name in one if one[name] != two[name]] == []


def test_the_site_is_whole(sites):
    for page in pages():
        if page.startswith("docs/"):
            assert (sites[0] / page.removeprefix("docs/")).with_suffix(".html").is_file(), page


def test_no_page_asks_anybody_for_anything(sites):
    """No font, script, picture or style from elsewhere: what is read where is nobody's business."""
    asks = re.compile(
        r"""<(?:script|img|iframe|source|video|audio)[^>]*\ssrc=["'](?:https?:)?//"""
        r"""|<link[^>]*\shref=["'](?:https?:)?//"""
        r"""|url\(\s*["']?(?:https?:)?//|@import|\bfetch\(\s*["'](?:https?:)?//|XMLHttpRequest"""
        r"""|sendBeacon|navigator\.serviceWorker"""
    )
    found = [
        f"{path.relative_to(sites[0])}: {match[0][:80]}"
        for path in files(sites[0])
        if path.suffix in {".html", ".css", ".js"}
        for match in asks.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_no_page_tells_where_or_when_it_was_built(sites):
    for path in files(sites[0]):
        if path.suffix in {".html", ".js", ".txt", ".css"}:
            assert str(ROOT) not in path.read_text(encoding="utf-8"), path


def test_every_command_and_option_stands_on_the_page_of_commands(sites):
    page = (sites[0] / "commands.html").read_text(encoding="utf-8")
    for words, command in commands():
        assert f'id="{"-".join(("certmail", *words))}"' in page
        section = page[page.index(f'id="{"-".join(("certmail", *words))}"') :]
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.opts[-1] in section, (words, option.opts)


def commands(group: click.Group = entry.certmail, words: tuple[str, ...] = ()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command.hidden:
            continue
        yield (*words, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))


def test_the_library_reference_has_every_public_name():
    text = (DOCS / "library-reference.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\.\. auto\w+:: (\w+)$", text, re.MULTILINE))
    assert told == set(certmail.__all__) - {"__version__"}


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


# The sources


def test_every_page_has_its_place_in_one_of_the_four_groups():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    trees = re.findall(r"```{toctree}\n:caption: (.*)\n:hidden:\n\n([^`]*)```", index)
    assert [caption for caption, _ in trees] == list(GROUPS)
    placed = [name for _, names in trees for name in names.split()]
    assert len(placed) == len(set(placed))
    flat = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    assert flat - set(placed) == set(), "pages that no table of contents in docs/index.md names"
    assert set(placed) - flat == {"decisions/index"}


@pytest.mark.parametrize("page", [*pages(), "CHANGELOG.md"])
def test_every_link_of_a_page_leads_somewhere(page):
    dead = [link for link in links(page) if not leads(page, link)]
    assert dead == []


def links(page: str) -> list[str]:
    text = _CODE.sub(lambda code: "x" * len(code[0]), (ROOT / page).read_text(encoding="utf-8"))
    return [match["to"] or match["image"] for match in _LINK.finditer(text)]


def leads(page: str, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return True
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    if not target.exists():
        return False
    return not anchor or target.suffix != ".md" or anchor in anchors(target)


def anchors(path: Path) -> set[str]:
    """Spell the anchors of a page as the site and the repository's viewer do."""
    text = path.read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    headings = re.findall(r"^#{1,4} (.*)$", prose, re.MULTILINE)
    named = set(re.findall(r"^\(([\w-]+)\)=$", prose, re.MULTILINE))
    plain = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return named | {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in plain}


@pytest.mark.parametrize("page", [*pages(), "CHANGELOG.md"])
def test_every_command_in_the_running_text_is_one_of_ours(page):
    """`certmail …` in a sentence or a table: the command and its options exist."""
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    unknown = []
    for code in re.findall(r"`(certmail [^`]+)`", text):
        words = re.split(r"\s+", code.replace("\n", " ").replace("\\|", "|"))[1:]
        end = next((i for i, word in enumerate(words) if word in {"|", "…", "&&"}), len(words))
        plain = [word for word in words[:end] if not word.startswith(("'", '"', "[", "…"))]
        if plain and not plain[0].isupper() and unknown_in(plain) is not None:
            unknown.append(code)
    assert unknown == []


# The look


def colours() -> dict[str, dict[str, str]]:
    """Read the variables of the light and the dark theme."""
    text = STYLE.read_text(encoding="utf-8")
    light = re.search(r"^body \{(.*?)\}", text, re.DOTALL | re.MULTILINE)[1]
    dark = re.search(r'^body\[data-theme="dark"\] \{(.*?)\}', text, re.DOTALL | re.MULTILINE)[1]
    by_system = re.search(r"dark\) \{\s*body:not[^{]*\{(.*?)\}", text, re.DOTALL)[1]
    read = lambda block: dict(re.findall(r"(--color-[\w-]+): (#[0-9a-f]{6});", block))  # noqa: E731
    assert read(dark) == read(by_system), "the two ways into the dark must lead to the same colours"
    return {"light": read(light), "dark": read(dark)}


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio."""

    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((light(one), light(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out_from_what_it_stands_on(theme):
    """4.5 to 1 for text (WCAG 2.2, 1.4.3); on the page, in the sidebar and under the pointer."""
    found = colours()[theme]
    texts = [
        *("foreground-primary", "foreground-secondary", "foreground-muted", "code-foreground"),
        *("brand-primary", "brand-content", "link", "link--hover", "link--visited"),
        *("api-name", "api-pre-name"),
    ]
    grounds = [
        *("background-primary", "background-secondary", "inline-code-background"),
        *("code-background", "highlight-on-target"),
    ]
    weak = [
        (text, ground, round(contrast(found[f"--color-{text}"], found[f"--color-{ground}"]), 2))
        for text in texts
        for ground in grounds
        if contrast(found[f"--color-{text}"], found[f"--color-{ground}"]) < 4.5
    ]
    assert weak == []
