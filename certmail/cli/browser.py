"""The user's browser, for one address: the provider's form.

Nothing but that constant is handed over. Whether there is a screen to open it on is looked at
first, since a browser for terminals would take the terminal.
"""

from __future__ import annotations

import os
import sys
import webbrowser

from certmail.recipient import UPLOAD_FORM


def can_open() -> bool:
    """Whether there is a screen, and a browser for it."""
    if sys.platform not in {"win32", "darwin"} and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def open_form() -> bool:
    """Open the form; tell whether a browser took it."""
    return webbrowser.open(UPLOAD_FORM)
