"""Every command speaks JSON, and every object it speaks has a schema and a page."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import click
import pytest
from jsonschema import Draft202012Validator

from certmail.cli.entry import certmail
from tests.schemas import conforms, registry, schemas

ROOT = Path(__file__).parent.parent
NAME = re.compile(r"certmail\.[a-z-]+/[0-9]+")
PARTS = "certmail.parts/1"
KEPT = {"certmail.keystore/1", "certmail.ratchet/1", "certmail.sealed/1"}
"""Files that certmail writes for itself: described, and no interface."""


def leaves(command=certmail, path=()):
    for name, found in command.commands.items():
        if isinstance(found, click.Group):
            if found.invoke_without_command:
                yield (*path, name), found
            yield from leaves(found, (*path, name))
        else:
            yield (*path, name), found


@pytest.mark.parametrize("path", [path for path, _ in leaves()], ids=" ".join)
def test_every_command_gives_json(path):
    command = dict(leaves())[path]
    assert [o for o in command.params if "--json" in o.opts], f"{' '.join(path)} has no --json"


def names_in_source() -> set[str]:
    found = set()
    for path in (ROOT / "certmail").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and NAME.fullmatch(node.value)
            ):
                found.add(node.value)
    return found


def test_every_object_has_a_schema_and_every_schema_an_object():
    assert set(schemas()) - {PARTS} == names_in_source()


@pytest.mark.parametrize("name", schemas())
def test_a_schema_is_sound_and_has_its_own_urn(name):
    schema = schemas()[name]
    Draft202012Validator.check_schema(schema)
    stem, _, version = name.removeprefix("certmail.").partition("/")
    assert schema["$id"] == f"urn:certmail:schema:{stem}:{version}"
    assert schema["description"]
    if name != PARTS:
        assert schema["properties"]["schema"] == {"const": name}


def nodes(schema):
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


@pytest.mark.parametrize("name", schemas())
def test_every_reference_of_a_schema_leads_somewhere(name):
    resolver = registry().resolver(base_uri=schemas()[name]["$id"])
    for node in nodes(schemas()[name]):
        if "$ref" in node:
            resolver.lookup(node["$ref"])


@pytest.mark.parametrize("name", schemas())
def test_a_schema_lets_no_undocumented_field_through(name):
    """Fields that are put together elsewhere are closed where they are put together."""
    part_of_another = [
        node for part, node in schemas()[PARTS]["$defs"].items() if part.endswith("_fields")
    ]
    part_of_another.append(schemas()[PARTS]["$defs"]["sealing"])
    assert [
        node
        for node in nodes(schemas()[name])
        if node.get("type") == "object"
        and "additionalProperties" not in node
        and "unevaluatedProperties" not in node
        and node not in part_of_another
    ] == []


PAGE = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
SECTIONS = {
    section.split("`")[1]: section
    for section in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    if section.startswith("`")
}


def test_every_object_has_a_section_in_order():
    assert list(SECTIONS) == sorted(set(schemas()) - {PARTS} - KEPT)


def examples():
    for name, section in SECTIONS.items():
        for text in re.findall(r"^```json\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
            yield pytest.param(name, text, id=name)


def test_every_object_has_an_example():
    assert {example.values[0] for example in examples()} == set(SECTIONS)


@pytest.mark.parametrize(("name", "text"), [*examples()])
def test_an_example_is_what_its_schema_says(name, text):
    assert conforms(json.loads(text))["schema"] == name
