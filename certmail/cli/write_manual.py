"""``python -m certmail.cli.write_manual FOLDER``: write the man pages, for ``make man``."""

from __future__ import annotations

import sys
from pathlib import Path

from certmail.cli.entry import certmail
from certmail.cli.manual import man_pages


def main(folder: Path) -> None:
    """Write each page into the folder of its section."""
    for name, text in man_pages(certmail).items():
        page = folder / f"man{name.rpartition('.')[2]}" / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
