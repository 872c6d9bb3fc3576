"""The screens of ``certmail key``: a time line, a refresh, a history. Draws; decides nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from certmail.cli import screens
from certmail.cli.draw import echo_notices, width
from certmail.cli.json_output import error_as_json, instant, notices_as_json
from certmail.key.renew.life import Span, spans

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certmail.cli.keys_at_hand import KeysAtHand, Refreshed
    from certmail.errors import KeyRefused
    from certmail.key.pin import KeyReport
    from certmail.key.renew.life import Notice
    from certmail.keystore import Stored

_LINE: Final = {"from": "├", "life": "─", "expires": "┤", "revoked": "✗", "never": "▶", "now": "│"}
_PLAIN: Final = {"from": "|", "life": "-", "expires": "|", "revoked": "x", "never": ">", "now": ":"}
_MIN_COLUMNS: Final = 24


def draw_shown(at_hand: KeysAtHand, report: KeyReport, notices: Sequence[Notice]) -> None:
    """Draw the best copy: what it is, its life, where it comes from."""
    screen = screens.console()
    heard = f"{at_hand.heard:%Y-%m-%d %H:%M} UTC" if at_hand.heard else "never"
    told = spans(at_hand.known, at=report.at)
    pairs: list[tuple[str, str | Text]] = [
        ("best copy", report.source),
        ("united from", ", ".join(holding.name for holding in at_hand.holdings)),
        ("fingerprint", report.fingerprint.grouped()),
        ("", f"equals the pin of {report.recipient.name}"),
        *(("user ID", text) for text in report.user_ids),
        ("verdict", _verdict(report)),
        ("last confirmed", f"{heard} (by a source of the network)"),
    ]
    screen.print(screens.panel("The key", screens.rows(pairs)))
    columns = max(_MIN_COLUMNS, width() - 6)
    picture = time_line(told, at=report.at, columns=columns, marks=_marks())
    screen.print(screens.panel("Its life", Text("\n".join(picture), no_wrap=True)))
    weak = [row for row in report.signatures if row.weak]
    for row in weak:
        gnupg = row.gnupg.value if row.gnupg else "not kept"
        screen.print(
            f"a {row.says} is made with {row.hash_name}, which does not count here"
            f" (packets say {row.ours.value}, GnuPG says {gnupg})"
        )
    echo_notices(notices)


def time_line(
    told: Sequence[Span], *, at: datetime, columns: int, marks: dict[str, str]
) -> list[str]:
    """Draw each life as a line under its name, with today across them all."""
    first = min(span.created for span in told)
    last = max([at, *(span.created for span in told), *(s.ends for s in told if s.ends)])
    whole = max((last - first).total_seconds(), 1.0)

    def column(when: datetime) -> int:
        return min(
            columns - 1, max(0, round((when - first).total_seconds() / whole * (columns - 1)))
        )

    today = column(at)
    lines: list[str] = []
    for span in told:
        start, end = column(span.created), column(span.ends or last)
        cells = [" "] * columns
        cells[start : end + 1] = marks["life"] * (end + 1 - start)
        cells[start] = marks["from"]
        cells[end] = marks["revoked" if span.revoked else "expires" if span.expires else "never"]
        if cells[today] in {" ", marks["life"]}:
            cells[today] = marks["now"]
        lines += [
            f"{span.name} {span.fingerprint.text[-16:]}",
            "".join(cells).rstrip(),
            _dates(span),
        ]
    label = f"today {at:%Y-%m-%d}"
    lines.append(" " * min(today, max(0, columns - len(label))) + label)
    return lines


def _dates(span: Span) -> str:
    words = [f"created {span.created:%Y-%m-%d}"]
    words.append(f"expires {span.expires:%Y-%m-%d}" if span.expires else "never expires")
    if span.revoked is not None:
        words.append(f"REVOKED {span.revoked:%Y-%m-%d}")
    if not span.bound:
        words.append("not bound to the key")
    return ", ".join(words)


def draw_refreshed(done: Refreshed, report: KeyReport) -> None:
    """Draw what a refresh has brought."""
    screen = screens.console()
    if done.set_aside is not None:
        screen.print(f"the damaged stored copy was set aside: {done.set_aside}")
    for change in done.changes:
        screen.print(change)
    if not done.changes:
        screen.print("nothing new: what is known already is all there is")
    screen.print(f"verdict: {_verdict(report)}")


def draw_history(stored: Stored | None, *, path: str) -> None:
    """Draw where each part came from, and each refresh."""
    screen = screens.console()
    if stored is None:
        screen.print(f"nothing is stored yet ({path}); certmail key refresh begins it")
        return
    parts = [(part.at[:10], Text(f"{part.words}\n  from {part.source}")) for part in stored.parts]
    screen.print(screens.panel("What the key has said, and who told it first", screens.rows(parts)))
    for attempt in stored.attempts:
        rows: list[tuple[str, str | Text]] = [
            ("" if said else "?", f"{name}: {said}") for name, said in attempt.answers
        ]
        rows += [("", change) for change in attempt.changes]
        screen.print(screens.panel(f"Refresh of {attempt.at[:16]} UTC", screens.rows(rows)))
    screen.print(f"kept in {path}")


def shown_as_json(
    at_hand: KeysAtHand, report: KeyReport, notices: Sequence[Notice]
) -> dict[str, Any]:
    """Give what `draw_shown` draws."""
    return {
        "at": report.at.isoformat(),
        "pin": report.recipient.pin.text,
        "source": report.source,
        "copies": [holding.name for holding in at_hand.holdings],
        "user_ids": list(report.user_ids),
        "usable_today": report.pinned is not None and report.unusable is None,
        "refusal": _refusal(report.refused or report.unusable),
        "confirmed_at": instant(at_hand.heard),
        "life": [_span(span) for span in spans(at_hand.known, at=report.at)],
        "notices": notices_as_json(notices),
    }


def refreshed_as_json(done: Refreshed, report: KeyReport) -> dict[str, Any]:
    """Give what `draw_refreshed` draws, and each source's answer."""
    return {
        "at": report.at.isoformat(),
        "sources": [
            {
                "name": heard.source.name,
                "where": heard.source.url,
                "has_the_key": heard.known is not None,
                "says": heard.words,
                "error": error_as_json(heard.failure) if heard.failure else None,
                "new_statements": len(heard.news),
            }
            for heard in done.heard
        ],
        "changes": list(done.changes),
        "usable_today": report.pinned is not None and report.unusable is None,
        "refusal": _refusal(report.refused or report.unusable),
        "life": [_span(span) for span in spans(done.now.known, at=report.at)],
    }


def history_as_json(stored: Stored | None, *, path: str) -> dict[str, Any]:
    """Give what `draw_history` draws."""
    return {
        "file": path,
        "confirmed_at": stored.heard_at if stored else None,
        "parts": [
            {"sha256": p.digest, "says": p.words, "source": p.source, "at": p.at}
            for p in (stored.parts if stored else ())
        ],
        "refreshes": [
            {
                "at": a.at,
                "confirmed": a.heard,
                "answers": [{"source": name, "says": said} for name, said in a.answers],
                "changes": list(a.changes),
            }
            for a in (stored.attempts if stored else ())
        ],
    }


def _verdict(report: KeyReport) -> str:
    refusal = report.refused or report.unusable
    return "can be encrypted to today" if refusal is None else f"REFUSED: {refusal.what}"


def _refusal(refusal: KeyRefused | None) -> dict[str, Any] | None:
    return None if refusal is None else error_as_json(refusal)


def _span(span: Span) -> dict[str, Any]:
    return {
        "name": span.name,
        "fingerprint": span.fingerprint.text,
        "created": span.created.isoformat(),
        "expires": instant(span.expires),
        "revoked": instant(span.revoked),
        "bound": span.bound,
    }


def _marks() -> dict[str, str]:
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return _LINE if encoding in {"utf8", "utf16"} else _PLAIN
