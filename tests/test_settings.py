"""What may be set, who wins, and what no setting can do."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certmail.errors import CertmailError, SettingsError
from certmail.settings import file as settings_file
from certmail.settings import keys
from certmail.settings.resolve import Settings, load, resolve
from certmail.submission import Login, Mode
from certmail.values import Address, Fingerprint, Hostname
from tests.posix import IS_ROOT

ROOT = Path(__file__).parent.parent
HERE = Path("/etc/certmail.toml")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="mode bits and pipes are POSIX")


def settle(toml: str = "", *, flags=None, environ=None) -> Settings:
    return resolve(
        flags=flags or {},
        environ=environ or {},
        entries=settings_file.parse(toml.encode(), path=str(HERE)),
        path=HERE,
    )


def refusal(toml: str = "", **layers) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        settle(toml, **layers)
    return caught.value


# Who wins


def test_a_flag_wins_over_the_environment_which_wins_over_the_file():
    toml = '[relay]\nhost = "file.example.org"\n'
    environ = {"CERTMAIL_RELAY_HOST": "environment.example.org"}
    flags = {"relay.host": "flag.example.org"}
    assert [
        str(settle(toml, environ=environ, flags=flags).require(keys.RELAY_HOST)),
        str(settle(toml, environ=environ).require(keys.RELAY_HOST)),
        str(settle(toml).require(keys.RELAY_HOST)),
        settle().get(keys.RELAY_HOST),
    ] == ["flag.example.org", "environment.example.org", "file.example.org", None]


def test_each_value_tells_where_it_came_from():
    settings = settle(
        '# comment\n[sender]\naddress = "ops@example.org"\n\n[relay]\nhost = "h.example.org"\n',
        environ={"CERTMAIL_RELAY_HOST": "e.example.org"},
        flags={"sender.name": "Ops"},
    )
    assert {row.name: str(row.origin) for row in settings.rows() if row.origin} == {
        "sender.address": "/etc/certmail.toml:3",
        "sender.name": "flag --sender-name",
        "sender.encrypt_to_self": "default",
        "relay.host": "environment CERTMAIL_RELAY_HOST",
        "relay.auth": "default",
        "relay.mode": "default",
        "relay.port": "default of relay.mode implicit",
        "relay.require_tls_path": "default",
        "relay.dsn": "default",
        "relay.timeout_s": "default",
        "gnupg.sign_timeout_s": "default",
        "key.refresh": "default",
        "key.max_age_days": "default",
        "key.warn_days": "default",
    }


def test_every_setting_is_listed_whether_or_not_it_is_set():
    assert [row.name for row in settle().rows()] == [key.name for key in keys.KEYS]


def test_values_arrive_as_their_types():
    settings = settle(
        """
        sender.address = "ops@example.org"
        sender.key = "0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567"
        sender.encrypt_to_self = true
        relay.host = "SMTP.example.org."
        relay.port = 2465
        relay.password_command = 'pass show "mail/ops account"'
        relay.ca_file = "/etc/ca.pem"
        """
    )
    assert settings.get(keys.SENDER_ADDRESS) == Address("ops@example.org")
    assert settings.get(keys.SENDER_KEY) == Fingerprint("0123456789ABCDEF" * 2 + "01234567")
    assert settings.get(keys.SENDER_ENCRYPT_TO_SELF) is True
    assert settings.get(keys.RELAY_HOST) == Hostname("smtp.example.org")
    assert settings.get(keys.RELAY_PORT) == 2465
    assert settings.get(keys.RELAY_PASSWORD_COMMAND) == ("pass", "show", "mail/ops account")
    assert settings.get(keys.RELAY_CA_FILE) == Path("/etc/ca.pem")


@pytest.mark.parametrize(
    ("mode", "port"), [("implicit", 465), ("starttls", 587)], ids=["implicit", "starttls"]
)
def test_the_port_follows_the_mode_unless_it_is_set(mode, port):
    settings = settle(flags={"relay.mode": mode})
    assert (settings.get(keys.RELAY_PORT), settings.get(keys.RELAY_MODE)) == (
        port,
        Mode(mode),
    )
    assert settle(flags={"relay.mode": mode, "relay.port": "2525"}).get(keys.RELAY_PORT) == 2525


def test_an_empty_user_means_that_the_relay_asks_for_none():
    assert settle('relay.user = ""').get(keys.RELAY_USER) == ""
    assert settle().get(keys.RELAY_USER) is None


@pytest.mark.parametrize("key", keys.KEYS, ids=lambda key: key.name)
def test_every_example_is_accepted_by_each_layer(key):
    settings = [
        settle(flags={key.name: key.example}),
        settle(environ={key.variable: key.example}),
        settle(f"[{key.table}]\n{key.line}\n"),
    ]
    assert len({repr(each.get(key)) for each in settings}) == 1
    assert settings[0].get(key) is not None


# What is refused


def test_a_missing_setting_is_refused_with_the_three_ways_to_give_it():
    with pytest.raises(SettingsError) as caught:
        settle().require(keys.RELAY_HOST)
    assert caught.value.code == "SETTINGS-MISSING"
    assert caught.value.next == (
        "give --relay-host smtp.example.org, or set CERTMAIL_RELAY_HOST, "
        'or write host = "smtp.example.org" under [relay] in /etc/certmail.toml'
    )


def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_name():
    error = refusal('[relay]\nport = 465\nhots = "smtp.example.org"\n')
    assert (error.code, error.file, error.lines) == ("SETTINGS-UNKNOWN", str(HERE), (3, 3))
    assert error.next == "write relay.host, or remove relay.hots"


def test_an_unknown_variable_is_refused_with_the_nearest_name():
    error = refusal(environ={"CERTMAIL_RELAY_HOTS": "smtp.example.org", "HOME": "/root"})
    assert (error.code, error.file) == ("SETTINGS-UNKNOWN", None)
    assert error.next == "write CERTMAIL_RELAY_HOST, or unset CERTMAIL_RELAY_HOTS"


@pytest.mark.parametrize("toml", ["[rely]\n", "a.b.c.d.e.f = 1\n", '"relay.host" = "h.example"\n'])
def test_a_name_that_only_looks_harmless_is_unknown_too(toml):
    assert refusal(toml).code == "SETTINGS-UNKNOWN"


@pytest.mark.parametrize(
    "name",
    [
        "recipient.address",
        "message.to",
        "sender.cc",
        "sender.bcc",
        "key.pin",
        "relay.insecure",
        "relay.verify",
        "relay.tls",
        "relay.tls_verify",
        "relay.starttls",
        "relay.plain",
        "bundle.force",
        "insecure",
        "relay.password",
        "relay.passwd",
        "gnupg.passphrase",
        "relay.token",
    ],
)
def test_no_setting_can_weaken_a_refusal(name):
    """Recipient, pin, verification, TLS and passwords have no setting, in no layer."""
    in_file = refusal(f"\n{name} = true\n")
    in_environment = refusal(environ={"CERTMAIL_" + name.replace(".", "_").upper(): "x"})
    assert [in_file.code, in_environment.code] == ["SETTINGS-FORBIDDEN"] * 2
    assert in_file.lines == (2, 2)
    assert "there is no such setting, and there will be none" in in_file.what


def test_the_words_about_a_password_tell_where_passwords_live_and_never_quote_one():
    error = refusal('[relay]\npassword = "canary-hunter2"\n')
    text = " ".join((str(error), error.why, error.next))
    assert "canary-hunter2" not in text
    assert "keyring" in error.next
    assert "relay.password_command" in error.next


SOURCES = {
    "relay.password_command": "pass show mail/ops",
    "relay.password_file": "/etc/certmail/password",
    "relay.password_credential": "handed-over",
    "relay.token_command": "oauth-token ops",
}


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(SOURCES, 2)])
def test_two_sources_of_the_secret_are_refused_with_both_places(one, other):
    """Which of them is meant must not be a matter of rank."""
    environ = {"CERTMAIL_" + other.upper().replace(".", "_"): SOURCES[other]}
    error = refusal(f"{one} = '{SOURCES[one]}'\n", environ=environ)
    assert error.code == "SETTINGS-TWO-SOURCES"
    assert f"{one} (/etc/certmail.toml:1)" in error.what
    assert f"{other} (environment CERTMAIL_" in error.what
    assert not any(SOURCES[name] in error.what + error.next for name in (one, other))


@pytest.mark.parametrize("one", SOURCES)
def test_a_source_given_twice_is_one_source(one):
    settings = settle(f"{one} = '{SOURCES[one]}'\n", flags={one: SOURCES[one]})
    assert [row.name for row in settings.rows() if row.name in SOURCES and row.origin] == [one]


@pytest.mark.parametrize("name", ["certmail-password", "a", "A.b_c-1", "0" * 64])
def test_a_credential_has_a_name_that_stays_in_its_folder(name):
    assert settle(f"relay.password_credential = '{name}'\n").get(keys.RELAY_PASSWORD_CREDENTIAL)
    for wrong in (f"../{name}", f"/{name}", f".{name}", f"{name}/x", f"{name} ", "", "x" * 65):
        assert refusal(f"relay.password_credential = '{wrong}'\n").code == "SETTINGS-VALUE"


def test_a_login_is_one_that_certmail_speaks():
    for login in Login:
        assert settle(f"relay.auth = '{login.value}'\n").get(keys.RELAY_AUTH) is login
    for wrong in ("PLAIN", "cram-md5", "scram-sha-1", "none", ""):
        assert refusal(f"relay.auth = '{wrong}'\n").code == "SETTINGS-VALUE"


def test_a_slip_in_the_name_of_the_password_command_is_only_a_slip():
    error = refusal('relay.password_comand = "pass show x"')
    assert (error.code, error.next) == (
        "SETTINGS-UNKNOWN",
        "write relay.password_command, or remove relay.password_comand",
    )


@pytest.mark.parametrize(
    "toml",
    [
        'relay.port = "465"',
        "relay.port = 0",
        "relay.port = 65536",
        "relay.port = 465.0",
        "relay.port = true",
        "relay.port = 0x" + "f" * 6000,
        "relay.timeout_s = 29",
        "relay.timeout_s = 3601",
        "gnupg.sign_timeout_s = 4",
        "gnupg.sign_timeout_s = 601",
        "relay.host = 1",
        'relay.host = ["smtp.example.org"]',
        "[relay.host]",
        'relay.host = "smtp.example.org\\nx"',
        'relay.mode = "plain"',
        'relay.mode = "IMPLICIT"',
        'relay.mode = "none"',
        'sender.encrypt_to_self = "true"',
        "sender.encrypt_to_self = 1",
        'sender.address = "Ops <ops@example.org>"',
        'sender.address = "ops@example.org, eve@example.net"',
        'sender.name = "Ops\\r\\nBcc: eve@example.net"',
        'sender.name = "right\\u202Eleft"',
        'sender.key = "5278460F"',
        'relay.ca_file = "ca.pem"',
        'relay.ca_file = ""',
        'gnupg.program = "gpg"',
        'key.file = "~no-such-user-here/key.asc"',
        'relay.password_command = ""',
        "relay.password_command = \"''\"",
        'relay.password_command = "pass \'show"',
        'request.contact = "   "',
        f'request.contact = "{"x" * 201}"',
    ],
)
def test_a_wrong_type_or_a_value_out_of_bounds_is_refused(toml):
    error = refusal("\n" + toml)
    assert (error.code, error.file, error.lines) == ("SETTINGS-VALUE", str(HERE), (2, 2))


@pytest.mark.parametrize("text", ["", " 465", "+465", "4_65", "0x1d1", "٤٦٥", "465\n", "1e3", "-1"])
def test_a_number_is_plain_ascii_digits(text):
    assert refusal(environ={"CERTMAIL_RELAY_PORT": text}).code == "SETTINGS-VALUE"


@pytest.mark.parametrize("text", ["", "True", "TRUE", "yes", "1", "on"])
def test_a_switch_knows_two_words(text):
    environ = {"CERTMAIL_SENDER_ENCRYPT_TO_SELF": text}
    assert refusal(environ=environ).code == "SETTINGS-VALUE"


def test_a_value_that_a_stronger_layer_covers_is_judged_all_the_same():
    error = refusal("relay.port = 0", flags={"relay.port": "465"})
    assert error.code == "SETTINGS-VALUE"


def test_a_relative_path_is_understood_on_the_command_line_only():
    assert settle(flags={"key.file": "key.asc"}).get(keys.KEY_FILE) == Path("key.asc")
    assert refusal(environ={"CERTMAIL_KEY_FILE": "key.asc"}).code == "SETTINGS-VALUE"


def test_a_token_command_is_shown_without_its_words():
    settings = settle("relay.token_command = 'oauth --refresh canary-hunter2'")
    assert {row.name: row.shown for row in settings.rows()}["relay.token_command"] == "oauth …"
    assert "canary-hunter2" not in str(refusal('relay.token_command = "\'canary-hunter2"'))


def test_a_password_command_is_shown_without_its_words():
    """A token among the words of the command must not reach a screen or a report."""
    settings = settle("relay.password_command = 'vault read --token canary-hunter2'")
    shown = {row.name: row.shown for row in settings.rows()}
    assert shown["relay.password_command"] == "vault …"
    assert "canary-hunter2" not in repr(settings)
    assert "canary-hunter2" not in str(refusal('relay.password_command = "\'canary-hunter2"'))


# The file


def write(path: Path, text: str, *, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_named_by_flag_wins_over_one_named_by_the_environment(tmp_path):
    by_flag = write(tmp_path / "flag.toml", 'sender.name = "flag"')
    by_variable = write(tmp_path / "variable.toml", 'sender.name = "variable"')
    environ = {"CERTMAIL_CONFIG": str(by_variable)}
    assert load(flags={}, environ=environ).get(keys.SENDER_NAME) == "variable"
    assert load(flags={}, environ=environ, config=str(by_flag)).get(keys.SENDER_NAME) == "flag"


@POSIX
def test_the_usual_file_may_be_missing_and_a_named_one_may_not(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load(flags={}, environ={})
    assert not settings.path.exists()
    settings.path.parent.mkdir(parents=True)
    write(settings.path, 'sender.name = "usual"')
    assert load(flags={}, environ={}).get(keys.SENDER_NAME) == "usual"
    with pytest.raises(SettingsError) as caught:
        load(flags={}, environ={}, config=str(tmp_path / "other.toml"))
    assert caught.value.code == "SETTINGS-UNREADABLE"


@POSIX
@pytest.mark.parametrize("mode", [0o602, 0o620, 0o666])
def test_a_file_that_others_can_write_is_refused(tmp_path, mode):
    """Whoever writes the settings chooses the relay that gets the mail and the password."""
    path = write(tmp_path / "config.toml", 'relay.host = "evil.example"', mode=mode)
    with pytest.raises(SettingsError) as caught:
        load(flags={}, environ={}, config=str(path))
    assert (caught.value.code, caught.value.next) == ("SETTINGS-UNSAFE-FILE", f"chmod go-w {path}")


@POSIX
@pytest.mark.skipif(not IS_ROOT, reason="chown needs root")
def test_a_file_of_another_user_is_refused(tmp_path):
    path = write(tmp_path / "config.toml", "")
    os.chown(path, 12345, 12345)
    with pytest.raises(SettingsError) as caught:
        load(flags={}, environ={}, config=str(path))
    assert caught.value.code == "SETTINGS-UNSAFE-FILE"


@POSIX
def test_what_is_not_a_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (
        tmp_path,
        tmp_path / "pipe",
        Path(os.devnull),
        Path("nul\0byte"),
        Path("~nobody!"),
    ):
        with pytest.raises(SettingsError) as caught:
            load(flags={}, environ={}, config=str(path))
        assert caught.value.code == "SETTINGS-UNREADABLE"


def test_a_file_beyond_the_cap_is_refused(tmp_path):
    path = write(tmp_path / "config.toml", "#" * settings_file.MAX_BYTES)
    assert load(flags={}, environ={}, config=str(path)).path == path
    write(path, "#" * (settings_file.MAX_BYTES + 1))
    with pytest.raises(SettingsError) as caught:
        load(flags={}, environ={}, config=str(path))
    assert caught.value.code == "SETTINGS-UNREADABLE"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"[relay]\nhost\n", 2),
        (b"[relay]\n[relay]\n", 2),
        (b'[relay]\nhost = "a"\nhost = "b"\n', 3),
        (b'\n\nhost = "\xff"\n', 3),
        (b"a = " + b"[" * 5000, None),
        (b"a = " + b"1" * 5000, None),
    ],
    ids=["no-value", "table-twice", "key-twice", "not-utf-8", "deep", "long-number"],
)
def test_malformed_toml_is_refused_with_its_line(content, line):
    with pytest.raises(SettingsError) as caught:
        settings_file.parse(content, path=str(HERE))
    assert (caught.value.code, caught.value.lines) == (
        "SETTINGS-SYNTAX",
        (line, line) if line else None,
    )


def test_each_key_has_the_line_it_begins_on():
    content = (
        b"top = 1\r\n"
        b'text = """\nrelay.host = "not this"\n[nor.this]\n"""\n'
        b"# comment\n"
        b"  [relay] # comment\n"
        b'host = "a"\n'
        b"inline = { x = 1, y = [1,\n 2] }\n"
        b"[a.'b c']\n"
        b'"d.e"=1\n'
        b"[[many]]\n"
    )
    entries = settings_file.parse(content, path=str(HERE))
    assert {entry.name: entry.line for entry in entries} == {
        "top": 1,
        "text": 2,
        "relay.host": 8,
        "relay.inline.x": 9,
        "relay.inline.y": 9,
        'a."b c"."d.e"': 12,
        "many": 13,
    }


# Any input


@pytest.mark.parametrize("frames", range(4))
def test_nested_as_deep_as_the_interpreter_goes_it_is_refused_and_nothing_else(frames):
    """Between what can be read and what cannot, there is a depth that can be read only once."""
    if frames:
        test_nested_as_deep_as_the_interpreter_goes_it_is_refused_and_nothing_else(frames - 1)
        return
    limit = sys.getrecursionlimit()
    for depth in (*range(limit // 3 - 30, limit // 3), *range(limit // 2 - 30, limit // 2)):
        for begin, end in ((b"[", b"]"), (b"{a=", b"}")):
            with contextlib.suppress(SettingsError):
                settings_file.parse(b"a=" + begin * depth + b"1" + end * depth, path=str(HERE))


def outcome(toml: str = "", **layers) -> Settings | CertmailError:
    try:
        return settle(toml, **layers)
    except CertmailError as error:
        return error


def is_fit_to_show(result: Settings | CertmailError) -> bool:
    if isinstance(result, Settings):
        return all(row.shown.isprintable() for row in result.rows())
    return all(text.isprintable() for text in (result.what, result.why, result.next))


@given(st.text(max_size=200))
def test_any_file_yields_settings_or_our_error(text):
    assert is_fit_to_show(outcome(text))


@given(st.binary(max_size=200))
def test_any_bytes_yield_entries_or_our_error(content):
    with contextlib.suppress(SettingsError):
        settings_file.parse(content, path=str(HERE))


SCALARS = st.booleans() | st.integers() | st.floats() | st.text(max_size=9).map(repr)
LISTS = st.lists(SCALARS, max_size=3)
TOML = (SCALARS | LISTS | st.lists(SCALARS | LISTS, max_size=3)).map(str)


@given(st.sampled_from([key.name for key in keys.KEYS]), TOML)
def test_any_value_of_any_key_yields_settings_or_our_error(name, value):
    assert is_fit_to_show(outcome(f"{name} = {value}"))


@given(st.sampled_from(keys.KEYS), st.text(st.characters(), max_size=60))
def test_any_text_in_the_environment_yields_settings_or_our_error(key, text):
    assert is_fit_to_show(outcome(environ={key.variable: text}))


@given(st.text(max_size=60))
def test_any_name_of_a_variable_yields_settings_or_our_error(name):
    assert is_fit_to_show(outcome(environ={f"CERTMAIL_{name}": "x"}))


# The documentation


def documented_row(key) -> str:
    cells = (f"`{key.name}`", f"`{key.flag}`", f"`{key.variable}`", key.wants, key.without)
    return f"| {' | '.join((*cells, key.help))} |"


def test_the_documentation_has_one_row_for_each_key_and_no_other():
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert rows == [documented_row(key) for key in keys.KEYS]


def test_the_documented_file_is_one_that_is_accepted():
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    settle(example)
    assert set(tomllib.loads(example)) == keys.TABLES


def test_names_are_two_words_deep_and_no_two_keys_share_a_flag_or_a_variable():
    for names in ([k.name for k in keys.KEYS], [k.flag for k in keys.KEYS]):
        assert len(set(names)) == len(keys.KEYS)
    assert len({key.variable for key in keys.KEYS}) == len(keys.KEYS)
    assert all(key.name.count(".") == 1 for key in keys.KEYS)
    assert not {"--config", "--debug", "--json"} & {key.flag for key in keys.KEYS}
