"""Call a reader that may refuse and may do nothing else."""

from __future__ import annotations

from certmail.errors import CertmailError


def refusal_of(read, *arguments, **options) -> CertmailError | None:
    """Give the refusal, whose words must be safe to show, or None where there is none."""
    try:
        read(*arguments, **options)
    except CertmailError as refusal:
        refused = refusal
    else:
        return None
    assert all(text.isprintable() for text in (refused.what, refused.why, refused.next))
    return refused


def short(value) -> str:
    """Name a parameter without showing its octets."""
    return f"{len(value)} octets" if isinstance(value, bytes) else str(value)
