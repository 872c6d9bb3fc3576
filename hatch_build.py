"""What each build adds: one date in every artefact, and man pages of its commands in a wheel."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Release(BuildHookInterface):  # type: ignore[type-arg] # configured by nothing
    """Date what is built by ``certmail.RELEASED``, and add ``share/man`` to a wheel.

    An editable installation has no use for the pages.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the pages beside nothing of the checkout, and name them to the builder."""
        self._folder: Path | None = None
        sys.path.insert(0, self.root)
        try:
            import certmail  # noqa: PLC0415 - of the checkout being built
        finally:
            sys.path.remove(self.root)
        day = datetime.fromisoformat(certmail.RELEASED).replace(tzinfo=UTC)
        # Whoever sets another one, a distribution say, gets it.
        os.environ.setdefault("SOURCE_DATE_EPOCH", str(int(day.timestamp())))
        if self.target_name != "wheel" or version != "standard":
            return
        self._folder = Path(tempfile.mkdtemp(prefix="certmail-man-"))
        for name, text in _pages().items():
            page = self._folder / name
            page.write_text(text, encoding="ascii", newline="\n")
            build_data["shared_data"][str(page)] = f"share/man/man{page.suffix[1:]}/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was only on the way."""
        del version, build_data, artifact_path
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _pages() -> dict[str, str]:
    from certmail.cli.entry import certmail  # noqa: PLC0415 - needs click, as only a wheel does
    from certmail.cli.manual import man_pages  # noqa: PLC0415

    return man_pages(certmail)
