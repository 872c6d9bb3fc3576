"""Every code has its page, and every page a code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE = re.compile(r"[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+")
NOT_CODES = re.compile(
    r"(?:SHA|MD|RIPEMD|UTF|RC|TLS|X|P|PBES|AES|ISO|TRIPLE|BASE|ISO-8859|CN)-?\d*(?:-\d+)*"
)


def codes_in_source() -> set[str]:
    found = {"BUG", "INTERRUPTED", "USAGE"}
    for path in (ROOT / "certmail").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
                if (
                    CODE.fullmatch(text)
                    and not NOT_CODES.fullmatch(text)
                    and text not in OTHER_WORDS
                ):
                    found.add(text)
    return found


OTHER_WORDS = {
    "CF-RAY",
    "ML-DSA-44",
    "ML-DSA-65",
    "ML-DSA-87",
    "MTA-STS",
    "RSASSA-PSS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "UTF-16BE",
    "UTF-16LE",
    "UTF-32BE",
    "UTF-32LE",
}
"""Constants that look like codes and are none."""


def pages() -> list[str]:
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    return re.findall(r"^## (\S+)$", text, re.MULTILINE)


def test_every_code_has_one_page_in_order():
    found = pages()
    assert found == sorted(set(found))
    assert set(found) == codes_in_source()


def status_pages() -> list[str]:
    text = (ROOT / "docs" / "exit-status.md").read_text(encoding="utf-8")
    return re.findall(r"^## (\S+)$", text, re.MULTILINE)


def test_every_exit_status_has_one_page_in_order():
    from certmail.cli.pages import STATUSES

    assert [int(number) for number in status_pages()] == sorted(STATUSES)


def test_every_family_of_errors_ends_with_a_status_that_has_a_page():
    import certmail.durable
    from certmail.errors import CertmailError

    assert certmail.durable.StateError in families(CertmailError)
    numbers = {str(family.exit_status) for family in families(CertmailError)}
    assert numbers <= set(status_pages())


def families(root: type) -> list[type]:
    below = root.__subclasses__()
    return [root, *(family for one in below for family in families(one))]


def test_every_status_says_what_to_do_next():
    text = (ROOT / "docs" / "exit-status.md").read_text(encoding="utf-8")
    entries = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "**Next:**" not in entry] == []


def test_every_page_says_what_to_do_next():
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    entries = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "**Next:**" not in entry] == []
