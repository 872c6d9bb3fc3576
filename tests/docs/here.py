"""certmail as a page's sandbox runs it: the real command line, in a world on loopback.

Started as ``python here.py WORLD.json ARGUMENTS``. The world names where the key's sources, a
tested domain and the accepted key are; every other address is out of reach, so that no command of a
page can ever leave the machine. What was done differently from a plain run is appended to ``ways``.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import ssl
import sys
from pathlib import Path

NEAR = {"localhost", "127.0.0.1", "::1", "", None}


def stay_home(event: str, arguments: tuple[object, ...]) -> None:
    """Answer for the network: there is none but the loopback."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
        if isinstance(host, bytes):
            host = host.decode()
        if host not in NEAR and not str(host).startswith("127."):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1")):
            raise OSError(errno.ENETUNREACH, "Network is unreachable")


def main() -> int:
    """Run one command line in the world that was described."""
    described, *arguments = sys.argv[1:]
    known = json.loads(Path(described).read_text(encoding="utf-8"))
    sys.addaudithook(stay_home)
    # It leads here, and is not the user's.
    os.environ.pop("PYTHONPATH", None)

    from certmail.cli.entry import run
    from certmail.cli.keys_at_hand import World
    from certmail.keysources.fetch import Network
    from certmail.keysources.places import Places
    from certmail.web.fetch import Reach
    from tests.acme.edges import Wire

    base = known["sources"]
    domains = known["domains"]
    places = {address: tuple(at) for one in domains.values() for address, at in one.items()}
    world = World(
        Places(base + "/page", base + "/markdown", base, base, base, base, base),
        Network(
            env={},
            context=ssl.create_default_context(cafile=known["ca_file"]),
            private=frozenset({base.removeprefix("https://")}),
            timeout_s=5,
        ),
        Reach(
            resolve=lambda host, _port: tuple(domains.get(host, domains["*"])), wire=Wire(places)
        ),
    )
    if known["accept"] and may_accept(arguments):
        # Without a renewed copy beside the checkout, the one that ships is used on our word.
        arguments.append(f"--accept-expired-key={known['accept']}")
        with Path(known["ways"]).open("a", encoding="utf-8") as ways:
            ways.write("with the expired key accepted\n")
    return run(arguments, world=world)


def may_accept(arguments: list[str]) -> bool:
    """Tell whether this send can be told to take the expired copy."""
    sends = arguments[:1] == ["send"] or arguments[:2] == ["outbox", "retry"]
    finished = {"--sealed", "--dry-run", "--help", "-h"} & set(arguments)
    told = any(word.startswith("--accept-expired-key") for word in arguments)
    several = [word for word in arguments[1:] if word.endswith((".pem", "/"))]
    return sends and not finished and not told and (len(several) < 2 and "bundles/" not in several)


if __name__ == "__main__":
    sys.exit(main())
