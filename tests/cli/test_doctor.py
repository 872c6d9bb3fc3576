"""The doctor looks at everything and says the first thing that would stop a send."""

from __future__ import annotations


def looks(ran):
    return {look["name"]: (look["health"], look["code"]) for look in ran.json["looks"]}


def test_every_part_is_looked_at_though_one_is_bad(user):
    ran = user("doctor", "--json")
    found = looks(ran)
    assert (ran.status, ran.json["healthy"]) == (11, False)
    assert found["GnuPG"] == ("ok", None)
    assert found["signing key"] == ("ok", None)
    assert found["recipient's key"] == ("bad", "KEY-EXPIRED")
    assert found["relay"] == ("bad", "SETTINGS-MISSING")
    assert found["outbox"] == ("ok", None)
    assert found["log"] == ("ok", None)


def test_a_good_set_up_is_healthy_and_its_key_is_told_to_be_unconfirmed(user, renewed):
    ran = user("doctor", "--key-file", renewed, "--relay-host", "smtp.example.org", "--json")
    found = looks(ran)
    assert (ran.status, ran.json["healthy"]) == (0, True), ran.out
    assert found["recipient's key"] == ("ok", None)
    assert found["its freshness"] == ("note", "KEY-NOT-REFRESHED")


def test_a_home_without_keys_is_bad_and_names_the_command(user, renewed, tmp_path):
    empty = tmp_path / "g"
    empty.mkdir(mode=0o700)
    user.gnupg = empty
    ran = user("doctor", "--key-file", renewed, "--relay-host", "smtp.example.org")
    assert ran.status == 12
    assert "--quick-generate-key" in ran.out
