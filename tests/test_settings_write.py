"""The settings file is changed losslessly, atomically, or not at all."""

from __future__ import annotations

import stat
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certmail.errors import SettingsError
from certmail.settings import keys
from certmail.settings.write import Draft, draft, save
from tests.posix import POSIX

WRITTEN = """\
# our relay, ask Ada before you touch it

[relay]   # the table
mode = "starttls"  # 465 is shut by the firewall
host = "old.example.org"

# who we are
[sender]
address = "ops@example.org"
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config" / "config.toml"


@pytest.fixture
def there(path):
    path.parent.mkdir()
    path.write_text(WRITTEN)
    return path


def write(path, wishes) -> Draft:
    drafted = draft(path, wishes)
    save(drafted)
    return drafted


def refusal(path, wishes) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        write(path, wishes)
    return caught.value


def test_a_file_that_is_not_there_begins_with_what_was_wished(path):
    write(path, {keys.SENDER_ADDRESS: "ops@example.org", keys.RELAY_PORT: "465"})
    assert tomllib.loads(path.read_text()) == {
        "sender": {"address": "ops@example.org"},
        "relay": {"port": 465},
    }


@POSIX
def test_only_the_owner_reads_what_was_written(path):
    write(path, {keys.SENDER_ADDRESS: "ops@example.org"})
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent)] == [0o600, 0o700]
    assert [entry.name for entry in path.parent.iterdir()] == ["config.toml"]


def test_one_value_is_exchanged_and_every_other_octet_stays(there):
    drafted = write(there, {keys.RELAY_HOST: "new.example.org"})
    assert there.read_text() == WRITTEN.replace("old.example.org", "new.example.org")
    assert list(map(str, drafted.changes)) == ["relay.host = new.example.org (was old.example.org)"]


def test_a_comment_behind_a_value_stays_when_the_value_goes(there):
    drafted = write(there, {keys.RELAY_MODE: None})
    assert "mode" not in tomllib.loads(there.read_text())["relay"]
    assert "# 465 is shut by the firewall" in there.read_text()
    assert list(map(str, drafted.changes)) == ["relay.mode is no longer set (was starttls)"]


def test_what_stands_there_already_changes_nothing_and_nothing_is_written(there):
    before = there.stat().st_mtime_ns
    assert write(there, {keys.RELAY_HOST: "old.example.org", keys.RELAY_PORT: None}).changes == ()
    assert there.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "written",
    [
        'relay = { host = "old.example.org" } # in a line\n',
        'relay.host = "old.example.org"\nsender.address = "ops@example.org"\n',
        '["relay"]\n"host" = \'old.example.org\'\n',
        '[relay]\nhost = """old.example.org"""\n',
        '[relay]\r\nhost = "old.example.org"\r\n# end',
        '[relay]\n[sender]\naddress = "ops@example.org"',
        "# nothing but a remark",
        "\n\n",
    ],
)
@pytest.mark.parametrize(
    "wishes",
    [
        {keys.RELAY_HOST: "new.example.org"},
        {keys.RELAY_USER: "", keys.SENDER_ENCRYPT_TO_SELF: "true", keys.RELAY_TIMEOUT_S: "60"},
        {keys.RELAY_HOST: None, keys.SENDER_KEY: "0123456789abcdef" * 2 + "01234567"},
    ],
)
def test_every_way_to_write_a_table_is_understood_and_read_back(path, written, wishes):
    path.parent.mkdir()
    path.write_text(written, newline="")
    before = tomllib.loads(written.replace("\r\n", "\n"))
    write(path, wishes)
    after = tomllib.loads(path.read_text())
    for key, text in wishes.items():
        table, _, name = key.name.partition(".")
        wished = after.get(table, {}).get(name)
        assert (None if wished is None else str(wished).lower()) == (text and text.lower())
        before.get(table, {}).pop(name, None)
        after.get(table, {}).pop(name, None)
    assert {k: v for k, v in after.items() if v} == {k: v for k, v in before.items() if v}
    for comment in ("# in a line", "# end", "# nothing but a remark"):
        assert (comment in written) == (comment in path.read_text())


remarks = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\x7f"), max_size=20
).map(lambda text: f"# {text}")
values = {
    keys.SENDER_NAME: st.text("abc \"'\\#=[]\u00e9\u4e2d", min_size=1).filter(str.strip),
    keys.RELAY_HOST: st.from_regex(r"[a-z]{1,8}\.example\.org", fullmatch=True),
    keys.RELAY_PORT: st.integers(1, 65535).map(str),
    keys.RELAY_USER: st.text("abc@. ", max_size=8).filter(lambda text: not text or text.strip()),
    keys.SENDER_ENCRYPT_TO_SELF: st.sampled_from(["true", "false"]),
}
some = st.dictionaries(st.sampled_from(list(values)), st.none()).flatmap(
    lambda chosen: st.fixed_dictionaries({key: st.none() | values[key] for key in chosen})
)


@settings(deadline=None)
@given(first=some, second=some, notes=st.lists(remarks, min_size=1, max_size=6), where=st.randoms())
def test_comments_survive_and_reading_back_gives_what_was_written(
    tmp_path_factory, first, second, notes, where
):
    path = tmp_path_factory.mktemp("settings") / "config.toml"
    write(path, first)
    lines = path.read_text().split("\n") if path.exists() else [""]
    for note in notes:
        at = where.randrange(len(lines))
        # Behind a value, or on a line of its own.
        lines[at : at + 1] = [f"{lines[at]}  {note}"] if "#" not in lines[at] else [lines[at], note]
    path.write_text("\n".join(lines), encoding="utf-8")
    write(path, second)
    text = path.read_text(encoding="utf-8")
    found = tomllib.loads(text)
    wished = {**{k: v for k, v in first.items() if v is not None}, **second}
    for key, value in wished.items():
        table, _, name = key.name.partition(".")
        written = found.get(table, {}).get(name)
        spelled = str(written).lower() if isinstance(written, bool) else str(written)
        assert (None if written is None else spelled) == value
    for note in notes:
        assert note.strip() in text


# What is left alone


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("[relay\nhost = 1\n", "SETTINGS-SYNTAX"),
        ("[relay]\nhots = 'h.example.org'\n", "SETTINGS-UNKNOWN"),
        ("[relay]\nport = '465'\n", "SETTINGS-VALUE"),
        ("\ufeff[relay]\n", "SETTINGS-SYNTAX"),
    ],
)
def test_a_file_that_is_not_understood_is_left_as_it_is(path, written, code):
    path.parent.mkdir()
    path.write_text(written, encoding="utf-8")
    assert refusal(path, {keys.RELAY_HOST: "new.example.org"}).code == code
    assert path.read_text(encoding="utf-8") == written


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (keys.RELAY_PORT, "0"),
        (keys.RELAY_HOST, "smtp.example.org\nmode = 'x'"),
        (keys.RELAY_USER, "\x1b[2J"),
        (keys.SENDER_ADDRESS, "Ops <ops@example.org>"),
        (keys.SENDER_KEY, "0123ABCD"),
    ],
)
def test_a_value_its_own_key_refuses_is_not_written(there, key, text):
    assert refusal(there, {key: text}).code == "SETTINGS-VALUE"
    assert there.read_text() == WRITTEN


@POSIX
def test_a_link_is_neither_cut_nor_written_through(there):
    link = there.with_name("link.toml")
    link.symlink_to(there)
    error = refusal(link, {keys.RELAY_HOST: "new.example.org"})
    assert (error.code, str(there) in error.next) == ("SETTINGS-UNWRITABLE", True)
    assert link.is_symlink()
    assert there.read_text() == WRITTEN


@POSIX
def test_a_file_others_can_write_is_not_touched(there):
    there.chmod(0o666)
    assert refusal(there, {keys.RELAY_HOST: "new.example.org"}).code == "SETTINGS-UNSAFE-FILE"
    assert there.read_text() == WRITTEN


def test_what_somebody_else_wrote_meanwhile_is_not_lost(there):
    drafted = draft(there, {keys.RELAY_HOST: "new.example.org"})
    there.write_text(WRITTEN + "# and me\n")
    with pytest.raises(SettingsError) as caught:
        save(drafted)
    assert caught.value.code == "SETTINGS-CHANGED"
    assert there.read_text() == WRITTEN + "# and me\n"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "config").write_text("a file")
    error = refusal(tmp_path / "config" / "config.toml", {keys.RELAY_HOST: "new.example.org"})
    assert error.code in {"SETTINGS-UNWRITABLE", "SETTINGS-UNREADABLE"}


@POSIX
def test_a_link_laid_under_the_partial_file_is_not_followed(there, tmp_path):
    """A name is foreseeable where others can write; nothing may be written through it."""
    import os
    import threading

    victim = tmp_path / "victim"
    victim.write_text("mine")
    partial = there.with_name(f".{there.name}.{os.getpid()}.{threading.get_ident()}")
    partial.symlink_to(victim)
    write(there, {keys.RELAY_HOST: "new.example.org"})
    assert victim.read_text() == "mine"


def test_a_command_is_shown_by_its_program_alone(there):
    drafted = draft(there, {keys.RELAY_PASSWORD_COMMAND: "pass show mail/very-secret"})
    assert [change.after for change in drafted.changes] == ["pass …"]
