"""The audit tells three answers apart, and never takes silence for a pass."""

from __future__ import annotations

import pytest

from release.audit import Outcome, judge
from tests.peers import unmet
from tests.release.conftest import AUDIT, ROOT, run

KNOWN = (
    "requests==2.19.1"
    " --hash=sha256:63b52e3c866428a224f97cab011de738c36aec0185aa91cfacd418b5d58911d1\n"
    "    # via certmail\n"
)
"""Known since 2018: CVE-2018-18074."""

CLEAN = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "not found"}
FAULT = {"id": "PYSEC-2018-28", "fix_versions": ["2.20.0"], "aliases": ["CVE-2018-18074"]}


@pytest.fixture(autouse=True)
def tools():
    if not AUDIT.exists():
        unmet("make audit has not set up its environment")


def audit(lock, *words: str, **environ: str):
    return run(AUDIT, "-m", "release.audit", *words, lock, cwd=ROOT, **environ)


def test_a_release_with_a_known_fault_fails(tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_text(KNOWN)
    ended = audit(lock, "--go-on")
    if "NOT AUDITED" in ended.stdout:
        pytest.skip(f"the data cannot be had here: {ended.stdout.strip()}")
    assert (ended.returncode, "KNOWN VULNERABILITIES" in ended.stdout) == (1, True)
    assert "CVE-2018-18074" in ended.stdout


def test_no_way_to_the_data_is_not_a_pass(tmp_path):
    """A proxy at a port where nobody listens: every question fails, at once."""
    lock = tmp_path / "lock.txt"
    lock.write_text(KNOWN)
    nowhere = dict.fromkeys(("https_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    nowhere |= {"no_proxy": "", "NO_PROXY": ""}
    ended = audit(lock, **nowhere)
    assert (ended.returncode, "NOT AUDITED" in ended.stdout) == (Outcome.NOT_AUDITED, True)
    ended = audit(lock, "--go-on", **nowhere)
    assert (ended.returncode, "NOT AUDITED" in ended.stdout) == (0, True)
    assert "audited: " not in ended.stdout


@pytest.mark.parametrize(
    ("answer", "asked", "outcome"),
    [
        ([CLEAN], 1, Outcome.CLEAN),
        ([CLEAN, {**CLEAN, "vulns": [FAULT]}], 2, Outcome.KNOWN),
        (
            [{"name": "b", "skip_reason": "not found"}, {**CLEAN, "vulns": [FAULT]}],
            2,
            Outcome.KNOWN,
        ),
        ([CLEAN, {"name": "b", "skip_reason": "not found"}], 2, Outcome.NOT_AUDITED),
        ([CLEAN], 2, Outcome.NOT_AUDITED),
        ([], 0, Outcome.NOT_AUDITED),
    ],
    ids=["clean", "known", "known-and-skipped", "skipped", "left-out", "empty"],
)
def test_only_a_whole_answer_counts(answer, asked, outcome):
    found, lines = judge(answer, asked=asked)
    assert (found, bool(lines)) == (outcome, True)
