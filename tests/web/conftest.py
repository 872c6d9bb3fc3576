"""A CA for servers on loopback."""

from __future__ import annotations

from tests.keysources.conftest import trust

__all__ = ["trust"]
