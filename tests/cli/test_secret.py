"""``certmail secret`` at a shell: a real relay, a real keyring, nothing kept that did not work."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import PASSWORD, User
from tests.schemas import conforms
from tests.secrets.support import ask_keyring, no_bus, run_in_terminal, secret_service

pytestmark = pytest.mark.xdist_group("keyring")

WRONG = "canary-Wrong-55aa"


@pytest.fixture
def flags(relay) -> tuple[str, ...]:
    """The way to the relay, without a source of the password."""
    return relay.flags[: relay.flags.index("--relay-password-command")]


@pytest.fixture
def service(relay) -> str:
    return f"certmail-smtp:smtps://127.0.0.1:{relay.mailbox.port}"


@pytest.fixture
def keyring(short_home):
    with secret_service(short_home) as env:
        yield env


@pytest.fixture
def short_home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    return home


def at_a(env: dict[str, str], user: User) -> User:
    """Give a user for whom ``env`` is the desktop, or the lack of one."""
    user.extra |= {name: env[name] for name in env if name.startswith(("DBUS", "XDG"))}
    return user


@pytest.fixture
def nowhere(tmp_path_factory, user) -> User:
    """A user on a machine without a keyring."""
    return at_a(no_bus(tmp_path_factory.mktemp("nowhere")), user)


def names(flags: tuple[str, ...]) -> list[str]:
    """Keep of the way to a relay what names the entry."""
    at = flags.index("--relay-ca-file")
    return [*flags[:at], *flags[at + 2 :]]


def told(ran) -> str:
    """Give what was told, without the ends of its lines."""
    return " ".join(ran.err.split())


def piped(user: User, *arguments: str, password: str = PASSWORD):
    return user("secret", *arguments, "--password-stdin", stdin=f"{password}\n".encode())


@pytest.mark.peer
def test_a_password_is_tried_kept_used_and_removed(keyring, user, relay, flags, service):
    person = at_a(keyring, user)
    ran = piped(person, "set", *flags)
    assert ran.status == 0, ran.err
    assert "let ops in, by PLAIN over TLSv1.3" in ran.out
    assert f"kept in the keyring (SecretService), under {service} for ops" in ran.out
    assert ask_keyring(keyring, service=service, user="ops") == f"read {PASSWORD}"

    tested = person("secret", "test", *flags)
    assert tested.status == 0, tested.err
    assert f"the password comes from the keyring, under {service} for ops" in told(tested)

    gone = person("secret", "forget", *names(flags))
    assert (gone.status, gone.out) == (0, f"removed from the keyring: {service} for ops\n")
    assert ask_keyring(keyring, service=service, user="ops").startswith("SECRET-MISSING ")
    again = person("secret", "forget", *names(flags))
    assert (again.status, again.code) == (15, "SECRET-MISSING")
    assert "next: certmail secret set" in again.err
    assert relay.mailbox.delivered == []
    for each in (ran, tested, gone, again):
        assert PASSWORD not in each.out + each.err


@pytest.mark.peer
def test_each_object_is_what_its_schema_says(keyring, user, flags, service):
    """certmail.secret-set/1, certmail.secret-test/1 and certmail.secret-forget/1."""
    person = at_a(keyring, user)
    made = conforms(piped(person, "set", "--json", *flags).json)
    assert (made["schema"], made["service"]) == ("certmail.secret-set/1", service)
    tested = conforms(person("secret", "test", "--json", *flags).json)
    assert (tested["schema"], tested["kind"]) == ("certmail.secret-test/1", "password")
    gone = conforms(person("secret", "forget", "--json", *names(flags)).json)
    assert (gone["schema"], gone["service"]) == ("certmail.secret-forget/1", service)
    refused = conforms(person("secret", "forget", "--json", *names(flags)).json)
    assert refused["schema"] == "certmail.error/1"


@pytest.mark.peer
def test_a_password_that_the_relay_refuses_is_not_kept(keyring, user, flags, service):
    ran = piped(at_a(keyring, user), "set", *flags, password=WRONG)
    assert (ran.status, ran.code) == (13, "RELAY-AUTH-REFUSED")
    assert ask_keyring(keyring, service=service, user="ops").startswith("SECRET-MISSING ")
    assert WRONG not in ran.out + ran.err


@pytest.mark.peer
def test_an_unproved_relay_gets_no_password(keyring, user, flags, service):
    trusting_nobody = tuple(word for word in flags if not word.endswith("ca.pem"))
    untrusted = tuple(word for word in trusting_nobody if word != "--relay-ca-file")
    ran = piped(at_a(keyring, user), "set", *untrusted)
    assert (ran.status, ran.code) == (13, "RELAY-TLS-CERTIFICATE")
    assert ask_keyring(keyring, service=service, user="ops").startswith("SECRET-MISSING ")


def test_without_a_keyring_nothing_is_tried(nowhere, flags):
    ran = piped(nowhere, "set", *flags)
    assert (ran.status, ran.code) == (15, "SECRET-KEYRING-NONE")
    assert "docs/secrets.md" in ran.err
    assert "logging in" not in ran.err


def test_a_plain_file_is_refused_by_name_and_keeps_nothing(nowhere, flags):
    nowhere.extra["PYTHON_KEYRING_BACKEND"] = "keyrings.alt.file.PlaintextKeyring"
    ran = piped(nowhere, "set", *flags)
    assert (ran.status, ran.code) == (15, "SECRET-KEYRING-UNSAFE")
    assert "keyrings.alt.file.PlaintextKeyring" in ran.err
    assert not list(nowhere.home.rglob("*.cfg"))


def test_there_is_no_way_to_keep_what_was_not_tried(user):
    said = user("secret", "set", "--help").out
    assert not {"--offline", "--force", "--no-test", "--skip"} & set(said.split())
    for flag in ("--offline", "--force", f"--password={WRONG}", WRONG):
        ran = user("secret", "set", flag)
        assert ran.status == 2
        assert "certmail: error" not in ran.err.replace("Error", "")


def test_nothing_is_kept_in_a_keyring_that_would_not_be_asked(nowhere, relay):
    nowhere.extra["CERTMAIL_RELAY_PASSWORD_COMMAND"] = relay.flags[-1]
    ran = piped(nowhere, "set", *relay.flags[:-2])
    assert (ran.status, ran.code) == (2, "SECRET-NOT-KEPT-HERE")
    assert "relay.password_command" in ran.err


def test_a_secret_of_the_other_kind_is_refused(nowhere, flags):
    ran = piped(nowhere, "set", *flags, "--relay-auth", "xoauth2")
    assert (ran.status, ran.code) == (15, "SECRET-KIND")
    assert "--token-stdin" in ran.err
    both = nowhere("secret", "set", "--password-stdin", "--token-stdin", *flags)
    assert both.status == 2


def test_a_job_without_terminal_is_told_how(nowhere, flags):
    done = subprocess.run(
        ["setsid", "-w", sys.executable, "-m", "certmail", "secret", "test", *flags],
        env=nowhere.environment(),
        cwd=nowhere.home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 15
    assert "SECRET-KEYRING-NONE" in done.stderr


def test_without_a_login_there_is_no_secret(nowhere, flags):
    at = flags.index("--relay-user") + 1
    nobody = (*flags[:at], "", *flags[at + 1 :])
    for act in ("set", "test", "forget"):
        ran = nowhere("secret", act, *(names(nobody) if act == "forget" else nobody))
        assert (ran.status, ran.code) == (2, "SECRET-NO-LOGIN")


# Each source, by ``secret test`` and by a send


def sources(user: User) -> dict[str, tuple[list[str], dict[str, str]]]:
    file = user.home / "word"
    file.touch(mode=0o600)
    file.write_text(PASSWORD + "\n")
    (user.home / "handed").mkdir()
    for name in ("certmail-password", "another"):
        (user.home / "handed" / name).write_text(PASSWORD)
    handed = {"CREDENTIALS_DIRECTORY": str(user.home / "handed")}
    return {
        "the password command cat": (["--relay-password-command", f"cat {file}"], {}),
        f"the file {file}": (["--relay-password-file", str(file)], {}),
        "the systemd credential another": (["--relay-password-credential", "another"], handed),
        "the systemd credential certmail-password": ([], handed),
    }


def test_each_source_is_named_and_tried(nowhere, flags):
    for place, (more, env) in sources(nowhere).items():
        nowhere.extra |= {"CREDENTIALS_DIRECTORY": "", **env}
        ran = nowhere("secret", "test", *flags, *more)
        assert ran.status == 0, ran.err
        assert f"the password comes from {place} … connecting" in told(ran)
        assert PASSWORD not in ran.out + ran.err
    ran = piped(nowhere, "test", *flags)
    assert ran.status == 0, ran.err


def test_two_sources_are_refused_with_both_names(nowhere, relay):
    file = nowhere.home / "word"
    ran = nowhere("secret", "test", *relay.flags, "--relay-password-file", str(file))
    assert (ran.status, ran.code) == (16, "SETTINGS-TWO-SOURCES")
    assert "relay.password_command (flag --relay-password-command)" in told(ran)
    assert "relay.password_file (flag --relay-password-file)" in told(ran)
    ran = piped(nowhere, "test", *relay.flags)
    assert (ran.status, ran.code) == (2, "SECRET-STDIN-CONFLICT")
    assert "relay.password_command" in ran.err


def test_the_settings_show_the_place_and_never_what_is_there(nowhere):
    file = nowhere.home / "word"
    file.write_text(PASSWORD)
    nowhere.extra["CERTMAIL_RELAY_PASSWORD_FILE"] = str(file)
    shown = nowhere("config").out
    assert str(file) in shown
    assert PASSWORD not in shown


def test_a_send_takes_its_password_from_standard_input(nowhere, bundle, flags, relay, accepted):
    ran = nowhere(
        "send", bundle, "--yes", "--password-stdin", *accepted, *flags,
        stdin=f"{PASSWORD}\n".encode(),
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert PASSWORD not in ran.out + ran.err


@pytest.fixture
def accepted() -> list[str]:
    from certmail.recipient import CLEVER_CLOUD

    return [f"--accept-expired-key={CLEVER_CLOUD.pin}"]


@pytest.mark.parametrize(
    ("arguments", "act"),
    [(["-", "--yes"], "give the bundle as a file"), (["bundle.pem"], "add --yes")],
)
def test_standard_input_cannot_be_two_things(arguments, act, nowhere, bundle, flags):
    ran = nowhere("send", *arguments, "--password-stdin", *flags, stdin=b"x\n")
    assert (ran.status, ran.code) == (2, "SECRET-STDIN-CONFLICT")
    assert act in ran.err


def test_a_retry_takes_it_from_there_as_well(nowhere, bundle, flags, accepted):
    port = flags.index("--relay-port") + 1
    away = (*flags[:port], "9", *flags[port + 1 :])
    word = f"{PASSWORD}\n".encode()
    kept = nowhere("send", bundle, "--yes", "--password-stdin", *accepted, *away, stdin=word)
    assert kept.status == 19, kept.err
    ran = nowhere("outbox", "retry", "--now", "--password-stdin", *accepted, *flags, stdin=word)
    assert ran.status == 0, ran.err


def test_a_dry_run_takes_no_password(nowhere, bundle, flags):
    ran = nowhere("send", bundle, "--dry-run", "--password-stdin", *flags, stdin=b"x\n")
    assert (ran.status, "--dry-run logs in nowhere" in ran.err) == (2, True)


def test_two_sources_are_refused_before_anything_is_sealed(nowhere, bundle, relay, accepted):
    for more, code in (
        (["--password-stdin"], "SECRET-STDIN-CONFLICT"),
        (["--relay-auth", "xoauth2"], "SECRET-KIND"),
    ):
        ran = nowhere("send", bundle, "--yes", *accepted, *relay.flags, *more, stdin=b"x\n")
        assert ran.code == code
    assert "the outbox is empty" in nowhere("outbox", "list").out


# Where a password must not be


def test_no_word_of_it_is_told_or_kept(nowhere, bundle, flags, accepted):
    """What the processes show meanwhile is looked at in tests/leaks/test_onlooker.py."""
    word = nowhere.home / "word"
    word.write_text(PASSWORD)
    ran = nowhere(
        "send", bundle, "--yes", "-vv", *accepted, *flags, "--relay-password-command", f"cat {word}"
    )
    assert ran.status == 0, ran.err
    assert PASSWORD not in ran.out + ran.err
    kept = [
        path
        for path in nowhere.home.rglob("*")
        if path.is_file() and path.name not in {"word", "password"}
    ]
    assert kept
    assert [path for path in kept if PASSWORD.encode() in path.read_bytes()] == []


def test_a_dead_keyring_ends_in_time(short_home, user, flags):
    """A bus that takes the question and never answers."""
    path = short_home / "bus"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen(8)
        env = no_bus(short_home, DBUS_SESSION_BUS_ADDRESS=f"unix:path={path}")
        began = time.monotonic()
        done = subprocess.run(
            ["setsid", "-w", sys.executable, "-m", "certmail", "secret", "test", *flags],
            env=at_a(env, user).environment(),
            cwd=user.home,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert time.monotonic() - began < 40
    assert done.returncode == 15
    assert "error[SECRET-KEYRING-" in done.stderr


# At a terminal


@pytest.mark.peer
def test_a_person_types_it_once_and_unseen(keyring, user, flags, service, monkeypatch):
    for name, value in at_a(keyring, user).environment().items():
        monkeypatch.setenv(name, value)
    words = ["secret", "set", *flags]
    code = f"import sys; from certmail.cli.entry import run; sys.exit(run({words!r}))"
    status, screen = run_in_terminal(
        code, type_in=f"{PASSWORD}\n".encode(), wait_for=b"Password of ops at "
    )
    assert status == 0, screen
    # TLS is proved before anybody is asked, and the relay says whether it was typed right.
    steps = ("connecting", "reading the password", "Password of ops at", "logging in", "let ops in")
    assert [screen.index(step) for step in steps] == sorted(screen.index(step) for step in steps)
    assert PASSWORD not in screen
    assert ask_keyring(keyring, service=service, user="ops") == f"read {PASSWORD}"
