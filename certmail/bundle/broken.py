"""What the scanner says where the blocks themselves are wrong: cut, crossed, or of another kind.

Comes in: labels and line numbers. Goes out: findings. Only labels that were proved to be short
words reach a sentence; where a label could not be read, nothing of it is shown.
"""

from __future__ import annotations

from certmail.bundle import hints, labels
from certmail.bundle.findings import Finding, error, span


def too_many(limit: int) -> Finding:
    """Report more blocks than a bundle can have; the rest of the file was not read."""
    return error(
        "FILE-BLOCKS",
        None,
        f"the file has more than {limit} BEGIN lines",
        why="a bundle has a key, a certificate and a few intermediates; this looks like a store",
        next="give the bundle with one key and its certificates, not a store of all of them",
    )


def unterminated(label: str, first: int, before: int | None) -> Finding:
    """Report a block without END, before another BEGIN or before the end of the file."""
    where = "the end of the file" if before is None else f"the next BEGIN, line {before}"
    return error(
        "BLOCK-UNTERMINATED",
        (first, first if before is None else before - 1 if before > first else first),
        f"the block {label} has no END line before {where}",
        why="the block was cut; many readers drop it silently and send a shorter chain",
        next=hints.COPY_AGAIN,
    )


def no_begin(first: int, line: int) -> Finding:
    """Report an END without BEGIN."""
    return error(
        "BLOCK-NO-BEGIN",
        (first, line),
        f"the END on line {line} has no BEGIN line before it",
        why="the start of the block was lost, so what it holds cannot be told",
        next=hints.COPY_AGAIN,
    )


def mismatch(label: str, end_label: str, lines: tuple[int, int]) -> Finding:
    """Report that BEGIN and END name different things."""
    return error(
        "BLOCK-MISMATCH",
        lines,
        f"the block begins as {label} and ends as {end_label}",
        # RFC 7468 §2: "MUST put the same label on the "-----END " line".
        why="RFC 7468 §2 wants the same label on both; lines of two blocks may be mixed here",
        next=hints.COPY_AGAIN,
    )


def no_label(line: int) -> Finding:
    """Report a boundary whose label is none."""
    return error(
        "BOUNDARY-LABEL",
        (line, line),
        f"the BEGIN or END on line {line} is not followed by a label",
        why="text or dashes were lost there, so it cannot be told what the block holds",
        next="write the line again, like -----BEGIN CERTIFICATE-----",
    )


def stray(lines: tuple[int, int]) -> Finding:
    """Report base64 that belongs to no block."""
    return error(
        "TEXT-BASE64",
        lines,
        f"the body of a block stands outside any block, {span(lines)}",
        why="its BEGIN and END lines were lost; it may be a part of the key",
        next="put its BEGIN and END lines back, or remove it",
    )


def foreign(label: str, lines: tuple[int, int]) -> Finding:
    """Report a whole block that does not belong in a bundle."""
    kind = labels.foreign(label)
    return error(
        kind.code,
        lines,
        f"{span(lines)}: {kind.kind}, which does not belong in a bundle",
        why=kind.why,
        next=kind.next,
        repair=kind.repair,
    )


def old_label(lines: tuple[int, int]) -> Finding:
    """Report X509 CERTIFICATE, as very old tools wrote."""
    return error(
        "LABEL-X509",
        lines,
        f"{span(lines)}: the label is X509 CERTIFICATE, an old name of CERTIFICATE",
        why="the provider's proxy knows the label CERTIFICATE only",
        next="umask 077 && sed 's/ X509 CERTIFICATE-/ CERTIFICATE-/' bundle.pem >fixed.pem",
        repair="label",
    )
