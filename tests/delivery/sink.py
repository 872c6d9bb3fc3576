"""Where a relay that keeps no mail hands it on to: plain SMTP, on loopback, kept in memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from aiosmtpd.controller import Controller

from tests.delivery.postfix import free_ports

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP


class Sink:
    """A context manager that listens; ``delivered`` gives what came."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def __enter__(self) -> Self:
        [self.port] = free_ports(1)
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.controller.stop()

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        self.messages.append(envelope.original_content)
        return "250 2.0.0 kept"

    def delivered(self, *, patience_s: float = 10.0) -> list[bytes]:
        until = time.monotonic() + patience_s
        while not self.messages and time.monotonic() < until:
            time.sleep(0.02)
        return list(self.messages)

    def forget(self) -> None:
        self.messages.clear()
