"""Who is told, and may object, before what cannot be taken back.

In: the facts of the live connection; the moment before the final dot. Out: nothing, or an error
that ends the attempt while nothing has been accepted. What a watcher keeps, and where, the
transport does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from certmail.delivery.tls import TlsFacts


class BeforeSecret(Protocol):
    """Hears of a login before it is done; it waits until the call returns."""

    def before_secret(self, tls: TlsFacts, mechanism: str | None) -> None:
        """Hear that TLS is proved; the password is read next, unless this raises."""


class Watch(BeforeSecret, Protocol):
    """Hears also of the final dot, in the same way."""

    def before_dot(self) -> None:
        """Hear that only the final dot is not sent; from the dot on only the relay can tell."""


class Unwatched:
    """Objects to nothing and remembers nothing."""

    def before_secret(self, tls: TlsFacts, mechanism: str | None) -> None:
        """Let it be read."""

    def before_dot(self) -> None:
        """Let it be written."""
