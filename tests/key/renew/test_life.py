"""The life of a key for people: spans, what is new, and which copy told it."""

from __future__ import annotations

from datetime import timedelta

from certmail.cli.key_screens import _LINE, _PLAIN, time_line
from certmail.key.renew.life import Holding, carried_by, changes, spans
from certmail.key.renew.reading import read_copy
from tests.key.conftest import recipient_of
from tests.key.renew.copies import revocation_certificate, revoke_subkey, united
from tests.key.smith import LATER, MADE

DAY = timedelta(days=1)


def test_spans_tell_when_each_part_was_made_ends_and_was_taken_back(smith):
    primary = smith.primary(expire="60d")
    smith.subkey(primary, expire="20d")
    smith.subkey(primary, at=MADE + 2 * DAY)
    revoke_subkey(smith, primary, 1)
    whom = recipient_of(primary)
    known = united(whom, smith.export(primary))
    first, gone, live = spans(known, at=LATER)
    assert (first.name, first.expires, first.revoked) == ("primary key", MADE + 60 * DAY, None)
    assert (gone.revoked, gone.ends) == (MADE, MADE)
    assert (live.name, live.created, live.ends) == ("encryption subkey", MADE + 2 * DAY, None)
    certificate = revocation_certificate(smith, primary, 1)
    revoked = read_copy(certificate, recipient=whom, primary=known.primary).known
    assert spans(revoked, at=LATER)[0].revoked == MADE


def test_the_picture_shows_life_end_revocation_and_today(smith):
    primary = smith.primary(expire="60d")
    smith.subkey(primary)
    smith.subkey(primary, at=MADE + DAY)
    revoke_subkey(smith, primary, 1)
    told = spans(united(recipient_of(primary), smith.export(primary)), at=LATER)
    for marks in (_LINE, _PLAIN):
        lines = time_line(told, at=LATER, columns=61, marks=marks)
        assert len(lines) == 10
        assert lines[1][0] == marks["from"]
        assert lines[1][60] == marks["expires"]
        assert lines[1][30] == marks["now"]
        assert lines[4].startswith(marks["revoked"])
        assert "REVOKED 2026-06-01" in lines[5]
        assert lines[7].endswith(marks["never"])
        assert lines[9].strip() == "today 2026-07-01"
        assert max(map(len, lines)) <= 76


def test_what_is_new_is_said_with_what_matters_first(smith):
    primary = smith.primary(expire="10d")
    smith.subkey(primary)
    whom = recipient_of(primary)
    before = united(whom, smith.export(primary))
    smith.gpg("--quick-set-expire", primary, "5y", at=MADE + DAY)
    newer = smith.subkey(primary, at=MADE + DAY)
    smith.gpg("--import", stdin=revocation_certificate(smith, primary, 1))
    told = changes(before, united(whom, smith.export(primary)), at=LATER)
    assert f"the primary key {primary[-16:]} is REVOKED" in told[0]
    assert any(newer[-16:] in line and "is new" in line for line in told)
    assert any("new: revocation of the key" in line for line in told)
    assert changes(before, before, at=LATER) == ()


def test_the_copy_that_tells_what_counts_is_named(smith):
    primary = smith.primary(expire="10d")
    smith.subkey(primary)
    whom = recipient_of(primary)
    old = united(whom, smith.export(primary))
    smith.gpg("--quick-set-expire", primary, "5y", at=MADE + DAY)
    new = united(whom, smith.export(primary))
    revoked = read_copy(
        revocation_certificate(smith, primary, 1), recipient=whom, primary=old.primary
    ).known
    from certmail.key.renew.statements import merge

    holdings = (Holding("old", old), Holding("new", new))
    assert carried_by(merge(old, new), holdings, at=LATER) == "new"
    assert carried_by(old, (Holding("new", new), *holdings), at=MADE + DAY / 2) == "old"
    three = (*holdings, Holding("drawer", revoked))
    assert carried_by(merge(old, new, revoked), three, at=LATER) == "new and drawer"
