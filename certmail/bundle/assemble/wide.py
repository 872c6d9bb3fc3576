"""Turns UTF-16 and UTF-32 back into the text it was, before anything else is looked at.

Comes in: the file. Goes out: the same text in UTF-8, or the octets as they were.
"""

from __future__ import annotations

import codecs
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_STARTS: Final = (
    (b"-\0\0\0-\0\0\0", "utf-32-le"),
    (b"\0\0\0-\0\0\0-", "utf-32-be"),
    (b"-\0-\0", "utf-16-le"),
    (b"\0-\0-", "utf-16-be"),
)


def narrowed(data: bytes) -> tuple[bytes, str | None]:
    """Give the text in UTF-8 and the name of its encoding; None where there was nothing to do."""
    for start, name in (*_MARKS, *_STARTS):
        if data.startswith(start):
            try:
                return data.decode(name).encode(), name[:6].upper()
            except UnicodeError:
                return data, None
    return data, None
