"""What a batch remembers of each bundle: some 200 octets, since there may be many thousands.

In: names of files, what the check of each found, numbers in the outbox, verdicts. Out: the same,
of one bundle at a time, by its place in the order of the files. What else is told of a message is
read from the outbox when it is told; a bundle or a message is never held.

Facts of all bundles lie in columns, in which one has no object of its own: what a verdict costs in
memory otherwise grows until it is most of the program.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from datetime import date
from os.path import commonprefix
from typing import TYPE_CHECKING, Final

from certmail.batch import Outcome
from certmail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from certmail.errors import CertmailError

_OUTCOMES: Final = tuple(Outcome)
_NONE_YET: Final = len(_OUTCOMES)
_SHA256_OCTETS: Final = 32
_BETWEEN: Final = "\n"
"""Between two names; a name that was checked is a host's, and has no such thing in it."""


@frozen
class Checked:
    """One bundle that may be sent: what is remembered of it. The bundle itself is read again."""

    path: str
    names: tuple[str, ...]
    ends: date
    certificate_sha256: str
    sha256: str
    """Of the bundle's octets: the same ones need no second look at the key's numbers."""


@frozen
class Verdict:
    """What came of one bundle; ``number`` is its message's in the outbox, 0 if never offered."""

    outcome: Outcome
    number: int = 0
    error: CertmailError | None = None
    again_at: datetime | None = None


class _Texts:
    """Short texts, one behind the other: an object for each would take twice the room."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Take down texts; each can be replaced, at the cost of its room."""
        self._octets = bytearray()
        self._spans = array("I", [0]) * (2 * len(texts))
        for place, text in enumerate(texts):
            self[place] = text

    def __len__(self) -> int:
        """Count them."""
        return len(self._spans) // 2

    def __getitem__(self, place: int) -> str:
        """Give one."""
        begin, end = self._spans[2 * place], self._spans[2 * place + 1]
        return self._octets[begin:end].decode("utf-8", "surrogatepass")

    def __setitem__(self, place: int, text: str) -> None:
        """Put one in its place; a file's name need not be Unicode."""
        self._spans[2 * place] = len(self._octets)
        self._octets += text.encode("utf-8", "surrogatepass")
        self._spans[2 * place + 1] = len(self._octets)


class Roll:
    """All bundles of a run, by their place in the order of the files."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Name the files; nothing is known of them yet."""
        many = len(paths)
        # Most have their folder in common, and need it once; letter by letter is right here.
        self._folder = commonprefix(paths)  # noqa: RUF071
        self._files = _Texts([path[len(self._folder) :] for path in paths])
        self.twins: Final[dict[int, int]] = {}
        """Places whose certificate came before, each with the place where it did."""
        self._names = _Texts([""] * many)
        self._ends = array("i", [date.min.toordinal()]) * many
        self._digests = bytearray(2 * _SHA256_OCTETS * many)
        self._outcomes = bytearray([_NONE_YET]) * many
        self._offered = array("q", [0]) * many
        self._numbers = array("q")
        self._places = array("i")
        self._troubles: dict[int, tuple[CertmailError | None, datetime | None]] = {}
        self._words: dict[tuple[object, ...], CertmailError] = {}

    def __len__(self) -> int:
        """Count the files."""
        return len(self._files)

    def __getitem__(self, place: int) -> Checked:
        """Give what the check found; names, dates and digests are empty where it refused."""
        certificate, octets = self._digests_at(place)
        return Checked(
            self.path(place),
            self.names(place),
            date.fromordinal(self._ends[place]),
            # In the spelling of the check's facts, with which both are compared.
            certificate.hex().upper(),
            octets.hex().upper(),
        )

    def path(self, place: int) -> str:
        """Give the name of a file, as it was given."""
        return self._folder + self._files[place]

    def names(self, place: int) -> tuple[str, ...]:
        """Give the names in a bundle's certificate; none where its check refused it."""
        text = self._names[place]
        return tuple(text.split(_BETWEEN)) if text else ()

    def take(self, place: int, found: Checked) -> None:
        """Take down what the check found."""
        self._names[place] = _BETWEEN.join(found.names)
        self._ends[place] = found.ends.toordinal()
        at = 2 * _SHA256_OCTETS * place
        both = bytes.fromhex(found.certificate_sha256 + found.sha256)
        self._digests[at : at + len(both)] = both

    def pair_up(self) -> None:
        """Find the files that hold a certificate of a file before them."""
        first: dict[bytes, int] = {}
        for place in range(len(self)):
            before = first.setdefault(self._digests_at(place)[0], place)
            if before != place:
                self.twins[place] = before

    def single(self) -> Iterator[int]:
        """Give the places of each certificate's first file."""
        return (place for place in range(len(self)) if place not in self.twins)

    def number(self, place: int, number: int) -> None:
        """Take down which message of the outbox holds the bundle."""
        at = bisect_left(self._numbers, number)
        if at < len(self._numbers) and self._numbers[at] == number:
            self._places[at] = place
            return
        # Numbers grow as messages are sealed, so that this nearly always is the end.
        self._numbers.insert(at, number)
        self._places.insert(at, place)

    def place_of(self, number: int) -> int:
        """Find the bundle that a message of the outbox holds."""
        return self._places[bisect_left(self._numbers, number)]

    def settle(self, place: int, verdict: Verdict) -> bool:
        """Take down what came of a bundle, in place of what was said before; tell if it is new."""
        fresh = self._outcomes[place] == _NONE_YET
        self._outcomes[place] = _OUTCOMES.index(verdict.outcome)
        self._offered[place] = verdict.number
        self._troubles.pop(place, None)
        if verdict.error is not None or verdict.again_at is not None:
            self._troubles[place] = (self._worded(verdict.error), verdict.again_at)
        return fresh

    def verdict(self, place: int) -> Verdict | None:
        """Give what came of a bundle; None if its turn has not come."""
        if self._outcomes[place] == _NONE_YET:
            return None
        error, again_at = self._troubles.get(place, (None, None))
        outcome = _OUTCOMES[self._outcomes[place]]
        return Verdict(outcome, self._offered[place], error, again_at)

    def _digests_at(self, place: int) -> tuple[bytes, bytes]:
        at = 2 * _SHA256_OCTETS * place
        both = bytes(self._digests[at : at + 2 * _SHA256_OCTETS])
        return both[:_SHA256_OCTETS], both[_SHA256_OCTETS:]

    def _worded(self, error: CertmailError | None) -> CertmailError | None:
        """Keep an error's words, once for all who have the same, and nothing that it came through.

        The frames of its traceback hold a bundle with its private key, or a sealed message.
        """
        if error is None:
            return None
        words = (
            type(error), error.code, error.what, error.why, error.next, error.left, error.file,
            error.lines,
        )  # fmt: skip
        kept = self._words.setdefault(words, error)
        if kept is error:
            error.__traceback__ = error.__context__ = error.__cause__ = None
        return kept
