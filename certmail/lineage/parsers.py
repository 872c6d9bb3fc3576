"""Parses JSON and YAML into plain values: texts, lists and mappings, and nothing that runs.

In: octets. Out: values, or one refusal that quotes nothing of them, since they hold a key. YAML is
read by the loader that makes texts of all scalars, without aliases, which could grow without end.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

import yaml

from certmail.errors import BundleError
from certmail.values import printable

MAX_YAML_OCTETS: Final = 2**18
"""The loader takes about a second for it; a Secret is at most 1 MiB and usually 10 KiB."""


class _Loader(yaml.BaseLoader):
    """Makes texts of all scalars; an alias or a key given twice is refused."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 (the library's)
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) != len(node.value):
            raise yaml.YAMLError
        return super().construct_mapping(node, deep=deep)


def parse(data: bytes, *, name: str) -> object:
    """Parse a document of either kind; a stream of YAML documents becomes a list.

    Raises:
        BundleError: ``DOCUMENT-MALFORMED``.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        _refuse(name, "it is not UTF-8")
    if text.lstrip()[:1] in {"{", "["}:
        return _json(text, name)
    if len(data) > MAX_YAML_OCTETS:
        _refuse(name, f"it is YAML of more than {MAX_YAML_OCTETS} octets")
    return _yaml(text, name)


def _json(text: str, name: str) -> object:
    try:
        value: object = json.loads(text, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError):
        _refuse(name, "it is not JSON, or it names a field twice")
    return value


def _yaml(text: str, name: str) -> object:
    try:
        values = list(yaml.load_all(text, Loader=_Loader))
    except (yaml.YAMLError, ValueError, RecursionError):
        _refuse(name, "it is not YAML, or it uses aliases or names a field twice")
    return values[0] if len(values) == 1 else values


def _without_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({field for field, _ in pairs}) != len(pairs):
        raise ValueError
    return dict(pairs)


def _refuse(name: str, how: str) -> NoReturn:
    raise BundleError(
        "DOCUMENT-MALFORMED",
        f"{printable(name, limit=400)} cannot be read: {how}",
        why="the key and the certificates are to be taken out of it, and none may be guessed",
        next="print it again with the program that keeps it, like kubectl get secret NAME -o json",
        file=printable(name, limit=400),
    ) from None
