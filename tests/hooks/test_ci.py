"""The jobs for GitHub and GitLab: their own lines, run as their runners run them, in a sandbox."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from certmail.gnupg.runner import run
from tests.cli.conftest import PASSWORD, Ran
from tests.conftest import SENDER
from tests.hooks.conftest import HOOKS, check_sealed

GITHUB, GITLAB = HOOKS / "github-actions.yml", HOOKS / "gitlab-ci.yml"
MEMORY = Path("/dev/shm")
"""What the jobs use; here under names of this run's own."""

pytestmark = pytest.mark.skipif(not MEMORY.is_dir(), reason="there is no /dev/shm here")


@pytest.fixture
def secrets(gpg, sender, bundle_pem) -> dict[str, str]:
    """What is stored at the forge, as people paste it: without the last line end."""
    key = run(
        gpg, "--armor", "--pinentry-mode", "loopback", "--passphrase", "",
        "--export-secret-keys", sender.fingerprint.text,
        home=sender.home, env=os.environ, timeout_s=60,
    ).stdout  # fmt: skip
    return {
        "BUNDLE": bundle_pem.decode().strip(),
        "SIGNING_KEY": key.decode().strip(),
        "RELAY_PASSWORD": PASSWORD,
    }


@pytest.fixture
def job_id(tmp_path) -> str:
    return f"{os.getpid()}-{tmp_path.name[-12:]}"


@pytest.fixture
def runner(machine):
    """A runner: no registry, and a certmail that leaves behind what its environment was."""
    certmail = (machine.programs / "certmail").read_text()
    noted = certmail.replace("\n", f'\nenv >>"{machine.home}/seen.env"\n', 1)
    machine.program("certmail", noted)
    for name in ("pipx", "pip"):
        machine.program(name, '#!/bin/sh\ntest "$1" = install\n')
    return machine


@pytest.fixture
def shell(runner):
    def run_lines(lines: str, env: dict[str, str]) -> Ran:
        settings = {
            name: value
            for name, value in runner.environment().items()
            if name not in {"GNUPGHOME", "CERTMAIL_RELAY_PASSWORD_COMMAND"}
        }
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", lines],
            env={**settings, **env},
            cwd=runner.home,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run_lines


def filled(text: str, secrets: dict[str, str], runner, job_id: str) -> str:
    """Put values in place of GitHub's expressions."""
    known = {
        **{f"secrets.{name}": value for name, value in secrets.items()},
        "vars.SENDER_ADDRESS": SENDER.text,
        "vars.RELAY_HOST": "127.0.0.1",
        "vars.RELAY_USER": "ops",
        "github.run_id": job_id,
        "github.workspace": str(runner.home),
    }
    return re.sub(r"\$\{\{ ([a-zA-Z_.]+) \}\}", lambda found: known[found[1]], text)


def nothing_is_left(runner, secrets, job_id) -> None:
    """No secret was certmail's to inherit, nor lies anywhere in the home, the state or memory."""
    assert not (MEMORY / f"certmail-{job_id}").exists()
    key_line = secrets["BUNDLE"].splitlines()[3]
    told = [key_line, secrets["SIGNING_KEY"].splitlines()[4], PASSWORD]
    kept = [p for p in runner.home.rglob("*") if p.is_file() and p.name != "password"]
    assert "seen.env" in {path.name for path in kept}
    for path in kept:
        content = path.read_bytes()
        assert [word for word in told if word.encode() in content] == [], path


def github(runner, shell, secrets, job_id) -> list[Ran]:
    [job] = yaml.safe_load(GITHUB.read_bytes())["jobs"].values()
    ran: list[Ran] = []
    for step in job["steps"]:
        failed = any(one.status for one in ran)
        if "run" not in step or (failed and step.get("if") != "always()"):
            continue
        env = {**job["env"], **step.get("env", {})}
        env = {name: filled(str(value), secrets, runner, job_id) for name, value in env.items()}
        assert "${{" not in step["run"], "what is filled into a script lies on the runner's disk"
        ran.append(shell(step["run"], env))
    return ran


def gitlab(runner, shell, secrets, job_id) -> list[Ran]:
    job = yaml.safe_load(GITLAB.read_bytes())["certificate"]
    files = runner.home.parent / f"{runner.home.name}.tmp"
    files.mkdir(exist_ok=True)
    env = {"CERTMAIL_SENDER_ADDRESS": SENDER.text}
    for name, value in secrets.items():
        path = files / f"{name}_FILE"
        path.write_text(value + "\n")
        env[f"{name}_FILE"] = str(path)
    known = {"$CI_JOB_ID": job_id, "$CI_PROJECT_DIR": str(runner.home)}
    for name, value in job["variables"].items():
        for variable, word in known.items():
            value = value.replace(variable, word)  # noqa: PLW2901 - the runner expands them so
        env[name] = value
    return [
        shell("\n".join([*job["before_script"], *job["script"]]), env),
        shell("\n".join(job["after_script"]), env),
    ]


JOBS = pytest.mark.parametrize("job", [github, gitlab])


@JOBS
def test_a_job_sends_once_and_leaves_nothing_behind(job, runner, shell, secrets, job_id):
    ran = job(runner, shell, secrets, job_id)
    assert [one.status for one in ran] == [0] * len(ran), [one.err for one in ran]
    assert len(runner.mails) == 1
    check_sealed(runner.mails[0])
    nothing_is_left(runner, secrets, job_id)
    again = job(runner, shell, secrets, job_id)
    assert [one.status for one in again] == [0] * len(ran), [one.err for one in again]
    assert any("nothing is sent" in one.out for one in again)
    assert len(runner.mails) == 1
    nothing_is_left(runner, secrets, job_id)


@JOBS
def test_a_job_with_a_bad_bundle_fails_and_leaves_nothing_behind(
    job, runner, shell, secrets, job_id
):
    secrets["BUNDLE"] = secrets["BUNDLE"].replace("BEGIN CERTIFICATE", "BEGIN SOMETHING", 1)
    ran = job(runner, shell, secrets, job_id)
    assert 10 in [one.status for one in ran]
    assert ran[-1].status == 0
    assert runner.mails == []
    nothing_is_left(runner, secrets, job_id)


@pytest.mark.parametrize("path", [GITHUB, GITLAB], ids=lambda path: path.stem)
def test_no_secret_is_called_as_a_setting_is(path):
    assert not re.search(r"CERTMAIL_[A-Z_]*(?:PASSWORD|SECRET|KEY|BUNDLE)", path.read_text())


def test_files_held_in_memory_are_for_the_runner_alone(runner, shell, secrets, job_id):
    """Until they are forgotten, nobody else can read them."""
    [job] = yaml.safe_load(GITHUB.read_bytes())["jobs"].values()
    [step] = [one for one in job["steps"] if "secrets." in str(one.get("env"))]
    env = {
        name: filled(str(value), secrets, runner, job_id)
        for name, value in {**job["env"], **step["env"]}.items()
    }
    held = MEMORY / f"certmail-{job_id}"
    try:
        assert shell(step["run"], env).status == 0
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (held, *held.iterdir())}
        assert {mode & 0o077 for mode in modes.values()} == {0}
    finally:
        [forget] = [one for one in job["steps"] if one["name"].startswith("Forget")]
        assert shell(forget["run"], env).status == 0
    assert not held.exists()
