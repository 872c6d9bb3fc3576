"""``bundle``, and the inputs that ``check``, ``preview`` and ``send`` share with it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest

from tests.bundle.assemble import sealed
from tests.bundle.assemble.sealed import PASSPHRASE
from tests.cli.test_terminal import Terminal
from tests.posix import posix

SEATED = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " os.execv(sys.executable, [sys.executable, '-m', 'certmail', *sys.argv[1:]])"
)


class Seat(Terminal):
    """A terminal that is also the session's own, as a login gives it: ``/dev/tty`` leads to it."""

    def __init__(self, user, *arguments):
        self.leader, follower = posix("pty").openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SEATED, *map(str, arguments)],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env={**user.environment(), "TERM": "xterm"},
            cwd=user.home,
            start_new_session=True,
        )
        os.close(follower)
        self.seen = b""


@pytest.fixture
def key_lines(bundle_pem) -> list[str]:
    return bundle_pem.decode().split("-----END PRIVATE KEY")[0].splitlines()[1:]


@pytest.fixture
def parts(bundle_pem) -> tuple[bytes, bytes]:
    """The key, and the certificates."""
    end = b"-----END PRIVATE KEY-----\n"
    key, _, rest = bundle_pem.partition(end)
    return key + end, rest


@pytest.fixture
def crooked(tmp_path, bundle_pem):
    """The bundle with Windows line ends, a comment in front, and the key at the end."""
    key, end, rest = bundle_pem.partition(b"-----END PRIVATE KEY-----\n")
    path = tmp_path / "crooked.pem"
    path.write_bytes((b"# ours\n" + rest + key + end).replace(b"\n", b"\r\n"))
    return path


@pytest.fixture
def live(tmp_path, parts):
    """A certbot lineage: links into the archive."""
    archive, live = tmp_path / "le" / "archive" / "shop", tmp_path / "le" / "live" / "shop"
    archive.mkdir(parents=True)
    live.mkdir(parents=True)
    for name, data in zip(("privkey", "fullchain"), parts, strict=True):
        (archive / f"{name}1.pem").write_bytes(data)
        (live / f"{name}.pem").symlink_to(f"../../archive/shop/{name}1.pem")
    return live


@pytest.fixture
def phrase(tmp_path):
    path = tmp_path / "phrase"
    path.write_text(PASSPHRASE + "\n")
    return f"cat {path}"


@pytest.fixture
def package(tmp_path, bundle_pem):
    path = tmp_path / "bundle.p12"
    path.write_bytes(
        sealed.openssl("pkcs12", "-export", "-passout", "env:PHRASE", stdin=bundle_pem)
    )
    return path


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_without_output_it_only_says_what_it_would_do(user, crooked, key_lines, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    ran = user("bundle", crooked)
    assert (ran.status, ran.err) == (0, "")
    for words in (
        "turned Windows line ends into line feeds",
        "left out text outside the blocks",
        "put the private key first",
        "nothing was written",
    ):
        assert words in ran.out
    assert [line for line in key_lines if line in ran.out] == []
    assert sorted(tmp_path.rglob("*")) == before


def test_the_output_is_the_canonical_bundle_for_the_owner_only(user, crooked, bundle_pem, tmp_path):
    out = tmp_path / "out.pem"
    ran = user("bundle", crooked, "--output", out)
    assert ran.status == 0, ran.err
    assert (out.read_bytes(), mode(out)) == (bundle_pem, 0o600)
    assert list(tmp_path.glob(".*partial")) == []
    assert user("check", out).status == 0


def test_a_file_that_exists_is_never_overwritten(user, crooked, tmp_path):
    before = crooked.read_bytes()
    for target in (crooked, "crooked.pem"):
        ran = user("bundle", crooked, "--output", target)
        assert (ran.status, ran.code) == (2, "BUNDLE-OUTPUT-EXISTS")
    assert crooked.read_bytes() == before


def test_an_output_that_cannot_be_written_is_said(user, crooked, tmp_path):
    ran = user("bundle", crooked, "--output", tmp_path / "no" / "where.pem")
    assert (ran.status, ran.code) == (2, "BUNDLE-OUTPUT-UNWRITABLE")


def test_in_place_replaces_the_file_and_keeps_the_old_one_only_if_asked(
    user, crooked, bundle_pem, tmp_path
):
    before = crooked.read_bytes()
    ran = user("bundle", crooked, "--in-place", "--backup")
    assert ran.status == 0, ran.err
    kept = tmp_path / "crooked.pem.bak"
    assert (crooked.read_bytes(), mode(crooked)) == (bundle_pem, 0o600)
    assert (kept.read_bytes(), mode(kept)) == (before, 0o600)
    again = user("bundle", crooked, "--in-place")
    assert "nothing to change" in again.out
    kept.unlink()
    crooked.write_bytes(before)
    assert user("bundle", crooked, "--in-place").status == 0
    assert not kept.exists()


def test_in_place_does_not_replace_a_link(user, live, tmp_path, bundle_pem):
    target = tmp_path / "real.pem"
    target.write_bytes(bundle_pem.replace(b"\n", b"\r\n"))
    link = tmp_path / "link.pem"
    link.symlink_to(target)
    ran = user("bundle", link, "--in-place")
    assert (ran.status, ran.code) == (2, "BUNDLE-IN-PLACE")


def test_in_place_does_not_make_pem_of_a_package(user, package, phrase):
    before = package.read_bytes()
    ran = user("bundle", package, "--password-command", phrase, "--in-place")
    assert (ran.status, ran.code) == (2, "BUNDLE-IN-PLACE")
    assert package.read_bytes() == before


def test_standard_output_can_be_piped(user, crooked, bundle_pem, key_lines):
    ran = user("bundle", crooked, "--output", "-")
    assert (ran.status, ran.out) == (0, bundle_pem.decode())
    assert [line for line in key_lines if line in ran.err] == []
    assert "put the private key first" in ran.err


def test_a_terminal_never_gets_the_key(user, crooked, key_lines):
    terminal = Terminal(user, "bundle", crooked, "--output", "-")
    assert terminal.end() == 2
    shown = terminal.seen.decode()
    assert "BUNDLE-TO-TERMINAL" in shown
    assert [line for line in key_lines if line in shown] == []


def test_standard_input_is_read_once(user, crooked, bundle_pem):
    ran = user("bundle", "-", "--output", "-", stdin=crooked.read_bytes())
    assert ran.out == bundle_pem.decode()


def test_json_says_the_same(user, crooked, tmp_path, key_lines):
    ran = user("bundle", crooked, "--output", tmp_path / "out.pem", "--json")
    assert ran.status == 0, ran.err
    assert (ran.json["schema"], ran.json["changed"]) == ("certmail.bundle/1", True)
    assert {change["repair"] for change in ran.json["changes"]} == {"line-ends", "text", "order"}
    assert ran.json["output"] == str(tmp_path / "out.pem")
    assert [line for line in key_lines if line in ran.out] == []


def test_what_cannot_be_repaired_is_refused_with_lines(user, tmp_path, bundle_pem, key_lines):
    path = tmp_path / "cut.pem"
    path.write_bytes(b"\r\n".join(bundle_pem.split(b"\n")[:40]))
    out = tmp_path / "out.pem"
    ran = user("bundle", path, "--output", out)
    assert (ran.status, ran.code) == (10, "BLOCK-UNTERMINATED")
    assert "cut.pem:29:" in ran.err
    told = user("bundle", path, "--json")
    assert (told.status, told.json["code"]) == (10, "BLOCK-UNTERMINATED")
    assert [finding["lines"] for finding in told.json["findings"]] == [[29, 29]]
    assert not out.exists()
    assert [line for line in key_lines if line in ran.err + ran.out] == []


def test_the_key_format_can_be_chosen(user, bundle, tmp_path):
    out = tmp_path / "out.pem"
    ran = user("bundle", bundle, "--key-format", "pkcs1", "--output", out)
    assert ran.status == 0, ran.err
    assert out.read_bytes().startswith(b"-----BEGIN RSA PRIVATE KEY-----\n")
    assert "as PKCS#1, RSA PRIVATE KEY, instead of PKCS#8" in " ".join(ran.out.split())
    assert user("check", out).status == 0


def test_parts_are_put_together(user, parts, bundle_pem, tmp_path):
    for name, data in zip(("key.pem", "cert.pem"), parts, strict=True):
        (tmp_path / name).write_bytes(data)
    ran = user("bundle", "--key", "key.pem", "--cert", "cert.pem", "--output", "out.pem")
    assert ran.status == 0, ran.err
    assert (tmp_path / "out.pem").read_bytes() == bundle_pem
    assert "put together key.pem, cert.pem" in ran.out


def test_a_lineage_is_taken_by_every_command(user, live, renewed, bundle_pem):
    assert user("bundle", "--lineage", live, "--output", "-").out == bundle_pem.decode()
    checked = user("check", "--lineage", live)
    assert (checked.status, checked.err) == (0, "")
    preview = user("preview", "--lineage", live, "--key-file", renewed)
    assert preview.status == 0, preview.err


def test_a_lineage_is_sent_without_a_file_in_between(
    user, live, renewed, relay, tmp_path, key_lines
):
    ran = user("send", "--lineage", live, "--key-file", renewed, "--yes", *relay.flags)
    assert ran.status == 0, ran.err
    assert len(relay.mailbox.delivered) == 1
    written = [path for path in tmp_path.rglob("*") if path.is_file() and "le" not in path.parts]
    assert [path for path in written if key_lines[5].encode() in path.read_bytes()] == []


def test_a_pkcs12_file_is_taken_by_every_command(
    user, package, phrase, renewed, bundle_pem, key_lines
):
    how = ("--password-command", phrase)
    assert user("bundle", package, *how, "--output", "-").out == bundle_pem.decode()
    assert user("check", package, *how).status == 0
    preview = user("preview", package, *how, "--key-file", renewed)
    assert preview.status == 0, preview.err
    assert "took the parts out of a PKCS#12 package" in preview.err
    assert [line for line in key_lines if line in preview.out + preview.err] == []
    assert PASSPHRASE not in preview.out + preview.err


def test_a_wrong_passphrase_is_not_tried_twice_nor_shown(user, package):
    ran = user("bundle", package, "--password-command", "echo hunter2")
    assert (ran.status, ran.code) == (10, "PASSPHRASE-WRONG")
    assert "hunter2" not in ran.err


def test_without_a_terminal_nobody_is_asked_for_a_passphrase(user, package):
    ran = user("bundle", package)
    assert (ran.status, ran.code) == (15, "SECRET-NO-TERMINAL")
    assert "--password-command" in ran.err
    assert "relay" not in ran.err


def test_a_passphrase_is_typed_unseen(user, package):
    terminal = Seat(user, "bundle", package)
    terminal.until(b"Passphrase of")
    terminal.type(PASSPHRASE.encode() + b"\n")
    assert terminal.end() == 0, terminal.seen
    assert PASSPHRASE.encode() not in terminal.seen


def test_a_protected_key_beside_its_certificate(user, parts, phrase, bundle_pem, tmp_path):
    locked = sealed.openssl("rsa", "-traditional", "-aes128", "-passout", "env:PHRASE",
                            stdin=parts[0])  # fmt: skip
    (tmp_path / "key.pem").write_bytes(locked)
    (tmp_path / "cert.pem").write_bytes(parts[1])
    how = ("--key", "key.pem", "--cert", "cert.pem", "--password-command", phrase)
    ran = user("bundle", *how, "--output", "-")
    assert ran.out == bundle_pem.decode(), ran.err


def test_a_json_document_is_a_file_to_bundle(user, parts, bundle_pem, tmp_path):
    path = tmp_path / "vault.json"
    key, chain = (part.decode() for part in parts)
    path.write_text(json.dumps({"data": {"private_key": key, "certificate": chain}}))
    assert user("bundle", path, "--output", "-").out == bundle_pem.decode()
    assert user("check", "--lineage", path).status == 0


def test_a_missing_intermediate_comes_from_a_folder(user, bundle_pem, tmp_path):
    blocks = bundle_pem.split(b"-----END CERTIFICATE-----\n")
    short = blocks[0] + b"-----END CERTIFICATE-----\n"
    (tmp_path / "short.pem").write_bytes(short)
    store = tmp_path / "store"
    store.mkdir()
    (store / "chain.crt").write_bytes(bundle_pem.partition(b"-----END PRIVATE KEY-----\n")[2])
    (store / "other.pem").write_bytes(b"no certificate\n")
    ran = user("bundle", "short.pem", "--chain-from", store, "--output", "-")
    assert ran.out == bundle_pem.decode(), ran.err


def test_fetching_an_issuer_is_asked_for_and_needs_a_place(user, bundle_pem, tmp_path):
    blocks = bundle_pem.split(b"-----END CERTIFICATE-----\n")
    (tmp_path / "short.pem").write_bytes(blocks[0] + b"-----END CERTIFICATE-----\n")
    assert "CHAIN-INCOMPLETE" in user("bundle", "short.pem").out
    assert user("bundle", "short.pem", "--aia").code == "AIA-NOWHERE"


def test_send_repairs_only_when_told_and_says_what(user, crooked, renewed, relay):
    refused = user("send", crooked, "--key-file", renewed, "--yes", *relay.flags)
    assert refused.status == 10
    assert "add --repair" in refused.err
    assert relay.mailbox.delivered == []
    sent = user("send", crooked, "--repair", "--key-file", renewed, "--yes", *relay.flags)
    assert sent.status == 0, sent.err
    assert "put the private key first" in sent.err
    assert len(relay.mailbox.delivered) == 1


def test_a_repair_without_a_terminal_and_without_yes_is_refused(user, crooked, renewed):
    ran = user("preview", crooked, "--repair", "--key-file", renewed)
    assert (ran.status, ran.code) == (2, "CONFIRM-NOBODY")
    went_on = user("preview", crooked, "--repair", "--yes", "--key-file", renewed, "--json")
    assert went_on.status == 0, went_on.err
    assert {c["repair"] for c in went_on.json["changes"]} == {"line-ends", "text", "order"}


@pytest.mark.parametrize(("answer", "status"), [(b"y\n", 0), (b"n\n", 130)])
def test_preview_asks_before_it_goes_on_with_a_repair(user, crooked, renewed, answer, status):
    terminal = Seat(user, "preview", crooked, "--repair", "--key-file", renewed)
    terminal.until(b"Go on with the repaired bundle?")
    assert b"put the private key first" in terminal.seen
    terminal.type(answer)
    assert terminal.end() == status
    assert (b"What the recipient reads" in terminal.seen) == (status == 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ("bundle",),
        ("bundle", "a.pem", "--lineage", "b"),
        ("bundle", "--key", "a.pem"),
        ("bundle", "--lineage", "b", "--in-place"),
        ("bundle", "-", "--in-place"),
        ("bundle", "a.pem", "--backup"),
        ("bundle", "a.pem", "--output", "-", "--json"),
        ("bundle", "a.pem", "--in-place", "--output", "x"),
        ("check",),
        ("preview",),
        ("send", "--sealed", "x.eml", "--lineage", "y"),
    ],
    ids=" ".join,
)
def test_a_contradiction_is_a_usage_error(user, arguments):
    assert user(*arguments).status == 2


def test_what_cannot_be_read_is_said(user, tmp_path):
    assert user("bundle", "nowhere.pem").code == "BUNDLE-UNREADABLE"
    assert user("bundle", "--lineage", "nowhere").code == "LINEAGE-UNREADABLE"
    (tmp_path / "empty").mkdir()
    assert user("check", "--lineage", "empty").code == "LINEAGE-NOTHING"
