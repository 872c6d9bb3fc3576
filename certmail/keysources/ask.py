"""Ask every source at once and give each one's answer, in the order of the list.

Comes in: sources. Goes out: an `Answer` for each: bytes, or why there are none. No source can hold
up another: each is asked in a thread of its own that may be left behind when its time is over.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import field
from typing import TYPE_CHECKING, Final

from certmail.errors import CertmailError, KeyRefused
from certmail.events import Teller
from certmail.frozen import frozen
from certmail.keysources.fetch import Network, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from certmail.keysources.places import Source

_tell: Final = Teller(__name__)

_GRACE_S: Final = 1.0
"""For what no deadline reaches, such as a resolver that does not return."""


@frozen
class Answer:
    """What a source sent, or why it sent nothing."""

    source: Source
    body: bytes | None = field(repr=False)
    failure: CertmailError | None


def ask(
    sources: Sequence[Source],
    *,
    network: Network,
    progress: Callable[[Answer], None] | None = None,
) -> tuple[Answer, ...]:
    """Ask ``sources``; ``progress`` hears each answer as it comes."""
    answers: dict[int, Answer] = {}
    heard: queue.Queue[tuple[int, Answer]] = queue.Queue()

    def one(index: int, source: Source) -> None:
        heard.put((index, _answer(source, network)))

    for index, source in enumerate(sources):
        threading.Thread(target=one, args=(index, source), daemon=True).start()
    deadline = time.monotonic() + network.timeout_s + _GRACE_S
    while len(answers) < len(sources):
        try:
            index, answer = heard.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        answers[index] = answer
        if progress is not None:
            progress(answer)
    return tuple(answers.get(index) or _silent(source) for index, source in enumerate(sources))


def _answer(source: Source, network: Network) -> Answer:
    _tell("source asked", name=source.name, url=source.url)
    began = time.monotonic()
    try:
        body = fetch(source, network=network)
    except CertmailError as failure:
        _tell(
            "source failed", name=source.name, code=failure.code, seconds=time.monotonic() - began
        )
        return Answer(source, None, failure)
    _tell("source answered", name=source.name, octets=len(body), seconds=time.monotonic() - began)
    return Answer(source, body, None)


def _silent(source: Source) -> Answer:
    return Answer(
        source,
        None,
        KeyRefused(
            "KEY-SOURCE-TIMEOUT",
            f"{source.name} did not answer in time",
            why="a source that stalls must not hold up the others",
            next="certmail key refresh, later",
        ),
    )
