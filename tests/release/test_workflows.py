"""The workflow files: least privilege, pinned actions, and only commands that exist here."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml

from tests.release.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
READ = {"contents": "read"}

MORE = {
    ("release", "attest"): {**READ, "id-token": "write", "attestations": "write"},
    ("release", "publish"): {"id-token": "write"},
}
"""What a job may do beyond reading the checkout, and no other job may."""


class Loader(yaml.SafeLoader):
    """YAML 1.1 takes the key ``on`` for true; the runner does not."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def load(path) -> dict:
    return yaml.load(path.read_text(encoding="utf-8"), Loader)


def jobs():
    return [
        pytest.param(path.stem, name, job, id=f"{path.stem}-{name}")
        for path in WORKFLOWS
        for name, job in load(path)["jobs"].items()
    ]


def commands(job) -> list[list[str]]:
    """Cut a job's scripts into their simple commands."""
    found: list[list[str]] = [[]]
    for script in (step["run"] for step in job["steps"] if "run" in step):
        for line in script.splitlines():
            words = shlex.shlex(line, posix=True, punctuation_chars=True)
            words.whitespace_split = True
            for word in (*words, ";"):
                found = [*found, []] if word in {"&&", "||", ";", "|"} else found
                found[-1] += [] if word in {"&&", "||", ";", "|"} else [word]
    return [words for words in found if words]


def targets() -> set[str]:
    return set(
        re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )


def test_there_are_the_three():
    assert [path.stem for path in WORKFLOWS] == ["lint", "release", "tests"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_nothing_of_itself(path):
    flow = load(path)
    assert set(flow) == {"name", "on", "permissions", "concurrency", "jobs"}
    assert flow["permissions"] == {}
    assert "${{ github.ref }}" in flow["concurrency"]["group"]
    text = path.read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "pull_request_target" not in text
    assert "workflow_run" not in text


def test_only_a_tag_releases():
    assert load(ROOT / ".github/workflows/release.yml")["on"] == {"push": {"tags": ["v*"]}}


@pytest.mark.parametrize(("flow", "name", "job"), jobs())
def test_each_job_may_do_what_it_needs_and_no_more(flow, name, job):
    assert job["permissions"] == MORE.get((flow, name), READ)
    assert 0 < job["timeout-minutes"] <= 60
    assert ("environment" in job) == (name == "publish")
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"] == {"persist-credentials": False}
        # What a stranger can name, a branch or a title, must not become a command.
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_action_is_pinned_by_its_commit(path):
    text = path.read_text(encoding="utf-8")
    pinned = re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)\n", text)
    assert len(pinned) == text.count("uses:")


def test_an_action_is_the_same_commit_everywhere():
    texts = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    pins = set(re.findall(r"uses: (\S+)@(\S+) # (\S+)", texts))
    assert len({action for action, _, _ in pins}) == len(pins)


@pytest.mark.parametrize(("flow", "name", "job"), jobs())
def test_what_a_job_calls_exists(flow, name, job):
    for program, *words in commands(job):
        if program == "make":
            assert set(words) <= targets()
        elif program.startswith("."):
            assert program.startswith(".venv/bin/") or (ROOT / program).is_file()
        for word in words:
            if word.startswith(("requirements/", "tests/")):
                assert (ROOT / word).exists()


def test_every_system_and_python_is_asked_for():
    matrix = load(ROOT / ".github/workflows/tests.yml")["jobs"]["matrix"]["strategy"]["matrix"]
    assert {system.partition("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}
    declared = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text("utf-8"))
    assert matrix["python"] == declared == ["3.11", "3.12", "3.13", "3.14"]


def test_nothing_is_published_without_a_person():
    release = load(ROOT / ".github/workflows/release.yml")["jobs"]
    publishing = [
        name
        for name, job in release.items()
        if any("publish" in step.get("uses", "") for step in job["steps"])
    ]
    assert publishing == ["publish"]
    assert release["publish"]["environment"] == "publish"
    assert (release["publish"]["needs"], release["attest"]["needs"]) == ("attest", "compare")
    assert release["compare"]["needs"] == "build"


def test_the_whole_of_ci_runs_what_the_workflows_run():
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    called = re.findall(r"^make ([a-z]+)", run, re.MULTILINE)
    assert called == ["check", "test", "audit", "sbom"]
    assert set(called) <= targets()
    assert "make audit ARGS=--go-on" in run


@pytest.mark.parametrize("page", ["docs/releasing.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_the_procedure_names_what_there_is(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    called = re.findall(r"(?:`|^\$ )make ([a-z ]+?)(?: [A-Z`#]|`|  |$)", text, re.MULTILINE)
    assert {word for words in called for word in words.split()} <= targets()
    named = re.findall(r"`((?:certmail|requirements|tests|release|\.github|\.ci)/[\w./-]*)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert called
