"""What the clock is held against, and what each piece of evidence is worth."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from certmail import RELEASED
from certmail.cli.doctor.clock import judge
from certmail.cli.doctor.look import Health
from certmail.delivery.probe import Depth, Probed
from certmail.delivery.tls import TlsFacts
from certmail.errors import SealError

AT = datetime(2027, 3, 4, 5, 6, tzinfo=UTC)
LONG_AGO = (AT - timedelta(days=30), "something happened")
PROBED = Probed(
    depth=Depth.TLS,
    relay="smtp.example.org:465",
    peer="192.0.2.1",
    tls=TlsFacts(
        version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        leaf_sha256="00" * 32,
        spki_sha256="00" * 32,
        valid_from=AT - timedelta(days=9),
        valid_until=AT + timedelta(days=80),
    ),
    greeting="220 relay.test ESMTP",
    extensions=(),
    mechanisms=(),
    mechanism=None,
    size_limit=None,
    seconds=(),
)


def verdict(at=AT, *, passed=(LONG_AGO,), probed=None, mark):
    return judge(at, passed=passed, probed=probed, mark=mark)


def test_an_instant_that_has_passed_is_evidence(tmp_path):
    seen = verdict(mark=tmp_path / "none")
    assert (seen.health, "something happened" in seen.evidence) == (Health.OK, True)
    assert "timesyncd" not in seen.evidence


def test_a_clock_before_it_is_wrong_and_a_little_before_is_not(tmp_path):
    passed = [(AT + timedelta(minutes=4), "just now")]
    assert verdict(passed=passed, mark=tmp_path / "none").health is Health.OK
    passed = [(AT + timedelta(minutes=6), "just now")]
    with pytest.raises(SealError) as refused:
        verdict(passed=passed, mark=tmp_path / "none")
    assert refused.value.code == "CLOCK-BEHIND"
    assert "just now" in refused.value.what


def test_a_certificate_of_the_future_counts_too(tmp_path):
    facts = replace(PROBED.tls, valid_from=AT + timedelta(days=1))
    with pytest.raises(SealError, match="CLOCK-BEHIND"):
        verdict(probed=replace(PROBED, tls=facts), mark=tmp_path / "none")


@pytest.mark.parametrize(
    ("greeting", "health"),
    [
        ("220 mx ESMTP Exim 4.97 Thu, 04 Mar 2027 05:06:30 +0000", Health.OK),
        ("220 mx ESMTP Exim 4.97 Thu, 04 Mar 2027 07:06:30 +0200", Health.OK),
        ("220 mx Microsoft ESMTP MAIL Service ready at Thu, 4 Mar 2027 04:06:30 +0000",
         Health.NOTE),
        ("220 mx ESMTP Fri, 99 Xyz 2027 05:06:30 +0000", Health.OK),
        ("220 mx ESMTP 04 Mar 2027 05:06:30 +9999", Health.OK),
    ],
)  # fmt: skip
def test_a_relay_that_greets_with_a_date_is_compared(greeting, health, tmp_path):
    seen = verdict(probed=replace(PROBED, greeting=greeting), mark=tmp_path / "none")
    assert seen.health is health
    assert seen.code is None


def test_a_service_that_sets_the_clock_is_named(tmp_path):
    mark = tmp_path / "synchronized"
    mark.touch()
    assert "set by systemd-timesyncd" in verdict(mark=mark).evidence


def test_the_day_of_the_release_has_come():
    assert datetime.fromisoformat(RELEASED).replace(tzinfo=UTC) <= datetime.now(UTC)
