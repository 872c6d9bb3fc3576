"""``preview`` and ``send`` as people type them, against a real relay on loopback."""

from __future__ import annotations

import hashlib
import stat

import pytest

from tests.conftest import SENDER


def test_a_bundle_is_sent_as_previewed_screens_promise(user, bundle, relay, renewed, bundle_pem):
    ran = user("send", bundle, "--key-file", renewed, "--yes", *relay.flags)
    assert (ran.status, ran.code) == (0, None), ran.err
    [mail] = relay.mailbox.delivered
    assert (mail.mail_from, mail.rcpt_to) == (SENDER.text, ("ssl@clever-cloud.com",))
    assert b"BEGIN PGP MESSAGE" in mail.content
    assert b"shop.example" not in mail.content
    assert "Accepted" in ran.out


def test_send_refuses_the_expired_copy_that_is_bundled(user, bundle, relay):
    ran = user("send", bundle, "--yes", *relay.flags)
    assert (ran.status, ran.code) == (11, "KEY-EXPIRED")
    assert "--key-file" in ran.err
    assert relay.mailbox.sessions == 0


def test_preview_goes_on_with_the_expired_copy_and_says_that_send_would_refuse(user, bundle):
    ran = user("preview", bundle)
    assert ran.status == 0, ran.err
    assert "would REFUSE" in ran.err
    assert ran.code == "KEY-EXPIRED"
    assert "What the recipient reads" in ran.out


def test_preview_shows_no_line_of_the_private_key(user, bundle, renewed, bundle_pem):
    key_lines = bundle_pem.decode().split("-----END PRIVATE KEY")[0].splitlines()[1:]
    for flags in ((), ("--json",)):
        ran = user("preview", bundle, "--key-file", renewed, *flags)
        assert ran.status == 0, ran.err
        assert [line for line in key_lines if line in ran.out + ran.err] == []
        assert "not shown" in ran.out


def test_a_dry_run_is_a_preview_and_knows_no_relay(user, bundle, renewed):
    dry = user("send", bundle, "--key-file", renewed, "--dry-run", "--json")
    preview = user("preview", bundle, "--key-file", renewed, "--json")
    assert dry.status == preview.status == 0
    assert dry.json.keys() == preview.json.keys()
    assert dry.json["outside"]["encrypted_to"] == preview.json["outside"]["encrypted_to"]


def test_a_preview_reads_no_password(user, bundle, renewed, tmp_path):
    trace = tmp_path / "asked"
    user.extra = {"CERTMAIL_RELAY_PASSWORD_COMMAND": f"touch {trace}"}
    assert user("preview", bundle, "--key-file", renewed).status == 0
    assert not trace.exists()


def test_the_sealed_file_that_was_reviewed_is_what_is_sent(user, bundle, renewed, relay, tmp_path):
    kept = tmp_path / "message.eml"
    preview = user("preview", bundle, "--key-file", renewed, "--output", kept, "--json")
    assert preview.status == 0, preview.err
    sha256 = hashlib.sha256(kept.read_bytes()).hexdigest()
    assert preview.json["outside"]["sha256"] == sha256
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    sent = user("send", "--sealed", kept, "--key-file", renewed, "--yes", "--json", *relay.flags)
    assert sent.status == 0, sent.err
    assert sent.json["receipt"]["message_sha256"] == sha256
    [mail] = relay.mailbox.delivered
    assert mail.content == kept.read_bytes()


def test_a_sealed_file_from_elsewhere_is_refused(user, bundle, renewed, relay, tmp_path):
    kept = tmp_path / "message.eml"
    user("preview", bundle, "--key-file", renewed, "--output", kept)
    (tmp_path / "other").mkdir()
    user.home = tmp_path / "other"
    ran = user("send", "--sealed", kept, "--key-file", renewed, "--yes", *relay.flags)
    assert (ran.status, ran.code) == (12, "SEAL-UNKNOWN")
    assert relay.mailbox.sessions == 0


def test_a_sealed_file_that_was_touched_is_refused(user, bundle, renewed, relay, tmp_path):
    kept = tmp_path / "message.eml"
    user("preview", bundle, "--key-file", renewed, "--output", kept)
    kept.write_bytes(kept.read_bytes().replace(b"[...]", b"[..!]"))
    ran = user("send", "--sealed", kept, "--key-file", renewed, "--yes", *relay.flags)
    assert (ran.status, ran.code) == (12, "SEAL-UNKNOWN")
    assert relay.mailbox.sessions == 0


def test_a_sealed_file_is_refused_while_the_key_has_expired(user, bundle, relay, tmp_path):
    kept = tmp_path / "message.eml"
    assert user("preview", bundle, "--output", kept).status == 0
    ran = user("send", "--sealed", kept, "--yes", *relay.flags)
    assert (ran.status, ran.code) == (11, "KEY-EXPIRED")
    assert relay.mailbox.sessions == 0


def test_a_sealed_message_is_never_overwritten(user, bundle, renewed, tmp_path):
    kept = tmp_path / "message.eml"
    kept.write_text("mine")
    ran = user("preview", bundle, "--key-file", renewed, "--output", kept)
    assert (ran.status, ran.code, kept.read_text()) == (2, "OUTPUT-EXISTS", "mine")


def test_nobody_to_ask_is_a_refusal_before_anything_is_signed(user, bundle, renewed, relay):
    ran = user("send", bundle, "--key-file", renewed, *relay.flags)
    assert (ran.status, ran.code) == (2, "CONFIRM-NOBODY")
    assert relay.mailbox.sessions == 0


def test_a_missing_relay_is_named_before_anything_is_signed(user, bundle, renewed):
    ran = user("send", bundle, "--key-file", renewed, "--yes")
    assert (ran.status, ran.code) == (16, "SETTINGS-MISSING")
    assert "relay.host" in ran.err


def test_a_bundle_with_errors_is_refused_with_every_finding(user, bundle, renewed, relay):
    bundle.write_bytes(bundle.read_bytes().replace(b"\n", b"\r\n"))
    ran = user("send", bundle, "--key-file", renewed, "--yes", *relay.flags)
    assert ran.status == 10, ran.err
    assert str(bundle) in ran.err
    assert relay.mailbox.sessions == 0


@pytest.mark.parametrize("flag", ["--to", "--cc", "--bcc", "--recipient", "--insecure", "--pin"])
def test_no_flag_changes_the_recipient_or_turns_a_refusal_off(user, bundle, flag):
    ran = user("send", bundle, flag, "x@y.example")
    assert ran.status == 2
    assert "No such option" in ran.err


def test_the_wrong_password_is_one_login_and_a_refusal(user, bundle, renewed, relay):
    ran = user(
        "send", bundle, "--key-file", renewed, "--yes", *relay.flags,
        "--relay-password-command", "echo hunter2-not-it",
    )  # fmt: skip
    assert (ran.status, ran.code) == (13, "RELAY-AUTH-REFUSED")
    assert (relay.mailbox.logins, relay.mailbox.delivered) == (1, [])
    assert "hunter2" not in ran.out + ran.err


def test_another_senders_address_is_refused(user, bundle, renewed, relay):
    ran = user(
        "send", bundle, "--key-file", renewed, "--yes", "--from", "boss@sender.example",
        *relay.flags,
    )  # fmt: skip
    assert (ran.status, ran.code) == (12, "SIGNER-ADDRESS")


def test_a_home_without_secret_keys_is_told_how_to_make_one(user, bundle, renewed, tmp_path):
    empty = tmp_path / "g"
    empty.mkdir(mode=0o700)
    user.gnupg = empty
    ran = user("preview", bundle, "--key-file", renewed)
    assert (ran.status, ran.code) == (12, "SIGNER-NONE")
    assert "--quick-generate-key" in ran.err


def test_the_operators_words_reach_the_recipient(user, bundle, renewed):
    ran = user(
        "preview", bundle, "--key-file", renewed, "--json",
        "--organisation", "orga_42", "--application", "app_7", "--contact", "Ana, +33 1",
        "--note", "Réplace the old one\nby noon",
    )  # fmt: skip
    text = ran.json["inside"]["text"]
    for said in ("orga_42", "app_7", "Ana, +33 1", "Réplace the old one", "by noon"):
        assert said in text


def test_a_copy_for_the_sender_is_shown_as_a_second_reader(user, bundle, renewed):
    ran = user("preview", bundle, "--key-file", renewed, "--encrypt-to-self", "--json")
    assert len(ran.json["outside"]["encrypted_to"]) == 2


def test_an_error_is_json_too(user, bundle):
    ran = user("send", bundle, "--yes", "--json", "--relay-host", "127.0.0.1")
    assert (ran.status, ran.json["code"], ran.json["left"]) == (11, "KEY-EXPIRED", "nothing")
