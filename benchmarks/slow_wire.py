"""A wire that takes its time: every octet arrives a while after it was sent, in both directions.

``tc netem`` would delay a real interface; where the kernel has it not, this does as much for what is
measured here. The connection itself is made at once, so one round trip of a real one is missing.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 65536


@contextmanager
def slow_wire(port: int, *, one_way_s: float) -> Iterator[int]:
    """Lead to ``port`` over a wire with this delay each way; give the port of its near end."""
    loop = asyncio.new_event_loop()
    ready: list[int] = []
    started = threading.Event()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, octets = await queue.get()
                await asyncio.sleep(max(due - loop.time(), 0))
                if not octets:
                    if writer.can_write_eof():
                        writer.write_eof()
                    return
                writer.write(octets)
                await writer.drain()

        task = asyncio.create_task(deliver())
        try:
            while octets := await reader.read(_CHUNK):
                queue.put_nowait((loop.time() + one_way_s, octets))
        except ConnectionError:
            pass
        queue.put_nowait((loop.time() + one_way_s, b""))
        try:
            await task
        except ConnectionError:
            task.cancel()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        for one in (writer, far_writer):
            sock = one.get_extra_info("socket")
            sock.setsockopt(6, 1, 1)  # TCP_NODELAY: the delay is the wire's alone
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        writer.close()
        far_writer.close()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(asyncio.start_server(lead, "127.0.0.1", 0))
        ready.append(server.sockets[0].getsockname()[1])
        started.set()
        loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
