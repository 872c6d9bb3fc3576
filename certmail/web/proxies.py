"""Which proxy the user's environment names for a host, in the usual variables.

Comes in: the environment and a host. Goes out: the proxy's URL, or None. A proxy is the user's own
choice and may lie in their network. It sees which host is asked; over https it does not see what
is answered.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALL: Final = ("all_proxy", "ALL_PROXY")
_VARIABLES: Final = {
    "https": ("https_proxy", "HTTPS_PROXY", *_ALL),
    "http": ("http_proxy", "HTTP_PROXY", *_ALL),
}
_EXCEPTIONS: Final = ("no_proxy", "NO_PROXY")


def proxy_for(scheme: str, host: str, port: int, env: Mapping[str, str]) -> str | None:
    """Give the URL of the proxy through which ``host`` is to be reached."""
    proxy = next((env[name] for name in _VARIABLES[scheme] if env.get(name)), None)
    if proxy is None:
        return None
    listed = next((env[name] for name in _EXCEPTIONS if env.get(name)), "")
    names = [name.strip().lower() for name in listed.split(",") if name.strip()]
    if any(_covers(name, host.lower(), port) for name in names):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _covers(name: str, host: str, port: int) -> bool:
    """Tell whether an entry of ``no_proxy`` means the host: a name, a domain, a network, or all."""
    if name == "*":
        return True
    bare, colon, named_port = name.rpartition(":")
    if colon and named_port.isdigit() and ":" not in bare:
        if int(named_port) != port:
            return False
        name = bare
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        domain = name.removeprefix("*").removeprefix(".")
        return host == domain or host.endswith(f".{domain}")
