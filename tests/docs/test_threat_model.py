"""The threat model claims nothing that is not there: each test, each code, each adversary whole."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
MODEL = TEXT.split("\n## Against whom\n")[1].split("\n## ")[0]
SECTIONS = dict(part.split("\n", 1) for part in MODEL.split("\n### ")[1:])
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", TEXT)))
CODES = sorted(set(re.findall(r"`([A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+)`", TEXT)))

ADVERSARIES = [
    "Somebody on the network before the relay",
    "The relay itself, and every mail server behind it",
    "A resolver",
    "A source of keys",
    "Somebody who sends you a file",
    "Another user on the machine",
    "Malware that acts as you",
    "A thief of the laptop",
    "The provider",
    "A malicious dependency, or a build that is not ours",
    "Us",
]


@cache
def defined_in(path: str) -> set[str]:
    found = set()
    for node in ast.parse((ROOT / path).read_bytes()).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{part.name}" for part in node.body if hasattr(part, "name")}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
    return found


@pytest.mark.parametrize(("path", "name"), TESTS, ids=lambda word: word.rpartition("/")[2])
def test_each_test_that_is_named_exists(path, name):
    assert name in defined_in(path)


def test_each_code_that_is_named_has_its_page_and_a_test():
    pages = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8").splitlines()
    assert [code for code in CODES if f"## {code}" not in pages] == []
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    assert [code for code in CODES if f'"{code}"' not in tests] == []
    assert len(CODES) > 40


def test_every_adversary_is_there():
    assert list(SECTIONS) == ADVERSARIES


@pytest.mark.parametrize("who", ADVERSARIES)
def test_an_adversary_has_aims_refusals_tests_and_what_is_left_open(who):
    section = SECTIONS[who]
    aim, _, rest = section.strip().partition("\n\n")
    assert aim.startswith(("Wants ", "May "))
    rows = [line for line in rest.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 3
    for row in rows:
        tried, refusal, shown = row.strip("| ").split(" | ")
        assert tried
        assert refusal
        assert re.fullmatch(r"(`tests/[\w/]+\.py::[\w:]+`(, )?)+", shown), row
    assert rest.count("*Not covered:*") == 1


def test_nothing_else_looks_like_a_test_or_a_file_that_is_not_there():
    named = re.findall(r"tests/[\w/]+(?:\.py)?", TEXT)
    assert [path for path in named if not (ROOT / path).exists()] == []
