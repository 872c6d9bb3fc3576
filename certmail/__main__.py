"""The door that the shell opens: ``certmail`` and ``python -m certmail``.

A bare ``--version`` is answered before anything else is imported.
"""

from __future__ import annotations

import gc
import sys

from certmail import __version__

OBJECTS_BETWEEN_LOOKS = 20_000
"""So many more objects must there be before Python looks for unused ones: 2 MB of them."""


def main() -> None:
    """Run the command line and end the process with its exit status."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"certmail {__version__}\n")
        return
    # What is above must be cheap. Modules are no rubbish, and yet Python looks through them fifty
    # times while they are loaded and twice before it ends: a tenth of what a command takes.
    gc.set_threshold(OBJECTS_BETWEEN_LOOKS)
    from certmail.cli.entry import run  # noqa: PLC0415
    from certmail.cli.hardening import fill_standard_streams  # noqa: PLC0415
    from certmail.cli.withheld import withhold_texts  # noqa: PLC0415

    fill_standard_streams()
    withhold_texts()
    status = run(sys.argv[1:])
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    main()
