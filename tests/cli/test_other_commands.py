"""``verify-key``, ``check``, ``config``, ``rehearse`` and what every command shares."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from certmail import __version__
from tests.cli.conftest import ROOT
from tests.posix import POSIX

BUNDLED = ROOT / "keys" / "clever-cloud.asc"
PIN = "03943517934C1FA5ED4E2F61218B86BD5278460F"


def test_the_bundled_key_is_the_pinned_one_and_has_expired(user):
    ran = user("verify-key", "--json")
    assert (ran.status, ran.json["fingerprint"], ran.json["matches_pin"]) == (11, PIN, True)
    assert (ran.json["usable_today"], ran.json["unusable"]["code"]) == (False, "KEY-EXPIRED")
    assert ran.json["encryption_subkey"] == "DA219C3F6BC866733B46DDB4A922D5F4C62664A5"
    assert {(s["packets_say"], s["gnupg_says"]) for s in ran.json["signatures"]} == {
        ("good", "good")
    }


def test_the_renewed_copy_can_be_encrypted_to(user, renewed):
    ran = user("verify-key", renewed)
    assert (ran.status, ran.err) == (0, "")
    assert "can be encrypted to today" in ran.out


def lines(change):
    return lambda text: "\n".join(change(text.splitlines())) + "\n"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(
            lambda t: t.replace("60cyz", "70cyz").replace("=DNbu", "=AAAA"),
            "KEY-ARMOR-CHECKSUM",
            id="edited",
        ),
        pytest.param(lines(lambda a: a[:-9]), "KEY-ARMOR-DAMAGED", id="truncated"),
        pytest.param(lambda t: t + t, "KEY-EXTRA-KEY", id="twice"),
        pytest.param(lambda t: t.replace("PUBLIC KEY", "PRIVATE KEY"), "KEY-SECRET", id="secret"),
        pytest.param(lambda t: "hello\n", "KEY-NOT-OPENPGP", id="garbage"),
        pytest.param(lambda t: "", "KEY-NOT-OPENPGP", id="empty"),
    ],
)
def test_a_file_that_is_not_the_key_is_refused_by_its_own_code(user, tmp_path, change, code):
    copy = tmp_path / "copy.asc"
    copy.write_text(change(BUNDLED.read_text()))
    ran = user("verify-key", copy)
    assert (ran.status, ran.code, ran.out) == (11, code, "")


def test_another_key_is_refused_with_both_fingerprints(user, tmp_path, gpg, stranger):
    from tests.conftest import exported

    other = tmp_path / "other.gpg"
    other.write_bytes(exported(gpg, stranger))
    ran = user("verify-key", other)
    assert (ran.status, ran.code, ran.out) == (11, "PIN-MISMATCH", "")
    shown = " ".join(ran.err.split())
    assert stranger.fingerprint.grouped() in shown
    assert "0394 3517 934C 1FA5 ED4E 2F61 218B 86BD 5278 460F" in shown


def test_a_missing_key_file_is_a_clear_refusal(user, tmp_path):
    ran = user("verify-key", tmp_path / "nowhere.asc")
    assert (ran.status, ran.code) == (11, "KEY-FILE-MISSING")


def test_a_good_bundle_passes(user, bundle):
    ran = user("check", bundle)
    assert (ran.status, ran.err) == (0, ""), ran.out
    assert "good to send" in ran.out


def test_a_bundle_comes_from_standard_input_too(user, bundle_pem):
    ran = user("check", "-", "--json", stdin=bundle_pem)
    assert (ran.status, ran.json["good"], len(ran.json["certificates"])) == (0, True, 2)


def test_a_bundle_in_the_wrong_order_is_refused_with_the_line(user, bundle):
    pem = bundle.read_text()
    end = "-----END PRIVATE KEY-----\n"
    key, rest = pem[: pem.index(end) + len(end)], pem[pem.index(end) + len(end) :]
    bundle.write_text(rest + key)
    ran = user("check", bundle, "--json")
    assert ran.status == 10
    [error] = [f for f in ran.json["findings"] if f["severity"] == "error"]
    assert error["lines"] is not None


def test_check_names_the_domain_that_is_missing(user, bundle):
    ran = user("check", bundle, "--domain", "absent.example")
    assert ran.status == 10
    assert "absent.example" in ran.out


@pytest.mark.parametrize("path", ["nowhere.pem", ".", "/dev/null/x"])
def test_a_bundle_that_cannot_be_read_is_a_clear_refusal(user, path):
    ran = user("check", path)
    assert (ran.status, ran.code) == (10, "BUNDLE-UNREADABLE")


@POSIX
def test_a_fifo_is_refused_and_not_waited_for(user, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    ran = user("check", tmp_path / "fifo")
    assert (ran.status, ran.code) == (10, "BUNDLE-UNREADABLE")


def test_a_huge_file_is_refused_before_it_is_looked_at(user, tmp_path):
    huge = tmp_path / "huge.pem"
    huge.write_bytes(b"-" * (2**20 + 1))
    ran = user("check", huge)
    assert (ran.status, ran.code) == (10, "BUNDLE-TOO-LARGE")


def test_no_output_of_check_shows_a_line_of_the_key(user, bundle, bundle_pem):
    key_lines = bundle_pem.decode().split("-----END PRIVATE KEY")[0].splitlines()[1:]
    for damage in (
        lambda p: p,
        lambda p: p.replace(b"KEY-----\n", b"KEY----\n", 1),
        lambda p: p[:900],
    ):
        bundle.write_bytes(damage(bundle_pem))
        for flags in ((), ("--json",)):
            ran = user("check", bundle, *flags)
            assert [line for line in key_lines if line[:16] in ran.out + ran.err] == []


def test_config_shows_each_value_and_where_it_came_from(user, tmp_path):
    settings = tmp_path / "settings.toml"
    settings.write_text('[relay]\nhost = "smtp.example.org"\n')
    user.extra = {"CERTMAIL_RELAY_PORT": "4650"}
    ran = user("--config", settings, "config", "--json")
    values = {s["name"]: (s["value"], s["origin"]) for s in ran.json["settings"]}
    assert values["relay.host"] == ("smtp.example.org", f"{settings}:2")
    assert values["relay.port"] == ("4650", "environment CERTMAIL_RELAY_PORT")
    assert values["relay.mode"] == ("implicit", "default")


def test_an_unknown_setting_is_an_error(user):
    user.extra = {"CERTMAIL_RELAY_HOTS": "x"}
    ran = user("config")
    assert (ran.status, ran.code) == (16, "SETTINGS-UNKNOWN")


def test_the_rehearsal_holds_and_leaves_nothing(user, tmp_path):
    user.extra = {"XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    tmp_path.chmod(0o700)
    ran = user("rehearse", "--json")
    assert (ran.status, ran.json["held"]) == (0, True), ran.out
    assert [path.name for path in tmp_path.iterdir()] == []
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert [
        row for row in running.stdout.splitlines() if str(tmp_path) in row and "gpg" in row
    ] == []


def test_the_rehearsal_takes_the_users_own_bundle(user, bundle):
    ran = user("rehearse", bundle)
    assert ran.status == 0, ran.err
    assert "shop.example" in ran.out
    assert "held in every point" in ran.out


def test_the_rehearsal_refuses_a_bad_bundle_as_a_send_would(user, bundle):
    bundle.write_text("nothing\n")
    ran = user("rehearse", bundle)
    assert ran.status == 10


@pytest.mark.parametrize(
    ("fails", "code"),
    [("--gen-key", "REHEARSAL-NO-KEY"), ("--decrypt", "REHEARSAL-NOT-OPENED")],
)
def test_a_rehearsal_that_gnupg_cannot_go_on_with_says_so(user, tmp_path, fails, code):
    """The machine's fault is no bug of certmail's, and there is something to type."""
    lame = tmp_path / "gpg"
    real = shutil.which("gpg")
    lame.write_text(f'#!/bin/sh\ncase "$*" in *{fails}*) exit 2;; esac\nexec {real} "$@"\n')
    lame.chmod(0o755)
    ran = user("rehearse", "--gnupg-program", lame)
    assert (ran.status, ran.code) == (12, code), ran.err
    assert "gpgconf --check-programs" in ran.err


def test_version_and_help(user):
    assert user("--version").out == f"certmail {__version__}\n"
    for arguments in (("--help",), ("-h",), ("send", "--help"), ("preview", "--help")):
        ran = user(*arguments)
        assert (ran.status, ran.err) == (0, "")
        assert "Usage: certmail" in ran.out


def test_a_usage_error_ends_with_2(user):
    for arguments in (("nonsense",), ("send",), ("check",), ("send", "--sealed", "x", "y")):
        assert user(*arguments).status == 2


def test_a_gpg_that_is_not_there_is_named_with_its_install_line(user):
    ran = user("verify-key", "--gnupg-program", "/nowhere/gpg")
    assert (ran.status, ran.code) == (12, "GPG-MISSING")
