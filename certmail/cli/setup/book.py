"""What set-up knows and keeps: the settings file, the flags, and what each step came to.

Answers are written one step at a time. Flags are answers too: they hold at once, for every step,
and are written with the step they belong to.
"""

from __future__ import annotations

import os
from dataclasses import field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from certmail.frozen import frozen, slotted
from certmail.settings import file as settings_file
from certmail.settings.keys import SECRET_SOURCES
from certmail.settings.resolve import Settings, Source, resolve, settings_path
from certmail.settings.write import draft, read, save

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certmail.cli.setup.talk import Talk
    from certmail.cli.wiring import Workbench
    from certmail.errors import CertmailError
    from certmail.settings.keys import Key
    from certmail.settings.write import Change


_TOLD: Final = {
    "signing-key": ("sender.key", "make_key", "no_passphrase"),
    "relay": (
        *("provider", "discover", "relay.host", "relay.port", "relay.mode", "relay.user"),
        "relay.ca_file",
    ),
    "secret": ("password_stdin", *(key.name for key in SECRET_SOURCES)),
    "preview": ("bundle",),
}
"""Which flags answer which step."""


class Outcome(Enum):
    """What a step came to."""

    DONE = "done"
    KEPT = "kept"
    SKIPPED = "skipped"
    FAILED = "failed"


@frozen
class Problem:
    """Something to know or to do: a code, what it is, what to type next."""

    code: str
    what: str
    next: str
    exit_status: int = 0

    @staticmethod
    def of(error: CertmailError) -> Problem:
        """Take it from a refusal."""
        return Problem(error.code, error.what, error.next, error.exit_status)


@frozen
class Step:
    """One step: its name for scripts, what it came to, and the value that may be shown."""

    name: str
    outcome: Outcome
    value: str = ""
    problems: tuple[Problem, ...] = ()


@slotted
class Book:
    """The settings as they are now, and how to change them."""

    path: Path
    flags: dict[str, str]
    talk: Talk
    parameters: dict[str, Any]
    common: Mapping[str, Any]
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    settings: Settings = field(init=False)
    written: Settings = field(init=False)
    """The same without the flags: what is set already."""

    @staticmethod
    def open(
        common: Mapping[str, Any], flags: dict[str, str], parameters: dict[str, Any], talk: Talk
    ) -> Book:
        """Read the settings file, which need not be there yet.

        Raises:
            SettingsError: those of ``certmail.settings``; nothing is asked before they are mended.
        """
        path = settings_path(os.environ, common["settings_file"]).absolute()
        book = Book(path, flags, talk, parameters, common)
        book.reload()
        return book

    def reload(self) -> None:
        """Read the file again, and let flags and environment win as everywhere."""
        entries = settings_file.parse(read(self.path) or b"", path=str(self.path))
        self.written = resolve(flags={}, environ=os.environ, entries=entries, path=self.path)
        self.settings = resolve(
            flags=self.flags, environ=os.environ, entries=entries, path=self.path
        )

    def keep(self, wishes: Mapping[Key[Any], str | None]) -> tuple[Change, ...]:
        """Write answers into the file now, and say what has changed in it."""
        drafted = draft(self.path, wishes)
        save(drafted)
        # A flag that meant the same in other words, such as a dash or a path, has been answered.
        # One whose line was only cleared has its turn in a later step.
        self.flags |= {
            key.name: text
            for key, text in wishes.items()
            if text is not None and key.name in self.flags
        }
        self.reload()
        for change in drafted.changes:
            self.talk.say(f"written: {change}", indent=2)
        return drafted.changes

    def ask_anew(self, names: tuple[str, ...]) -> None:
        """Forget what flags said about a step that failed: now somebody answers."""
        told = _TOLD.get(names[0], ())
        self.flags = {name: text for name, text in self.flags.items() if name not in told}
        self.parameters |= {name: None for name in told if name in self.parameters}
        self.reload()

    def drop(self, key: Key[Any]) -> None:
        """Forget a flag that was answered with nothing."""
        self.flags.pop(key.name, None)

    def given(self, key: Key[Any]) -> str | None:
        """Give what a flag says; a path is made to stand by itself."""
        text = self.flags.get(key.name)
        value = self.settings.get(key)
        # A path means the folder that the command was typed in; the file must say so in full.
        return str(value.absolute()) if text is not None and isinstance(value, Path) else text

    def overridden(self) -> tuple[Problem, ...]:
        """Tell which variables of the environment win over what was written."""
        return tuple(
            Problem(
                "SETUP-OVERRIDDEN",
                f"{row.origin.place} is set in the environment and wins over the settings file",
                f"unset {row.origin.place}, if the file is to count",
            )
            for row in self.settings.rows()
            if row.origin is not None
            and row.origin.source is Source.ENVIRONMENT
            and row.name.partition(".")[0] in {"sender", "relay"}
        )

    def bench(self) -> Workbench:
        """Give what every command that seals works with, on the settings as they are now."""
        from certmail.cli.keys_at_hand import World
        from certmail.cli.wiring import Workbench
        from certmail.gnupg.runner import find_gpg
        from certmail.settings.keys import GNUPG_PROGRAM

        program = self.settings.get(GNUPG_PROGRAM)
        return Workbench(
            settings=self.settings,
            gpg=find_gpg(str(program) if program else None),
            at=self.at,
            world=self.common.get("world") or World(),
        )
