"""Run certmail and let one of its functions fail: ``faulty.py ROOM:FUNCTION COUNT KIND ARGS``.

The function fails at its COUNTth call, as if its first line did. What is raised quotes the bundle
and the password, as a careless library's exception would. Nothing of certmail is replaced: the
interpreter's own hook for debuggers raises. ``list`` instead of a place writes the name of every
function of certmail that was called, in the order of their first calls, to the file of COUNT.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certmail
from certmail.__main__ import main as run_main

if TYPE_CHECKING:
    from types import FrameType

ROOT = str(Path(certmail.__file__).parent) + os.sep


class Injected(Exception):
    """What nobody expects."""


def fault_of(kind: str) -> BaseException:
    text = Path("bundle.pem").read_text() + " correct-horse-battery "
    match kind:
        case "bug":
            return Injected(text)
        case "value":
            return ValueError(text, Path("bundle.pem").read_bytes())
        case "disk":
            return OSError(28, text, text)
        case "memory":
            return MemoryError(text)
        case "interrupt":
            return KeyboardInterrupt(text)
        case "exit":
            return SystemExit(143)
        case _:
            raise SystemExit(f"no such kind: {kind}")


class Watcher:
    """Sees every call; has one of them fail, or writes all of them down."""

    def __init__(self, place: str, count: str, kind: str) -> None:
        self.place, self.kind = place, kind
        self.left = 0 if place == "list" else int(count)
        self.seen: dict[str, None] = {}

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        del arg
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(ROOT):
            return
        room = code.co_filename.removeprefix(ROOT).removesuffix(".py").replace(os.sep, ".")
        name = f"{room}:{code.co_qualname}"
        if self.place == "list":
            self.seen.setdefault(name)
        elif name == self.place:
            self.left -= 1
            if self.left == 0:
                raise fault_of(self.kind)


def main() -> int:
    place, count, kind, *arguments = sys.argv[1:]
    # A test runner's worker may ignore Ctrl-C, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    watcher = Watcher(place, count, kind)
    threading.settrace(watcher)
    sys.settrace(watcher)
    sys.argv[1:] = arguments
    status = 0
    # The program ends its process as it is, and here something comes afterwards.
    os._exit = sys.exit  # type: ignore[assignment]
    try:
        run_main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    sys.settrace(None)
    if place == "list":
        Path(count).write_text("\n".join(watcher.seen))
    elif watcher.left > 0:
        sys.stderr.write(f"{place} was called too seldom\n")
        return 99
    return status


if __name__ == "__main__":
    sys.exit(main())
