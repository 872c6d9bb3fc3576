"""Make the man pages while the wheel is built, so that each wheel has those of its own commands."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManPages(BuildHookInterface):  # type: ignore[type-arg] # configured by nothing
    """Add ``share/man`` to a wheel; an editable installation has no use for it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the pages beside nothing of the checkout, and name them to the builder."""
        self._folder: Path | None = None
        if self.target_name != "wheel" or version != "standard":
            return
        sys.path.insert(0, self.root)
        try:
            from certmail.cli.entry import certmail  # noqa: PLC0415 - of the checkout being built
            from certmail.cli.manual import man_pages  # noqa: PLC0415
        finally:
            sys.path.remove(self.root)
        self._folder = Path(tempfile.mkdtemp(prefix="certmail-man-"))
        for name, text in man_pages(certmail).items():
            page = self._folder / name
            page.write_text(text, encoding="ascii")
            build_data["shared_data"][str(page)] = f"share/man/man{page.suffix[1:]}/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was only on the way."""
        del version, build_data, artifact_path
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
