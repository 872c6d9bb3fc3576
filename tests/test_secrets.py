"""Where the password comes from; above all, where it does not."""

from __future__ import annotations

import errno
import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from certmail import secrets
from certmail.errors import SecretError
from certmail.secrets import worker
from certmail.secrets.bounded import MAX_OCTETS, run_within
from certmail.secrets.command import CommandOutput
from certmail.secrets.keyring import KeyringEntry
from tests.peers import need

CANARY = "canary-Pässword-9b1d"
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Somebody:
    url: str = "smtps://smtp.example.org:465"
    user: str | None = "ops@example.org"


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", code


# A command


def command(*words: str, deadline_s: float = 20) -> CommandOutput:
    return CommandOutput(words, deadline_s)


def test_the_first_line_of_a_command_is_the_password():
    code = f"import sys; sys.stdout.buffer.write({CANARY!r}.encode() + b'\\nuser: ops\\n')"
    assert secrets.from_command(python(code)).read().reveal() == CANARY


@pytest.mark.parametrize("end", ["", "\\n", "\\r\\n"])
def test_the_end_of_the_line_is_not_part_of_the_password(end):
    code = f"import sys; sys.stdout.write('word{end}')"
    assert command(*python(code)).read().reveal() == "word"


def test_spaces_are_part_of_the_password():
    assert command(*python("print('  two words ')")).read().reveal() == "  two words "


def test_no_shell_sees_the_words(tmp_path):
    trace = tmp_path / "trace"
    said = command("/bin/echo", f"$(touch {trace});`touch {trace}`").read().reveal()
    assert said == f"$(touch {trace});`touch {trace}`"
    assert not trace.exists()


@pytest.mark.parametrize(
    "words",
    [
        python(f"import sys; print({CANARY!r}); sys.exit(3)"),
        python("pass"),
        python("print()"),
        python("import sys; sys.stdout.buffer.write(b'\\xff\\xfe\\n')"),
        python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        ("/nonexistent/command", CANARY),
        ("/tmp", CANARY),
        ("a\0b", CANARY),
        (),
        ("",),
    ],
    ids=[
        "status",
        "nothing",
        "empty-line",
        "no-text",
        "killed",
        "missing",
        "folder",
        "nul",
        "no-words",
        "no-name",
    ],
)
def test_a_command_that_fails_gives_no_password_and_is_not_quoted(words):
    with pytest.raises(SecretError) as caught:
        command(*words).read()
    assert caught.value.code == "SECRET-COMMAND-FAILED"
    assert CANARY not in repr(vars(caught.value))
    assert caught.value.__cause__ is None


def test_a_command_that_hangs_is_ended():
    began = time.monotonic()
    with pytest.raises(SecretError) as caught:
        command(*python("import time; time.sleep(60)"), deadline_s=0.3).read()
    assert caught.value.code == "SECRET-COMMAND-TIMEOUT"
    assert time.monotonic() - began < 5


def test_a_command_that_never_stops_writing_is_ended():
    endless = "while True: print('x' * 1000)"
    began = time.monotonic()
    with pytest.raises(SecretError) as caught:
        command(*python(endless)).read()
    assert caught.value.code == "SECRET-COMMAND-FAILED"
    assert time.monotonic() - began < 10


def test_output_has_a_bound():
    ended = run_within(20, python("import os; os.write(1, b'x' * 300000)"))
    assert len(ended.output) <= MAX_OCTETS + 4096


def test_a_grandchild_that_keeps_the_pipe_open_is_not_waited_for():
    """Such is an agent that the command starts in passing."""
    began = time.monotonic()
    assert command("/bin/sh", "-c", "echo word; sleep 3 &").read().reveal() == "word"
    assert time.monotonic() - began < 2.5


def test_what_is_typed_at_certmail_is_not_the_commands():
    code = "import sys; print(repr(sys.stdin.read()))"
    assert command(*python(code)).read().reveal() == "''"


def test_a_source_shows_nothing_of_what_it_may_hold():
    assert CANARY not in repr(CommandOutput(("echo", CANARY)))


# The prompt


def run_in_terminal(code: str, *, type_in: bytes, wait_for: bytes = b": ") -> tuple[int, str]:
    """Run Python on a terminal of its own, answer its question, give its status and screen."""
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover  # another process
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", code])
    screen = b""
    typed = False
    try:
        while True:
            try:
                chunk = os.read(terminal, 4096)
            except OSError as fault:
                if fault.errno == errno.EIO:
                    break
                raise
            if not chunk:
                break
            screen += chunk
            if not typed and wait_for in screen:
                os.write(terminal, type_in)
                typed = True
    finally:
        os.close(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), screen.decode("utf-8", "replace")


ASK = """
from certmail.errors import SecretError
from certmail.secrets.prompt import Prompt
try:
    said = Prompt("Password of ops: ").read()
    print(len(said.reveal()), "characters", said)
except SecretError as error:
    print(error.code)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_person_types_and_the_screen_shows_nothing_of_it():
    status, screen = run_in_terminal(ASK, type_in=b"typed-canary\n")
    assert status == 0
    assert "12 characters <secret>" in screen
    assert "typed-canary" not in screen


@pytest.mark.parametrize(("key", "said"), [(b"\x04", "SECRET-MISSING"), (b"\x03", "interrupted")])
def test_a_person_may_decline(key, said):
    status, screen = run_in_terminal(ASK, type_in=key)
    assert (status, said in screen) == (0, True)


def alone(code: str, *, stdin: str = "", env: dict[str, str] | None = None) -> str:
    """Run Python without a terminal, as a job in the background runs; give what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
        env=env,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_without_a_terminal_nobody_is_asked_and_no_pipe_is_believed():
    assert alone(ASK, stdin="piped-canary\n") == "SECRET-NO-TERMINAL"


# The keyring

READ = """
import json, sys
from certmail.errors import SecretError
from certmail.secrets.keyring import KeyringEntry
act, service, user, secret = json.loads(sys.argv[1]) if len(sys.argv) > 1 else json.load(sys.stdin)
entry = KeyringEntry(service, user)
try:
    if act == "store":
        print("kept in", entry.store(Secret(secret)))
    elif act == "forget":
        entry.forget()
        print("forgotten")
    else:
        print("read", entry.read().reveal())
except SecretError as error:
    print(error.code, "|", error.what, "|", error.next)
"""

SERVICE = "certmail-smtp:smtps://smtp.example.org:465"


def no_bus(home: Path, **more: str) -> dict[str, str]:
    """Make an environment in which no keyring of the machine can be found."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_RUNTIME_DIR": str(home),
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
        **more,
    }


def ask_keyring(
    env: dict[str, str], act="read", service=SERVICE, user="ops@example.org", secret=""
):
    return alone(READ, stdin=json.dumps([act, service, user, secret]), env=env)


def test_an_entry_is_bound_to_protocol_host_port_and_user():
    entry = secrets.from_keyring(Somebody())
    assert (entry.service, entry.user) == (SERVICE, "ops@example.org")
    other = secrets.from_keyring(Somebody(url="smtp+starttls://smtp.example.org:587"))
    assert other.service != entry.service


def test_a_machine_without_a_keyring_is_told_apart(tmp_path):
    assert ask_keyring(no_bus(tmp_path)).startswith("SECRET-KEYRING-NONE ")


FOREIGN = """
import os
from pathlib import Path
from keyring.backend import KeyringBackend
Path(os.environ["HOME"], "loaded").touch()

class PlainFile(KeyringBackend):
    priority = 99
    def get_password(self, service, username):
        return "from-a-plain-file"
    def set_password(self, service, username, password):
        Path(os.environ["HOME"], "loaded").write_text(password)
"""


@pytest.fixture
def foreign(tmp_path):
    """A plug-in that outranks everything and keeps passwords in a plain file."""
    packages = tmp_path / "packages"
    info = packages / "plainfile-1.0.dist-info"
    info.mkdir(parents=True)
    (packages / "plainfile.py").write_text(FOREIGN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plainfile\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[keyring.backends]\nplain = plainfile:PlainFile\n")
    return packages


def test_a_plain_file_is_refused_by_name_and_never_loaded(tmp_path, foreign):
    said = ask_keyring(no_bus(tmp_path, PYTHONPATH=str(foreign)))
    assert said.startswith("SECRET-KEYRING-UNSAFE ")
    assert "plainfile:PlainFile" in said
    assert not (tmp_path / "loaded").exists()
    stored = ask_keyring(no_bus(tmp_path, PYTHONPATH=str(foreign)), "store", secret=CANARY)
    assert stored.startswith("SECRET-KEYRING-UNSAFE ")
    assert not (tmp_path / "loaded").exists()


def test_the_packages_variable_and_its_file_have_no_effect(tmp_path, foreign):
    """``keyringrc.cfg`` may even put a folder in front of Python's path."""
    for folder in (tmp_path / "config" / "python_keyring", tmp_path / "data" / "python_keyring"):
        folder.mkdir(parents=True)
        (folder / "keyringrc.cfg").write_text(
            f"[backend]\ndefault-keyring=plainfile.PlainFile\nkeyring-path={foreign}\n"
        )
    said = ask_keyring(
        no_bus(
            tmp_path,
            PYTHON_KEYRING_BACKEND="plainfile.PlainFile",
            KEYRING_PROPERTY_PREFERRED_COLLECTION="/evil",
        )
    )
    assert said.startswith("SECRET-KEYRING-NONE ")
    assert not (tmp_path / "loaded").exists()


def test_only_the_systems_own_stores_are_asked():
    assert {module.rpartition(".")[2] for module, _ in worker.SAFE} == {
        "SecretService",
        "kwallet",
        "libsecret",
        "macOS",
        "Windows",
    }


def keyring_that(code: str, tmp_path: Path, *, deadline_s: float = 20) -> KeyringEntry:
    """Name an entry whose worker is replaced by a program."""
    program = tmp_path / "python"
    program.write_text(f"#!{sys.executable}\n{code}\n")
    program.chmod(0o755)
    return KeyringEntry(SERVICE, "ops@example.org", deadline_s, python=str(program))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import time; time.sleep(60)", "SECRET-KEYRING-TIMEOUT"),
        ("", "SECRET-KEYRING-FAILED"),
        ("print('[]')", "SECRET-KEYRING-FAILED"),
        ("print('{')", "SECRET-KEYRING-FAILED"),
        ('print(\'{"verdict": "odd", "fault": "\\x1b[2J"}\')', "SECRET-KEYRING-FAILED"),
        ('print(\'{"verdict": "locked"}\')', "SECRET-KEYRING-LOCKED"),
        ('print(\'{"verdict": "absent"}\')', "SECRET-MISSING"),
        ('print(\'{"verdict": "done"}\')', "SECRET-MISSING"),
        ('print(\'{"verdict": "done", "secret": 5}\')', "SECRET-MISSING"),
        ('print(\'{"verdict": "none"}\')', "SECRET-KEYRING-NONE"),
    ],
)
def test_every_way_a_keyring_fails_has_a_name(code, expected, tmp_path):
    entry = keyring_that(code, tmp_path, deadline_s=2 if "sleep" in code else 20)
    with pytest.raises(SecretError) as caught:
        entry.read()
    assert caught.value.code == expected
    assert caught.value.what.isprintable()


def test_a_python_that_cannot_be_started_is_told_apart(tmp_path):
    with pytest.raises(SecretError) as caught:
        KeyringEntry(SERVICE, "ops", python=str(tmp_path / "none")).read()
    assert caught.value.code == "SECRET-KEYRING-FAILED"


def test_an_interrupted_wait_ends_the_program(tmp_path):
    """The child would otherwise go on waiting for a prompt that nobody answers."""
    code = f"""
import os, signal, sys, time
from pathlib import Path
from certmail.secrets.bounded import run_within
note = Path({str(tmp_path / "pid")!r})
child = "import os, signal, sys, time; from pathlib import Path;" \
        "Path(sys.argv[1]).write_text(str(os.getpid()));" \
        "os.kill(os.getppid(), signal.SIGINT); time.sleep(30)"
try:
    run_within(30, [sys.executable, "-c", child, str(note)], apart=True)
except KeyboardInterrupt:
    try:
        os.kill(int(note.read_text()), 0)
    except ProcessLookupError:
        print("ended")
"""
    assert alone(code) == "ended"


# The keyring, then a person

KEYRING_OR_PROMPT = """
from certmail import secrets
from certmail.errors import SecretError
class Somebody:
    url, user = "smtps://smtp.example.org:465", "ops@example.org"
try:
    print(len(secrets.from_keyring_or_prompt(Somebody).read().reveal()), "characters")
except SecretError as error:
    print(error.code)
"""


def test_without_an_entry_a_person_is_asked(monkeypatch, tmp_path):
    for name, value in no_bus(tmp_path).items():
        monkeypatch.setenv(name, value)
    status, screen = run_in_terminal(KEYRING_OR_PROMPT, type_in=b"typed\n", wait_for=b":465: ")
    assert (status, "5 characters" in screen) == (0, True)
    assert "Password of ops@example.org at smtps://smtp.example.org:465: " in screen


def test_without_an_entry_and_without_a_person_the_keyring_is_what_is_missing(tmp_path):
    assert alone(KEYRING_OR_PROMPT, env=no_bus(tmp_path)) == "SECRET-KEYRING-NONE"


# A real Secret Service


@contextmanager
def secret_service(home: Path, *, unlock: bool = True):
    """Start a D-Bus and GNOME's keyring for this test alone; give the environment to reach it."""
    daemon = need("gnome-keyring-daemon", package="gnome-keyring")
    need("dbus-daemon", package="dbus")
    (home / "data" / "keyrings").mkdir(parents=True, exist_ok=True)
    env = no_bus(home)
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        env["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        keyring = subprocess.Popen(
            [daemon, "--foreground", "--components=secrets", *(["--unlock"] if unlock else [])],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            keyring.stdin.write(b"login-password" if unlock else b"")
            keyring.stdin.close()
            await_service(env)
            yield env
        finally:
            end(keyring)
    finally:
        end(bus)
        bus.stdout.close()


def await_service(env: dict[str, str]) -> None:
    code = """
import time, secretstorage
bus = secretstorage.dbus_init()
for _ in range(100):
    if secretstorage.check_service_availability(bus):
        print("there")
        break
    time.sleep(0.05)
bus.close()
"""
    assert alone(code, env=env) == "there"


def end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def short_home(tmp_path_factory) -> Path:
    """A folder that only we may enter, as the daemons demand."""
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    return home


@pytest.mark.peer
def test_a_real_keyring_keeps_gives_and_forgets_a_password(short_home):
    with secret_service(short_home) as env:
        assert ask_keyring(env).startswith("SECRET-MISSING ")
        assert ask_keyring(env, "store", secret=CANARY) == "kept in SecretService"
        assert ask_keyring(env) == f"read {CANARY}"
        # Another host, another port, another user: another password, or none.
        assert ask_keyring(env, service=SERVICE.replace("465", "587")).startswith("SECRET-MISSING ")
        assert ask_keyring(env, user="root").startswith("SECRET-MISSING ")
        assert ask_keyring(env, "store", secret="another") == "kept in SecretService"
        assert ask_keyring(env) == "read another"
        assert ask_keyring(env, "forget") == "forgotten"
        assert ask_keyring(env, "forget").startswith("SECRET-MISSING ")
        assert ask_keyring(env).startswith("SECRET-MISSING ")


@pytest.mark.peer
def test_a_locked_keyring_is_not_waited_for_without_a_terminal(short_home):
    with secret_service(short_home) as env:
        assert ask_keyring(env, "store", secret=CANARY) == "kept in SecretService"
    with secret_service(short_home, unlock=False) as env:
        began = time.monotonic()
        assert ask_keyring(env).startswith("SECRET-KEYRING-LOCKED ")
        assert ask_keyring(env, "store", secret="x").startswith("SECRET-KEYRING-LOCKED ")
        assert time.monotonic() - began < 10


@pytest.mark.peer
def test_a_plain_file_beside_a_real_keyring_is_never_asked(short_home, foreign):
    with secret_service(short_home) as env:
        env |= {"PYTHONPATH": str(foreign), "PYTHON_KEYRING_BACKEND": "plainfile.PlainFile"}
        assert ask_keyring(env).startswith("SECRET-MISSING ")
    assert not (short_home / "loaded").exists()


@pytest.mark.peer
def test_the_keyring_packages_own_command_makes_the_same_entry(short_home):
    """What the error tells the operator to type works."""
    with secret_service(short_home) as env:
        words = ask_keyring(env).rpartition(" | ")[2].split(" ")
        assert words[:2] == ["keyring", "set"]
        subprocess.run(
            [sys.executable, "-m", "keyring", *words[1:]],
            input=CANARY,
            env=env,
            text=True,
            check=True,
            capture_output=True,
            timeout=60,
        )
        assert ask_keyring(env) == f"read {CANARY}"
