"""GnuPG's own files, and programs that pose as it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from certmail.errors import SealError
from certmail.gnupg.runner import find_gpg
from tests.hostile_environment.sending import program, refused, send, sent_as_ever
from tests.peers import need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.leaks.conftest import Watched

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="modes and owners of Linux")


@pytest.fixture
def configured(watched: Watched, stranger) -> Iterator[None]:
    lines = {
        "gpg.conf": f"encrypt-to {stranger.fingerprint}\nrecipient {stranger.fingerprint}\n"
        f"comment shop.example\nlogger-file {watched.user.home}/gpg.log\nverbose\n",
        "dirmngr.conf": f"log-file {watched.user.home}/dirmngr.log\nkeyserver hkp://127.0.0.1:1\n",
        "common.conf": "no-autostart\n",
    }
    for name, text in lines.items():
        (watched.user.gnupg / name).write_text(text)
    yield
    for name in lines:
        (watched.user.gnupg / name).unlink()


def test_gnupgs_configuration_changes_nothing_and_logs_nothing(watched: Watched, configured):
    del configured
    sent_as_ever(watched, send(watched))
    assert list(watched.user.home.glob("*.log")) == []


def test_a_gnupg_home_without_keys_is_no_reason_to_send_unsigned(watched: Watched):
    empty = watched.root / "g"
    empty.mkdir(mode=0o700)
    ran = send(watched, variables={"GNUPGHOME": str(empty)})
    refused(watched, ran, "SIGNER-NONE", 12)
    subprocess.run(["gpgconf", "--homedir", empty, "--kill", "all"], check=True)


FAKE = """#!/bin/sh
case " $* " in
  *" --encrypt "*) {act} ;;
esac
exec {gpg} "$@"
"""

POSERS = {
    "gives back what it is to encrypt": ("exec cat", {"SEAL-ENCRYPTION-FAILED"}),
    "claims to have encrypted": (
        """
    fd=$(echo "$*" | sed 's/.*--status-fd \\([0-9]*\\).*/\\1/')
    eval "echo '[GNUPG:] BEGIN_ENCRYPTION 2 9' >&$fd; echo '[GNUPG:] END_ENCRYPTION' >&$fd"
    exec cat""",
        {"SEAL-NOT-ENCRYPTED"},
    ),
}


@pytest.mark.parametrize("poser", POSERS, ids=lambda name: name.replace(" ", "-"))
def test_a_gpg_first_on_the_path_that_does_not_encrypt_is_found_out(watched: Watched, poser):
    act, codes = POSERS[poser]
    folder = watched.root / "bin"
    folder.mkdir()
    program(folder / "gpg", FAKE.format(act=act, gpg=need("gpg")))
    ran = send(watched, variables={"PATH": f"{folder}:{os.environ['PATH']}"})
    assert ran.code in codes, ran.err
    refused(watched, ran, ran.code, 12)


def test_a_gpg_in_the_current_folder_is_not_run(watched: Watched):
    program(watched.user.home / "gpg", f'#!/bin/sh\ntouch ran\nexec {need("gpg")} "$@"\n')
    sent_as_ever(watched, send(watched, variables={"PATH": f".::{os.environ['PATH']}"}))
    assert not (watched.user.home / "ran").exists()


@pytest.mark.parametrize(
    ("folder_mode", "program_mode", "owner", "is_safe"),
    [
        (0o755, 0o755, None, True),
        (0o1777, 0o755, None, True),
        (0o775, 0o775, None, True),
        (0o777, 0o755, None, False),
        (0o755, 0o777, None, False),
        (0o1777, 0o755, 12345, False),
    ],
    ids=["ours", "in-a-shared-folder", "a-group's", "open-folder", "open-program", "another's"],
)
@pytest.mark.parametrize("through_a_link", [False, True], ids=["itself", "by-a-link"])
def test_a_gpg_that_anybody_may_replace_gets_nothing(
    watched: Watched, folder_mode, program_mode, owner, is_safe, through_a_link
):
    if owner is not None and os.geteuid() != 0:
        pytest.skip("giving a file away takes root")
    folder = watched.root / "bin"
    folder.mkdir()
    real = program(folder / "gpg", f'#!/bin/sh\nexec {need("gpg")} "$@"\n')
    real.chmod(program_mode)
    if owner is not None:
        os.chown(real, owner, owner)
    folder.chmod(folder_mode)
    named = real
    if through_a_link:
        named = watched.root / "gpg-link"
        named.symlink_to(real)
    if is_safe:
        assert find_gpg(str(named)).path == str(named)
    else:
        with pytest.raises(SealError) as caught:
            find_gpg(str(named))
        assert (caught.value.code, caught.value.exit_status) == ("GPG-UNSAFE", 12)
        if not through_a_link:
            ran = send(watched, variables={"CERTMAIL_GNUPG_PROGRAM": str(named)})
            refused(watched, ran, "GPG-UNSAFE", 12)


def test_gpg_is_started_without_the_variables_that_bring_code(watched: Watched):
    """Every gpg of a run writes down its environment; all are there, and none of those."""
    names = (
        "LD_PRELOAD",
        "LD_AUDIT",
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
        "OPENSSL_CONF",
        "GCONV_PATH",
    )
    folder = watched.root / "bin"
    folder.mkdir()
    log = watched.root / "environments"
    program(folder / "gpg", f'#!/bin/sh\nenv >>{log}\nexec {need("gpg")} "$@"\n')
    hostile = dict.fromkeys(names, "/no/such")
    path = f"{folder}:{os.environ['PATH']}"
    ran = send(watched, variables={**hostile, "PATH": path, "OPENSSL_CONF": "/dev/null"})
    sent_as_ever(watched, ran)
    seen = log.read_text()
    assert seen.count("PATH=") >= 7
    assert [name for name in names if f"\n{name}=" in f"\n{seen}"] == []
