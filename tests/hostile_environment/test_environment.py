"""The environment as an attacker: the same message over the same TLS, or a refusal."""

from __future__ import annotations

import email
import email.policy
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trustme

from certmail.submission import Mode
from tests.delivery import certificates
from tests.delivery.hostile import HostileRelay
from tests.hostile_environment.rows import ROWS, WEAK_OPENSSL, Row
from tests.hostile_environment.sending import program, refused, send, sent_as_ever
from tests.peers import need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.leaks.conftest import Watched

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the rows speak of Linux")

WEAK = """
openssl_conf = all
[all]
ssl_conf = weak
[weak]
system_default = weakest
[weakest]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
Options = UnsafeLegacyRenegotiation
"""

GPG_WITH_CLOCK = """#!/bin/sh
exec faketime -f '{clock}' {gpg} "$@"
"""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "-"))
@pytest.mark.peer
def test_an_environment_changes_neither_reader_nor_channel(watched: Watched, row: Row):
    home = watched.user.home
    (home / "openssl.cnf").write_text(WEAK)
    (home / "startup.py").write_text("open('started', 'w')")
    words = row.words
    variables = {
        name: value.format(home=home, tmp=watched.tmp) for name, value in row.variables.items()
    }
    if "faketime" in words or "CLOCK" in variables:
        need("faketime")
    if clock := variables.pop("CLOCK", None):
        words = ("faketime", "-f", clock)
        variables["CERTMAIL_GNUPG_PROGRAM"] = str(
            program(home / "gpg", GPG_WITH_CLOCK.format(clock=clock, gpg=need("gpg")))
        )
    if "HOME" in row.unset:
        # Then the home is the one in the passwd file, which is nobody's to touch here.
        variables |= {"XDG_STATE_HOME": f"{home}/state", "XDG_CONFIG_HOME": f"{home}/config"}
    ran = send(watched, variables=variables, words=words, unset=row.unset)
    if row.code is None:
        sent_as_ever(watched, ran)
    else:
        refused(watched, ran, row.code, row.status)
    folded = " ".join(ran.err.split())
    assert [text for text in row.says if text not in folded] == []
    assert ("ENVIRONMENT-CODE" in folded) == (
        any("ENVIRONMENT-CODE" in text for text in row.says) or words[:1] == ("faketime",)
    )
    assert [name for name in ("keys.log", "started") if (home / name).exists()] == []
    for path in home.rglob("*"):
        if "certmail" in path.parts and path.is_relative_to(home / ".local"):
            assert path.stat().st_mode & 0o077 == 0, path


def test_with_every_standard_stream_closed_nothing_is_written_where_it_does_not_belong(watched):
    """The relay's socket or the outbox would be number 1 or 2, and hear what a screen would."""
    closed = ("sh", "-c", 'exec <&- >&- 2>&-; exec "$@"', "sh")
    ran = send(watched, "-vv", "--debug", words=closed)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert len(watched.relay.mailbox.delivered) == 1
    state = watched.user.home / ".local" / "state"
    told = [
        path for path in state.rglob("*") if path.is_file() and b"gpg found" in path.read_bytes()
    ]
    assert told == []


# TLS under variables


def test_a_root_that_a_variable_names_is_not_trusted(watched: Watched):
    at = watched.relay.flags.index("--relay-ca-file")
    ca_file = watched.relay.flags[at + 1]
    flags = (*watched.relay.flags[:at], *watched.relay.flags[at + 2 :])
    ran = send(watched, variables={"SSL_CERT_FILE": ca_file}, flags=flags)
    refused(watched, ran, "RELAY-TLS-CERTIFICATE", ran.status)
    assert ran.status != 0
    assert watched.relay.mailbox.logins == 0


def test_a_weak_openssl_configuration_lets_no_old_tls_in(watched: Watched, tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    (watched.user.home / "openssl.cnf").write_text(WEAK)
    variables = {"OPENSSL_CONF": WEAK_OPENSSL.format(home=watched.user.home)}
    with HostileRelay(Mode.IMPLICIT, certificates.tls_1_1_only(authority), {}) as old:
        flags = (
            "--relay-host", "localhost", "--relay-port", str(old.port), "--relay-user", "ops",
            "--relay-ca-file", str(tmp_path / "ca.pem"), *watched.relay.flags[-2:],
        )  # fmt: skip
        ran = send(watched, variables=variables, flags=flags)
    assert (ran.code or "").startswith("RELAY-TLS-"), ran.err
    assert old.verbs == []


# Places that are full, closed or far away


@pytest.fixture
def tiny(watched: Watched) -> Iterator[Path]:
    """A file system with no room left, for the user alone."""
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    place = watched.root / "full"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", place],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", "TMPDIR"])
def test_a_full_folder_for_what_is_temporary_is_passed_over(watched: Watched, tiny, variable):
    """GnuPG in a full home would say that the recipient's key is bad."""
    ran = send(watched, variables={variable: str(tiny)})
    sent_as_ever(watched, ran)
    assert list(tiny.iterdir()) == []


def test_a_full_state_folder_stops_a_send_before_anything_is_signed(watched: Watched, tiny):
    (tiny / "ballast").write_bytes(bytes(40_000))
    ran = send(watched, variables={"XDG_STATE_HOME": str(tiny)})
    refused(watched, ran, "STATE-UNWRITABLE", 17)


def test_a_home_that_cannot_be_written_stops_a_send(watched: Watched, tiny):
    subprocess.run(["mount", "-o", "remount,ro", tiny], check=True)
    ran = send(watched, variables={"HOME": str(tiny)})
    refused(watched, ran, "STATE-UNWRITABLE", 17)


def test_a_very_long_home_is_named_as_what_hides_the_signing_key(watched: Watched):
    home = watched.root / ("x" * 120)
    ignore = shutil.ignore_patterns("S.*")
    shutil.copytree(watched.user.gnupg, home / ".gnupg", ignore=ignore)
    ran = send(watched, variables={"HOME": str(home)}, unset=("GNUPGHOME",))
    refused(watched, ran, "GPG-AGENT-SOCKET", 12)


# The bundle's own file


def test_a_link_is_followed_and_a_pipe_or_device_is_not_opened(watched: Watched):
    (watched.user.home / "link.pem").symlink_to(watched.user.home / "bundle.pem")
    os.mkfifo(watched.user.home / "pipe.pem")
    for bundle in ("pipe.pem", "/dev/zero", "/proc/self/fd/0"):
        refused(watched, send(watched, bundle=bundle), "BUNDLE-UNREADABLE", 10)
    watched.given.add(watched.user.home / "link.pem")
    sent_as_ever(watched, send(watched, bundle="link.pem"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_may_read_is_warned_of_when_it_is_sent(watched: Watched, mode):
    (watched.user.home / "bundle.pem").chmod(mode)
    ran = send(watched)
    sent_as_ever(watched, ran)
    assert "KEY-FILE-OPEN" in [finding["code"] for finding in ran.json["findings"]]


SWAP = """#!/bin/sh
case " $* " in
  *" --sign "*) cp {other} {bundle}; tee {seen} | {gpg} "$@"; exit $? ;;
esac
exec {gpg} "$@"
"""


def test_what_was_checked_is_what_is_signed_though_the_file_is_replaced(watched, bundle_pem):
    """The file is another one before gpg has read a line of the letter."""
    folder = watched.root / "bin"
    folder.mkdir()
    seen, other = watched.root / "seen", watched.root / "other.pem"
    other.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    bundle = watched.user.home / "bundle.pem"
    program(folder / "gpg", SWAP.format(other=other, bundle=bundle, seen=seen, gpg=need("gpg")))
    ran = send(watched, variables={"PATH": f"{folder}:{os.environ['PATH']}"})
    sent_as_ever(watched, ran)
    assert bundle.read_bytes() == other.read_bytes()
    letter = email.message_from_bytes(seen.read_bytes(), policy=email.policy.default)
    assert next(letter.iter_attachments()).get_content() == bundle_pem
