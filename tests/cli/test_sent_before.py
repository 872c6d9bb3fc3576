"""The log of what was sent speaks up when a shorter-lived certificate follows."""

from __future__ import annotations

from datetime import timedelta

from certmail.ledger.chain import Ledger


def test_check_and_preview_know_what_was_sent_before(user, bundle, renewed, at):
    log = Ledger(user.home / ".local" / "state" / "certmail" / "log")
    log.append(
        {
            "outcome": "accepted",
            "at": "2026-01-02T03:04:05+00:00",
            "names": ["shop.example"],
            "certificate_ends": (at + timedelta(days=365)).isoformat(),
            "certificate_serial": "1f",
            "certificate_sha256": "00" * 32,
            "message_id": "<x@sender.example>",
        }
    )
    for ran in (
        user("check", bundle, "--json"),
        user("preview", bundle, "--key-file", renewed, "--json"),
    ):
        assert ran.status == 0, ran.err
        codes = [finding["code"] for finding in ran.json["findings"]]
        assert "SENT-LATER" in codes
