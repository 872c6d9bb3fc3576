"""The door that the shell opens: ``certmail`` and ``python -m certmail``.

A bare ``--version`` is answered before anything else is imported.
"""

from __future__ import annotations

import sys

from certmail import __version__


def main() -> None:
    """Run the command line and end the process with its exit status."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"certmail {__version__}\n")
        return
    # The line above must stay cheap.
    from certmail.cli.entry import run  # noqa: PLC0415
    from certmail.cli.hardening import fill_standard_streams  # noqa: PLC0415
    from certmail.cli.withheld import withhold_texts  # noqa: PLC0415

    fill_standard_streams()
    withhold_texts()
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
