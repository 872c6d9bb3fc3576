"""Speak to a program of Mozilla's through its Marionette port: as much of it as is used here.

The protocol is a length in decimal, a colon, and JSON: ``[0, number, command, parameters]`` goes,
``[1, number, error, result]`` comes.
"""

from __future__ import annotations

import base64
import json
import socket
import time


class Marionette:
    """One session, in the context of the program itself; use as a context manager."""

    def __init__(self, port: int, *, patience_s: float) -> None:
        self.number = 0
        end = time.monotonic() + patience_s
        while True:
            try:
                self.wire = socket.create_connection(("127.0.0.1", port), timeout=patience_s)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
        self.stream = self.wire.makefile("rb")
        self._receive()  # its greeting
        self.ask("WebDriver:NewSession", capabilities={})
        self.ask("Marionette:SetContext", value="chrome")

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self.wire.close()

    def ask(self, command: str, **parameters):
        self.number += 1
        said = json.dumps([0, self.number, command, parameters]).encode()
        self.wire.sendall(b"%d:%s" % (len(said), said))
        _, _, error, result = self._receive()
        if error:
            raise RuntimeError(f"{error['error']}: {error['message']}")
        return result

    def run(self, script: str, *args, patience_s: float = 60):
        """Run an asynchronous function's body in the program; give what it returns."""
        wrapped = (
            "const [resolve, ...args] = [arguments[arguments.length - 1], ...arguments];"
            f"(async (...args) => {{{script}}})(...args).then("
            "value => resolve({value}), error => resolve({error: `${error}\\n${error.stack}`}));"
        )
        answer = self.ask(
            "WebDriver:ExecuteAsyncScript",
            script=wrapped,
            args=args,
            newSandbox=False,
            sandbox="system",
            scriptTimeout=int(patience_s * 1000),
        )["value"]
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer.get("value")

    def screenshot(self) -> bytes:
        return base64.b64decode(self.ask("WebDriver:TakeScreenshot", full=False)["value"])

    def _receive(self):
        size = b""
        while (octet := self.stream.read(1)) != b":":
            if not octet:
                raise ConnectionError("the program hung up")
            size += octet
        return json.loads(self.stream.read(int(size)))
