"""HTML out of text, in which nothing that came from outside can become markup.

``tag`` escapes every child and every value; only what ``tag`` itself made passes through as it is.
"""

from __future__ import annotations

import html
import re
from typing import Final

_VOID: Final = frozenset({"meta", "br", "wbr", "rect", "line", "path"})
_NAME: Final = re.compile(r"[a-z][a-zA-Z0-9-]*")


class Markup(str):
    """Text that is HTML already. Made by this module alone."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str) -> Markup:
    """Make an element. ``class_`` and ``aria_label`` stand for ``class`` and ``aria-label``."""
    if not _NAME.fullmatch(name):
        raise ValueError("an element has a plain name")
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(
            f"<{name}{written}>" if name in {"meta", "br", "wbr"} else f"<{name}{written}/>"
        )
    return Markup(f"<{name}{written}>{together(*children)}</{name}>")


def together(*children: str) -> Markup:
    """Put pieces one behind the other; what is not markup yet is escaped."""
    return Markup(
        "".join(child if isinstance(child, Markup) else html.escape(child) for child in children)
    )


def grouped(text: str, *, by: int = 8) -> Markup:
    """Set a long run of digits in groups for the eye, without a character that copying takes."""
    parts = [text[start : start + by] for start in range(0, len(text), by)]
    return tag(
        "span",
        *(piece for part in parts for piece in (tag("span", part), tag("wbr"))),
        class_="grouped",
    )


def style_element(css: str) -> Markup:
    """Write our own style sheet as it is, for a policy that names its digest."""
    if "</" in css:
        raise ValueError("a style sheet cannot end its own element")
    return Markup(f"<style>{css}</style>")
