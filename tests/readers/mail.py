"""Mail programs on a terminal, with GnuPG below them; each is watched for connections it tries."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import os
import re
import struct
import subprocess
import threading
from typing import TYPE_CHECKING

from certmail.gnupg.homes import throwaway_home
from tests.peers import need
from tests.posix import posix
from tests.readers.openpgp import attached
from tests.readers.reading import PATIENCE_S, Kind, Reading, Sign, run
from tests.readers.thunderbird import alone, as_mbox, message_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.readers.messages import Message


@contextlib.contextmanager
def desk(messages: Sequence[Message], room: Path) -> Iterator[dict[str, str]]:
    """Give an environment in which GnuPG holds the recipients' keys and trusts the senders'."""
    with throwaway_home(os.environ) as home:
        ask = [need("gpg", package="gnupg"), "--homedir", str(home), "--batch", "--quiet"]
        for key in {key for m in messages for key in (m.secret, m.signer_public)}:
            run(*ask, "--import", stdin=key)
        trust = "".join(sorted({f"{m.signer.text}:6:\n" for m in messages}))
        run(*ask, "--import-ownertrust", stdin=trust.encode())
        yield {
            "PATH": os.environ["PATH"],
            "HOME": str(room),
            "GNUPGHOME": str(home),
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm",
        }


def watched(trace: Path) -> tuple[str, ...]:
    """Give the words that start a program without a network, and write down what it connects to."""
    return (*alone(), need("strace"), "-f", "-qq", "-e", "trace=connect", "-o", str(trace))


def tried(trace: Path) -> tuple[str, ...]:
    """List the connections that were tried and would have left the machine."""
    return tuple(line for line in trace.read_text().splitlines() if "sa_family=AF_INET" in line)


class Notmuch:
    name, package, note = "notmuch", "notmuch", ""
    kind = Kind.MAIL
    signs = frozenset(Sign)

    def version(self) -> str:
        return run(need("notmuch"), "--version").stdout.decode().split()[1]

    def read(self, messages: Sequence[Message], room: Path) -> list[Reading]:
        folder = room / "mail"
        for name in ("cur", "new", "tmp"):
            (folder / name).mkdir(parents=True)
        for message in messages:
            (folder / "cur" / f"{message.name}:2,S").write_bytes(message.mail)
        config = room / "config"
        config.write_text(f"[database]\npath={folder}\n[user]\nprimary_email=to@example.org\n")
        with desk(messages, room) as env:
            env["NOTMUCH_CONFIG"] = str(config)
            run(need("notmuch"), "new", env=env)
            return [self._show(message, room, env) for message in messages]

    @staticmethod
    def _show(message: Message, room: Path, env: dict[str, str]) -> Reading:
        trace = room / f"{message.name}.trace"
        which = f"id:{message_id(message.mail)}"
        show = [*watched(trace), need("notmuch"), "show", "--decrypt=true", "--entire-thread=false"]
        done = run(*show, "--format=json", which, env=env)
        told = json.loads(done.stdout)[0][0][0]
        parts = list(_parts(told["body"]))
        encrypted = next(part for part in parts if "encstatus" in part)
        signed = next((part["sigstatus"] for part in parts if part.get("sigstatus")), [])
        good = [status for status in signed if status["status"] == "good"]
        attachment = next((part for part in parts if "filename" in part), None)
        raw = None
        if attachment is not None:
            raw = run(*show, "--format=raw", f"--part={attachment['id']}", which, env=env).stdout
        text = next((p["content"] for p in parts if p["content-type"] == "text/plain"), None)
        return Reading(
            shown=text if encrypted["encstatus"][0]["status"] == "good" else None,
            signed_by=good[0]["fingerprint"] if len(good) == len(signed) == 1 else None,
            attachment=raw,
            subject=told["headers"]["Subject"],
            tried=tried(trace),
            said=f"{encrypted['encstatus']} {signed} {done.stderr.decode()}",
        )


def _parts(tree: list) -> Iterator[dict]:
    for part in tree:
        yield part
        if isinstance(part.get("content"), list):
            yield from _parts([child for child in part["content"] if isinstance(child, dict)])


NEOMUTTRC = """\
set crypt_use_gpgme=yes crypt_verify_sig=yes crypt_protected_headers_read=yes
set folder="{room}" spool_file="" record="" sendmail="/bin/false" header_cache=""
set confirm_create=no confirm_append=no wait_key=no quit=yes move=no
set charset="utf-8"
set display_filter="tee {room}/shown"
ignore *
unignore subject
"""


class Neomutt:
    name, package = "NeoMutt", "neomutt"
    note = "tells who signed by name; here no two senders have the same"
    kind = Kind.MAIL
    signs = frozenset(Sign)

    def version(self) -> str:
        return run(need("neomutt"), "-v").stdout.decode().split()[1]

    def read(self, messages: Sequence[Message], room: Path) -> list[Reading]:
        with desk(messages, room) as env:
            return [self._show(message, room / message.name, env) for message in messages]

    def _show(self, message: Message, room: Path, env: dict[str, str]) -> Reading:
        room.mkdir()
        (room / "mailbox").write_bytes(as_mbox(message.mail))
        (room / "rc").write_text(NEOMUTTRC.format(room=room))
        keys = f"<display-message><exit><decrypt-copy>{room}/copy<enter><exit>"
        trace = room / "trace"
        screen = on_terminal(
            [
                *(*watched(trace), need("neomutt"), "-n", "-F", str(room / "rc"), "-R"),
                *("-f", str(room / "mailbox"), "-e", f'push "{keys}"'),
            ],
            env=env,
        )
        shown = (room / "shown").read_text() if (room / "shown").exists() else ""
        # Attributes of the terminal, which NeoMutt writes between BEL and letters.
        shown = re.sub(r"\x1b?\]8;\d+\x07?|\x1b?\]9;\d+\x07?", "", shown)
        return Reading(
            shown=shown,
            signed_by=self._signer(shown),
            attachment=self._attachment(room / "copy"),
            subject=self._subject(shown),
            tried=tried(trace),
            said=shown[:1500] + screen[-500:],
        )

    @staticmethod
    def _signer(shown: str) -> str | None:
        """Read the name in the one signature's verdict, if it is good."""
        verdicts = re.findall(r"^(.*signature from): (.*?) <", shown, re.MULTILINE)
        good = verdicts and all(verdict == "Good signature from" for verdict, _ in verdicts)
        return verdicts[0][1] if good else None

    @staticmethod
    def _subject(shown: str) -> str | None:
        """Read the subject that stands below the line which says that the rest is encrypted."""
        _, marker, inner = shown.partition("[-- The following data is PGP/MIME")
        found = re.search(r"^.{0,3}Subject: (.*(?:\n[ \t]+.*)*)", inner, re.MULTILINE)
        return re.sub(r"\s*\n\s+", " ", found[1]) if marker and found else None

    @staticmethod
    def _attachment(copy: Path) -> bytes | None:
        """Take the attachment from the decrypted copy that NeoMutt has written."""
        if not copy.exists():
            return None
        mail = email.message_from_bytes(copy.read_bytes(), policy=email.policy.default)
        first = next(mail.iter_parts(), None)
        inner = first if mail.get_content_type() == "multipart/signed" else mail
        return attached(inner.as_bytes())


def on_terminal(argv: list[str], *, env: dict[str, str]) -> str:
    """Run a program on a terminal of its own and give what it drew."""
    outside, inside = posix("pty").openpty()
    posix("fcntl").ioctl(inside, posix("termios").TIOCSWINSZ, struct.pack("HHHH", 50, 250, 0, 0))
    drawn: list[bytes] = []

    def look() -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while octets := os.read(outside, 65536):
                drawn.append(octets)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        subprocess.run(
            argv, stdin=inside, stdout=inside, stderr=inside, env=env, check=False,
            timeout=PATIENCE_S, start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(inside)
        looking.join()
        os.close(outside)
    return b"".join(drawn).decode("utf-8", "replace")
