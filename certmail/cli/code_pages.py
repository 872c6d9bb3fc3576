"""The pages of errors, findings and exit statuses, as they stand in the documents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_PAGE: Final = re.compile(r"^## (?P<code>\S+)\n+(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def code_pages() -> dict[str, str]:
    """Read the text of each page, in Markdown."""
    return _pages("errors.md")


def status_pages() -> dict[str, str]:
    """Read the text about each exit status, in Markdown, by its number."""
    return _pages("exit-status.md")


def _pages(document: str) -> dict[str, str]:
    return {page["code"]: page["text"] for page in _PAGE.finditer(_read(document))}


def _read(document: str) -> str:
    """Read the pages from the package, or from the checkout it runs in."""
    package = Path(__file__).parent.parent
    for path in (package / "docs" / document, package.parent / "docs" / document):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(f"docs/{document} is missing from the installation")
