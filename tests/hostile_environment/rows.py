"""The table: an environment, and what has to come of a send in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTICE = "notice[ENVIRONMENT-CODE]"


@dataclass(frozen=True)
class Row:
    """``{home}``, ``{tmp}`` and ``{ca}`` in values name the user's home, a folder, the relay's CA.

    ``code`` None means that the message is sent as ever. ``says`` is text on standard error.
    ``words`` stand before the command; ``unset`` are variables that are taken away.
    """

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    code: str | None = None
    status: int = 0
    says: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()


def shell(script: str) -> tuple[str, ...]:
    """Run the command by a shell that has prepared something first."""
    return ("sh", "-c", f'{script}; exec "$@"', "sh")


WEAK_OPENSSL = "{home}/openssl.cnf"

ROWS = (
    Row("nothing"),
    # Variables of the loader, of Python and of OpenSSL.
    Row("LD_PRELOAD", {"LD_PRELOAD": "/no/such.so"}, says=(NOTICE, "LD_PRELOAD is set")),
    Row("LD_AUDIT", {"LD_AUDIT": "/no/such.so"}, says=(NOTICE,)),
    Row("LD_LIBRARY_PATH", {"LD_LIBRARY_PATH": "{tmp}"}, says=(NOTICE,)),
    Row("PYTHONPATH", {"PYTHONPATH": "{tmp}"}, says=(NOTICE, "env -u PYTHONPATH")),
    Row("PYTHONSTARTUP", {"PYTHONSTARTUP": "{home}/startup.py"}),
    Row("PYTHONASYNCIODEBUG", {"PYTHONASYNCIODEBUG": "1", "PYTHONDEVMODE": "1"}),
    Row("OPENSSL_CONF", {"OPENSSL_CONF": WEAK_OPENSSL}, says=(NOTICE,)),
    Row("SSLKEYLOGFILE", {"SSLKEYLOGFILE": "{home}/keys.log"}),
    Row("SSL_CERT_FILE that is none", {"SSL_CERT_FILE": "/none", "SSL_CERT_DIR": "/none"}),
    Row("PYTHON_KEYRING_BACKEND", {"PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring"}),
    Row(
        "proxies",
        dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:1"),
    ),
    # Words, time and manners.
    Row("locale C", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}),
    Row("locale of Turkey", {"LC_ALL": "tr_TR.UTF-8", "LANGUAGE": "tr"}),
    Row("locale that is none", {"LC_ALL": "xx_YY.nonsense", "LANG": "%s%n"}),
    Row("a time zone at the edge", {"TZ": "Pacific/Kiritimati"}),
    Row("umask 000", words=shell("umask 000")),
    Row("umask 777", words=shell("umask 777")),
    Row("nobody's terminal", words=("setsid", "-w")),
    Row("input closed", words=shell("exec <&-")),
    Row("no PATH but gpg's", {"PATH": "/usr/bin:/bin"}),
    Row("no HOME", unset=("HOME",)),
    Row("few files", words=shell("ulimit -n 40")),
    # Clocks. GnuPG is given the same one, but for the last.
    Row(
        "five years ahead", {"CLOCK": "+5y"}, code="LEAF-EXPIRED", status=10,
        says=("this machine's clock says",),
    ),
    Row("five years behind", {"CLOCK": "-5y"}, code="LEAF-NOT-YET", status=10, says=("clock",)),
    Row(
        "twelve years behind", {"CLOCK": "-12y"}, code="KEY-FROM-FUTURE", status=11,
        says=("clock",),
    ),
    Row(
        "two clocks", words=("faketime", "-f", "+40d"), code="SEAL-DATE", status=12, says=("clock",)
    ),
)  # fmt: skip
