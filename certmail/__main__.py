"""The door that the shell opens: ``certmail`` and ``python -m certmail``.

A bare ``--version`` is answered before anything else is imported.
"""

from __future__ import annotations

import gc
import os
import sys

from certmail import __version__

OBJECTS_BETWEEN_LOOKS = 20_000
"""So many more objects must there be before Python looks for unused ones: 2 MB of them."""


def main() -> None:
    """Run the command line and end the process with its exit status."""
    if sys.argv[1:] in (["--version"], ["-V"]) and sys.stdout is not None:
        _end(0, f"certmail {__version__}\n")
    # What is above must be cheap. Modules are no rubbish, and yet Python looks through them fifty
    # times while they are loaded: a tenth of what a command takes.
    gc.set_threshold(OBJECTS_BETWEEN_LOOKS)
    from certmail.cli.entry import run  # noqa: PLC0415
    from certmail.cli.hardening import fill_standard_streams  # noqa: PLC0415
    from certmail.cli.withheld import withhold_texts  # noqa: PLC0415

    fill_standard_streams()
    withhold_texts()
    _end(run(sys.argv[1:]))


def _end(status: int, last_words: str = "") -> None:
    """End the process as it is.

    Whatever had to be closed, was: files, folders and programs end with their blocks. Taking the
    interpreter apart, module by module, would take longer than sealing does.
    """
    try:
        sys.stdout.write(last_words)
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        from certmail.cli.entry import LOST  # noqa: PLC0415 - as above

        status = status or LOST
    os._exit(status)


if __name__ == "__main__":
    main()
