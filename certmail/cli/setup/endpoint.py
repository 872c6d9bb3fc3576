"""A relay's place: what the list, the DNS or somebody at the terminal comes up with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certmail.frozen import frozen
from certmail.submission import Mode

if TYPE_CHECKING:
    from certmail.providers import Provider


@frozen
class Endpoint:
    """A host, a port and how TLS begins; ``provider`` says the rest, where it is a preset."""

    host: str
    port: int
    mode: Mode
    provider: Provider | None = None

    def __str__(self) -> str:
        """Say it as people read it."""
        begins = "TLS from the first byte" if self.mode is Mode.IMPLICIT else "STARTTLS, required"
        return f"{self.host} port {self.port}, {begins}"
