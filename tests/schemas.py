"""The schemas of docs/schemas/, and whether an object is what its own schema says."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

FOLDER = Path(__file__).parent.parent / "docs" / "schemas"


@cache
def schemas() -> dict[str, Any]:
    """Every schema by its name, like ``certmail.send/1``."""
    found = {}
    for path in sorted(FOLDER.glob("*.json")):
        schema = json.loads(path.read_bytes())
        name, _, version = path.stem.rpartition("-")
        assert schema["title"] == f"{name}/{version}", f"{path.name}: its title is another"
        found[schema["title"]] = schema
    return found


@cache
def registry() -> Registry:
    """Where a schema finds another: by its urn, in this folder, and nowhere else."""
    resources = (Resource.from_contents(schema) for schema in schemas().values())
    return Registry().with_resources((str(one.id()), one) for one in resources)


@cache
def _validator(name: str) -> Draft202012Validator:
    assert name in schemas(), f"{name} has no file in docs/schemas/"
    return Draft202012Validator(schemas()[name], registry=registry())


def conforms(value: Any, *, schema: str | None = None) -> Any:
    """Give ``value`` back if it is what its own schema, or the one named, says; else fail."""
    assert isinstance(value, dict), f"an object was expected: {value!r:.200}"
    assert schema or "schema" in value, f"no schema is named: {value!r:.200}"
    # Where a part is at fault, its fields count as unknown too: tell the cause first.
    faults = sorted(
        _validator(schema or value["schema"]).iter_errors(value),
        key=lambda fault: fault.validator == "unevaluatedProperties",
    )
    if faults:
        fault = best_match(faults[:1])
        pytest.fail(f"{value.get('schema')}: {fault.json_path}: {fault.message[:600]}")
    return value
