"""How far something is that takes long: a bar on a terminal, a line now and then elsewhere.

Always on standard error, and never with --quiet or --json. What is drawn on a terminal is gone when
it ends, by Ctrl-C too, and the cursor is back.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, Self

from certmail.cli.loudness import aside, is_hushed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

EVERY_S: Final = 10.0
"""Into a file or a journal goes at most one line in so many seconds."""


class Counted:
    """So many of many; ``with Counted("checked", total=3) as done: done.one_more()``."""

    def __init__(
        self, what: str, *, total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Say what is counted, like "checked"."""
        self._what, self._total, self._clock = what, total, clock
        self._done, self._told_at = 0, 0.0
        self._advance: Callable[[], object] | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Begin to draw."""
        from certmail.cli import screens

        self._told_at = self._clock()
        if not is_hushed() and screens.is_lively():
            with _taken_away_if_interrupted(self._open):
                self._advance = self._bar()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take away what was drawn."""
        self._open.close()

    def one_more(self) -> None:
        """Count one."""
        self._done += 1
        if self._advance is not None:
            self._advance()
        elif self._clock() - self._told_at >= EVERY_S and self._done < self._total:
            self._told_at = self._clock()
            aside(f"  … {self._what} {self._done} of {self._total}")

    def _bar(self) -> Callable[[], object]:
        from rich import progress

        from certmail.cli import screens

        bar = progress.Progress(
            progress.TextColumn(self._what),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            console=screens.console(error=True),
            transient=True,
        )
        self._open.callback(bar.stop)
        bar.start()
        task = bar.add_task(self._what, total=self._total)
        return lambda: bar.advance(task)


@contextmanager
def _taken_away_if_interrupted(drawn: ExitStack) -> Iterator[None]:
    """Ctrl-C may come while something is being put on the screen, before it can be taken away."""
    try:
        yield
    except BaseException:
        drawn.close()
        raise


class Awaited:
    """Names of what is awaited, on a terminal; elsewhere nothing, since what comes is told."""

    def __init__(self, names: Iterable[str]) -> None:
        """Say what is awaited."""
        self._names = list(names)
        self._update: Callable[[str], None] | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Begin to draw."""
        from certmail.cli import screens

        if self._names and not is_hushed() and screens.is_lively():
            status = screens.console(error=True).status(self._words(), spinner="line")
            self._open.callback(status.stop)
            with _taken_away_if_interrupted(self._open):
                status.start()
            self._update = status.update
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take away what was drawn."""
        self._open.close()

    def came(self, name: str) -> None:
        """Take one off the list."""
        if name in self._names:
            self._names.remove(name)
        if self._update is not None:
            self._update(self._words())

    def _words(self) -> str:
        from certmail.cli.draw import width

        shown = f"waiting for {', '.join(self._names)}"
        room = width() - 3
        return shown if len(shown) <= room else shown[: room - 1] + "…"
