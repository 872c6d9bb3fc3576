"""Internationalised names: the form that certificates carry and the form that people read.

Comes in: names. Goes out: names. Knows RFC 5890 §2.3.2.1 (A-label, U-label) and leaves the tables
to the library of RFC 5891. A name that does not survive the way there and back is not translated.
"""

from __future__ import annotations

from certmail.values import printable

_PREFIX = "xn--"


def to_ascii(name: str) -> str | None:
    """Give the A-label form of a name with other letters; None where there is none."""
    if name.isascii():
        return name
    import idna  # noqa: PLC0415 - its tables are large, and few names need them

    try:
        return idna.encode(name, uts46=True, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None


def to_unicode(name: str) -> str | None:
    """Give what people read in an A-label name; None for a plain name or a broken one."""
    if _PREFIX not in name.lower():
        return None
    import idna  # noqa: PLC0415 - as above

    star, dot, rest = name.partition("*.")
    bare = rest if not star and dot else name
    try:
        read = idna.decode(bare)
        if idna.encode(read).decode("ascii").lower() != bare.lower():
            return None
    except (idna.IDNAError, UnicodeError):
        return None
    return printable("*." + read if bare is rest else read, limit=253)


def both(name: str) -> str:
    """Show a name the way it is written and, where it differs, the way it is read."""
    read = to_unicode(name)
    return name if read is None else f"{name} ({read})"
