"""The pages of errors and findings, as they stand in the documents, by their codes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_PAGE: Final = re.compile(r"^## (?P<code>\S+)\n+(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def code_pages() -> dict[str, str]:
    """Read the text of each page, in Markdown."""
    return {page["code"]: page["text"] for page in _PAGE.finditer(_read())}


def _read() -> str:
    """Read the pages from the package, or from the checkout it runs in."""
    package = Path(__file__).parent.parent
    for path in (package / "docs" / "errors.md", package.parent / "docs" / "errors.md"):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError("docs/errors.md is missing from the installation")
